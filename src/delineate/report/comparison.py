"""Do I need a network at all? One self-contained page with every method on the same cases, and the same as numbers.

compare.html is the page (`comparison_page`); compare.json and compare.csv have the numbers.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from delineate.core import Case, written_whole
from delineate.report.comparison_page import comparison_html
from delineate.report.entrants import Entrant


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
        ("compare.html", comparison_html(ranked, judged, conditions=conditions, tried=tried, notes=notes)),
    ):
        with written_whole(out / name) as beside:
            beside.write_text(text, encoding="utf-8")
    return Comparison(tuple(ranked), out / "compare.html")


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
