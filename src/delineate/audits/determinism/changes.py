"""What became of an answer when one thing was changed: differences, findings, and a picture of the worst."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.audits.drawn import MAGENTA, middle_slice, painted, picture_of, side_by_side
from delineate.audits.evidence import Evidence
from delineate.audits.section import Finding, Picture
from delineate.core import Case

Answer = NDArray[np.float32]
"""Probabilities (classes, *spatial)."""

WORDS = {
    "twice": "asked twice",
    "batch": "in another batch",
    "threads": "with other threads",
    "tiles": "in tiles",
    "precision": "in bfloat16",
    "engine": "by another program",
}


@dataclass(frozen=True)
class Change:
    """What was changed, by its kind; furthest: largest difference of a probability; changed: share of pixels."""

    kind: str
    what: str
    furthest: float
    apart: float
    changed: float


def change_of(kind: str, what: str, first: Sequence[Answer], again: Sequence[Answer]) -> Change:
    pixels = sum(one[0].size for one in first)
    differences = [np.abs(one - other) for one, other in zip(first, again, strict=True)]
    return Change(
        kind,
        what,
        max(float(difference.max()) for difference in differences),
        float(sum(float(d.sum(dtype=np.float64)) for d in differences) / sum(d.size for d in differences)),
        sum(int((one.argmax(0) != other.argmax(0)).sum()) for one, other in zip(first, again, strict=True))
        / pixels,
    )


def findings(changes: Sequence[Change], evidence: Evidence) -> Iterator[Finding]:
    """One for each kind of change: the worst of it. The same image twice is judged by its probabilities, bit for bit."""
    for kind, words in WORDS.items():
        of_kind = [change for change in changes if change.kind == kind]
        if not of_kind:
            continue
        if kind == "twice":
            furthest = max(change.furthest for change in of_kind)
            said = (
                "The same image gives the same probabilities, bit for bit."
                if furthest == 0
                else (f"Asked twice, the model gives probabilities that differ by up to {furthest:.2g}.")
            )
            yield evidence.thresholds.judged("determinism.twice", furthest, said)
            continue
        worst = max(of_kind, key=lambda change: (change.changed, change.furthest))
        start = f"{words[0].upper()}{words[1:]}"
        said = f"{start}, no pixel changes its label, and a probability by {worst.furthest:.1g} at most."
        if worst.furthest == 0:
            said = f"{start}, the model gives the same probabilities, bit for bit."
        if worst.changed:
            said = (
                f"{start}, {100 * worst.changed:.2g} % of the pixels change their label, and a probability by "
                f"{worst.furthest:.1g} at most ({worst.what})."
            )
        yield evidence.thresholds.judged(f"determinism.{kind}", worst.changed, said)


def pictures(case: Case, first: Answer, again: Answer) -> tuple[Picture, ...]:
    differ = first.argmax(0) != again.argmax(0)
    place: Any = ...
    if middle_slice(case.spatial) is not None:
        place = int(differ.reshape(len(differ), -1).sum(1).argmax())
    picture, here = picture_of(case.image[place]), differ[place]
    wide = here.copy()
    for axis in (0, 1):
        wide |= np.roll(here, 1, axis) | np.roll(here, -1, axis)
    return (
        Picture(
            f"{case.name}: the {int(differ.sum()):,} pixels that change their label in the worst case, made wider to be seen.",
            side_by_side([picture, painted(picture, wide, MAGENTA, strength=0.9)]),
        ),
    )
