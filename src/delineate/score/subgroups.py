"""Does it work as well everywhere? Scores by scanner, site, stain: by any column that says something about the cases.

A subgroup is set beside all other cases. Its difference from them has an interval in which whole groups of cases (patients) are
one witness each, so that a patient with cases in several subgroups stays one patient.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from delineate.score.interval import Interval, difference_interval
from delineate.score.summary import Summary
from delineate.score.table import ScoreTable

NOT_STATED = "not stated"
# in small letters: what tables write where nothing is known
UNSAID = {
    "",
    "na",
    "n/a",
    "n.a.",
    "#n/a",
    "<na>",
    "nan",
    "null",
    "unknown",
    "missing",
    "not stated",
    "not available",
    "?",
}
_DASHES = {"-", "--", "–", "—"}
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+")
QUARTERS = 8  # a column with more different numbers than this is cut into four


@dataclass(frozen=True)
class Subgroup:
    """One score of one class among the cases of one value of a column, and among all others.

    interval: of its mean. difference: its mean less that of all other cases, nan where either has none; with an
    interval that leaves 0 out it is unlikely to be chance, if nothing else was asked. inside: whether each case of the
    table is among them.
    """

    value: str
    name: str
    score: str
    cases: int
    summary: Summary
    interval: Interval | None
    difference: float
    difference_interval: Interval | None
    inside: tuple[bool, ...] = field(repr=False)


def subgroups(table: ScoreTable, column: Mapping[str, str]) -> tuple[Subgroup, ...]:
    """Each of the scores in `ScoreTable.brief`, of each class, for each value of a column; none where there are no cases.

    column: what it says of each case, by its name; of a case that is not there, or of which it says nothing (also in the
    words NA, nan, null, unknown, missing or a dash), it is `not stated`. A column of more than
    eight different numbers is cut into four ranges that hold as many cases each.

    >>> import numpy as np
    >>> from delineate.core import ClassTable
    >>> from delineate.score import ScoreTable, score_case
    >>> truth, poor = np.array([[1, 1, 1, 0]]), np.array([[1, 0, 0, 0]])
    >>> cells, stains = ClassTable.numbered(2), {f"{i}": "red blue".split()[i % 2] for i in range(8)}
    >>> cases = [score_case(truth, [truth, poor][i % 2], classes=cells, name=f"{i}") for i in range(8)]
    >>> by_stain = subgroups(ScoreTable(cells, tuple(cases)), stains)
    >>> [(one.value, one.summary.mean, one.difference) for one in by_stain if one.score == "dice"]
    [('blue', 0.5, -0.5), ('red', 1.0, 0.5)]
    """
    said = [column.get(case.name, "").strip() for case in table.cases]
    values = np.array(told_apart(said))
    groups = [case.group for case in table.cases]
    found = []
    for value in sorted(set(values.tolist()), key=_order):
        inside = values == value
        part = ScoreTable(
            table.classes,
            tuple(case for case, own in zip(table.cases, inside, strict=True) if own),
            scores=table.scores,
        )
        for name in table.names:
            for score in table.brief:
                every = np.array(table.values(name, score.name))
                low_high = difference_interval(every.tolist(), inside.tolist(), groups)
                found.append(
                    Subgroup(
                        value,
                        name,
                        score.name,
                        int(inside.sum()),
                        part.summary(name, score.name),
                        part.intervals(name, score.name).mean,
                        _mean(every[inside]) - _mean(every[~inside]),
                        low_high,
                        tuple(inside.tolist()),
                    )
                )
    return tuple(found)


def _mean(values: NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else math.nan


def told_apart(words: Sequence[str]) -> list[str]:
    """The subgroup of each word of a column: itself, NOT_STATED, or one of four ranges where they are many different numbers.

    >>> told_apart(["old", "n/a", "new"]) == ["old", NOT_STATED, "new"]
    True
    >>> sorted(set(told_apart([str(age) for age in range(20, 60)])))
    ['20 to 30', '30 to 40', '40 to 49', '49 to 59']
    >>> told_apart(["40,5", "unknown", "40,5"]), told_apart(["+", "-"])  # a dash beside a plus is no blank
    (['40,5', 'not stated', '40,5'], ['+', '-'])
    """
    blank = UNSAID if "+" in words else UNSAID | _DASHES
    return _ranged([NOT_STATED if word.strip().lower() in blank else word for word in words])


def number_of(word: str) -> float:
    """A number with a decimal point or comma; raises ValueError where it is none, or where the comma may set off thousands.

    >>> number_of("40,5"), number_of("-1e3")
    (40.5, -1000.0)
    """
    if _THOUSANDS.fullmatch(word.strip()):
        raise ValueError(f"{word} may be thousands or have a decimal comma")
    return float(word.replace(",", ".") if word.count(",") == 1 and "." not in word else word)


def _ranged(values: list[str]) -> list[str]:
    """The values themselves; four ranges of them where they are many different numbers."""
    stated = [value for value in values if value != NOT_STATED]
    try:
        numbers = np.array([number_of(value) for value in stated])
    except ValueError:
        return values
    if len(set(stated)) <= QUARTERS or not np.isfinite(numbers).all():
        return values
    edges = np.unique(np.percentile(numbers, (0, 25, 50, 75, 100), method="nearest"))
    written = dict(zip(numbers.tolist(), stated, strict=True))
    names = [f"{written[low]} to {written[high]}" for low, high in itertools.pairwise(edges.tolist())]
    at = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(names) - 1)
    ranged = iter(names[i] for i in at)
    return [value if value == NOT_STATED else next(ranged) for value in values]


def _order(value: str) -> tuple[bool, float, str]:
    """Numbers and ranges by size, words by the alphabet, what is not stated last."""
    try:
        number = number_of(value.split(" to ")[0])
    except ValueError:
        number = math.inf
    return value == NOT_STATED, number, value
