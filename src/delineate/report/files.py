"""The numbers of a report for other programs: scores.json has all, scores.csv a row per case and class.

JSON has neither nan nor infinity: undefined is null, infinity is the string "inf". In CSV undefined is an
empty field and infinity is inf, which pandas and R read as a number.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from delineate.report.sections import Asked, calibration_json, paired_json, subgroups_json
from delineate.score import (
    AP_AT,
    CaseScores,
    Intervals,
    ObjectScores,
    Score,
    ScoreTable,
    SizeClass,
    Summary,
    Unmatched,
    paired,
    subgroups,
)

POLICY = {
    "undefined": "neither side holds the class: counted, in no mean",
    "missed": "truth holds the class and the prediction does not: the worst value of the score, counted",
    "spurious": "the prediction holds the class and truth does not: the worst value of the score, counted",
    "infinite": "a distance to nothing is infinite: in the median, not in the mean, counted and warned of",
    "intervals": "95 %, bootstrap over groups of cases, wider for means of few groups; null where fewer than two are defined",
    "paired": "first less second, case by case; p: Wilcoxon's signed-rank test over groups; holm: p corrected for all tests",
    "by": "difference: the mean of a subgroup less that of all other cases; null with fewer than two groups on a side",
    "calibration": "15 bins of equal width, pixels of all cases pooled; border: within 3 px of a change of class in truth",
    "unlabelled": "pixels that are 255 in truth are in neither mask",
    "background": "class 0 is scored by no score of its own",
    "objects": "matched one to one where IoU >= 0.5, whatever their class; counts pooled over images",
    "untouched": "objects of truth of which no predicted object has a single pixel",
    "merges": "predicted objects that hold more than half of each of two or more true ones; splits: the other way round",
    "v_rand": "adapted Rand index over pixels that truth gives to an object; a pixel in no predicted object is alone",
    "voi": "variation of information over the same pixels, in bits",
    "precision": "0 where nothing was predicted although there is something; recall is undefined where there is nothing",
    "volume_difference": "(predicted - truth) / truth, below 0 is too small",
    "hausdorff": "exact, between centres of border voxels: mask minus erosion by the cross; image edges are border",
    "farthest": "where the Hausdorff distance is attained: a border voxel of truth and one of the prediction, in array order",
    "hausdorff95": "the larger of the two directions' 95th percentiles, between the same voxels",
    "average_surface_distance": "mean over the border voxels of both masks together",
    "numbers": 'in scores.json undefined is null and infinity is "inf"',
}
"""What the numbers in scores.json mean, in words; written into it."""


def scores_json(tables: Mapping[str, ScoreTable], *, asked: Asked | None = None) -> str:
    """The tables as strict JSON, indented; ends with a newline. Its keys are part of the public interface.

    tables: by name of the method; all is told of the first, of the others their summaries and differences.
    """
    table, asked = next(iter(tables.values())), asked or Asked()
    objects = table.objects
    content = {
        "classes": _classes(table),
        "pooled": {name: {"dice": _number(table.pooled_dice(name))} for name in table.names},
        "objects": None
        if objects is None
        else _objects(objects)
        | {
            "intervals": {
                name: None if one is None else list(one) for name, one in table.object_intervals.items()
            }
        }
        | {"by_size": [_size_class(one) for one in objects.by_size(asked.sizes)]},
        "calibration": calibration_json(table),
        "methods": {method: _classes(one) for method, one in tables.items()} if len(tables) > 1 else {},
        "paired": paired_json(paired(tables)) if len(tables) > 1 and _alike(tables) else [],
        "by": {"column": asked.column, "subgroups": subgroups_json(subgroups(table, asked.values))}
        if asked.column
        else None,
        "cases": [_case(case) for case in table.cases],
        "unscored": [{"name": name, "reason": reason} for name, reason in table.unscored],
        "warnings": list(table.warnings),
        "policy": POLICY | {"values": {score.name: _declared(score) for score in table.scores}},
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def scores_csv(tables: Mapping[str, ScoreTable]) -> str:
    """One row per case and class: each score, numbers of pixels, and the objects of the whole case; of several methods one
    after the other, named in the first column."""
    held = io.StringIO()
    writer = csv.writer(held, lineterminator="\n")
    names = [score.name for score in next(iter(tables.values())).scores]
    counts = ("truth_pixels", "predicted_pixels", "shared_pixels", "labelled_pixels")
    found = ("objects_found", "objects_missed", "objects_untouched", "objects_spurious")
    several = len(tables) > 1
    writer.writerow(
        (*["method"] * several, "case", "group", "class", *names, *counts, *found, "spacing", "unit")
    )
    for method, table in tables.items():
        for case in table.cases:
            for row in _rows(case, names):
                writer.writerow((*[method] * several, *row))
    return held.getvalue()


def _rows(case: CaseScores, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    objects = case.objects
    found = ("",) * 4 if objects is None else (objects.tp, objects.fn, objects.untouched, objects.fp)
    spacing = " ".join(f"{s:g}" for s in case.spacing)
    for name, values in case.values.items():
        numbers = ("" if math.isnan(value := values.get(score, math.nan)) else repr(value) for score in names)
        pixels = case.counts[name]
        counts = (pixels.truth, pixels.predicted, pixels.both, pixels.labelled)
        yield (case.name, case.group, name, *numbers, *counts, *found, spacing, case.unit)


def _classes(table: ScoreTable) -> dict[str, Any]:
    return {
        name: {
            score.name: _summary(table.summary(name, score.name))
            | _intervals(table.intervals(name, score.name))
            for score in table.scores
        }
        for name in table.names
    }


def _alike(tables: Mapping[str, ScoreTable]) -> bool:
    return len({table.names for table in tables.values()}) == 1


def _declared(score: Score) -> dict[str, Any]:
    return {
        "best": _number(score.best),
        "better": score.direction,
        "when_missed": _number(score.when_missed),
        "when_spurious": _number(score.when_spurious),
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
        "farthest": {
            name: None if pair is None else {"truth": list(pair[0]), "predicted": list(pair[1])}
            for name, pair in case.farthest.items()
        },
        "objects": listed,
    }


def _objects(objects: ObjectScores) -> dict[str, Any]:
    part = objects.partition
    return {
        "ap50": _number(objects.ap50),
        "ap": {f"{at:g}": _number(objects.ap(at)) for at in AP_AT},
        "f1": _number(objects.f1),
        "sq": _number(objects.sq),
        "pq": _number(objects.pq),
        "tp": objects.tp,
        "fp": objects.fp,
        "fn": objects.fn,
        "untouched": objects.untouched,
        "merges": objects.merges,
        "splits": objects.splits,
        "v_rand": _number(part.v_rand),
        "rand_split": _number(part.rand_split),
        "rand_merge": _number(part.rand_merge),
        "v_info": _number(part.v_info),
        "voi_split": _number(part.voi_split),
        "voi_merge": _number(part.voi_merge),
    }


def _size_class(one: SizeClass) -> dict[str, Any]:
    ends = {"low": one.low, "high": _number(one.high)}
    counts = {key: getattr(one, key) for key in ("true", "found", "touched", "predicted", "right")}
    return ends | counts | {"recall": _number(one.recall), "precision": _number(one.precision)}


def _unmatched(one: Unmatched) -> dict[str, Any]:
    return {
        "id": one.id,
        "pixels": one.pixels,
        "size": one.size,
        "centroid": list(one.centroid),
        "covered": one.covered,
    }


def _number(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else "inf" if value > 0 else "-inf"
