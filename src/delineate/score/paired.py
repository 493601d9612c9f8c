"""Is one method better than another, on the same cases? Differences case by case, and what chance would make of them.

Two means that differ tell little, for cases differ far more than methods do. So every case is its own control: the
difference within each case is taken, its mean with an interval, and Wilcoxon's test asks whether differences of either sign
would be so unequal if neither method were better. Many questions asked at once find something by chance: Holm's correction
accounts for all of them. Wilcoxon 1945, doi:10.2307/3001968; Holm 1979, https://www.jstor.org/stable/4615733.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from delineate.core import DataError
from delineate.score.interval import Interval, intervals
from delineate.score.objects import OBJECT_SCORES, ObjectScore
from delineate.score.registry import Score
from delineate.score.table import CaseScores, ScoreTable

OBJECTS = "objects"  # stands where the name of a class stands


@dataclass(frozen=True)
class Paired:
    """One score of one class, or of `OBJECTS`, of `first` less `second`, over the cases in which both are defined.

    cases: their number. one_sided: cases in which only one of the two is defined, which no difference can use. mean: of the
    finite differences; nan where there is none; interval: of that mean, None where groups are too few. better, worse: cases
    in which `first` is the better or the worse. p: Wilcoxon's signed-rank test, two-sided, over the mean differences of
    groups; nan without cases. holm: p, corrected for all that was asked together.
    """

    first: str
    second: str
    name: str
    score: str
    cases: int
    one_sided: int
    mean: float
    interval: Interval | None
    better: int
    worse: int
    p: float
    holm: float = math.nan


def paired(tables: Mapping[str, ScoreTable]) -> tuple[Paired, ...]:
    """Every method beside every other one, for each class and each of the scores in `ScoreTable.brief` that both have.

    Where objects were scored for both, AP@0.5, F1, PQ and the numbers of missed and of spurious objects follow
    (`OBJECT_SCORES`): of each image by itself, so that the mean difference is over images and not over objects.

    tables: by name of the method, of the same images; cases that one of two has not scored are left out of their
    comparison. Raises DataError for fewer than two tables, and for tables of other classes.

    >>> import numpy as np
    >>> from delineate.core import ClassTable
    >>> from delineate.score import ScoreTable, score_case
    >>> cells, truth = ClassTable(("background", "cell")), np.array([[1, 1, 1, 0]])
    >>> def table(predicted):
    ...     named = [score_case(truth, predicted, classes=cells, name=f"{i}") for i in range(8)]
    ...     return ScoreTable(cells, tuple(named))
    >>> first = paired({"good": table(truth), "poor": table(np.array([[1, 0, 0, 0]]))})[0]
    >>> first.score, first.mean, first.better, round(first.p, 4)
    ('dice', 0.5, 8, 0.0078)
    """
    if len(tables) < 2:
        raise DataError("only one set of predictions is here: give two or more to compare them")
    classes = {table.names for table in tables.values()}
    if len(classes) > 1:
        raise DataError(
            f"the tables are of different classes ({' and '.join(map(str, classes))}): score them alike"
        )
    known = {method: {score.name for score in table.scores} for method, table in tables.items()}
    asked: list[tuple[str, str, str, Score | ObjectScore, Callable[[CaseScores], float]]] = []
    for first, second in combinations(tables, 2):
        asked += [
            (first, second, name, score, partial(_of_class, name, score.name))
            for name in next(iter(classes))
            for score in tables[first].brief
            if score.name in known[second]
        ]
        if tables[first].objects is not None and tables[second].objects is not None:
            asked += [
                (first, second, OBJECTS, score, partial(_of_objects, score))
                for score in OBJECT_SCORES.values()
            ]
    found = [_compared(*question, tables) for question in asked]
    corrected = holm([one.p for one in found])
    return tuple(replace(one, holm=value) for one, value in zip(found, corrected, strict=True))


def holm(values: Sequence[float]) -> list[float]:
    """p-values corrected for their number by Holm's step-down method; nan, of tests that could not be made, stay nan.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted((i for i, p in enumerate(values) if not math.isnan(p)), key=lambda i: values[i])
    corrected, largest = [math.nan] * len(values), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * values[i]))
        corrected[i] = largest
    return corrected


def _of_class(name: str, score: str, case: CaseScores) -> float:
    return case.values[name][score]


def _of_objects(score: ObjectScore, case: CaseScores) -> float:
    return math.nan if case.objects is None else score.of(case.objects)


def _compared(
    first: str,
    second: str,
    name: str,
    score: Score | ObjectScore,
    value: Callable[[CaseScores], float],
    tables: Mapping[str, ScoreTable],
) -> Paired:
    mine, yours = ({case.name: case for case in tables[method].cases} for method in (first, second))
    both = [case for case in mine if case in yours]
    pairs = np.array([[value(side[case]) for side in (mine, yours)] for case in both], dtype=np.float64)
    a, b = pairs.reshape(-1, 2).T
    defined = ~np.isnan(a) & ~np.isnan(b)
    groups = np.array([mine[case].group for case in both])[defined]
    with np.errstate(invalid="ignore"):
        differences = np.where(a == b, 0.0, a - b)[defined]
    finite = differences[np.isfinite(differences)]
    gains = differences if score.direction == "higher" else -differences
    return Paired(
        first,
        second,
        name,
        score.name,
        cases=len(differences),
        one_sided=int((np.isnan(a) != np.isnan(b)).sum()),
        mean=float(finite.mean()) if len(finite) else math.nan,
        interval=intervals(differences.tolist(), groups.tolist()).mean,
        better=int((gains > 0).sum()),
        worse=int((gains < 0).sum()),
        p=_wilcoxon(differences, groups),
    )


def _wilcoxon(differences: NDArray[np.float64], groups: NDArray[np.str_]) -> float:
    """Of one difference per group, for cases of one patient are no independent witnesses; infinite ones rank last."""
    from scipy.stats import wilcoxon

    if not len(differences):
        return math.nan
    known = np.abs(differences[np.isfinite(differences)]).max(initial=1.0)
    ranked = np.clip(differences, -2 * known, 2 * known)
    of_group = np.array([ranked[groups == group].mean() for group in np.unique(groups)])
    return float(wilcoxon(of_group).pvalue) if of_group.any() else 1.0
