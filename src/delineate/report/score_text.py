"""The scores in a few lines, for a terminal: means never without their counts."""

from __future__ import annotations

import math
from collections.abc import Mapping

from delineate.report.sections import Asked, paired_rows, subgroup_rows, subgroup_scores
from delineate.score import ScoreTable


def score_lines(table: ScoreTable, *, method: str = "") -> list[str]:
    """A line per class and score, then one for objects where they were scored; `method` stands in front.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from delineate.data.samples import write
    >>> from delineate.score import score_folders
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     test = write(Path(scratch) / "data") / "test"
    ...     print(score_lines(score_folders(test, test), method="the truth")[0])
    the truth: foreground dice: mean 1.000 (3 of 3 defined)
    """
    lead = f"{method}: " if method else ""
    lines = []
    for name in table.names:
        for score in table.scores:
            one = table.summary(name, score.name)
            mean = (
                f"{one.mean:.3f}" if math.isfinite(one.mean) else "infinite" if one.infinite else "undefined"
            )
            if score.is_distance and math.isfinite(one.mean) and table.unit:
                mean += f" {table.unit}"
            total = one.defined + one.undefined
            odd = f"; {one.missed} missed" if one.missed else ""
            odd += f"; {one.spurious} spurious" if one.spurious else ""
            odd += f"; {one.infinite} infinite" if one.infinite else ""
            lines.append(f"{lead}{name} {score.name}: mean {mean} ({one.defined} of {total} defined{odd})")
    if table.objects is not None:
        found = table.objects
        lines.append(
            f"{lead}objects: AP@0.5 {found.ap50:.3f}, F1 {found.f1:.3f}, PQ {found.pq:.3f} "
            f"({found.tp} found, {found.fn} missed, {found.untouched} of them completely, {found.fp} spurious)"
        )
    return lines


def paired_lines(tables: Mapping[str, ScoreTable]) -> list[str]:
    """A line for each difference between two methods, in one class and score; none where classes differ."""
    return [
        f"{row['methods']}, {row['name']} {row['score']}: {row['mean']}"
        + (f" ({row['spread']})" if row["spread"] else "")
        + f", better in {row['better']}, worse in {row['worse']}, p {row['p']} (Wilcoxon, Holm)"
        for row in paired_rows(tables)
    ]


def subgroup_lines(table: ScoreTable, asked: Asked, *, method: str = "") -> list[str]:
    """A line for each value of the column that was asked for, and class: its means, and how far they are from those elsewhere."""
    lead = f"{method}: " if method else ""
    return [
        f"{lead}{asked.column} {row['value']} ({row['cases']} of {len(table.cases)}), {row['name']}: "
        + "; ".join(
            f"{score.name} {cell['mean']}, {cell['difference']} against the others"
            + (f" ({cell['difference_spread']})" if cell["difference_spread"] else "")
            for score, cell in zip(subgroup_scores(table), row["cells"], strict=True)
        )
        for row in subgroup_rows(table, asked)
    ]
