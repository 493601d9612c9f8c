"""A folder that says how good a segmentation is: report.html to read, scores.json and scores.csv to reckon with.

The page is one file: styles inside, pictures as base64, no script. This module decides what is on it, the
template (templates/report.html.j2) how it looks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from delineate.core import DataError, new_folder, written_whole
from delineate.report.figures import distribution, learning_curve, reliability
from delineate.report.files import POLICY, scores_csv, scores_json
from delineate.report.gallery import cell, compared_cases, groups
from delineate.report.headline import findings, lead
from delineate.report.overlay import FALSE_ALARM, HIT, MISS, OTHER_CLASS
from delineate.report.page import template, themes
from delineate.report.sections import (
    Asked,
    calibration_rows,
    paired_rows,
    spread,
    subgroup_rows,
    subgroup_scores,
)
from delineate.score import AP_AT, CaseScores, Score, ScoreTable, SizeClass
from delineate.score.summary import shown

LARGEST = 12
NEEDED = ("dice", "hausdorff")  # what headline and figures are made of


def write_score_report(
    table: ScoreTable,
    out: str | Path,
    *,
    history: Sequence[Mapping[str, float]] | None = None,
    baselines: Mapping[str, ScoreTable] | None = None,
    title: str = "How good is this segmentation?",
    method: str = "this prediction",
    asked: Asked | None = None,
) -> Path:
    """Write report.html, scores.json and scores.csv into the new folder `out`; gives the path of report.html.

    history: one entry per look at training, with step, seconds, loss and dice (dice may be absent or nan), for
    the learning curve. baselines: tables of other methods on the same images, by name, shown beside `method`,
    which is the name of what `table` scores. asked: what to tell beyond the scores. Images are read one at a time.
    Raises OutputError where `out` holds something already or cannot be written.
    """
    folder = new_folder(Path(out))
    asked = asked or Asked()
    tables = {method: table, **(baselines or {})}
    page = report_html(table, history=history, baselines=baselines, title=title, method=method, asked=asked)
    for name, text in (
        ("scores.json", scores_json(tables, asked=asked)),
        ("scores.csv", scores_csv(tables)),
        ("report.html", page),
    ):
        with written_whole(folder / name) as beside:
            beside.write_text(text, encoding="utf-8")
    return folder / "report.html"


def report_html(
    table: ScoreTable,
    *,
    history: Sequence[Mapping[str, float]] | None = None,
    baselines: Mapping[str, ScoreTable] | None = None,
    title: str = "How good is this segmentation?",
    method: str = "this prediction",
    asked: Asked | None = None,
) -> str:
    """The page of `write_score_report` as text.

    Raises DataError for a table without Dice or Hausdorff, which headline and figures tell of.
    """
    tables, asked = {method: table, **(baselines or {})}, asked or Asked()
    _check_told(tables)
    calibrated = calibration_rows(table)
    page = template("report.html.j2")
    shown_groups = list(groups(table))
    return page.render(
        title=title,
        lead=lead(table),
        findings=findings(table, asked),
        scores=table.brief,
        unit=table.unit,
        colours={"hit": HIT, "miss": MISS, "false_alarm": FALSE_ALARM, "other": OTHER_CLASS},
        summary=[_summary_rows(table, name) for name in table.names],
        drawn="groups of images"
        if len({case.group for case in table.cases}) < len(table.cases)
        else "images",
        objects=_objects(table, asked.sizes),
        distribution=themes(lambda theme: distribution(tables, theme=theme)) if table.cases else None,
        distribution_note=_distribution_note(tables),
        compared=[
            _compared_row(one, name, by, table.brief) for name in table.names for by, one in tables.items()
        ]
        if baselines
        else [],
        compared_objects=any(one.objects is not None for one in tables.values()),
        compared_note=_compared_note(tables),
        paired=paired_rows(tables),
        column=asked.column,
        subgroups=subgroup_rows(table, asked),
        subgroup_scores=subgroup_scores(table),
        calibrated=calibrated,
        reliability=themes(lambda theme: reliability(table, theme=theme)) if calibrated else None,
        compared_cases=list(compared_cases(tables)) if baselines else [],
        groups=shown_groups,
        any_unlabelled=any(case["unlabelled"] for group in shown_groups for case in group["cases"]),
        curve=themes(lambda theme: learning_curve(history, theme=theme)) if history else None,
        curve_note=_curve_note(history or []),
        rows=[_case_row(case, name, table.brief) for case in table.worst_first for name in table.names],
        many_classes=len(table.names) > 1,
        unscored=table.unscored,
        warnings=table.warnings,
        policy=list(POLICY.items()),
    )


def _check_told(tables: Mapping[str, ScoreTable]) -> None:
    for method, table in tables.items():
        absent = [name for name in NEEDED if name not in {score.name for score in table.scores}]
        if absent:
            raise DataError(
                f"a report tells of {' and '.join(absent)}, of which {method} has no score: leave `scores` out, or add these "
                "to it, as they are in delineate.score.SCORES"
            )


def _summary_rows(table: ScoreTable, name: str) -> dict[str, Any]:
    rows = []
    for score in table.scores:
        summary = table.summary(name, score.name)
        title = f"{score.title}, {table.unit}" if score.is_distance else score.title
        found = table.intervals(name, score.name)
        rows.append(
            (
                title,
                summary,
                (summary.mean_shown, spread(found.mean)),
                (shown(summary.median), spread(found.median)),
            )
        )
    colour = table.classes.colours[table.classes.index(name)]
    return {"name": name, "colour": colour, "rows": rows, "pooled": shown(table.pooled_dice(name))}


def _compared_row(table: ScoreTable, name: str, method: str, scores: Sequence[Score]) -> dict[str, Any]:
    cells = [("–", ["not scored"])] * len(scores)
    known = {score.name for score in table.scores}
    for i, score in enumerate(scores):
        if name in table.names and score.name in known:
            summary = table.summary(name, score.name)
            cells[i] = summary.mean_shown, summary.counts.split("; ")
    row = {"method": method, "name": name, "cells": cells, "pooled": "–", "found": "–", "ap50": "–"}
    if name in table.names:
        row["pooled"] = shown(table.pooled_dice(name))
    objects = table.objects
    if objects is not None:
        row["found"] = f"{objects.tp:,} of {objects.tp + objects.fn:,}"
        row["ap50"] = shown(objects.ap50)
    return row


def _objects(table: ScoreTable, size_edges: Sequence[float] | None) -> dict[str, Any] | None:
    objects = table.objects
    if objects is None:
        return None
    missed = [(case, one) for case in table.cases if case.objects for one in case.objects.missed]
    missed.sort(key=lambda pair: (-pair[1].size, pair[0].name))
    axes = max((len(case.shape) for case in table.cases), default=2)
    part = objects.partition
    within = {name: spread(one) or "no interval" for name, one in table.object_intervals.items()}
    return {
        "tiles": [
            (f"{objects.tp:,}", f"found, of {objects.tp + objects.fn:,}"),
            (f"{objects.fn:,}", f"missed, {objects.untouched:,} of them completely"),
            (f"{objects.fp:,}", "predicted that match none"),
            (f"{objects.merges:,}", "merges: predicted ones that hold several"),
            (f"{objects.splits:,}", "splits: true ones that hold several"),
            (shown(objects.f1), f"F1 (recognition quality), {within['f1']}"),
            (shown(objects.sq), "mean IoU of the found (segmentation quality)"),
            (shown(objects.pq), f"panoptic quality, {within['pq']}"),
        ],
        "ap": [(f"{at:g}", shown(objects.ap(at)), within["ap50"] if at == AP_AT[0] else "") for at in AP_AT],
        "partition": [
            ("V_rand", shown(part.v_rand), f"split {shown(part.rand_split)}, merge {shown(part.rand_merge)}"),
            ("V_info", shown(part.v_info), "shared information; 1 is best"),
            (
                "Variation of information",
                shown(part.voi),
                f"bits per pixel; split {shown(part.voi_split)}, merge {shown(part.voi_merge)}; 0 is best",
            ),
        ],
        "sizes_asked": size_edges is not None,
        "sizes": [_size_row(one) for one in objects.by_size(size_edges)],
        "largest": [
            {
                "case": case.name,
                "id": one.id,
                "pixels": f"{one.pixels:,}",
                "size": shown(one.size),
                "at": ", ".join(f"{value:.0f}" for value in one.centroid),
            }
            for case, one in missed[:LARGEST]
        ],
        "sized": table.unit != "px",
        "size_unit": table.unit + ("³" if axes == 3 else "²"),
        "axes": "slice, row, column" if axes == 3 else "row, column",
    }


def _size_row(one: SizeClass) -> dict[str, str]:
    last = math.isinf(one.high)
    low, high = shown(one.low), shown(one.high)
    several = f"below {high}" if one.low == 0 else f"{low} and more" if last else f"{low} to {high}"
    return {
        "range": "all" if one.low == 0 and last else several,
        "recall": shown(one.recall),
        "found": f"{one.found:,} of {one.true:,}",
        "touched": f"{one.true - one.touched:,}",
        "precision": shown(one.precision),
        "right": f"{one.right:,} of {one.predicted:,}",
    }


def _compared_note(tables: Mapping[str, ScoreTable]) -> str:
    names = [{case.name for case in table.cases} for table in tables.values()]
    both, some = set.intersection(*names), set.union(*names)
    if both == some:
        return ""
    return (
        f"Not the same images: {len(some - both)} of {len(some)} are scored for some of the methods only, "
        "so that their means do not compare exactly."
    )


def _case_row(case: CaseScores, name: str, scores: Sequence[Score]) -> dict[str, Any]:
    counts, found = case.counts[name], case.objects
    return {
        "case": case.name,
        "name": name,
        "cells": [cell(case, name, score) for score in scores],
        "truth": f"{counts.truth:,}",
        "predicted": f"{counts.predicted:,}",
        "objects": (f"{found.tp:,}", f"{found.fn:,}", f"{found.fp:,}") if found else ("–", "–", "–"),
    }


def _distribution_note(tables: Mapping[str, ScoreTable]) -> str:
    infinite = any(
        table.summary(name, "hausdorff").infinite for table in tables.values() for name in table.names
    )
    note = "∞ × n: n images in which only one side holds the class." if infinite else ""
    return note if len(tables) == 1 else f"{next(iter(tables))} in colour, the others in grey. {note}"


def _curve_note(history: Sequence[Mapping[str, float]]) -> str:
    dice = [value for entry in history if (value := entry.get("dice")) is not None and not np.isnan(value)]
    last = history[-1] if history else {}
    parts = [
        f"{last['step']:,.0f} steps" if "step" in last else "",
        f"{last['seconds'] / 60:.1f} minutes" if "seconds" in last else "",
    ]
    said = " in ".join(part for part in parts if part)
    return f"{said}; best validation Dice {max(dice):.3f}." if dice else f"{said}."
