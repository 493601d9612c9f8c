"""How often each case is drawn so that every scanner, site or stain is learnt from alike, however many images it has."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from delineate.core import Case
from delineate.data.fingerprint import digest_of, digests_of
from delineate.data.large_case import LargeCase

MOST = 10  # times as often as others: beyond it a few images would be learnt by heart


def times_alike(values: Mapping[str, str], weights: Mapping[str, float]) -> dict[str, int]:
    """Name -> how often its case is drawn for once that a case of the most common value is, 1 to 10.

    values: name -> value; a case without one, or with one that nothing is learnt from, is drawn once. weights: name -> how
    often the case is drawn by itself; of those that are learnt from.

    >>> times_alike({"a": "old", "b": "old", "c": "new"}, {"a": 1, "b": 1, "c": 1, "d": 1})
    {'a': 1, 'b': 1, 'c': 2}
    """
    sums = dict.fromkeys(values.values(), 0.0)
    for name, weight in weights.items():
        if name in values:
            sums[values[name]] += weight
    most = max(sums.values(), default=0.0)
    return {
        name: min(MOST, max(1, round(most / sums[value]))) if sums[value] else 1
        for name, value in values.items()
    }


def drawn_by_itself(spatial: Sequence[int], *, dims: int) -> float:
    """The weight with which crops are cut from a picture: the square root of its pixels, or that of each slice in `dims` = 2.

    >>> drawn_by_itself((16, 16), dims=2), drawn_by_itself((3, 16, 16), dims=2), drawn_by_itself((4, 16, 16), dims=3)
    (16.0, 48.0, 32.0)
    """
    return math.prod(spatial[: len(spatial) - dims]) * math.sqrt(math.prod(spatial[len(spatial) - dims :]))


def by_digest(times: Mapping[str, int], cases: Sequence[Case], large: Sequence[LargeCase]) -> dict[str, int]:
    """The same of these cases, known by their pixels: for a record that names no file."""
    return {digest_of(look): times[name] for name, look in _looks(cases, large) if name in times}


def by_name(times: Mapping[str, int], cases: Sequence[Case], large: Sequence[LargeCase]) -> dict[str, int]:
    """`by_digest` undone, for the cases that are known, however they were stored then."""
    return {
        name: times[digest]
        for name, look in _looks(cases, large)
        for digest in digests_of(look)
        if digest in times
    }


def _looks(cases: Sequence[Case], large: Sequence[LargeCase]) -> list[tuple[str, Case]]:
    """Of a large case its last look, which shows its last class: background is alike on many slides."""
    return [(case.name, case) for case in cases] + [
        (one.name, look) for one in large for look in one.looks[-1:]
    ]
