"""Many values of one score in one honest line: a mean never comes without the counts behind it.

Policy. A case where neither side holds the class is undefined (nan): it enters no mean and is counted. A
case where truth holds the class and the prediction does not is missed, the other way round it is spurious;
both are defined and take the worst value that the score declares. For scores from 0 to 1 that is 0, and it
enters mean and median. For distances it is infinite: the median takes it as it is, the mean is that of the
finite values, and the counts beside it and a warning say how many cases it leaves out. Nothing is ever
dropped without being counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Summary:
    """Mean and median of one score of one class over many cases, with the counts that they rest on.

    mean: over the defined and finite values; nan where there are none. median: over the defined values, inf
    included. defined + undefined is the number of cases. missed: cases where truth holds the class and the
    prediction does not; spurious: the other way round; infinite: values that the mean leaves out.

    >>> str(Summary(mean=0.8125, median=0.9, defined=47, undefined=3, missed=3, spurious=0, infinite=0))
    '0.812 (47 of 50 defined; 3 missed)'
    """

    mean: float
    median: float
    defined: int
    undefined: int
    missed: int
    spurious: int
    infinite: int

    @property
    def mean_shown(self) -> str:
        """The mean as a person reads it: ∞ where all that is defined is infinite.

        >>> summarise([float("inf")] * 2, missed=2).mean_shown, summarise([float("nan")]).mean_shown
        ('∞', 'undefined')
        """
        return shown(math.inf if self.infinite and self.infinite == self.defined else self.mean)

    @property
    def counts(self) -> str:
        """The counts in words: `47 of 50 defined; 3 missed`."""
        parts = [f"{self.defined} of {self.defined + self.undefined} defined", f"{self.missed} missed"]
        if self.spurious:
            parts.append(f"{self.spurious} spurious")
        if 0 < self.infinite < self.defined:
            parts.append(f"mean of the {self.defined - self.infinite} finite")
        return "; ".join(parts)

    def __str__(self) -> str:
        return f"{self.mean_shown} ({self.counts})"


def summarise(values: Sequence[float], *, missed: int = 0, spurious: int = 0) -> Summary:
    """Mean, median and counts of the values of one score; nan is undefined, inf is defined but in no mean.

    missed, spurious: numbers of cases where only truth, or only the prediction, holds the class.
    No value at all, or only nan: mean and median nan, defined 0.

    >>> summarise([0.9, 0.5, float("nan"), 0.0], missed=1)
    Summary(mean=0.4666..., median=0.5, defined=3, undefined=1, missed=1, spurious=0, infinite=0)
    >>> summarise([2.0, float("inf")], missed=1)
    Summary(mean=2.0, median=inf, defined=2, undefined=0, missed=1, spurious=0, infinite=1)
    """
    defined = sorted(value for value in values if not math.isnan(value))
    finite = [value for value in defined if math.isfinite(value)]
    return Summary(
        mean=math.fsum(finite) / len(finite) if finite else float("nan"),
        median=_median(defined),
        defined=len(defined),
        undefined=len(values) - len(defined),
        missed=missed,
        spurious=spurious,
        infinite=len(defined) - len(finite),
    )


def shown(value: float) -> str:
    """A score as a person reads it: about three digits, ∞, or the word undefined.

    >>> shown(0.91234), shown(6.3246), shown(57.625), shown(12345.6)
    ('0.912', '6.32', '57.6', '12,346')
    >>> shown(-45.486), shown(float("-inf"))
    ('-45.5', '-∞')
    >>> shown(1.0), shown(float("inf")), shown(float("nan"))
    ('1.000', '∞', 'undefined')
    """
    if math.isnan(value):
        return "undefined"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    size = abs(value)
    digits = 3 if size <= 1 else 2 if size < 10 else 1 if size < 1000 else 0
    return f"{value:,.{digits}f}"


def _median(ordered: Sequence[float]) -> float:
    if not ordered:
        return float("nan")
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return low if low == high else (low + high) / 2
