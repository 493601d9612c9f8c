"""The page of a comparison: the table, a matrix of pictures (cases x methods) and the brittleness panel.

This module decides what is on it, the template (templates/compare.html.j2) how it looks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, Case
from delineate.report.entrants import Entrant, spoken, verdict
from delineate.report.overlay import FALSE_ALARM, HIT, MISS, OTHER_CLASS, Rgb, mistakes, resized, stretched
from delineate.report.page import picture_source, template
from delineate.score.summary import shown

TILE_PX, COLUMNS = 190, 5
AS_IT_IS = "as it is"


def comparison_html(
    ranked: Sequence[Entrant],
    judged: Sequence[Case],
    *,
    conditions: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]],
    tried: Sequence[Case],
    notes: Sequence[str],
) -> str:
    """The whole page; entrants best first. judged, tried: the cases of the table, and those that conditions were tried on."""
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
                "fit": spoken(one.fit_seconds),
                "speed": spoken(one.seconds_per_megapixel),
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
