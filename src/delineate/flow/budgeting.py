"""How much labelling is enough? Trainings on simulated strokes, clicks and fewer masks, beside the one on all masks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from delineate import data as files
from delineate.core import UNLABELLED, Case, DataError, new_folder, written_whole
from delineate.data import DataSet
from delineate.data.fingerprint import fingerprint
from delineate.data.masks import MasksAre
from delineate.data.scribbles import clicks, pointed, scribbled
from delineate.data.sparse import barely_labelled
from delineate.flow.methods import Tell, data_set, finished, load, to_judge_on
from delineate.flow.settings import kept_settings
from delineate.flow.teaching import train

if TYPE_CHECKING:
    from delineate.learn import Overrides, Step
    from delineate.report.budget import Budget, Spent

SHARES = (0.001, 0.003, 0.01, 0.03)
CLICKED = (0.1, 0.3, 1.0)  # shares of the images that are clicked on


@dataclass(frozen=True)
class _Labelling:
    """One way to label a data set. asked: share of the pixels of every image, or number of images."""

    kind: str
    asked: float
    seed: int

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.asked:g}-seed{self.seed}"


def budget(
    data: str | Path | DataSet | Sequence[Case],
    *,
    out: str | Path,
    val: str | Path | Sequence[Case] | None = None,
    shares: Sequence[float] = SHARES,
    images: Sequence[int] | None = None,
    clicked: Sequence[int] | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    seeds: int = 1,
    overrides: Overrides | None = None,
    resume: bool = False,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    tell: Tell | None = None,
    watch: Callable[[Step], None] | None = None,
) -> Budget:
    """Dice against labelling effort on a data set with full masks: strokes, clicks and masks, each in several amounts.

    out: a new folder for budget.html, budget.png, budget.json and trainings/. val: what to judge on; else the validation
    part of the data, else a quarter of the cases (whole groups), and no training sees any of it; images that are judged on
    have full masks. shares: of the pixels of every image that strokes cover. images: numbers of images with full masks
    (1, 2, 4, ..., up to three quarters of them; all are the ceiling and always tried). clicked: numbers of images that are
    clicked on, once an object; the others join without labels.
    minutes (2 where neither is given) or steps bound each training, and seeds repeats every one. resume: go on in an `out`
    that an interrupted run left behind.
    Fewer images are chosen so that the first hold every class; where one is still lacking, that training is left out.
    Raises DataError for minutes and steps together, where there is nothing to judge on, or masks are not full.

    >>> import tempfile
    >>> from delineate.data.samples import coins
    >>> from delineate.learn import Overrides
    >>> learn_from, held_out = coins()
    >>> tiny = Overrides(patch=32, batch=1, width=4, levels=2)
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     found = budget(learn_from, val=held_out, out=Path(scratch) / "budget", shares=[0.01], images=[1],
    ...                    clicked=[], steps=1, overrides=tiny)
    ...     [one.kind for one in found.spent], found.page.name
    (['masks', 'masks', 'strokes'], 'budget.html')
    """
    from delineate.report.budget import write_budget

    say = tell or (lambda _: None)
    if minutes is None and steps is None:
        minutes = 2.0
    if (minutes is None) == (steps is None) or (minutes or steps or 0) <= 0:
        raise DataError("every training needs either minutes or steps, a positive number: give one of them")
    found = data_set(data, unlabelled=unlabelled, masks_are=masks_are)
    for note in found.notes:
        say(note)
    cases, judged = _parts(found, val, unlabelled=unlabelled, masks_are=masks_are, tell=say)
    plan = _plan(len(cases), shares, images, clicked, seeds)
    cost = f"{steps} steps" if steps is not None else f"{minutes:g} minutes"
    whole = "" if minutes is None else f", {len(plan) * minutes:.0f} minutes in all"
    say(f"{len(plan)} trainings of {cost} each{whole}, judged on {len(judged)} images")
    folder = Path(out)
    if not (resume and folder.is_dir()):
        new_folder(folder)
    kept_settings(
        folder / "settings.json",
        {
            "training": cost,
            "overrides": asdict(overrides) if overrides else {},
            "images": [fingerprint(cases), fingerprint(judged)],
        },
        what=f"the budget in {folder} was begun with other steps, minutes, images, labels or network",
    )
    spent = []
    for number, labelling in enumerate(plan, start=1):
        home = folder / "trainings" / labelling.name
        if not (home / "result.json").is_file():
            labelled, effort = _labelled(cases, labelling)
            if missing := _held(cases) - _held(labelled[0]):
                names = ", ".join(found.classes.names[label] for label in sorted(missing))
                say(f"{number} of {len(plan)}: {labelling.name} is left out: it has no label of {names}")
                continue
            say(f"{number} of {len(plan)}: {labelling.name}")
            begun = time.monotonic()
            if finished(home / "model"):  # interrupted before it was judged
                method = load(home / "model")
                seconds = method.learnt.record.seconds
            else:
                method = train(
                    replace(found, cases=labelled[0], validation=(), unlabelled=labelled[1], large=()),
                    out=home / "model",
                    minutes=minutes,
                    steps=steps,
                    seed=labelling.seed,
                    overrides=overrides,
                    resume=(home / "model").is_dir() and any((home / "model").iterdir()),
                    watch=watch,
                )
                seconds = time.monotonic() - begun
            _judge(method, judged, labelling, effort, seconds=seconds, home=home)
        spent.append(_read(home))
    return write_budget(folder, spent, judged=len(judged), cost=cost)


def _parts(
    found: DataSet,
    val: str | Path | Sequence[Case] | None,
    *,
    unlabelled: int | None,
    masks_are: MasksAre | None,
    tell: Tell,
) -> tuple[list[Case], list[Case]]:
    """Cases to label and cases to judge on."""
    cases, judged = list(found.cases), list(found.validation)
    if isinstance(val, (str, Path)):
        given = files.load(val, classes=found.classes, unlabelled=unlabelled, masks_are=masks_are)
        judged = [*given.cases, *given.validation]
    elif val is not None:
        judged = list(val)
    elif not judged and len(cases) > 1:
        cases, judged = files.split(cases, share=0.25, seed=0)
    for case in cases:
        if barely_labelled(case):
            raise DataError(
                f"{case.name} has no full mask: a budget is simulated from full masks, so give such images"
            )
    return cases, to_judge_on(judged, tell=tell)


def _plan(
    count: int,
    shares: Sequence[float],
    images: Sequence[int] | None,
    clicked: Sequence[int] | None,
    seeds: int,
) -> list[_Labelling]:
    """The ceiling first, then what costs little to what costs much."""
    if bad := [share for share in shares if not 0 < share < 1]:
        raise DataError(
            f"the share of pixels to draw on is {bad[0]}: give a number between 0 and 1, such as 0.01"
        )
    numbers = [2**n for n in range(20) if 2**n <= 0.75 * count] if images is None else list(images)
    chosen = [max(1, round(share * count)) for share in CLICKED] if clicked is None else list(clicked)
    if bad := [n for n in (*(images or ()), *(clicked or ())) if not 1 <= n <= count]:
        raise DataError(f"{bad[0]} images shall be labelled, but there are {count} to train on: give fewer")
    return [
        _Labelling(kind, asked, seed)
        for kind, steps in (
            ("masks", [count, *sorted({n for n in numbers if n < count})]),
            ("strokes", sorted(set(shares))),
            ("clicks", sorted(set(chosen))),
        )
        for asked in steps
        for seed in range(seeds)
    ]


def _labelled(
    cases: Sequence[Case], how: _Labelling
) -> tuple[tuple[tuple[Case, ...], tuple[Case, ...]], dict[str, float]]:
    """Cases with labels and without, and what the labels cost. Fewer images are always among the more of one seed."""
    some = [cases[i] for i in sorted(_order(cases, how.seed)[: int(how.asked)])]
    if how.kind == "strokes":
        drawn = [scribbled(case, share=how.asked, seed=how.seed) for case in cases]
    elif how.kind == "clicks":
        drawn = [pointed(case, seed=how.seed) for case in some]
    else:
        drawn = some
    named = {case.name for case in drawn}
    bare = [replace(case, labels=None, objects=None) for case in cases if case.name not in named]
    said = sum(int((case.labels != UNLABELLED).sum()) for case in drawn if case.labels is not None)
    effort = {
        "images": len(drawn),
        "share": said / sum(int(np.prod(case.spatial)) for case in cases),
        "clicks": sum(len(clicks(case, seed=how.seed)) for case in some) if how.kind == "clicks" else 0,
    }
    return (tuple(drawn), () if how.kind == "masks" else tuple(bare)), effort


def _order(cases: Sequence[Case], seed: int) -> list[int]:
    """Cases in a random order, but those ahead that together hold every class: next is what adds most of the missing."""
    left: list[int] = np.random.default_rng(seed).permutation(len(cases)).tolist()
    held = [_held([case]) for case in cases]
    missing, ahead = _held(cases), list[int]()
    while missing:
        ahead.append(max(left, key=lambda i: len(held[i] & missing)))
        left.remove(ahead[-1])
        missing -= held[ahead[-1]]
    return ahead + left


def _held(cases: Sequence[Case]) -> set[int]:
    """The classes of which there are labels."""
    found = (np.unique(case.labels).tolist() for case in cases if case.labels is not None)
    return set[int]().union(*found) - {UNLABELLED}


def _judge(
    method: object,
    judged: Sequence[Case],
    how: _Labelling,
    effort: dict[str, float],
    *,
    seconds: float,
    home: Path,
) -> None:
    """Write what a training came to; Dice is the mean over the classes, each over the cases that hold or get it."""
    from delineate.report.budget import Spent
    from delineate.score import dice

    names: Sequence[str] = method.classes.names[1:]  # type: ignore[attr-defined]
    values: dict[str, list[float]] = {name: [] for name in names}
    for case in judged:
        labels = method.predict(case.image).argmax(0).astype(np.uint8)  # type: ignore[attr-defined]
        for label, name in enumerate(names, start=1):
            values[name].append(dice(case.labels, labels, label=label) if case.labels is not None else np.nan)
    means = {
        name: float(np.nanmean(some)) if not np.isnan(some).all() else float("nan")
        for name, some in values.items()
    }
    defined = [mean for mean in means.values() if not np.isnan(mean)]
    spent = Spent(
        how.kind,
        how.asked,
        int(effort["images"]),
        effort["share"],
        int(effort["clicks"]),
        how.seed,
        sum(defined) / len(defined) if defined else float("nan"),
        means,
        seconds,
    )
    with written_whole(home / "result.json") as beside:
        beside.write_text(json.dumps(asdict(spent), indent=1))


def _read(home: Path) -> Spent:
    from delineate.report.budget import Spent

    try:
        return Spent(**json.loads((home / "result.json").read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(
            f"{home / 'result.json'} cannot be read ({error}): remove it and go on with --resume"
        ) from error
