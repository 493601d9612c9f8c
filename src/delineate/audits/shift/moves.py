"""Moving an image and seeing what becomes of the answer: in a circle, and by framing the picture differently.

Both compare the same pixels before and after. In a circle nothing comes into the picture and nothing leaves it, so that a
change is the network's own, and that of the edge, which lies elsewhere. A frame cut a few pixels further on is what a
microscope or a tile does; near the frame the answer may change for the honest reason that other context is seen there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import Case
from delineate.score import mean_dice

Shift = tuple[int, ...]
Predict = Callable[[NDArray[Any]], NDArray[np.float32]]
Box = tuple[slice, ...]
"""A slice along each of the last axes."""


@dataclass(frozen=True)
class Move:
    """What one shift of one image did. agreement, inside: shares of pixels that keep their label, all that both answers
    cover, and those of them from which the receptive field does not reach an edge (nan: there are none).

    furthest: largest change of a probability. dice: mean over classes against truth, of pixels that every shift covers (nan:
    nothing to compare with).
    """

    shift: Shift
    agreement: float
    inside: float
    furthest: float
    dice: float


@dataclass(frozen=True, eq=False)
class Moves:
    """All shifts of one image. dice: of the answer that was not moved. labels: that answer, (*spatial), of `image`.

    trembling: (*spatial), the share of shifts that give a pixel another label, nan where no answer was compared.
    """

    case: str
    image: NDArray[Any]
    labels: NDArray[np.uint8]
    dice: float
    moves: tuple[Move, ...]
    trembling: NDArray[np.float32]

    @property
    def wobble(self) -> tuple[float, float]:
        """Range and standard deviation of the Dice over all shifts, the unmoved image among them; nan without truth."""
        values = np.array([self.dice, *(move.dice for move in self.moves)])
        return float(np.ptp(values)), float(values.std())


def shifts_of(divisor: int, *, dims: int, every: bool = False) -> list[Shift]:
    """Shifts of up to `divisor` pixels: along each axis alone and along all at once; every: all that there are.

    >>> shifts_of(4, dims=2)
    [(0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (2, 2), (0, 3), (3, 0), (3, 3), (0, 4), (4, 0), (4, 4)]
    >>> len(shifts_of(16, dims=2, every=True))
    288
    """
    if every:
        return [shift for shift in itertools.product(range(divisor + 1), repeat=dims) if any(shift)]
    amounts = sorted({1, 2, divisor // 2, divisor - 1, divisor} - {0})
    patterns = [tuple(int(axis == one) for axis in range(dims)) for one in reversed(range(dims))] + [
        (1,) * dims
    ]
    return [tuple(amount * p for p in pattern) for amount in amounts for pattern in patterns]


def circled(
    predict: Predict, case: Case, shifts: Sequence[Shift], *, divisor: int, reach_px: int | None
) -> Moves:
    """Moved in a circle. The image is first cut to multiples of `divisor`, where a network can repeat itself exactly."""
    dims = len(shifts[0])
    whole = [slice(0, n // divisor * divisor) for n in case.spatial[-dims:]]
    image = case.image[_last(*whole, slice(None))]
    truth = None if case.labels is None else case.labels[_last(*whole)]
    axes = tuple(range(image.ndim - 1 - dims, image.ndim - 1))
    sides = image.shape[-1 - dims : -1]
    everything = tuple(slice(0, n) for n in sides)

    def answers() -> Iterator[tuple[Shift, NDArray[np.float32], Box, Box]]:
        for shift in shifts:
            likely = predict(np.roll(image, shift, axes))
            back = np.roll(likely, [-by for by in shift], [axis + 1 for axis in axes])
            inside = _inner(everything, reach_px, [(0, by) for by in shift])
            yield shift, back, everything, inside

    return _compared(case.name, image, truth, predict(image), answers(), common=everything)


def framed(predict: Predict, case: Case, shifts: Sequence[Shift], *, reach_px: int | None) -> Moves:
    """Frames of one size, cut further on by each shift; what two of them share is compared."""
    dims = len(shifts[0])
    most = max(max(shift) for shift in shifts)
    sides = [n - most for n in case.spatial[-dims:]]

    def frame(shift: Shift) -> NDArray[Any]:
        cut = tuple(slice(by, by + n) for by, n in zip(shift, sides, strict=True))
        image: NDArray[Any] = case.image[_last(*cut, slice(None))]
        return image

    def answers() -> Iterator[tuple[Shift, NDArray[np.float32], Box, Box]]:
        for shift in shifts:
            likely = predict(frame(shift))
            placed = np.zeros_like(likely)
            shared = tuple(slice(by, n) for by, n in zip(shift, sides, strict=True))
            source = tuple(slice(0, n - by) for by, n in zip(shift, sides, strict=True))
            placed[_last(*shared)] = likely[_last(*source)]
            yield shift, placed, shared, _inner(shared, reach_px, [(0, 0)] * dims)

    still = (0,) * dims
    image = frame(still)
    truth = None if case.labels is None else case.labels[_last(*(slice(0, n) for n in sides))]
    common = tuple(slice(most, n) for n in sides)
    return _compared(case.name, image, truth, predict(image), answers(), common=common)


def _compared(
    name: str,
    image: NDArray[Any],
    truth: NDArray[np.uint8] | None,
    still: NDArray[np.float32],
    answers: Iterator[tuple[Shift, NDArray[np.float32], Box, Box]],
    *,
    common: Box,
) -> Moves:
    """Each answer, put in its place, beside the one that was not moved. answers: shift, probabilities, what both cover,
    and the part of it that no edge reaches."""
    labels = still.argmax(0).astype(np.uint8)
    other, times = np.zeros(labels.shape, np.float32), np.zeros(labels.shape, np.float32)

    def judged(predicted: NDArray[np.uint8]) -> float:
        if truth is None:
            return math.nan
        return mean_dice(truth[_last(*common)], predicted[_last(*common)], classes=len(still))

    moves = []
    for shift, likely, shared, inside in answers:
        here = _last(*shared)
        moved = np.zeros_like(labels)
        moved[here] = likely[here].argmax(0)
        same = moved[here] == labels[here]
        other[here] += ~same
        times[here] += 1
        inner = (moved == labels)[_last(*inside)]
        moves.append(
            Move(
                shift,
                float(same.mean()),
                float(inner.mean()) if inner.size else math.nan,
                float(np.abs(likely[here] - still[here]).max()),
                judged(moved),
            )
        )
    trembling = np.where(times > 0, other / np.maximum(times, 1), np.nan).astype(np.float32)
    return Moves(name, image, labels, judged(labels), tuple(moves), trembling)


def _inner(box: Box, reach_px: int | None, cuts: Sequence[tuple[int, int]]) -> Box:
    """The part of a box that is further than the reach from its ends, which lie `cuts` further in; empty where it is unknown."""
    if reach_px is None:
        return tuple(slice(0, 0) for _ in box)
    starts = [side.start + reach_px + first for side, (first, _) in zip(box, cuts, strict=True)]
    stops = [side.stop - reach_px - last for side, (_, last) in zip(box, cuts, strict=True)]
    return tuple(slice(start, max(start, stop)) for start, stop in zip(starts, stops, strict=True))


def _last(*box: slice) -> Any:
    """An index of the last axes, whatever comes before."""
    return (..., *box)
