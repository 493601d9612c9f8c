"""Texture by grey-level co-occurrence, for every pixel: how often do two grey levels lie at a given offset in its window?

The matrix of a window is never built from nothing. Sums over pairs (contrast, homogeneity, mean ...) slide: a row of
column sums moves down, a window sum moves right, each by one addition and one subtraction. What needs the counts
themselves (energy, entropy) slides them: a step to the right takes one column of pairs away and adds another, and each
pair changes one count and therefore one known amount of energy and entropy. All sums are integers, so nothing drifts.
Haralick, Shanmugam & Dinstein 1973, doi:10.1109/TSMC.1973.4309314.

The loops need numba: `pip install 'delineate[texture]'`.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import DataError

PROPERTIES = (
    "contrast",
    "dissimilarity",
    "homogeneity",
    "energy",
    "correlation",
    "entropy",
    "mean",
    "variance",
)
ANGLES = (0.0, math.pi / 4, math.pi / 2, 3 * math.pi / 4)
MOST_LEVELS, WIDEST_PX = 256, 255
STRIP = 64  # rows of one task
SCALE = 2.0**40  # of fractions that are summed as integers


def texture_maps(
    levels_image: NDArray[np.integer[Any]],
    *,
    levels: int,
    window_px: int = 21,
    distances: Sequence[float] = (1,),
    angles: Sequence[float] = ANGLES,
    properties: Sequence[str] = PROPERTIES,
    averaged: bool = False,
) -> NDArray[np.float32]:
    """Co-occurrence properties of the window around every pixel: (distances, angles, properties, height, width) float32.

    levels_image: (height, width) integers from 0 to levels - 1 (`quantised` makes them). window_px: side of the window,
    odd; beyond the border the picture is mirrored. distances in pixels and angles in radians as in scikit-image's
    `graycomatrix`, and every value is what `graycoprops` gives for that window with symmetric=True and normed=True: of a
    window of one level, correlation is 1. properties: any of PROPERTIES. averaged: (distances, properties, height,
    width), the mean over angles.
    Raises DataError where levels, window, offsets or the picture do not fit; a window may be larger than the picture.

    >>> stripes = np.tile(np.array([0, 1]), (4, 3))
    >>> maps = texture_maps(stripes, levels=2, window_px=3, angles=(0.0,), properties=("contrast", "energy"))
    >>> maps.shape, maps[0, 0, 0, 2, 2], round(float(maps[0, 0, 1, 2, 2]), 3)
    ((1, 1, 2, 4, 6), np.float32(1.0), 0.707)
    """
    picture = _checked(levels_image, levels, window_px, properties)
    padded = np.pad(picture, window_px // 2, mode="symmetric")
    offsets = [_offset(d, a, window_px) for d, a in itertools.product(distances, angles)]
    maps = _counted(padded, offsets, levels, window_px, properties, alike=len(angles) if averaged else 1)
    return maps if averaged else maps.reshape(len(distances), len(angles), *maps.shape[1:])


def texture_at(
    levels_image: NDArray[np.integer[Any]],
    places: tuple[NDArray[np.intp], NDArray[np.intp]],
    *,
    levels: int,
    window_px: int = 21,
    properties: Sequence[str] = PROPERTIES,
) -> NDArray[np.float32]:
    """The averaged maps of `texture_maps` at some pixels only: (properties, n) for rows and columns (n,) each.

    >>> stripes = np.tile(np.array([0, 1]), (4, 3))
    >>> texture_at(stripes, (np.array([2]), np.array([3])), levels=2, window_px=3, properties=("mean",)).round(3)
    array([[0.458]], dtype=float32)
    """
    picture = _checked(levels_image, levels, window_px, properties)
    offsets = [_offset(1, angle, window_px) for angle in ANGLES]
    padded = np.pad(picture, window_px // 2, mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (window_px, window_px))[places]
    strip = windows.transpose(1, 0, 2).reshape(
        window_px, -1
    )  # side by side; those in between are not asked for
    if not strip.size:
        return np.zeros((len(properties), 0), np.float32)
    return _counted(strip, offsets, levels, window_px, properties, alike=len(ANGLES))[0, :, 0, ::window_px]


def quantised(
    grey: NDArray[np.floating[Any]], *, levels: int, low: float = 0.0, high: float = 1.0
) -> NDArray[np.uint8]:
    """Values (*spatial) from low to high as levels 0 to levels - 1 of equal width; what lies beyond is clipped.

    >>> quantised(np.array([-1.0, 0.0, 0.49, 0.51, 1.0]), levels=2)
    array([0, 0, 0, 1, 1], dtype=uint8)
    """
    if not 2 <= levels <= MOST_LEVELS or not high > low:
        raise DataError(
            f"{levels} levels from {low:g} to {high:g}: give 2 to {MOST_LEVELS} and a rising range"
        )
    scaled = (grey - low) * (levels / (high - low))
    return np.asarray(np.clip(scaled, 0, levels - 1), np.uint8)


def _counted(
    padded: NDArray[Any],
    offsets: Sequence[tuple[int, int]],
    levels: int,
    window_px: int,
    properties: Sequence[str],
    *,
    alike: int,
) -> NDArray[np.float32]:
    """Maps (offsets / alike, properties, height, width) of every whole window; `alike` offsets in a row are averaged."""
    rows, columns = (length - window_px + 1 for length in padded.shape)
    maps = np.zeros((len(offsets) // alike, len(properties), rows, columns), np.float32)
    chosen = np.array([PROPERTIES.index(name) for name in properties], np.int64)
    counted = bool({"energy", "entropy"} & set(properties))
    slide, tables = _compiled(), _tables(window_px, levels)
    tops = range(0, rows, STRIP)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, (down, right) in enumerate(offsets):
            first, second = _pairs(padded, down, right)
            codes = np.minimum(first, second).astype(np.int32) * levels + np.maximum(first, second)
            given = (maps[number // alike], np.ascontiguousarray(codes.T), levels, window_px - abs(down),
                     window_px - abs(right), chosen, counted, np.float32(1 / alike), *tables)  # fmt: skip
            strips = [pool.submit(slide, top, min(top + STRIP, rows), *given) for top in tops]
            for strip in strips:
                strip.result()
    return maps


def _checked(
    picture: NDArray[Any], levels: int, window_px: int, properties: Sequence[str]
) -> NDArray[np.integer[Any]]:
    if picture.ndim != 2 or picture.dtype.kind not in "iu" or not picture.size:
        raise DataError(
            f"texture is counted on integers (height, width), not on {picture.dtype} {picture.shape}: "
            "quantise the picture, and go through volumes slice by slice"
        )
    if not 2 <= levels <= MOST_LEVELS or picture.min() < 0 or picture.max() >= levels:
        raise DataError(
            f"grey levels from {picture.min()} to {picture.max()} do not fit into {levels}: "
            f"quantise to 0 ... levels - 1, with 2 to {MOST_LEVELS} levels"
        )
    if window_px % 2 == 0 or not 3 <= window_px <= WIDEST_PX:
        raise DataError(
            f"a window of {window_px} pixels has no middle or is too wide: give an odd number up to {WIDEST_PX}"
        )
    if unknown := [name for name in properties if name not in PROPERTIES]:
        raise DataError(f"there is no property {unknown[0]}: choose from {', '.join(PROPERTIES)}")
    return picture


def _offset(distance: float, angle: float, window_px: int) -> tuple[int, int]:
    """Rows down and columns right, rounded as scikit-image rounds."""
    along = (math.sin(angle) * distance, math.cos(angle) * distance)
    down, right = (int(math.copysign(math.floor(abs(step) + 0.5), step)) for step in along)
    if max(abs(down), abs(right)) >= window_px or (down == 0 and right == 0):
        raise DataError(
            f"at distance {distance:g} no pair of pixels lies in a window of {window_px}: choose 1 to {window_px - 1}"
        )
    return down, right


def _pairs(padded: NDArray[Any], down: int, right: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The two pixels of every pair, each (height - |down|, width - |right|)."""
    height, width = padded.shape
    first = padded[max(-down, 0) : height - max(down, 0), max(-right, 0) : width - max(right, 0)]
    second = padded[max(down, 0) : height - max(-down, 0), max(right, 0) : width - max(-right, 0)]
    return first, second


def _tables(window_px: int, levels: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """By count n: what one more adds to n log n. By difference of levels: 1 / (1 + d^2). Both times SCALE."""
    counts = np.arange(window_px * window_px + 2, dtype=np.float64)
    logs = np.zeros_like(counts)
    logs[2:] = counts[2:] * np.log(counts[2:])
    rounded = np.rint(logs * SCALE / 1024).astype(np.int64)  # of the sum of all, room is left
    return np.diff(rounded), np.rint(SCALE / (1 + np.arange(levels, dtype=np.float64) ** 2)).astype(np.int64)


@cache
def _compiled() -> Callable[..., None]:
    """The loop over a strip of rows, compiled on first use and kept on disk."""
    try:
        import numba
    except ImportError as error:
        raise DataError("texture needs numba and scikit-learn: pip install 'delineate[texture]'") from error
    compiled: Callable[..., None] = numba.njit(cache=True, nogil=True)(_slide)
    return compiled


def _slide(
    top: int,
    bottom: int,
    out: Any,
    codes: Any,
    levels: int,
    tall: int,
    wide: int,
    chosen: Any,
    counted: bool,
    share: float,
    logs: Any,
    close: Any,
) -> None:
    """Adds `share` of the properties of rows top to bottom to `out` (properties, rows, columns).

    codes: (columns of pairs, rows of pairs), the lower level times `levels` plus the higher one. A window has tall x
    wide pairs, each counted in both directions.
    """
    columns = codes.shape[0] - wide + 1
    pairs = tall * wide
    # by column of pairs, over the rows of the window: pairs of equal levels, |i - j|, (i - j)^2, closeness, i + j, i^2 + j^2
    sums = np.zeros((6, codes.shape[0]), np.int64)
    counts = np.zeros(levels * levels, np.int32)
    for row in range(top, bottom):
        if row == top:
            for column in range(codes.shape[0]):
                for k in range(row, row + tall):
                    i, j = codes[column, k] // levels, codes[column, k] % levels
                    d = j - i
                    sums[0, column] += d == 0
                    sums[1, column] += d
                    sums[2, column] += d * d
                    sums[3, column] += close[d]
                    sums[4, column] += i + j
                    sums[5, column] += i * i + j * j
        else:
            for column in range(codes.shape[0]):
                i, j = codes[column, row - 1] // levels, codes[column, row - 1] % levels
                m, n = codes[column, row + tall - 1] // levels, codes[column, row + tall - 1] % levels
                d, e = j - i, n - m
                sums[0, column] += int(e == 0) - int(d == 0)
                sums[1, column] += e - d
                sums[2, column] += e * e - d * d
                sums[3, column] += close[e] - close[d]
                sums[4, column] += m + n - i - j
                sums[5, column] += m * m + n * n - i * i - j * j
        equal, apart, apart2, near, total, squares = 0, 0, 0, 0, 0, 0
        asm, order = 0, 0  # sum of squared entries; sum of n log n over unordered pairs
        if counted:
            counts[:] = 0
            for column in range(wide - 1):
                for k in range(row, row + tall):
                    code = codes[column, k]
                    n = counts[code]
                    weight = 4 if code // levels == code % levels else 2
                    asm += weight * (2 * n + 1)
                    order += logs[n]
                    counts[code] = n + 1
        for column in range(wide - 1):
            equal += sums[0, column]
            apart += sums[1, column]
            apart2 += sums[2, column]
            near += sums[3, column]
            total += sums[4, column]
            squares += sums[5, column]
        for column in range(columns):
            last = column + wide - 1
            equal += sums[0, last]
            apart += sums[1, last]
            apart2 += sums[2, last]
            near += sums[3, last]
            total += sums[4, last]
            squares += sums[5, last]
            if counted:
                for k in range(row, row + tall):
                    code = codes[last, k]
                    n = counts[code]
                    weight = 4 if code % (levels + 1) == 0 else 2
                    asm += weight * (2 * n + 1)
                    order += logs[n]
                    counts[code] = n + 1
            mean = total / (2.0 * pairs)
            variance = (2.0 * pairs * squares - float(total) * total) / (4.0 * pairs * pairs)
            for at in range(len(chosen)):
                wanted = chosen[at]
                if wanted == 0:
                    value = apart2 / pairs
                elif wanted == 1:
                    value = apart / pairs
                elif wanted == 2:
                    value = near / SCALE / pairs
                elif wanted == 3:
                    value = math.sqrt(asm / (4.0 * pairs * pairs))
                elif wanted == 4:
                    # cov = E[ij] - mean^2 with 2 ij = i^2 + j^2 - (i - j)^2
                    value = 1.0 if variance <= 0 else 1.0 - 0.5 * (apart2 / pairs) / variance
                elif wanted == 5:
                    logged = 2.0 * order * (1024 / SCALE) + 2.0 * math.log(2.0) * equal
                    value = max(0.0, math.log(2.0 * pairs) - logged / (2.0 * pairs))
                elif wanted == 6:
                    value = mean
                else:
                    value = variance
                out[at, row, column] += share * value
            equal -= sums[0, column]
            apart -= sums[1, column]
            apart2 -= sums[2, column]
            near -= sums[3, column]
            total -= sums[4, column]
            squares -= sums[5, column]
            if counted:
                for k in range(row, row + tall):
                    code = codes[column, k]
                    n = counts[code] - 1
                    weight = 4 if code % (levels + 1) == 0 else 2
                    asm -= weight * (2 * n + 1)
                    order -= logs[n]
                    counts[code] = n
