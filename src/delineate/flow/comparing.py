"""Every method on the same cases: is a network needed at all?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delineate import data as files
from delineate.core import Case, DataError, new_folder
from delineate.data import DataSet
from delineate.data.fingerprint import fingerprint
from delineate.data.masks import MasksAre
from delineate.flow.answering import answered, keeps_apart
from delineate.flow.methods import METHODS, Tell, data_set, finished, load, method_named, saved, to_judge_on
from delineate.flow.settings import kept_settings

if TYPE_CHECKING:
    from delineate.learn import Overrides, Step
    from delineate.report.comparison import Comparison


def compare(
    data: str | Path | DataSet | Sequence[Case],
    *,
    out: str | Path,
    val: str | Path | Sequence[Case] | None = None,
    methods: Sequence[str] | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    overrides: Overrides | None = None,
    resume: bool = False,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    tell: Tell | None = None,
    watch: Callable[[Step], None] | None = None,
) -> Comparison:
    """Teach every method (or `methods`) on the same cases, judge them on others, and write one page about it.

    out: a new folder for compare.html, compare.json, compare.csv and methods/NAME/model. val: what to judge on; else the
    validation part of the data, else a quarter of the cases (whole groups). minutes (5 where neither is given) or
    steps, and overrides, are for the U-Net alone. resume: go on in an `out` that an interrupted comparison left behind.
    Raises DataError for an unknown method, where there is no full mask to judge on, or where what is gone on with was begun
    with something else.

    >>> import tempfile
    >>> from delineate.data.samples import coins
    >>> learn_from, held_out = coins()
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     compared = compare(learn_from, val=held_out, out=Path(scratch) / "compared", methods=["otsu", "watershed"])
    ...     [entrant.name for entrant in compared.entrants], compared.page.name
    (['otsu', 'watershed'], 'compare.html')
    """
    from delineate.contest import contest, tried
    from delineate.data.conditions import CONDITIONS
    from delineate.report.comparison import write_comparison

    say = tell or (lambda _: None)
    chosen = list(dict.fromkeys(methods or METHODS))
    for name in chosen:
        if name not in METHODS:
            raise DataError(f"there is no method {name}: choose from {', '.join(METHODS)}")
    found = data_set(data, unlabelled=unlabelled, masks_are=masks_are, all_images=False)
    for note in found.notes:
        say(note)
    cases, judged = list(found.cases), list(found.validation)
    if val is not None:
        if isinstance(val, (str, Path)):
            given = files.load(val, classes=found.classes, unlabelled=unlabelled, masks_are=masks_are)
            judged = [*given.cases, *given.validation]
        else:
            judged = list(val)
    elif not judged and len(cases) > 1:
        cases, judged = files.split(cases, share=0.25, seed=seed)
        say(f"{len(judged)} of {len(cases) + len(judged)} cases are held out to judge on")
    judged = to_judge_on(judged, tell=say)
    folder = Path(out)
    if not (resume and folder.is_dir()):
        new_folder(folder)
    if minutes is None and steps is None:
        minutes = 5.0
    settings = {
        "classes": list(found.classes.names),
        "taught on": fingerprint([*cases, *found.unlabelled]),
        "judged on": [fingerprint([case]) for case in judged],  # whose answers are kept in this order
    }
    begun = f"the comparison in {folder} was begun with other"
    kept_settings(folder / "settings.json", settings, what=f"{begun} images, labels or --seed")
    if "unet" in chosen:
        network = asdict(overrides) if overrides else {}
        training = {"minutes": minutes, "steps": steps, "seed": seed, "overrides": network}
        what = f"{begun} minutes, steps, --seed or network for the U-Net"
        kept_settings(folder / "unet.json", training, what=what)

    def fitted(name: str) -> Callable[[Path], Any]:
        def fit(home: Path) -> Any:
            if name != "unet":
                return saved(method_named(name)(classes=found.classes).fit(cases), home)
            if finished(home):  # interrupted before it was judged
                return load(home)
            from delineate.learn import Training, UNetMethod, planned

            plan = planned(cases, minutes=minutes, overrides=overrides)
            again = home.is_dir() and any(home.iterdir())
            training = Training(cases, classes=found.classes, plan=plan, unlabelled=found.unlabelled, minutes=minutes,
                                steps=steps, seed=seed, folder=home, resume=again)  # fmt: skip
            for step in training:
                if watch:
                    watch(step)
            return UNetMethod.of(training.learnt)

        return fit

    def answer(method: Any, image: Any) -> tuple[Any, Any]:
        return answered(method, image, objects=method.name == "watershed" or keeps_apart(method))

    entrants = contest(
        cases,
        judged,
        classes=found.classes,
        entrants={name: fitted(name) for name in chosen},
        answer=answer,
        folder=folder / "methods",
        tell=say,
    )
    return write_comparison(list(entrants), judged, folder, conditions=CONDITIONS, tried=tried(judged))
