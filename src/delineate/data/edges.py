"""Values that a blurred edge makes: of masks that were resampled or compressed, and of strokes with soft edges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def count(ints: NDArray[np.integer[Any]]) -> dict[int, int]:
    """Pixels of each value, values in rising order.

    >>> count(np.array([[3, 0], [3, -1]]))
    {-1: 1, 0: 1, 3: 2}
    """
    if not ints.size:
        return {}
    low, high = int(ints.min()), int(ints.max())
    if low < 0 or high > 1 << 17:
        values, numbers = np.unique(ints, return_counts=True)
        return dict(zip(values.tolist(), numbers.tolist(), strict=True))
    numbers = np.zeros(high + 1, np.int64)
    flat = ints.reshape(-1)
    for start in range(0, flat.size, 1 << 20):  # bincount makes a 64-bit copy of what it is given
        numbers += np.bincount(flat[start : start + (1 << 20)], minlength=high + 1)
    return {int(v): int(numbers[v]) for v in np.flatnonzero(numbers)}


def is_soft(ints: NDArray[np.integer[Any]], counts: Mapping[int, int]) -> bool:
    """Whether most values of a file of strokes are steps along soft edges: they fill no 2 x 2 square, most of their pixels have
    another step next to them, and many have none of their own. In a line of a hard pen each pixel has one of its own.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    filled = count(ints[_solid(ints)])
    thin = [v for v, n in counts.items() if filled.get(v, 0) < 0.3 * n]
    if 2 * len(thin) < len(counts) or max(thin) - min(thin) < 16:
        return False
    drawn = ints != max(counts, key=lambda value: counts[value])
    lining = np.isin(ints, thin) & drawn
    window = (1,) * (ints.ndim - 2) + (3, 3)
    highest = maximum_filter(np.where(drawn, ints, ints.min()), window)
    lowest = minimum_filter(np.where(drawn, ints, ints.max()), window)
    beside_another = (lowest < highest)[lining].sum()
    beside_its_own = _continued(ints)[lining].sum()
    return bool(beside_another > 0.5 * lining.sum() and beside_its_own < 0.8 * lining.sum())


def _continued(ints: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """The pixels that have their value in one of the eight around."""
    found = np.zeros(ints.shape, bool)
    rows, columns = ints.shape[-2:]
    for down, right in ((0, 1), (1, -1), (1, 0), (1, 1)):
        first, other = (
            (..., slice(a, rows - down + a), slice(max(b, 0), columns + min(b, 0)))
            for a, b in ((0, -right), (down, right))
        )
        same = ints[first] == ints[other]
        found[first] |= same
        found[other] |= same
    return found


def _solid(ints: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """The pixels in some 2 x 2 square of their value."""
    here = ints[..., :-1, :-1]
    square = (here == ints[..., 1:, :-1]) & (here == ints[..., :-1, 1:]) & (here == ints[..., 1:, 1:])
    solid = np.zeros(ints.shape, bool)
    for rows in (slice(None, -1), slice(1, None)):
        for columns in (slice(None, -1), slice(1, None)):
            solid[..., rows, columns] |= square
    return solid


def is_fringed(ints: NDArray[np.integer[Any]], counts: Mapping[int, int], share: Mapping[int, float]) -> bool:
    """Most values only line the edges: they fill no 2 x 2 square and are not connected as thin objects
    are."""
    if len(counts) < 5 or ints.shape[-1] < 2 or ints.shape[-2] < 2:
        return False
    filled = count(ints[_solid(ints)])
    thin = [v for v, n in counts.items() if filled.get(v, 0) < 0.3 * n]
    if len(thin) < 3 or 2 * len(thin) < len(counts) or max(thin) - min(thin) < 16:
        return False
    pixels = [counts[v] for v in thin]
    whole = sum(share.get(v, 1.0) * counts[v] for v in thin) / sum(pixels)
    return bool(whole < 0.5 or np.median(pixels) <= 3)
