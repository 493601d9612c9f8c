"""Averaging over shifts, for a network whose answer depends on the grid that its down-sampling lays over the image.

Each copy of the image is moved by a few pixels, so that the grid falls elsewhere; answers are moved back and averaged. With
all shifts there are, the average would not depend on the grid at all ("cycle spinning", Coifman & Donoho 1995,
doi:10.1007/978-1-4612-2544-7_9); with a few it depends on it less. What comes into the picture is mirrored at the edge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import DataError

Predict = Callable[[NDArray[Any]], NDArray[np.float32]]
"""Image (*spatial, channels) -> (outputs, *spatial) float32."""


def shift_averaged(predict: Predict, *, shifts: int, divisor: int, dims: int) -> Predict:
    """`predict`, averaged over `shifts` copies of the image, each moved along the last `dims` spatial axes.

    divisor: pixels after which the grid of the network repeats. Takes `shifts` times as long; 1 changes nothing. Raises
    DataError for fewer than 1, and for more than there are, divisor ** dims.

    >>> def second_pixels(image):  # each pair of pixels gets the value of its first
    ...     return np.repeat(image[::2, 0], 2)[None, : len(image)].astype(np.float32)
    >>> steadier = shift_averaged(second_pixels, shifts=2, divisor=2, dims=1)
    >>> second_pixels(np.array([[0], [4], [8], [6]])).tolist(), steadier(np.array([[0], [4], [8], [6]])).tolist()
    ([[0.0, 0.0, 8.0, 8.0]], [[0.0, 2.0, 6.0, 7.0]])
    """
    offsets = offsets_of(shifts, divisor=divisor, dims=dims)
    if shifts == 1:
        return predict

    def averaged(image: NDArray[Any]) -> NDArray[np.float32]:
        fixed = image.ndim - 1 - dims
        total: NDArray[np.float64] = np.zeros(1)
        for offset in offsets:
            pads = [(0, 0)] * fixed + [(by, 0) for by in offset] + [(0, 0)]
            answer = predict(np.pad(image, pads, mode="symmetric"))
            inside: Any = (..., *(slice(by, None) for by in offset))
            total = total + answer[inside]
        return np.asarray(total / shifts, np.float32)

    return averaged


def offsets_of(shifts: int, *, divisor: int, dims: int) -> list[tuple[int, ...]]:
    """So many places for the corner of the grid, spread over a cell of `divisor` pixels along each axis; the first is 0.

    The binary digits of 0, 1, 2 ... are dealt to the axes in turn, which covers the finest sampling first: of 4 shifts in
    two dimensions each falls on another of the 2 x 2 grids.

    >>> offsets_of(4, divisor=16, dims=2)
    [(0, 0), (9, 0), (0, 9), (9, 9)]
    >>> len(set(offsets_of(256, divisor=16, dims=2)))
    256
    """
    if not 1 <= shifts <= divisor**dims:
        raise DataError(
            f"{shifts} shifts cannot be averaged: give a number from 1 to {divisor**dims}, which is all there are"
        )
    digits = -(-(shifts - 1).bit_length() // dims)  # along each axis
    step = divisor >> digits | 1
    return [
        tuple(
            sum((number >> (dims * digit + axis) & 1) << digit for digit in range(digits)) * step % divisor
            for axis in range(dims)
        )
        for number in range(shifts)
    ]
