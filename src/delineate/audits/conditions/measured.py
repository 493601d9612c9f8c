"""Dice and Hausdorff under one acquisition condition, severity by severity, and where Dice has fallen by too much."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delineate.audits.subject import Subject
from delineate.core import Case, ClassTable
from delineate.data.conditions import Condition
from delineate.score import dice, hausdorff

SEVERITIES = (0, 1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Scored:
    """One case: Dice and Hausdorff distance, each the mean over the classes for which it is defined.

    Hausdorff is inf where a class is missed, in the unit of the case; both are nan where no class occurs.
    """

    dice: float
    hausdorff: float


@dataclass(frozen=True)
class Course:
    """One condition: for severity 0 (the image as it is) to 5, every case scored.

    cases: those that can come under it. scored: one row for each of SEVERITIES, one entry for each case. breaks: the
    severity, between whole ones on a straight line, at which mean Dice has fallen by `fall`; nan where it never does.
    """

    condition: Condition
    cases: tuple[Case, ...]
    scored: tuple[tuple[Scored, ...], ...]
    fall: float

    @property
    def dice(self) -> tuple[float, ...]:
        """Mean Dice at each severity."""
        return tuple(mean([one.dice for one in row]) for row in self.scored)

    @property
    def hausdorff(self) -> tuple[float, ...]:
        """Median Hausdorff distance at each severity, inf where most cases miss a class."""
        return tuple(median([one.hausdorff for one in row]) for row in self.scored)

    @property
    def missed(self) -> tuple[int, ...]:
        """In how many cases a class is missed, or invented, altogether, at each severity."""
        return tuple(sum(math.isinf(one.hausdorff) for one in row) for row in self.scored)

    @property
    def breaks(self) -> float:
        """See above."""
        return broken_at(self.dice, fall=self.fall)

    @property
    def hardest(self) -> int:
        """The index of the case that has lost most at the severity where it breaks, or at the last."""
        row = self.scored[math.ceil(self.breaks) if not math.isnan(self.breaks) else SEVERITIES[-1]]
        lost = [clean.dice - now.dice for clean, now in zip(self.scored[0], row, strict=True)]
        return int(np.argmax(np.nan_to_num(lost, nan=-1.0)))


def courses(
    subject: Subject, cases: Sequence[Case], conditions: Mapping[str, Condition], *, fall: float
) -> Iterator[Course]:
    """Each condition that concerns one of the cases at least, measured; cases carry labels."""
    clean = [scored(case, subject.labels(case), classes=subject.classes) for case in cases]
    for condition in conditions.values():
        concerned = [i for i, case in enumerate(cases) if condition.concerns(case.image)]
        if concerned:
            rows = [tuple(clean[i] for i in concerned)]
            for severity in SEVERITIES[1:]:
                rows.append(
                    tuple(
                        scored(
                            cases[i], under(subject, cases[i], condition, severity), classes=subject.classes
                        )
                        for i in concerned
                    )
                )
            yield Course(condition, tuple(cases[i] for i in concerned), tuple(rows), fall)


def under(subject: Subject, case: Case, condition: Condition, severity: float) -> NDArray[np.uint8]:
    """What the model predicts (*spatial) for the image of a case under a condition."""
    return np.asarray(subject.asked()(condition.at(case.image, severity)).argmax(0), np.uint8)


def scored(case: Case, predicted: NDArray[np.uint8], *, classes: ClassTable) -> Scored:
    """A prediction (*spatial) beside the truth of its case."""
    if case.labels is None:
        return Scored(math.nan, math.nan)
    labels = range(1, len(classes))
    return Scored(
        mean([dice(case.labels, predicted, label=label) for label in labels]),
        mean([hausdorff(case.labels, predicted, label=label, spacing=case.spacing) for label in labels]),
    )


def broken_at(means: Sequence[float], *, fall: float) -> float:
    """Where a course of mean Dice, at severities 0, 1, 2 ..., first is `fall` below its start; nan where nowhere.

    >>> broken_at([0.9, 0.88, 0.80, 0.5], fall=0.05), broken_at([0.9, 0.9, 0.87], fall=0.05)
    (1.375, nan)
    """
    lost = [means[0] - value for value in means]
    for severity, (before, now) in enumerate(itertools.pairwise(lost)):
        if now >= fall > before:
            return severity + (fall - before) / (now - before)
    return math.nan


def mean(values: Sequence[float]) -> float:
    """Of what is defined; nan where nothing is."""
    defined = [value for value in values if not math.isnan(value)]
    return float(np.mean(defined)) if defined else math.nan


def median(values: Sequence[float]) -> float:
    """The lower one of the middle two, so that inf stays inf; nan where nothing is defined."""
    defined = sorted(value for value in values if not math.isnan(value))
    return defined[(len(defined) - 1) // 2] if defined else math.nan
