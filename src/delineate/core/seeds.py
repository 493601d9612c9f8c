"""Seeds: whole numbers from 0 on, of which everything that is random follows."""

from __future__ import annotations

from delineate.core.errors import DataError


def checked_seed(seed: int) -> int:
    """The seed itself; raises DataError for a negative one.

    >>> checked_seed(3)
    3
    """
    if seed < 0:
        raise DataError(f"the seed is {seed}: give a whole number from 0 on")
    return seed
