"""The cases that a report shows, as pictures with their numbers: the worst, the middle, the best; methods in a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from delineate.report.page import picture_source
from delineate.report.views import views
from delineate.score import CaseScores, Score, ScoreTable
from delineate.score.summary import shown

WORST, MIDDLE, BEST = 4, 2, 2
COMPARED = 3


def groups(table: ScoreTable) -> Iterable[dict[str, Any]]:
    """The worst, the middle and the best cases, each case once, with their pictures."""
    ranked = table.worst_first
    count = len(ranked)
    worst = range(min(WORST, count))
    best = range(max(len(worst), count - BEST), count)
    start = max(len(worst), (count - MIDDLE + 1) // 2)
    middle = range(start, min(best.start, start + MIDDLE))
    for title, chosen in (("The worst", worst), ("In the middle", middle), ("The best", best[::-1])):
        shown_cases = [
            _shown_case(ranked[i], table.brief, rank=f"{i + 1} of {count}, worst first") for i in chosen
        ]
        cases = [case for case in shown_cases if case is not None]
        if cases:
            yield {"title": title, "cases": cases}


def _shown_case(case: CaseScores, scores: Sequence[Score], *, rank: str) -> dict[str, Any] | None:
    seen = next(iter(views([case])), None)
    if seen is None:
        return None
    held = [name for name, counts in case.counts.items() if counts.truth or counts.predicted]
    classes = [(name, [cell(case, name, score) for score in scores]) for name in held or case.values]
    objects = []
    if case.objects is not None:
        found = case.objects
        objects = [("Objects found", f"{found.tp} of {found.tp + found.fn}"), ("Spurious", str(found.fp))]
    return {
        "name": case.name,
        "rank": rank,
        "plain": picture_source(seen.plain),
        "marked": picture_source(seen.marked),
        "across": [(picture_source(picture), caption) for picture, caption in seen.across],
        "caption": seen.caption[:1].upper() + seen.caption[1:],
        "unlabelled": seen.unlabelled,
        "scores": scores,
        "classes": classes,
        "objects": objects,
    }


def compared_cases(tables: Mapping[str, ScoreTable]) -> Iterable[dict[str, Any]]:
    """A row of pictures, one per method, for the cases on which the methods differ most."""
    by_name = {method: {case.name: case for case in table.cases} for method, table in tables.items()}
    names = set.intersection(*(set(cases) for cases in by_name.values()))

    def differ(name: str) -> tuple[float, str]:
        dice = [cases[name].mean_dice for cases in by_name.values()]
        return -float(np.nanmax(dice) - np.nanmin(dice)) if not np.isnan(dice).all() else 0.0, name

    for name in sorted(names, key=differ)[:COMPARED]:
        seen = views([cases[name] for cases in by_name.values()])
        if not seen:
            continue
        pictures = [
            {"src": picture_source(seen[0].plain), "alt": f"{name}, the image", "caption": "the image"}
        ]
        for method, one in zip(by_name, seen, strict=True):
            said = f"{method}: Dice {shown(by_name[method][name].mean_dice)}"
            pictures.append({"src": picture_source(one.marked), "alt": f"{name}, {method}", "caption": said})
        yield {"name": name, "caption": seen[0].caption, "pictures": pictures}


def cell(case: CaseScores, name: str, score: Score) -> tuple[str, bool]:
    """The value as shown, and whether it is that of a miss."""
    value = case.values[name][score.name]
    return shown(value), value == score.when_missed != score.best
