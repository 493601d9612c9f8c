"""Stage one: labelled cases become a method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delineate import data as files
from delineate.core import Case, DataError, checked_seed, made_folder, new_folder
from delineate.data import DataSet
from delineate.data.fingerprint import seen
from delineate.data.label_choice import LabelKind
from delineate.data.masks import MasksAre
from delineate.data.problem import counted, listed
from delineate.data.sparse import barely_labelled
from delineate.flow.balancing import balanced
from delineate.flow.from_model import begun_from
from delineate.flow.holding_out import split_off, validation_of
from delineate.flow.methods import Tell, data_set, method_named, saved
from delineate.flow.nearness import settled
from delineate.score import mean_dice

if TYPE_CHECKING:
    from delineate.learn import Overrides, Step

JOIN = "without labels join the training"


def train(
    data: str | Path | DataSet | Sequence[Case],
    *,
    out: str | Path | None = None,
    val: str | Path | Sequence[Case] | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    method: str = "unet",
    overrides: Overrides | None = None,
    from_model: str | Path | None = None,
    resume: bool = False,
    labels: LabelKind | None = None,
    all_images: bool | None = None,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    balance: str | None = None,
    metadata: str | Path | None = None,
    devices: int = 1,
    nodes: int = 1,
    tell: Tell | None = None,
    watch: Callable[[Step], None] | None = None,
) -> Any:
    """Teach a method on a data folder, a DataSet or labelled cases; returns it, with `predict` and `save`.

    out: a new or empty folder for the model; checkpoints and pictures go there as well. val: a folder or cases
    to validate on; without, a tenth (about eight at most; whole groups) is held out of five cases or more. minutes
    (10 where neither is given) or steps bound the training of a U-Net; the same steps, seed, data and machine
    give the same weights. The temperature of the probabilities is then fitted on at most 16 of the cases held out; it
    changes no label. from_model: the folder of a U-Net to begin from, which keeps the shape of its network and all that it knows
    of classes of the same names. labels: masks, scribbles, points or boxes, where several kinds lie in the folder;
    all_images: whether images without labels join; not asked, they do where labels are weak. balance: a column of the
    CSV file metadata (metadata.csv in the data folder where none is named) of whose values each is to be drawn alike, though no
    case more than 10 times as often as others. resume: go on with the
    interrupted training in `out`. devices, nodes: processes, each with a GPU where there are any, that share the batches
    of a U-Net; torchrun and srun bring their own numbers.
    Raises DataError, TrainingError or OutputError, each with its remedy.

    >>> from delineate.data.samples import coins
    >>> learn_from, held_out = coins()
    >>> method = train(learn_from, steps=1)  # a real training takes minutes
    >>> method.predict(held_out[0].image).shape  # classes, height, width
    (2, 303, 77)
    """
    chosen, seed = method_named(method), checked_seed(seed)
    first = method != "unet" or is_first(devices, nodes)
    say = tell if tell and first else (lambda _: None)
    if not first:  # another process tells and draws
        watch = None
    if method != "unet" and (
        given := _given(
            overrides,
            resume=resume or None,
            val=val,
            minutes=minutes,
            steps=steps,
            balance=balance,
            metadata=metadata,
            **{"from": from_model},
        )
    ):
        raise DataError(
            f"{method} knows nothing of {listed(given)}: leave those options out, or train a unet"
        )
    before = None if from_model is None else begun_from(from_model, tell=say)
    known = () if before is None else before.record.seen
    if minutes is None and steps is None:
        minutes = 10.0
    wanted = overrides.annotators if overrides else None
    everybody: tuple[Case, ...] = ()
    weak = overrides.weak if overrides else None
    if alone := weak is False or method != "unet":
        if all_images:
            raise DataError(
                "images without labels join weak trainings of a U-Net alone: leave --all-images out, or --no-weak and other "
                "methods"
            )
        all_images = False
    if wanted in (None, "one"):
        found = data_set(
            data, unlabelled=unlabelled, masks_are=masks_are, labels=labels, all_images=all_images
        )
    elif labels is not None or all_images is not None:
        raise DataError(
            f"--annotators {wanted} learns from the masks of several people, so there is no choice of labels or images: leave "
            "--labels, --all-images and --labelled-images out"
        )
    else:
        found, everybody = by_everybody(data, unlabelled=unlabelled, masks_are=masks_are)
    silent = () if alone else found.unlabelled
    for note in found.notes:
        if silent or not note.endswith(JOIN):  # a DataSet that was loaded for another training
            say(note)
    cases, validation = list(found.cases), list(found.validation)
    if val is not None:
        validation = validation_of(
            val, classes=found.classes, labels=labels, unlabelled=unlabelled, masks_are=masks_are, tell=say
        )
    folder = None if out is None else Path(out)
    if folder is not None and not resume and first:
        new_folder(folder)
    if method != "unet":
        learnt = chosen(classes=found.classes).fit(
            [*cases, *(look for one in found.large for look in one.looks)]
        )
        return learnt if folder is None else saved(learnt, folder)
    if not validation and len(cases) >= 5:
        cases, validation = split_off(cases, seed=seed, known=known)
        say(f"{len(validation)} of {len(cases) + len(validation)} cases are held out for validation")
    elif not validation:
        count = counted(len(cases) + len(found.large), "labelled image")
        say(f"with {count} none is held out, so nothing is validated (--val gives others)")

    met = seen(validation, known)
    if met:
        say(
            f"{len(met)} of the {len(validation)} images to validate on were learnt from by {from_model}, which flatters the "
            "validation"
        )

    if wanted in ("random", "soft"):
        cases = as_drawn(cases, everybody)

    from delineate.learn import Training, UNetMethod, planned

    looks = [look for one in found.large for look in one.looks]
    plan = planned(
        [*cases, *looks],
        minutes=minutes,
        overrides=overrides,
        unlabelled=len(silent),
        start=before.plan if before else None,
    )
    for item, reason in plan.reasons.items():
        say(f"{item}: {_said(getattr(plan, item))} ({reason})")
    if plan.weak is not None:
        if any(map(barely_labelled, [*cases, *(looks if plan.dims == 2 else ())])):
            say("strokes are spread to the pixels that they imply; this may take a minute")
        if any(map(barely_labelled, validation)):
            say(
                "validation is on the held-out strokes, spread in the same way: it ranks models, but flatters them all"
            )

    times = balanced(found, cases, dims=plan.dims, balance=balance, metadata=metadata, data=data, tell=say)
    training = Training(
        cases,
        classes=found.classes,
        plan=plan,
        validation=validation,
        large=found.large,
        unlabelled=silent,
        minutes=minutes,
        steps=steps,
        seed=seed,
        judge=partial(mean_dice, classes=len(found.classes)),
        folder=folder,
        resume=resume,
        devices=devices,
        nodes=nodes,
        labels=found.labels,
        times=times,
        start=before,
    )
    for step in training:
        if step.previews and folder is not None:
            _preview(step, folder, found)
        if watch:
            watch(step)
    learnt = training.learnt
    if kept := learnt.record.data.get("kept_step"):
        say(f"the model of step {kept} is kept: it was better on what is held out than the last one")
    unmet = [case for case in validation if not any(case is one for one in met)]
    return UNetMethod.of(settled(learnt, unmet, folder=folder, tell=say) if first else learnt)


def _given(overrides: Overrides | None, **others: object) -> list[str]:
    """The options of a U-Net's training that have a value, as the command line names them."""
    items = {**(asdict(overrides) if overrides else {}), **others}
    return [f"--{name.replace('_', '-')}" for name, value in items.items() if value is not None]


def by_everybody(
    data: str | Path | DataSet | Sequence[Case], *, unlabelled: int | None, masks_are: MasksAre | None
) -> tuple[DataSet, tuple[Case, ...]]:
    """What people agree on, as a data set, and the cases of all of them; among cases, those of one name are one image."""
    if isinstance(data, (str, Path)):
        read = files.load_annotators(data, unlabelled=unlabelled, masks_are=masks_are)
        everybody = tuple(case for own in read.people.values() for case in own)
        agreed, classes, notes, held_out = files.agreed(everybody), read.classes, read.notes, read.held_out
    else:
        known = data_set(data, unlabelled=unlabelled, masks_are=masks_are)
        everybody = (*known.cases, *known.validation)
        agreed, classes, notes = files.agreed(everybody), known.classes, known.notes
        held_out = frozenset(case.name for case in known.validation)
    if len(agreed) == len(everybody):
        raise DataError("no image was labelled by two people: train without --annotators")
    to_learn, validation = (
        tuple(case for case in agreed if (case.name in held_out) == out) for out in (False, True)
    )
    return DataSet(to_learn, validation, classes, notes, {}), everybody


def as_drawn(cases: Sequence[Case], everybody: Sequence[Case]) -> list[Case]:
    """The same images, each as often as people labelled it, with their own labels."""
    to_learn = {case.name for case in cases}
    return [case for case in everybody if case.name in to_learn]


def is_first(devices: int = 1, nodes: int = 1) -> bool:
    """Whether this is the process of a training that writes and tells."""
    from delineate.learn.many import Crew

    return Crew.found(devices=devices, nodes=nodes).rank == 0


def _said(value: Any) -> str:
    """A setting in few words."""
    from delineate.data.augment import Augmentation
    from delineate.learn.normalisation import NORMALISATIONS
    from delineate.learn.planning import AUGMENTATIONS
    from delineate.learn.weak import Weak

    if isinstance(value, Weak) or value is None:
        return "yes" if value else "no"
    for name, known in (*AUGMENTATIONS.items(), *NORMALISATIONS.items()):
        if value == known or (isinstance(value, Augmentation) and replace(value, robust=()) == known):
            return name
    if isinstance(value, tuple):
        return (" x " if all(isinstance(item, int) for item in value) else ", ").join(
            map(str, value)
        ) or "none"
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _preview(step: Step, folder: Path, found: DataSet) -> None:
    """A few validation cases with what is predicted for them now, for whoever looks into the folder."""
    from delineate.report import outlines
    from delineate.report.picture import write_picture

    for case, labels in step.previews:
        path = folder / "validation" / f"{case.name}.png"
        made_folder(path.parent)
        write_picture(path, outlines(case.image, labels, classes=found.classes))
