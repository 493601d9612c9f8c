"""The numbers of a report for other programs: scores.json has all, scores.csv a row per case and class.

JSON has neither nan nor infinity: undefined is null, infinity is the string "inf". In CSV undefined is an
empty field and infinity is inf, which pandas and R read as a number.
"""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

from delineate.score import SCORES, CaseScores, Intervals, ObjectScores, Score, ScoreTable, Summary, Unmatched

POLICY = {
    "undefined": "neither side holds the class: counted, in no mean",
    "missed": "truth holds the class and the prediction does not: the worst value of the score, counted",
    "spurious": "the prediction holds the class and truth does not: the worst value of the score, counted",
    "infinite": "a distance to nothing is infinite: in the median, not in the mean, counted and warned of",
    "intervals": "95 %, percentile bootstrap over groups of cases; null where fewer than two groups are defined",
    "unlabelled": "pixels that are 255 in truth are in neither mask",
    "background": "class 0 is scored by no score of its own",
    "objects": "matched one to one where IoU >= 0.5, whatever their class; counts pooled over images",
    "hausdorff": "exact, between centres of border voxels: mask minus erosion by the cross; image edges are border",
    "hausdorff95": "the larger of the two directions' 95th percentiles, between the same voxels",
    "average_surface_distance": "mean over the border voxels of both masks together",
    "numbers": 'in scores.json undefined is null and infinity is "inf"',
}
"""What the numbers in scores.json mean, in words; written into it."""


def scores_json(table: ScoreTable) -> str:
    """The table as strict JSON, indented; ends with a newline. Its keys are part of the public interface."""
    objects = table.objects
    content = {
        "classes": {
            name: {
                score: _summary(table.summary(name, score)) | _intervals(table.intervals(name, score))
                for score in SCORES
            }
            for name in table.names
        },
        "pooled": {name: {"dice": _number(table.pooled_dice(name))} for name in table.names},
        "objects": None if objects is None else _objects(objects),
        "cases": [_case(case) for case in table.cases],
        "unscored": [{"name": name, "reason": reason} for name, reason in table.unscored],
        "warnings": list(table.warnings),
        "policy": POLICY | {"values": {score.name: _declared(score) for score in SCORES.values()}},
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def scores_csv(table: ScoreTable) -> str:
    """One row per case and class: each score, numbers of pixels, and the objects of the whole case."""
    held = io.StringIO()
    writer = csv.writer(held, lineterminator="\n")
    counts = ("truth_pixels", "predicted_pixels", "shared_pixels")
    found = ("objects_found", "objects_missed", "objects_spurious")
    writer.writerow(("case", "group", "class", *SCORES, *counts, *found, "spacing", "unit"))
    for case in table.cases:
        objects = (
            ("", "", "") if case.objects is None else (case.objects.tp, case.objects.fn, case.objects.fp)
        )
        for name, values in case.values.items():
            numbers = ("" if math.isnan(values[score]) else repr(values[score]) for score in SCORES)
            pixels = case.counts[name]
            spacing = " ".join(f"{s:g}" for s in case.spacing)
            row = (
                case.name,
                case.group,
                name,
                *numbers,
                pixels.truth,
                pixels.predicted,
                pixels.both,
                *objects,
            )
            writer.writerow((*row, spacing, case.unit))
    return held.getvalue()


def _declared(score: Score) -> dict[str, Any]:
    return {
        "best": _number(score.best),
        "better": score.direction,
        "when_missed": _number(score.when_missed),
        "when_both_empty": _number(score.when_both_empty),
    }


def _summary(summary: Summary) -> dict[str, Any]:
    return {
        "mean": _number(summary.mean),
        "median": _number(summary.median),
        "defined": summary.defined,
        "undefined": summary.undefined,
        "missed": summary.missed,
        "spurious": summary.spurious,
        "infinite": summary.infinite,
    }


def _intervals(found: Intervals) -> dict[str, Any]:
    ends = {"mean_interval": found.mean, "median_interval": found.median}
    return {name: None if end is None else [_number(x) for x in end] for name, end in ends.items()}


def _case(case: CaseScores) -> dict[str, Any]:
    listed = None
    if case.objects is not None:
        listed = _objects(case.objects) | {
            "missed": [_unmatched(one) for one in case.objects.missed],
            "spurious": [_unmatched(one) for one in case.objects.spurious],
        }
    return {
        "name": case.name,
        "group": case.group,
        "spacing": list(case.spacing),
        "unit": case.unit,
        "scores": {
            name: {score: _number(value) for score, value in values.items()}
            for name, values in case.values.items()
        },
        "objects": listed,
    }


def _objects(objects: ObjectScores) -> dict[str, Any]:
    return {
        "ap50": _number(objects.ap50),
        "f1": _number(objects.f1),
        "pq": _number(objects.pq),
        "tp": objects.tp,
        "fp": objects.fp,
        "fn": objects.fn,
    }


def _unmatched(one: Unmatched) -> dict[str, Any]:
    return {"id": one.id, "pixels": one.pixels, "size": one.size, "centroid": list(one.centroid)}


def _number(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else "inf" if value > 0 else "-inf"
