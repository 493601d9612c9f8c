"""Would chance set a subgroup apart so far? A permutation test of each, corrected for all that was asked together.

If it made no difference in which subgroup a case is, the scores of any other cases, as many, might stand in its place. They are
put there again and again: how often is the gap as wide as the one that was found? Nothing is assumed of how scores spread, and
with few cases, which can be dealt out in few ways, little is found. Fisher 1935, The Design of Experiments; of random
permutations, Phipson & Smyth 2010, doi:10.2202/1544-6115.1585; several questions, Holm 1979 (`delineate.score.paired`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from delineate.score.paired import holm
from delineate.score.subgroups import Subgroup
from delineate.score.table import ScoreTable

BEYOND = 0.05  # a corrected p below it is no chance
PERMUTATIONS = 10_000
_EACH = 200  # permutations for each comparison, so that the correction for many leaves a p that can be below BEYOND


@dataclass(frozen=True)
class Chance:
    """p: how often chance makes a difference of means as wide, either way; nan where it cannot be asked. least: the lowest p
    that so few cases can give."""

    p: float
    least: float


def chance(
    values: Sequence[float],
    inside: Sequence[bool],
    groups: Sequence[str],
    *,
    permutations: int = PERMUTATIONS,
) -> Chance:
    """Of the cases `inside` beside all others; values, groups: as `difference_interval`, whose groups are one witness a side.

    >>> found = chance([0.9, 0.8, 0.9, 0.8, 0.5, 0.6, 0.5, 0.6], [True] * 4 + [False] * 4, "abcdefgh")
    >>> round(found.p, 2), round(found.least, 3)  # two of the 70 ways in which four of eight can be chosen
    (0.03, 0.029)
    """
    known = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(known)
    inner = np.asarray(inside, dtype=bool)[finite]
    group = np.unique(np.asarray(list(groups)), return_inverse=True)[1][finite]
    units, unit = np.unique(2 * group + inner, return_inverse=True)
    here = units % 2 == 1
    count = int(here.sum())
    if min(count, len(units) - count) < 2:
        return Chance(math.nan, math.nan)
    sums, sizes = np.bincount(unit, known[finite]), np.bincount(unit)
    picked = _orders(len(units), permutations)[:, :count]

    def gap(total: NDArray[np.float64], size: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(total / size - (sums.sum() - total) / (sizes.sum() - size), np.float64)

    found, drawn = gap(sums[here].sum(), sizes[here].sum()), gap(sums[picked].sum(1), sizes[picked].sum(1))
    rarer = min(int((drawn <= found + 1e-12).sum()), int((drawn >= found - 1e-12).sum()))
    return Chance(min(1.0, 2 * (rarer + 1) / (permutations + 1)), min(1.0, 2 / math.comb(len(units), count)))


def corrected(table: ScoreTable, found: Sequence[Subgroup]) -> list[Chance]:
    """The chance of each of `found`, corrected for all of them after Holm; what asks the same twice is one question.

    A column of two values asks of both whether one differs from the other; two columns may say the same.
    """
    groups = [case.group for case in table.cases]
    keys = [(one.name, one.score, min(one.inside, tuple(not x for x in one.inside))) for one in found]
    questions = dict.fromkeys(keys)
    permutations = max(PERMUTATIONS, _EACH * len(questions))
    asked = [
        chance(table.values(name, score), inside, groups, permutations=permutations)
        for name, score, inside in questions
    ]
    both = zip(holm([one.p for one in asked]), holm([one.least for one in asked]), strict=True)
    answers = {key: Chance(p, least) for key, (p, least) in zip(questions, both, strict=True)}
    return [answers[key] for key in keys]


@lru_cache(maxsize=4)
def _orders(units: int, permutations: int) -> NDArray[np.int32]:
    """(permutations, units): orders of so many, at random and always the same."""
    rows = np.broadcast_to(np.arange(units, dtype=np.int32), (permutations, units))
    return np.random.default_rng(0).permuted(rows, axis=1)
