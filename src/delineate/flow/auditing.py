"""Stage five: how far a model can be trusted, audit by audit."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delineate.core import (
    Case,
    DataError,
    DelineateError,
    checked_seed,
    made_folder,
    new_folder,
    written_whole,
)
from delineate.data import DataSet
from delineate.data.masks import MasksAre
from delineate.flow.evidence import (
    annotators,
    caveats,
    check_classes,
    check_there,
    data_of,
    facts,
    or_without,
    second,
)
from delineate.flow.methods import Tell
from delineate.flow.questions import asked_of, plain
from delineate.flow.reseeding import reseeded
from delineate.flow.subject import opened, subject_of

if TYPE_CHECKING:
    from delineate.audits import Section, Subject, Verdict


ERROR = "error.txt"


@dataclass(frozen=True, eq=False)
class Audited:
    """sections: in the order of the audits. page: the file to open."""

    sections: tuple[Section, ...]
    page: Path

    @property
    def verdict(self) -> Verdict:
        """The gravest of all sections."""
        from delineate.audits import worst

        return worst([section.verdict for section in self.sections])

    def __getitem__(self, name: str) -> Section:
        """The section of that audit; raises KeyError where there is none."""
        return {section.name: section for section in self.sections}[name]


def audit(
    model: str | Path | Any,
    data: str | Path | DataSet | Sequence[Case],
    *,
    out: str | Path,
    only: Sequence[str] | None = None,
    shifted: str | Path | Sequence[Case] | None = None,
    metadata: str | Path | None = None,
    thresholds: str | Path | None = None,
    eps: float | None = None,
    attack_steps: int | None = None,
    alpha: float | None = None,
    surrogate: str | Path | Any = None,
    siblings: Sequence[str | Path] = (),
    seeds: int = 0,
    taught_on: str | Path | None = None,
    val: str | Path | None = None,
    every_shift: bool = False,
    settings: Mapping[str, Any] | None = None,
    most: int = 16,
    seed: int = 0,
    resume: bool = False,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    tell: Tell | None = None,
    watch: Tell | None = None,
) -> Audited:
    """Examine a model as a sceptical reviewer would: audit.html, audit.json and thresholds.toml in the new folder `out`.

    model: a trained folder, an ONNX file, a folder of predictions by any tool, a fitted method, a torch module, or a
    `delineate.audits.Subject` (`subject_of_module` makes one of a module of which more has to be said). data: images, with
    masks or without; of a data set with a validation part, that part. only: names in `delineate.audits.AUDITS`; all where
    None. shifted: a second data set, of another stain, site or camera. metadata: a CSV with a row per image; metadata.csv
    beside the images where none is named. thresholds: a TOML file, see `delineate.audits.thresholds`.
    eps: what an adversary may change, in grey levels of 255; attack_steps: its steps; surrogate: another model of the same
    task that has gradients, as `model`, whose attacks are tried as well. alpha: share of foreground that the guarantee lets
    be missed. siblings: models that were trained as this one was, with other seeds; seeds: train so many more on `taught_on`,
    the data that the model was trained on, into out/seeds; val: what it was validated on, where `train` was given that.
    every_shift: all shifts, not a spread of them. settings: audit -> a settings dataclass of its own, for all else.
    most: at most so many images for an audit that is slow.
    resume: sections in `out` that answer the same question are kept, and shown besides those asked for; never for a subject
    of which nothing tells whether it is the same. tell: what was understood and found; watch: what is being
    done now.

    An audit that cannot be done (no labels, no gradients, one annotator only) is named on the page with its reason; so is one
    that fails for a reason nobody foresaw, with the traceback in sections/NAME/error.txt, and `resume` tries it again.
    Raises DataError for an unknown audit or data that cannot be read, ModelError for a model that cannot, OutputError.
    """
    from delineate.audits import AUDITS, Evidence, thresholds_in
    from delineate.audits.files import read_section, write_section
    from delineate.report.audit import write_audit

    say = tell or (lambda _: None)
    for name in only or ():
        if name not in AUDITS:
            raise DataError(f"there is no audit {name}: choose from {', '.join(AUDITS)}")
    for name in settings or {}:
        if name not in AUDITS:
            raise DataError(
                f"there are settings for an audit {name}, which there is not: choose from {', '.join(AUDITS)}"
            )
    names = [name for name in AUDITS if not only or name in only]
    if (seeds or siblings) and only and "seeds" not in only:
        raise DataError(
            "other trainings are for the audit seeds, which --only leaves out: name it too, or leave them out"
        )
    check_there(metadata=metadata, shifted=shifted)
    table = thresholds_in(None if thresholds is None else Path(thresholds))
    method = opened(model)
    classes = getattr(method, "classes", None)
    found = data_of(data, classes=classes, unlabelled=unlabelled, masks_are=masks_are)
    for note in found.notes:
        say(note)
    cases = found.validation or found.cases
    if seeds and (taught_on is None or not isinstance(model, (str, Path))):
        raise DataError(
            "more trainings need a model folder and the data it was trained on: name it with --taught-on"
        )
    if not seeds and (taught_on is not None or val is not None):
        raise DataError(
            "data of the training are for trainings with other seeds: say how many with --seeds, or leave --taught-on and --val "
            "out"
        )
    subject = subject_of(method, model, cases, found.classes, unlabelled=unlabelled, masks_are=masks_are)
    check_classes(cases, subject.classes)
    notes: list[str] = []

    def note_down(sentence: str) -> None:
        notes.append(sentence)
        say(sentence)

    for sentence in (*subject.notes, *caveats(subject, found)):
        note_down(sentence)
    evidence = Evidence(
        cases,
        shifted=or_without(
            lambda: second(shifted, subject, unlabelled=unlabelled, masks_are=masks_are),
            without=(),
            tell=note_down,
        ),
        annotators=or_without(
            lambda: annotators(
                data, classes=found.classes, unlabelled=unlabelled, masks_are=masks_are, tell=note_down
            ),
            without={},
            tell=note_down,
        ),
        facts=or_without(lambda: facts(metadata, data, cases, large=found.large), without={}, tell=note_down),
        thresholds=table,
        most=most,
        seed=checked_seed(seed),
        tell=watch or (lambda _: None),
    )
    folder = Path(out)
    if not (resume and folder.is_dir()):
        new_folder(folder)
    if seeds:
        others = reseeded(
            model,
            taught_on or "",
            out=folder / "seeds",
            number=seeds,
            val=val,
            unlabelled=unlabelled,
            masks_are=masks_are,
            tell=tell,
            watch=lambda step: evidence.tell(
                f"seeds: step {step.number} of a training, about {step.remaining / 60:.0f} minutes left of it"
            ),
        )
        siblings = (*siblings, *others)
    if surrogate is not None and not isinstance(surrogate, (str, Path)):
        other = opened(surrogate)
        surrogate = subject_of(
            other, surrogate, cases, found.classes, unlabelled=unlabelled, masks_are=masks_are
        )
    wanted = _wanted(settings or {}, eps, attack_steps, alpha, surrogate, siblings, every_shift)
    asked = asked_of(subject, evidence)
    known = resume and asked["subject"][1] is not None
    sections: list[Section] = []
    for name in AUDITS:
        question = asked | {"settings": plain(wanted.get(name))}
        section = read_section(folder / "sections" / name, asked=question) if known else None
        if section is None and name not in names:
            continue
        if section is None:
            place = folder / "sections" / name
            section = _examined(name, subject, evidence, wanted.get(name), place=place)
            if not (place / ERROR).is_file():  # what broke is tried again by --resume
                write_section(section, place, asked=question)
        say(f"{name}: {section.verdict}: {section.sentence}")
        sections.append(section)
    page = write_audit(
        sections,
        folder,
        subject=subject.name,
        thresholds=table,
        facts=_about(subject, evidence),
        notes=notes,
    )
    return Audited(tuple(sections), page)


def _wanted(
    settings: Mapping[str, Any],
    eps: float | None,
    attack_steps: int | None,
    alpha: float | None,
    surrogate: str | Path | Subject | None,
    siblings: Sequence[str | Path],
    every_shift: bool,
) -> dict[str, Any]:
    """The settings of single audits that differ from their defaults: those given, with what is asked for by name put in."""
    wanted = dict(settings)
    changes = {"eps": eps, "steps": attack_steps, "surrogate": surrogate}
    if named := {name: value for name, value in changes.items() if value is not None}:
        from delineate.audits.attack.settings import AttackSettings

        if isinstance(surrogate, Path):
            named["surrogate"] = str(surrogate)
        wanted["attack"] = replace(wanted.get("attack", AttackSettings()), **named)
    if alpha is not None:
        from delineate.audits.guarantee import GuaranteeSettings

        wanted["guarantee"] = replace(wanted.get("guarantee", GuaranteeSettings()), alpha=alpha)
    if every_shift:
        from delineate.audits.shift import ShiftSettings

        wanted["shift"] = replace(wanted.get("shift", ShiftSettings()), every=True)
    if siblings:
        from delineate.audits.seeds import SeedsSettings

        wanted["seeds"] = SeedsSettings(tuple(map(str, siblings)))
    return wanted


def _examined(name: str, subject: Subject, evidence: Any, settings: Any, *, place: Path) -> Section:
    """The section of one audit; where it cannot be done, one that says why. What nobody foresaw leaves its traceback in `place`,
    and the other audits still run."""
    from delineate.audits import AUDITS, Section

    module, function = AUDITS[name].split(":")
    (place / ERROR).unlink(missing_ok=True)
    try:
        examine = getattr(importlib.import_module(module), function)
        section: Section = examine(subject, evidence, **({} if settings is None else {"settings": settings}))
    except DelineateError as error:
        return Section(name, name.capitalize(), "", f"Not examined: {error}.")
    except Exception as error:
        made_folder(place)
        with written_whole(place / ERROR) as beside:
            beside.write_text(traceback.format_exc(), encoding="utf-8")
        said = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
        return Section(
            name,
            name.capitalize(),
            "",
            f"Not examined: an error inside Delineate or the model, {said}; please report it.",
            notes=(f"The whole error is in sections/{name}/{ERROR}.",),
        )
    return section


def _about(subject: Subject, evidence: Any) -> dict[str, Any]:
    labelled = sum(case.labels is not None for case in evidence.cases)
    said: dict[str, Any] = {
        "model": subject.name if subject.source is None else str(subject.source),
        "images": f"{len(evidence.cases)}, {labelled} with truth",
        "classes": ", ".join(subject.classes.names[1:]),
    }
    if evidence.shifted:
        said["shifted"] = f"{len(evidence.shifted)} images"
    if evidence.annotators:
        said["annotators"] = ", ".join(evidence.annotators)
    return said | {"seed": evidence.seed}
