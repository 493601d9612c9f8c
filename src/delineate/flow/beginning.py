"""The model that a training begins from: which it is, and how much of the new images it knows already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from delineate.core import UNLABELLED, Case, ClassTable, ModelError
from delineate.data.problem import counted, listed
from delineate.flow.methods import Tell, load
from delineate.score import mean_dice

if TYPE_CHECKING:
    from delineate.learn.learnt import Learnt

LOOKED_AT = 4  # cases
WINDOW = {2: 512, 3: 96}  # pixels along each axis that are looked at


def begun_from(folder: str | Path, *, tell: Tell) -> Learnt:
    """The trained U-Net to begin from, told in few words; raises ModelError where it is none."""
    method = load(folder, tell=tell)
    if method.name != "unet":
        raise ModelError(
            f"{folder} is no U-Net of Delineate ({method.name}): begin from the folder of one, or leave --from out"
        )
    before: Learnt = method.learnt
    known = counted(max(len(set(before.record.seen)), before.record.data.get("cases", 0)), "image")
    tell(
        f"begins from {folder}: {before.record.steps} steps on {known}; it knows {listed(before.classes.names)}"
    )
    return before


def known_already(before: Learnt, cases: Sequence[Case], classes: ClassTable) -> float:
    """The mean Dice that a model has, untaught, on a part of each of a few labelled cases: 0 where it cannot see them, nan where
    nothing but background is labelled.

    >>> from delineate.data.samples import coins
    >>> from delineate.learn import UNetMethod
    >>> cases, _ = coins()
    >>> known_already(UNetMethod(steps=1).fit(cases).learnt, cases, ClassTable.numbered(2)) < 0.7
    True
    """
    from delineate.learn import UNetMethod
    from delineate.learn.begun import kept_classes

    labelled = [case for case in cases if case.labels is not None]
    places = [number * len(labelled) // LOOKED_AT for number in range(LOOKED_AT)]
    kept = {old: new for new, old in kept_classes(before, classes).items()}
    now = np.array([kept.get(old, UNLABELLED) for old in range(len(before.classes))], np.uint8)
    found = []
    for case in [labelled[place] for place in dict.fromkeys(places)] if labelled else ():
        window = _window(case, dims=before.plan.dims)
        try:
            predicted = now[UNetMethod.of(before).predict(case.image[window]).argmax(0)]
        except ModelError:  # other channels: it has to learn what it sees
            return 0.0
        found.append(mean_dice(case.labels[window], predicted, classes=len(classes)))  # type: ignore[index]
    defined = [value for value in found if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")


def _window(case: Case, *, dims: int) -> tuple[slice, ...]:
    """About the middle of what is labelled and not background; of a stack that is learnt slice by slice, one slice."""
    if case.labels is None:
        raise ValueError(f"{case.name} has no labels")
    held = np.argwhere((case.labels > 0) & (case.labels != UNLABELLED))
    middle = np.median(held, axis=0) if len(held) else np.array(case.spatial) / 2
    sides = [*(1 for _ in case.spatial[:-dims]), *(min(n, WINDOW[dims]) for n in case.spatial[-dims:])]
    starts = [
        int(np.clip(at - side / 2, 0, n - side))
        for at, side, n in zip(middle, sides, case.spatial, strict=True)
    ]
    return tuple(slice(start, start + side) for start, side in zip(starts, sides, strict=True))
