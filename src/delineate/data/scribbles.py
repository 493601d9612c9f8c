"""Strokes and clicks as a person in a hurry would make them, simulated from full masks.

To know what cheap labels would be worth, or to develop with them: `scribbled` draws strokes on a given share of the
pixels, `pointed` clicks once on every object and draws a few strokes beside. The hand wobbles, and it sees borders a
little off, so that some stroke pixels are wrong, where those of people are. Volumes are drawn on slice by slice.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, Case, DataError, checked_seed
from delineate.data.marks import Point, with_points

MOST_OF_A_CLASS = 1 / 3
PATCHES_PX = 8.0  # how far along a border the hand errs in the same direction
NEAR_PX = 3.0  # how near to a border the hand turns away from it
LOOK_PX = 5.0
SPECK_PX = 4  # connected pieces below this are slips of a pen, and nobody clicks on them


@dataclass(frozen=True)
class Hand:
    """How somebody draws.

    length_px: of the longest stroke. width_px: of the pen. wobble_deg: by how much the direction changes from pixel to
    pixel (standard deviation). border_px: by how much a border is seen off its true place (standard deviation).
    Raises DataError for a pen without width, strokes without length, and deviations that are negative or no numbers.
    """

    length_px: int = 60
    width_px: int = 1
    wobble_deg: float = 8.0
    border_px: float = 1.0

    def __post_init__(self) -> None:
        drawable = 1 <= self.width_px < math.inf and 2 <= self.length_px < math.inf
        if not drawable or not all(0 <= spread < math.inf for spread in (self.wobble_deg, self.border_px)):
            raise DataError(
                f"nobody draws strokes of {self.length_px} x {self.width_px} pixels that wobble by {self.wobble_deg:g} "
                f"degrees and miss borders by {self.border_px:g} pixels: give positive numbers"
            )


STEADY = Hand()


def scribbled(case: Case, *, share: float = 0.01, seed: int = 0, hand: Hand = STEADY) -> Case:
    """The case with strokes on `share` of its pixels; all others are unlabelled, and objects are left out.

    Half of the stroke pixels are background, the other half is dealt out evenly to the classes that the image holds; of no
    class more than a third is drawn on. Every object (or connected piece) gets a stroke before any gets a second one. The
    same for the same case name, seed and hand. Raises DataError for a case without labels, a share outside (0, 1) and a
    negative seed.

    >>> cell = np.zeros((64, 64), np.uint8)
    >>> cell[20:44, 20:44] = 1
    >>> drawn = scribbled(Case("cell", np.zeros((64, 64, 1)), labels=cell), share=0.02).labels
    >>> [int((drawn == label).sum()) for label in (0, 1)]
    [41, 41]
    """
    labels, rng = _labels(case), _dice(case, seed)
    if not 0 < share < 1:
        raise DataError(
            f"the share of pixels to draw on is {share}: give a number between 0 and 1, such as 0.01"
        )
    drawn = np.full_like(labels, UNLABELLED)
    for index in _slices(labels):
        here = labels[index]
        wanted = _dealt(here, share * here.size)
        for label, pixels in wanted.items():
            _draw(drawn[index], here, _pieces(case, index, label), label, pixels, hand, rng)
    return replace(case, labels=drawn, objects=None)


def pointed(
    case: Case, *, seed: int = 0, radius_px: float = 2.0, strokes: int = 3, hand: Hand = STEADY
) -> Case:
    """The case with a disc on each object, and a few background strokes; all else is unlabelled.

    radius_px: of the discs; one for each object, in a volume on one slice of it. strokes: background strokes per image,
    in a volume on every slice that holds an object.
    Raises DataError for a case without labels, a negative seed, and a radius below 0 or without end.

    >>> cell = np.zeros((64, 64), np.uint8)
    >>> cell[20:44, 20:44] = 1
    >>> np.unique(pointed(Case("cell", np.zeros((64, 64, 1)), labels=cell)).labels).tolist()
    [0, 1, 255]
    """
    if not 0 <= radius_px < math.inf:
        raise DataError(f"nobody clicks discs with a radius of {radius_px} pixels: give 0 or more")
    beside = background_strokes(case, seed=seed, strokes=strokes, hand=hand)
    points = clicks(case, seed=seed)
    return replace(beside, labels=with_points(_labels(beside), points, radius_px=radius_px))


def clicks(case: Case, *, seed: int = 0) -> tuple[Point, ...]:
    """One click on each object (or connected piece), near its middle: no nearer to its border than 0.6 of the deepest.

    >>> cell = np.zeros((7, 7), np.uint8)
    >>> cell[2:5, 2:5] = 1
    >>> clicks(Case("cell", np.zeros((7, 7, 1)), labels=cell))
    (Point(place=(3.0, 3.0), label=1),)
    """
    from scipy import ndimage

    labels, rng = _labels(case), _dice(case, seed, turn=1)
    found = []
    for label in np.unique(labels):
        if label in (0, UNLABELLED):
            continue
        ids = _pieces(case, (slice(None),) * labels.ndim, int(label))
        for number, box in enumerate(ndimage.find_objects(ids), start=1):
            if box is None:
                continue
            inside = np.pad(ids[box] == number, 1)
            if case.objects is None and inside.sum() < SPECK_PX:
                continue
            planes = inside[None] if inside.ndim == 2 else inside
            depth = np.stack([ndimage.distance_transform_edt(plane) for plane in planes]).reshape(
                inside.shape
            )
            spots = np.argwhere(depth >= 0.6 * depth.max()) - 1
            spot = spots[rng.integers(len(spots))]
            found.append(
                Point(tuple(float(i + side.start) for i, side in zip(spot, box, strict=True)), int(label))
            )
    return tuple(found)


def background_strokes(case: Case, *, seed: int = 0, strokes: int = 3, hand: Hand = STEADY) -> Case:
    """The case with `strokes` strokes of background, in a volume on every slice with an object; all else is unlabelled."""
    labels, rng = _labels(case), _dice(case, seed, turn=2)
    drawn = np.full_like(labels, UNLABELLED)
    for index in _slices(labels):
        here = labels[index]
        if here.ndim == labels.ndim or ((here != 0) & (here != UNLABELLED)).any():
            whole = np.ones(here.shape, np.int32)
            _draw(drawn[index], here, whole, 0, here.size, hand, rng, strokes=strokes)
    return replace(case, labels=drawn, objects=None)


def _labels(case: Case) -> NDArray[np.uint8]:
    if case.labels is None:
        raise DataError(f"{case.name} has no full mask to draw strokes from: give it one or leave it out")
    return case.labels


def _dice(case: Case, seed: int, *, turn: int = 0) -> np.random.Generator:
    """Numbers that depend on the seed and on the name of the case, not on the order of the cases."""
    return np.random.default_rng([checked_seed(seed) + turn, zlib.crc32(case.name.encode())])


def _slices(labels: NDArray[Any]) -> Iterator[Any]:
    """What a person sees at once: the picture, or each slice of a volume."""
    if labels.ndim == 2:
        yield ...
    else:
        yield from range(len(labels))


def _dealt(labels: NDArray[np.uint8], pixels: float) -> dict[int, int]:
    """Pixels to draw by class: half background, the rest evenly; what a class cannot take goes to the others."""
    counts = {
        int(label): int(n)
        for label, n in enumerate(np.bincount(labels.ravel(), minlength=256)[:UNLABELLED])
        if n
    }
    weights = {label: 1.0 if label == 0 else 1 / max(len(counts) - (0 in counts), 1) for label in counts}
    dealt = dict.fromkeys(counts, 0.0)
    left, open_ = pixels, set(counts)
    while left > 0.5 and open_:
        total, rest = sum(weights[label] for label in open_), left
        for label in sorted(open_):
            more = min(rest * weights[label] / total, MOST_OF_A_CLASS * counts[label] - dealt[label])
            dealt[label] += more
            left -= more
            if dealt[label] >= MOST_OF_A_CLASS * counts[label] - 1e-6:
                open_.discard(label)
    return {label: max(round(n), 1) for label, n in dealt.items()}


def _pieces(case: Case, index: Any, label: int) -> NDArray[np.int32]:
    """Ids of what is drawn on one by one, from 1: the objects of a class, else its pieces; background is one piece."""
    from scipy import ndimage

    here = _labels(case)[index] == label
    if label == 0:
        return np.asarray(here, np.int32)
    if case.objects is not None:
        ids = np.where(here, case.objects[index], 0)
        return np.asarray(np.searchsorted(np.unique(np.append(ids, 0)), ids), np.int32)
    return np.asarray(ndimage.label(here)[0], np.int32)


def _draw(
    drawn: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    pieces: NDArray[np.int32],
    label: int,
    pixels: int,
    hand: Hand,
    rng: np.random.Generator,
    *,
    strokes: int = 1_000_000,
) -> None:
    """Draw strokes of one class into `drawn`, piece after piece, until there are `pixels` of them or enough strokes."""
    depth = _seen_depth(labels == label, hand, rng)
    flat = np.flatnonzero((pieces > 0) & (depth > 0) & (labels == label))
    if not len(flat):
        return
    order = flat[np.argsort(pieces.ravel()[flat], kind="stable")]
    of_piece = np.split(order, np.flatnonzero(np.diff(pieces.ravel()[order])) + 1)
    left, tries, enough = pixels, 0, 2 * len(of_piece) + 50
    while left > 0 and strokes > 0 and tries < enough:
        for number in rng.permutation(len(of_piece)):
            spots = of_piece[number]
            if (drawn.ravel()[spots] == label).sum() >= MOST_OF_A_CLASS * len(spots):
                tries += 1
                continue
            weights = np.minimum(depth.ravel()[spots], 2 * NEAR_PX) ** 2
            drawn_at = np.searchsorted(np.cumsum(weights), rng.random() * weights.sum())
            start = spots[min(drawn_at, len(spots) - 1)]  # the two sums are rounded differently
            fresh = 0
            for row, column in _stroke(depth, divmod(int(start), depth.shape[1]), hand, rng):
                if left - fresh > 0 and drawn[row, column] == UNLABELLED:
                    drawn[row, column] = label
                    fresh += 1
            left, strokes, tries = left - fresh, strokes - 1, 0 if fresh else tries + 1
            if left <= 0 or strokes <= 0 or tries >= enough:
                break


def _seen_depth(inside: NDArray[np.bool_], hand: Hand, rng: np.random.Generator) -> NDArray[np.float32]:
    """How deep each pixel lies in a class, below 0 outside, with borders where the hand believes them to be."""
    from scipy import ndimage

    edt = ndimage.distance_transform_edt
    depth = np.asarray(edt(inside), np.float32)
    if not inside.all():
        depth -= np.asarray(edt(~inside), np.float32)
    if hand.border_px > 0:
        noise = ndimage.gaussian_filter(rng.standard_normal(inside.shape).astype(np.float32), PATCHES_PX)
        depth += hand.border_px * noise / max(float(noise.std()), 1e-6)
    return depth


def _stroke(
    depth: NDArray[np.float32], start: tuple[int, int], hand: Hand, rng: np.random.Generator
) -> Iterator[tuple[int, int]]:
    """The pixels of one stroke through `start`: a smooth walk both ways that turns away from borders and ends at one."""
    rows, columns = depth.shape

    def deep(row: float, column: float) -> float:
        r, c = round(row), round(column)
        return float(depth[r, c]) if 0 <= r < rows and 0 <= c < columns else -1.0

    def room(angle: float) -> float:
        down, right = LOOK_PX * math.sin(angle), LOOK_PX * math.cos(angle)
        ends = (deep(start[0] + way * down, start[1] + way * right) for way in (-1, 1))
        return sum(min(end, 2 * NEAR_PX) for end in ends)

    first = max(rng.uniform(0, 2 * math.pi, 6).tolist(), key=room)
    turns = math.radians(hand.wobble_deg) * rng.standard_normal((2, hand.length_px))
    first_px, middle = -((hand.width_px - 1) // 2), 0.5 * (1 - hand.width_px % 2)
    across = range(first_px, first_px + hand.width_px)
    pen = [(r, c) for r in across for c in across if math.hypot(r - middle, c - middle) <= hand.width_px / 2]
    length = rng.uniform(0.5, 1.0) * hand.length_px
    for way in (0, 1):
        row, column, heading = float(start[0]), float(start[1]), first + way * math.pi
        for turn in turns[way, : round(length / 2)].tolist():
            if deep(row, column) <= 0:
                break
            r, c = round(row), round(column)
            for down, right in pen:
                if 0 <= r + down < rows and 0 <= c + right < columns:
                    yield r + down, c + right
            left, right_ = (
                deep(row + LOOK_PX * math.sin(heading + side), column + LOOK_PX * math.cos(heading + side))
                for side in (-0.6, 0.6)
            )
            if min(left, right_) < NEAR_PX:
                heading += 0.25 if right_ > left else -0.25
            heading += turn
            row, column = row + math.sin(heading), column + math.cos(heading)
