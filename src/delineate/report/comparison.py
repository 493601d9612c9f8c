"""Do I need a network at all? One self-contained page with every method on the same cases, and the same as numbers.

compare.html has the table, a matrix of pictures (cases x methods) and the brittleness panel; compare.json and
compare.csv the numbers. The template (templates/compare.html.j2) decides how the page looks.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, Case, written_whole
from delineate.report.overlay import FALSE_ALARM, HIT, MISS, OTHER_CLASS, Rgb, mistakes, resized, stretched
from delineate.report.page import picture_source, template
from delineate.score import ScoreTable, intervals
from delineate.score.interval import Interval
from delineate.score.summary import shown

TILE_PX, COLUMNS = 190, 5
AS_IT_IS = "as it is"
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


@dataclass(frozen=True, eq=False)
class Comparison:
    """entrants: best first, those that could not enter last. page: the file to open."""

    entrants: tuple[Entrant, ...]
    page: Path

    def __getitem__(self, name: str) -> Entrant:
        """The entrant of that name; raises KeyError where there is none."""
        return {one.name: one for one in self.entrants}[name]


def write_comparison(
    entrants: Sequence[Entrant],
    judged: Sequence[Case],
    out: Path,
    *,
    conditions: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]],
    tried: Sequence[Case],
    notes: Sequence[str] = (),
) -> Comparison:
    """Write compare.html, compare.json and compare.csv into the folder `out`; entrants are ranked by mean Dice."""
    ranked = sorted(
        entrants, key=lambda one: (math.isnan(one.dice), -one.dice if one.dice == one.dice else 0)
    )
    for name, text in (
        ("compare.json", _json(ranked)),
        ("compare.csv", _csv(ranked)),
        ("compare.html", _html(ranked, judged, conditions=conditions, tried=tried, notes=notes)),
    ):
        with written_whole(out / name) as beside:
            beside.write_text(text, encoding="utf-8")
    return Comparison(tuple(ranked), out / "compare.html")


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
        return f"Best by mean Dice: {best.name} with {shown(best.dice)}, taught in {_time(best.fit_seconds)}."
    said = (
        f"The U-Net reaches a mean Dice of {shown(unet.dice)} after {_time(unet.fit_seconds)}, the best old way, "
        f"{old.name}, {shown(old.dice)} after {_time(old.fit_seconds)}"
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
        parts += [f"taught in {_time(one.fit_seconds)}", f"{_time(one.seconds_per_megapixel)} per megapixel"]
        lines.append(f"{one.name:15s} {', '.join(parts)}")
    return lines


def _difference(one: Entrant, other: Entrant) -> Interval | None:
    """95 % interval of the difference of mean Dice, case by case."""
    if one.table is None or other.table is None:
        return None
    pairs = [
        (a.mean_dice, b.mean_dice, a.group) for a, b in zip(one.table.cases, other.table.cases, strict=True)
    ]
    return intervals([a - b for a, b, _ in pairs], [group for *_, group in pairs]).mean


def _html(
    ranked: Sequence[Entrant],
    judged: Sequence[Case],
    *,
    conditions: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]],
    tried: Sequence[Case],
    notes: Sequence[str],
) -> str:
    page = template("compare.html.j2")
    entered = [one for one in ranked if one.table is not None]
    chosen = _telling(entered)
    labelled = [case for case in judged if case.labels is not None]
    return page.render(
        verdict=verdict(ranked),
        rows=[row for one in entered for row in _rows(one)],
        several=any(one.table is not None and len(one.table.names) > 1 for one in entered),
        objects=any(one.table is not None and one.table.objects is not None for one in entered),
        unit=entered[0].table.unit if entered and entered[0].table else "px",
        count=len(labelled),
        refused=[(one.name, one.refused) for one in ranked if one.table is None],
        columns=[labelled[at].name for at in chosen],
        plain=[_jpeg(_tile(labelled[at], None)) for at in chosen],
        matrix=[
            (
                one.name,
                [
                    (_jpeg(_tile(labelled[at], one.labels[at])), shown(one.table.cases[at].mean_dice))
                    for at in chosen
                    if one.table is not None
                ],
            )
            for one in entered
        ],
        conditions=list(conditions),
        examples=[
            _jpeg(_tile(tried[0], None, image=change(tried[0].image))) for change in conditions.values()
        ]
        if tried
        else [],
        brittle=[(one.name, shown(one.brittle[AS_IT_IS]), _drops(one, conditions)) for one in entered],
        tried=len(tried),
        colours={"hit": HIT, "miss": MISS, "false_alarm": FALSE_ALARM, "other": OTHER_CLASS},
        notes=notes,
    )


def _rows(one: Entrant) -> list[dict[str, Any]]:
    table = one.table
    if table is None:
        return []
    rows = []
    for name in table.names:
        dice, far = table.summary(name, "dice"), table.summary(name, "hausdorff")
        spread = table.intervals(name, "dice").mean
        rows.append(
            {
                "method": one.name if name == table.names[0] else "",
                "class": name,
                "dice": shown(dice.mean),
                "spread": f"{shown(spread[0])} to {shown(spread[1])}" if spread else "",
                "counts": dice.counts,
                "hausdorff": shown(far.median),
                "infinite": f"{far.infinite} infinite" if far.infinite else "",
                "ap50": "" if table.objects is None else shown(table.objects.ap50),
                "found": ""
                if table.objects is None
                else f"{table.objects.tp:,} of {table.objects.tp + table.objects.fn:,}",
                "fit": _time(one.fit_seconds),
                "speed": _time(one.seconds_per_megapixel),
                "labelled": f"{one.labelled_pixels:,}",
            }
        )
    return rows


def _drops(one: Entrant, conditions: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Mean Dice under each condition, and how strongly to colour the cell: 0 for no loss, 1 for half of Dice lost."""
    before = one.brittle[AS_IT_IS]
    cells = []
    for condition in conditions:
        after = one.brittle[condition]
        loss = 0.0 if math.isnan(after) or math.isnan(before) else max(0.0, before - after)
        cells.append(
            {
                "dice": shown(after),
                "strength": round(min(0.85, loss / 0.5), 2),
                "loss": f"{after - before:+.2f}",
            }
        )
    return cells


def _telling(entered: Sequence[Entrant]) -> list[int]:
    """Some cases, from the one that most methods fail on to the easiest, evenly."""
    if not entered:
        return []
    tables = [one.table for one in entered if one.table is not None]
    means = np.array([[case.mean_dice for case in table.cases] for table in tables])
    order = np.argsort(np.nan_to_num(means, nan=1.0).mean(0), kind="stable")
    count = min(COLUMNS, len(order))
    return [int(order[round(i * (len(order) - 1) / max(1, count - 1))]) for i in range(count)]


def _tile(case: Case, labels: NDArray[Any] | None, *, image: NDArray[Any] | None = None) -> Rgb:
    """A case as a small picture, with the mistakes of `labels`; of a volume the slice with most labelled objects."""
    picture, truth = stretched(case.image if image is None else image), case.labels
    if truth is None:
        truth = np.zeros(case.spatial, np.uint8)
    if picture.ndim == 4:
        at = int(((truth > 0) & (truth != UNLABELLED)).sum((1, 2)).argmax())
        picture, truth, labels = picture[at], truth[at], None if labels is None else labels[at]
    side = min(picture.shape[:2])
    top, left = ((length - side) // 2 for length in picture.shape[:2])
    square = (slice(top, top + side), slice(left, left + side))
    size = {"height": TILE_PX, "width": TILE_PX}
    small: Rgb = resized(np.ascontiguousarray(picture[square]), **size)
    if labels is None:
        return small
    return mistakes(small, resized(truth[square], **size), resized(labels[square], **size))


def _jpeg(picture: Rgb) -> str:
    return picture_source(picture, kind="JPEG")


def _json(ranked: Sequence[Entrant]) -> str:
    content: list[dict[str, Any]] = []
    for one in ranked:
        if one.table is None:
            content.append({"method": one.name, "refused": one.refused})
            continue
        table = one.table
        content.append(
            {
                "method": one.name,
                "classes": {
                    name: {
                        score: _number(getattr(table.summary(name, score), statistic))
                        for score, statistic in (("dice", "mean"), ("hausdorff", "median"))
                    }
                    for name in table.names
                },
                "ap50": None if table.objects is None else _number(table.objects.ap50),
                "fit_seconds": one.fit_seconds,
                "seconds_per_megapixel": one.seconds_per_megapixel,
                "labelled_pixels": one.labelled_pixels,
                "dice_under": {name: _number(value) for name, value in one.brittle.items()},
                "cases": {case.name: _number(case.mean_dice) for case in table.cases},
            }
        )
    return json.dumps({"methods": content}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _csv(ranked: Sequence[Entrant]) -> str:
    held = io.StringIO()
    writer = csv.writer(held, lineterminator="\n")
    writer.writerow(
        ("method", "class", "dice_mean", "hausdorff_median", "ap50", "fit_seconds", "seconds_per_megapixel",
         "labelled_pixels", "refused")
    )  # fmt: skip
    for one in ranked:
        if one.table is None:
            writer.writerow((one.name, *[""] * 7, one.refused))
            continue
        for name in one.table.names:
            objects = one.table.objects
            writer.writerow(
                (one.name, name, one.table.summary(name, "dice").mean, one.table.summary(name, "hausdorff").median,
                 "" if objects is None else objects.ap50, round(one.fit_seconds, 3),
                 round(one.seconds_per_megapixel, 4), one.labelled_pixels, "")
            )  # fmt: skip
    return held.getvalue()


def _number(value: float) -> float | str | None:
    return None if math.isnan(value) else "inf" if math.isinf(value) else value


def _time(seconds: float) -> str:
    """Seconds as a person says them.

    >>> _time(0.0123), _time(7.04), _time(300)
    ('12 ms', '7.0 s', '5.0 min')
    """
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
