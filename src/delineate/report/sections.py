"""Sections of the report that are there when somebody asked: methods compared case by case, subgroups, probabilities.

Each function turns numbers into rows of words for the template; `Asked` says what was asked beyond the scores.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from delineate.score import OBJECT_SCORES, Paired, Score, ScoreTable, Subgroup, paired, subgroups
from delineate.score.interval import Interval
from delineate.score.objects import check_rising
from delineate.score.summary import shown

BY_SCORES = ("dice", "hausdorff95")


@dataclass(frozen=True)
class Asked:
    """What a report tells beyond the scores.

    column, values: the title of a column that says something of each case, and what it says, by name of the case.
    sizes: where one class of object sizes ends and the next begins, in spacing units squared or cubed; quartiles where None.
    Raises DataError for sizes that do not rise.
    """

    column: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    sizes: Sequence[float] | None = None

    def __post_init__(self) -> None:
        check_rising(self.sizes or ())


def spread(interval: Interval | None) -> str:
    """An interval in words; "" for none."""
    return "" if interval is None else f"{shown(interval[0])} to {shown(interval[1])}"


def paired_rows(tables: Mapping[str, ScoreTable]) -> list[dict[str, Any]]:
    """Each pair of methods, class and score, for the table of differences; empty where nothing can be compared."""
    if len(tables) < 2 or len({table.names for table in tables.values()}) > 1:
        return []
    unit = next(iter(tables.values())).unit
    titles = {
        score.name: score.title + (f", {unit}" if score.is_distance else "")
        for table in tables.values()
        for score in table.brief
    } | {score.name: score.title for score in OBJECT_SCORES.values()}
    return [
        {
            "methods": f"{one.first} less {one.second}",
            "name": one.name,
            "score": titles[one.score],
            "mean": signed(one.mean),
            "spread": spread(one.interval),
            "better": f"{one.better} of {one.cases}",
            "worse": f"{one.worse}",
            "one_sided": one.one_sided,
            "p": probability(one.holm),
            "certain": one.holm < 0.05,
        }
        for one in paired(tables)
    ]


def subgroup_scores(table: ScoreTable) -> list[Score]:
    """The scores in the table of subgroups: Dice and Hausdorff 95 %, and those that were asked for by name."""
    return [score for score in table.brief if score.name in BY_SCORES or not score.brief]


def subgroup_rows(table: ScoreTable, asked: Asked) -> list[dict[str, Any]]:
    """Each value of the column and class, for the table of subgroups, with a cell for each of `subgroup_scores`."""
    found = (
        {(one.value, one.name, one.score): one for one in subgroups(table, asked.values)}
        if asked.column
        else {}
    )
    rows = []
    for value, name in dict.fromkeys((value, name) for value, name, _ in found):
        ones = [found[value, name, score.name] for score in subgroup_scores(table)]
        rows.append(
            {"value": value, "name": name, "cases": ones[0].cases, "cells": [_cell(one) for one in ones]}
        )
    return rows


def calibration_rows(table: ScoreTable) -> list[dict[str, str]]:
    """Each class with probabilities: calibration error and Brier score, everywhere and near borders."""
    rows = []
    for name in table.names:
        found = table.calibration(name)
        if found is not None:
            pixels = [found.everywhere, found.border]
            rows.append(
                {"name": name}
                | {
                    f"ece_{where}": shown(one.ece)
                    for where, one in zip(("all", "border"), pixels, strict=True)
                }
                | {
                    f"brier_{where}": shown(one.brier)
                    for where, one in zip(("all", "border"), pixels, strict=True)
                }
            )
    return rows


def lags(table: ScoreTable, asked: Asked) -> list[Subgroup]:
    """Subgroups whose mean Dice is lower than that of the others by more than chance and 0.02, worst first."""
    found = subgroups(table, asked.values) if asked.column else ()
    low = [
        one
        for one in found
        if one.score == "dice" and one.difference < -0.02 and _clear(one.difference_interval)
    ]
    return sorted(low, key=lambda one: one.difference)


def signed(value: float) -> str:
    """A difference with its sign.

    >>> signed(0.0123), signed(-2.5), signed(float("nan"))
    ('+0.012', '-2.50', 'undefined')
    """
    if math.isnan(value):
        return shown(value)
    return f"{'-' if value < 0 else '+'}{shown(abs(value))}"


def probability(p: float) -> str:
    """A p-value as one reads it.

    >>> probability(0.00002), probability(0.0312), probability(float("nan"))
    ('below 0.001', '0.031', '–')
    """
    if math.isnan(p):
        return "–"
    return "below 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def paired_json(found: Sequence[Paired]) -> list[dict[str, Any]]:
    """The comparisons for scores.json: null where undefined."""
    return [
        {key: _plain(getattr(one, key)) for key in ("first", "second", "name", "score", "cases", "one_sided")}
        | {
            "mean_difference": _plain(one.mean),
            "interval": None if one.interval is None else list(one.interval),
        }
        | {key: _plain(getattr(one, key)) for key in ("better", "worse", "p", "holm")}
        for one in found
    ]


def subgroups_json(found: Sequence[Subgroup]) -> list[dict[str, Any]]:
    """The subgroups for scores.json: null where undefined."""
    return [
        {key: getattr(one, key) for key in ("value", "name", "score", "cases")}
        | {"mean": _plain(one.summary.mean), "interval": None if one.interval is None else list(one.interval)}
        | {
            "difference": _plain(one.difference),
            "difference_interval": None if one.difference_interval is None else list(one.difference_interval),
        }
        for one in found
    ]


def calibration_json(table: ScoreTable) -> dict[str, Any]:
    """Calibration by class for scores.json; empty where there are no probabilities."""
    content = {}
    for name in table.names:
        found = table.calibration(name)
        if found is not None:
            content[name] = {
                where: {
                    "pixels": int(one.pixels.sum()),
                    "ece": _plain(one.ece),
                    "brier": _plain(one.brier),
                    "curve": [[float(p), float(share)] for p, share in zip(*one.curve, strict=True)],
                }
                for where, one in (("everywhere", found.everywhere), ("border", found.border))
            }
    return content


def _cell(one: Subgroup) -> dict[str, Any]:
    return {
        "mean": one.summary.mean_shown,
        "spread": spread(one.interval),
        "difference": signed(one.difference) if not math.isnan(one.difference) else "–",
        "difference_spread": spread(one.difference_interval),
        "certain": _clear(one.difference_interval),
    }


def _clear(interval: Interval | None) -> bool:
    """Whether an interval leaves out 0."""
    return interval is not None and (interval[0] > 0 or interval[1] < 0)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
