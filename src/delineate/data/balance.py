"""How often each case is drawn so that every scanner, site or stain is learnt from alike, however many images it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from delineate.core import Case, DataError
from delineate.data.fingerprint import digest_of
from delineate.data.large_case import LargeCase

MOST = 10  # times as often as others: beyond it a few images would be learnt by heart


def times_alike(values: Mapping[str, str], names: Sequence[str]) -> dict[str, int]:
    """Name -> how often its case is drawn for once that a case of the most common value is, 1 to 10.

    values: name -> value; a name without one is drawn once. Raises DataError where all that have a value have the same.

    >>> times_alike({"a": "old", "b": "old", "c": "new"}, ["a", "b", "c", "d"])
    {'a': 1, 'b': 1, 'c': 2, 'd': 1}
    """
    counts = Counter(values[name] for name in names if name in values)
    if len(counts) < 2:
        raise DataError(
            f"all {counts.total()} images are of one kind ({next(iter(counts), 'none')}), so there is nothing to balance: "
            "leave --balance out, or name another column"
        )
    most = max(counts.values())
    return {name: min(MOST, round(most / counts[values[name]])) if name in values else 1 for name in names}


def by_digest(times: Mapping[str, int], cases: Sequence[Case], large: Sequence[LargeCase]) -> dict[str, int]:
    """The same of these cases, known by their pixels: for a record that names no file."""
    return {digest: times[name] for name, digest in _digests(cases, large) if name in times}


def by_name(times: Mapping[str, int], cases: Sequence[Case], large: Sequence[LargeCase]) -> dict[str, int]:
    """`by_digest` undone, for the cases that are known."""
    return {name: times[digest] for name, digest in _digests(cases, large) if digest in times}


def _digests(cases: Sequence[Case], large: Sequence[LargeCase]) -> list[tuple[str, str]]:
    return [(case.name, digest_of(case)) for case in cases] + [
        (one.name, digest_of(look)) for one in large for look in one.looks[:1]
    ]
