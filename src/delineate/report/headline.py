"""The first lines of a report, in plain words: the mean, and then everything that the mean hides.

A mean Dice of 0.9 reads the same whether every image is at 0.9 or a tenth of them failed altogether. So what
was missed, never predicted, undefined, left out, or wrong far away is said before any table.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from delineate.data.problem import listed
from delineate.report.sections import Asked, lags, spread
from delineate.score import CaseScores, ScoreTable
from delineate.score.summary import shown
from delineate.score.table import NO_PREDICTION


@dataclass(frozen=True)
class Finding:
    """Something that a mean would hide. serious: somebody should look before using the model."""

    text: str
    serious: bool = True


def lead(table: ScoreTable) -> str:
    """How good it is, in one or two sentences.

    >>> import numpy as np
    >>> from delineate.core import ClassTable
    >>> from delineate.score import score_case
    >>> cells = ClassTable(("background", "cell"))
    >>> lead(ScoreTable(cells, (score_case(np.eye(3, dtype=int), np.eye(3, dtype=int), classes=cells),)))
    'In 1 image, mean Dice: cell 1.000 (1 of 1 defined; 0 missed).'
    """
    parts = []
    for name in table.names:
        dice = table.summary(name, "dice")
        parts.append(f"{name} {dice}")
    sentence = f"In {_images(len(table.cases))}, mean Dice: {listed(parts)}."
    objects = table.objects
    if objects is not None and objects.tp + objects.fn:
        there = objects.tp + objects.fn
        sentence += f" {objects.tp:,} of {there:,} objects were found."
    return sentence


def findings(table: ScoreTable, asked: Asked | None = None) -> list[Finding]:
    """What the mean hides, gravest first; empty where it hides nothing."""
    found = [*_left_out(table), *_objects(table), *_classes(table), *_far_errors(table), *_spread(table)]
    found += _subgroups(table, asked or Asked())
    return sorted(found, key=lambda finding: not finding.serious)


def _left_out(table: ScoreTable) -> Iterator[Finding]:
    total = len(table.cases) + len(table.unscored)
    without = [name for name, reason in table.unscored if reason == NO_PREDICTION]
    if without:
        are = "has no prediction and is" if len(without) == 1 else "have no prediction and are"
        yield Finding(f"{len(without)} of {_images(total)} {are} in no score: {listed(without, most=5)}.")
    if len(without) < len(table.unscored):
        other = [name for name, reason in table.unscored if reason != NO_PREDICTION]
        yield Finding(
            f"{len(other)} of {_images(total)} could not be scored: {listed(other, most=5)}. The reasons are below."
        )


def _objects(table: ScoreTable) -> Iterator[Finding]:
    objects = table.objects
    if objects is None:
        return
    there, predicted = objects.tp + objects.fn, objects.tp + objects.fp
    if objects.fn:
        alone = [(one, case) for case in table.cases if case.objects for one in case.objects.missed]
        gone = [pair for pair in alone if not pair[0].covered]
        largest, case = max(gone or alone, key=lambda pair: pair[0].size)
        share = objects.fn / there
        of_them = "all" if objects.untouched == objects.fn else f"{objects.untouched:,} of them"
        how = (
            f"{of_them} completely, without a pixel predicted there; the largest of these"
            if gone
            else "though each is outlined in part; the largest"
        )
        yield Finding(
            f"{objects.fn:,} of {there:,} objects ({share:.0%}) were missed, {how} has {largest.pixels:,} pixels and lies at "
            f"{_at(largest.centroid)} in {case.name}.",
            serious=share >= 0.05 or bool(gone),
        )
    if objects.merges or objects.splits:
        yield Finding(
            f"{objects.merges:,} predicted objects hold several true ones (merges), and {objects.splits:,} true objects hold "
            "several predicted ones (splits).",
            serious=objects.merges + objects.splits >= 0.05 * there,
        )
    if objects.fp:
        share = objects.fp / predicted
        yield Finding(
            f"{objects.fp:,} of {predicted:,} predicted objects ({share:.0%}) match none in truth.",
            serious=share >= 0.05,
        )


def _classes(table: ScoreTable) -> Iterator[Finding]:
    for name in table.names:
        missed, spurious, holding = [], [], 0
        for case in table.cases:
            counts = case.counts[name]
            holding += counts.truth > 0
            if counts.truth and not counts.predicted:
                missed.append(case.name)
            elif counts.predicted and not counts.truth:
                spurious.append(case.name)
        if not holding:
            yield Finding(f"Truth holds no {name} at all: nothing is known about how well it is found.")
        elif len(missed) == holding:
            yield Finding(f"{name} was never predicted, though it is in {_images(holding)}.")
        elif missed:
            of = f"{len(missed)} of the {_images(holding)} that hold it"
            yield Finding(f"{name} was not found at all in {of}: {listed(missed, most=5)}.")
        if spurious:
            yield Finding(
                f"{name} was predicted in {_images(len(spurious))} without any: {listed(spurious, most=5)}."
            )
        undefined = table.summary(name, "dice").undefined
        if undefined and holding:
            yield Finding(
                f"{undefined} of {_images(len(table.cases))} hold no {name} on either side: undefined, in no mean.",
                serious=False,
            )


def _far_errors(table: ScoreTable) -> Iterator[Finding]:
    for name in table.names:
        far = [case for case in table.cases if _is_far(case, name)]
        if far:
            worst = max(far, key=lambda case: case.values[name]["hausdorff"])
            scores = worst.values[name]
            yield Finding(
                f"In {_images(len(far))} the Dice of {name} looks fine (0.8 or more), yet an error lies far away: "
                f"farther than the radius of a {'disc' if len(worst.shape) == 2 else 'ball'} of all its pixels. "
                f"The farthest, {shown(scores['hausdorff'])} {worst.unit}, is in {worst.name}, with a Dice of "
                f"{shown(scores['dice'])}."
            )


def _is_far(case: CaseScores, name: str) -> bool:
    """A Dice of 0.8 or more with a finite Hausdorff beyond the radius of a ball as large as the structure."""
    scores, size = case.values[name], case.counts[name].truth * math.prod(case.spacing)
    if not (scores["dice"] >= 0.8 and math.isfinite(scores["hausdorff"])):
        return False
    radius = math.sqrt(size / math.pi) if len(case.shape) == 2 else (size * 3 / (4 * math.pi)) ** (1 / 3)
    return scores["hausdorff"] > radius


def _spread(table: ScoreTable) -> Iterator[Finding]:
    for name in table.names:
        mean = table.summary(name, "dice").mean
        low = [
            case
            for case in table.cases
            if case.values[name]["dice"] < mean - 0.1 and case.counts[name].predicted
        ]
        if low:
            worst = min(low, key=lambda case: case.values[name]["dice"])
            dice = worst.values[name]["dice"]
            yield Finding(
                f"The Dice of {name} lies more than 0.1 below its mean in {_images(len(low))}; the worst, "
                f"{worst.name}, has {shown(dice)}.",
                serious=dice < 0.5,
            )
        pooled = table.pooled_dice(name)
        if abs(pooled - mean) > 0.02:
            which = "higher: images with little" if pooled > mean else "lower: images with much"
            yield Finding(
                f"Pooled over all pixels, the Dice of {name} is {shown(pooled)}, {which} of it are the worse ones.",
                serious=False,
            )


def _subgroups(table: ScoreTable, asked: Asked) -> Iterator[Finding]:
    for one in lags(table, asked):
        yield Finding(
            f"Where {asked.column} is {one.value} ({_images(one.cases)}), the mean Dice of {one.name} is "
            f"{shown(-one.difference)} lower than elsewhere "
            f"(difference {spread(one.difference_interval)}, 95 % interval)."
        )


def _images(count: int) -> str:
    return f"{count:,} image{'' if count == 1 else 's'}"


def _at(centroid: tuple[float, ...]) -> str:
    """A place in pixels, named by axis: row and column, or slice, row and column counted from 0."""
    names = ("slice", "row", "column")[-len(centroid) :]
    return ", ".join(f"{name} {value:.0f}" for name, value in zip(names, centroid, strict=True))
