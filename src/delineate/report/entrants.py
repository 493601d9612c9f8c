"""What each method of a comparison came to, and in a sentence or two whether a network is worth it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from delineate.score import ScoreTable, intervals
from delineate.score.interval import Interval
from delineate.score.summary import shown

ALIKE = 0.02  # of Dice: less than people's outlines differ by


@dataclass(frozen=True, eq=False)
class Entrant:
    """One method's part of a comparison.

    table: its scores; None where it could not enter, for the reason `refused`. brittle: mean Dice by condition, under
    "as it is" without any, on some of the cases. labels: what it predicted, (*spatial) uint8, case by case.
    """

    name: str
    table: ScoreTable | None
    fit_seconds: float = 0.0
    seconds_per_megapixel: float = 0.0
    labelled_pixels: int = 0
    brittle: Mapping[str, float] = field(default_factory=dict)
    labels: tuple[NDArray[np.uint8], ...] = ()
    refused: str = ""

    @property
    def dice(self) -> float:
        """Mean over classes of their mean Dice; nan where nothing is defined."""
        if self.table is None:
            return float("nan")
        means = [self.table.summary(name, "dice").mean for name in self.table.names]
        defined = [mean for mean in means if not math.isnan(mean)]
        return sum(defined) / len(defined) if defined else float("nan")


def verdict(ranked: Sequence[Entrant]) -> str:
    """Whether the network is worth it, in one or two sentences, by mean Dice; entrants best first.

    >>> verdict([])
    'No method could be compared.'
    """
    entered = [one for one in ranked if one.table is not None and not math.isnan(one.dice)]
    old = next((one for one in entered if one.name != "unet"), None)
    unet = next((one for one in entered if one.name == "unet"), None)
    if not entered:
        return "No method could be compared."
    if unet is None or old is None:
        best = entered[0]
        return (
            f"Best by mean Dice: {best.name} with {shown(best.dice)}, taught in {spoken(best.fit_seconds)}."
        )
    said = (
        f"The U-Net reaches a mean Dice of {shown(unet.dice)} after {spoken(unet.fit_seconds)}, the best old way, "
        f"{old.name}, {shown(old.dice)} after {spoken(old.fit_seconds)}"
    )
    interval = _difference(unet, old)
    gap = unet.dice - old.dice
    by = f"The difference is {gap:+.3f}" + (
        f" (95 % interval {interval[0]:+.3f} to {interval[1]:+.3f} over these images)" if interval else ""
    )
    objects = _objects(entered)
    if interval and interval[0] > 0 and gap > ALIKE:
        return f"{said}. {by}: the network earns its cost here.{objects}"
    if interval and interval[1] < 0:
        return f"{said}. {by}: for outlines you do not need a network here.{objects}"
    if abs(gap) <= ALIKE:
        return f"{said}. {by}: by Dice alone you hardly need a network here.{objects}"
    return (
        f"{said}. {by}: with these images it cannot be told which is better; label more to judge on.{objects}"
    )


def comparison_lines(ranked: Sequence[Entrant]) -> list[str]:
    """The verdict and a line per method, for a terminal; entrants best first.

    >>> comparison_lines([Entrant("otsu", None, refused="it is too simple")])
    ['No method could be compared.', 'otsu            not compared: it is too simple']
    """
    lines = [verdict(ranked)]
    for one in ranked:
        if one.table is None:
            lines.append(f"{one.name:15s} not compared: {one.refused}")
            continue
        objects = one.table.objects
        parts = [f"Dice {shown(one.dice)}"]
        parts += [] if objects is None else [f"AP@0.5 {shown(objects.ap50)}"]
        parts += [
            f"taught in {spoken(one.fit_seconds)}",
            f"{spoken(one.seconds_per_megapixel)} per megapixel",
        ]
        lines.append(f"{one.name:15s} {', '.join(parts)}")
    return lines


def _objects(entered: Sequence[Entrant]) -> str:
    """How the network and the best old way find objects, where objects were judged; entrants that have a table."""
    found = {one.name: one.table.objects.ap50 for one in entered if one.table and one.table.objects}
    old = {name: value for name, value in found.items() if name != "unet"}
    if "unet" not in found or not old:
        return ""
    best = max(old, key=lambda name: old[name])
    return (
        f" As to single objects (AP@0.5), the U-Net has {shown(found['unet'])}, "
        f"the best old way, {best}, {shown(old[best])}."
    )


def _difference(one: Entrant, other: Entrant) -> Interval | None:
    """95 % interval of the difference of mean Dice, case by case."""
    if one.table is None or other.table is None:
        return None
    pairs = [
        (a.mean_dice, b.mean_dice, a.group) for a, b in zip(one.table.cases, other.table.cases, strict=True)
    ]
    return intervals([a - b for a, b, _ in pairs], [group for *_, group in pairs]).mean


def spoken(seconds: float) -> str:
    """Seconds as a person says them.

    >>> spoken(0.0123), spoken(7.04), spoken(300)
    ('12 ms', '7.0 s', '5.0 min')
    """
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
