"""One scored image as a person looks at it: the plain picture, and beside it where the prediction is right.

Of a volume the slice with most mistakes is shown, and the two planes across it through the farthest error, or through the
middle of the wrong voxels where a class was missed altogether. Where everything
labelled lies in a small part of the picture, that part is shown. Pixels are drawn square in physical units, and masks are
enlarged without blur. An arrow runs from the outline of truth to that of the prediction where they are farthest apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, DelineateError
from delineate.data.formats import read_image
from delineate.report.overlay import FALSE_ALARM, MISS, Rgb, arrow, encircled, mistakes, resized, stretched
from delineate.score import CaseScores, Masks

SIDE = 448
Pair = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True, eq=False)
class View:
    """Two pictures of one size (h, w, 3); which part of the image they show, in words ("" where it is all of it);
    whether any of it is unlabelled; of a volume, pictures of the planes across, with their captions."""

    plain: Rgb
    marked: Rgb
    caption: str
    unlabelled: bool = False
    across: tuple[tuple[Rgb, str], ...] = ()


def views(cases: Sequence[CaseScores], *, side: int = SIDE) -> list[View]:
    """Views of several predictions for one image, all of one part of it, their longer side `side` pixels.

    Empty where the masks of a case are not to be had any more.
    """
    try:
        every = [case.reread() for case in cases if case.reread is not None]
    except DelineateError:
        return []
    if len(every) < len(cases) or not every:
        return []
    picture, trouble = _picture(every[0])
    said = [trouble] if trouble else []
    pairs = [None if (far := _farthest(case)) is None else far[1] for case in cases]
    across: list[tuple[tuple[Rgb, str], ...]] = [()] * len(cases)
    spacing = cases[0].spacing
    if every[0].truth.ndim == 3:
        across = [
            tuple(_plane(picture, masks, case, at, pair, axis=axis, side=side // 2) for axis in (1, 2))
            if (at := _telling_point(masks, case))
            else ()
            for masks, case, pair in zip(every, cases, pairs, strict=True)
        ]
        z, why = _telling_slice(every)
        said.insert(0, f"slice {z} (of {len(every[0].truth)}, counted from 0), {why}")
        every, picture = [_each(masks, lambda array: array[z]) for masks in every], picture[z]
        pairs = [
            _flat(pair, axis=0) if pair and {round(point[0]) for point in pair} == {z} else None
            for pair in pairs
        ]
    box = _telling_box(every)
    if box is not None:
        said.append("only the part that holds labels is shown")
    plain, marked = _drawn(picture, every, cases, pairs, spacing[-2:], box, side=side)
    unlabelled = any(bool((masks.truth == UNLABELLED).any()) for masks in every[:1])
    return [
        View(plain, one, "; ".join(said), unlabelled, planes)
        for one, planes in zip(marked, across, strict=True)
    ]


def _drawn(
    picture: Rgb,
    every: Sequence[Masks],
    cases: Sequence[CaseScores],
    pairs: Sequence[Pair | None],
    spacing: tuple[float, ...],
    box: tuple[slice, slice] | None,
    *,
    side: int,
) -> tuple[Rgb, list[Rgb]]:
    """The picture of a plane (h, w, 3), cut to the box and enlarged, and the same marked by each of the masks."""
    box = box or (slice(0, picture.shape[0]), slice(0, picture.shape[1]))
    picture = picture[box]
    height, width = _drawn_size(picture.shape[:2], spacing, side=side)
    plain = resized(np.ascontiguousarray(picture), height=height, width=width)
    scale = height / picture.shape[0], width / picture.shape[1]
    marked = []
    for masks, case, pair in zip(every, cases, pairs, strict=True):
        shown = _each(masks, lambda array: resized(array[box], height=height, width=width))
        one = _marked(plain, shown, case)
        if pair is not None:
            ends = [
                tuple((x - cut.start + 0.5) * s for x, cut, s in zip(point, box, scale, strict=True))
                for point in pair
            ]
            one = arrow(one, (ends[0][0], ends[0][1]), (ends[1][0], ends[1][1]))
        marked.append(one)
    return plain, marked


def _farthest(case: CaseScores) -> tuple[int, Pair] | None:
    """The label for which truth and prediction are farthest apart, and where; None where no class is on both sides and apart."""
    known = [
        (case.values[name]["hausdorff"], label, pair)
        for label, name in enumerate(case.values, start=1)
        if (pair := case.farthest.get(name)) is not None and case.values[name].get("hausdorff", 0) > 0
    ]
    return max(known, key=lambda one: one[0])[1:] if known else None


def _telling_point(masks: Masks, case: CaseScores) -> tuple[int, ...] | None:
    """The voxel through which planes are cut: the end of the farthest error that only one side holds, truth's where both ends
    are such; else the wrong voxel nearest to the middle of all of them, or the labelled one where none is wrong."""
    farthest = _farthest(case)
    if farthest is not None:
        label, pair = farthest
        ends = [tuple(round(x) for x in point) for point in pair]
        alone = [end for end in ends if (masks.truth[end] == label) != (masks.predicted[end] == label)]
        return (alone or ends)[0]
    wrong = (masks.truth != masks.predicted) & (masks.truth != UNLABELLED)
    telling = np.argwhere(wrong if wrong.any() else (masks.truth != 0) & (masks.truth != UNLABELLED))
    if not len(telling):
        return None
    away = (telling - telling.mean(0)) * case.spacing
    return tuple(int(x) for x in telling[(away**2).sum(1).argmin()])


def _plane(
    picture: Rgb,
    masks: Masks,
    case: CaseScores,
    point: tuple[int, ...],
    pair: Pair | None,
    *,
    axis: int,
    side: int,
) -> tuple[Rgb, str]:
    """The plane across `axis` through a point, with the arrow, where there is one, as seen from there, and what it is."""
    at = point[axis]
    plane = _each(masks, lambda array: np.take(array, at, axis))
    flat = None if pair is None else _flat(pair, axis=axis)
    spacing = tuple(s for i, s in enumerate(case.spacing) if i != axis)
    _, (marked,) = _drawn(
        np.take(picture, at, axis),
        [plane],
        [case],
        [flat],
        spacing,
        _telling_box([plane], flat or ()),
        side=side,
    )
    return marked, f"across, at {('slice', 'row', 'column')[axis]} {at}"


def _flat(pair: Pair, *, axis: int) -> Pair:
    """The points as seen along one axis."""
    here, there = (tuple(x for i, x in enumerate(point) if i != axis) for point in pair)
    return here, there


def _marked(plain: Rgb, masks: Masks, case: CaseScores) -> Rgb:
    marked = mistakes(plain, masks.truth, masks.predicted)
    if case.objects is None:
        return marked
    for ids, alone, colour in (
        (masks.truth_objects, case.objects.missed, MISS),
        (masks.predicted_objects, case.objects.spurious, FALSE_ALARM),
    ):
        if ids is not None:
            seen = np.where(masks.truth == UNLABELLED, 0, ids)
            marked = encircled(marked, seen, [one.id for one in alone], colour=colour)
    return marked


def _picture(masks: Masks) -> tuple[Rgb, str]:
    """The stretched image, or neutral grey and the reason for it."""
    if masks.image is not None:
        try:
            array = read_image(masks.image).array
            if array.shape[:-1] == masks.truth.shape:
                return stretched(array), ""
        except DelineateError:
            pass
        return _grey(masks), f"the image {masks.image.name} cannot be shown beneath"
    return _grey(masks), ""


def _grey(masks: Masks) -> Rgb:
    return np.full((*masks.truth.shape, 3), 96, np.uint8)


def _telling_slice(every: Sequence[Masks]) -> tuple[int, str]:
    truth = every[0].truth
    said = truth != UNLABELLED
    wrong = sum(np.count_nonzero((truth != masks.predicted) & said, axis=(1, 2)) for masks in every)
    if np.any(wrong):
        return int(np.argmax(wrong)), "the one with most wrong pixels"
    held = np.count_nonzero((truth > 0) & said, axis=(1, 2))
    return int(held.argmax()), "the one with most labelled pixels; no slice has a mistake"


def _telling_box(
    every: Sequence[Masks], points: Sequence[tuple[float, ...]] = ()
) -> tuple[slice, slice] | None:
    """Where anybody puts labels, and the points, with a margin and not too narrow; None where that is most of the picture."""
    truth = every[0].truth
    held = np.any([(truth > 0), *(masks.predicted > 0 for masks in every)], axis=0) & (truth != UNLABELLED)
    for point in points:
        held[tuple(round(x) for x in point)] = True
    if not held.any():
        return None
    ends = []
    for axis in (0, 1):
        at = np.flatnonzero(held.any(axis=1 - axis))
        ends.append((int(at[0]), int(at[-1]) + 1))
    least = max(32, *(0.6 * (stop - start) for start, stop in ends))
    box = []
    for (start, stop), length in zip(ends, truth.shape, strict=True):
        margin = max(8 + (stop - start) // 5, int(least - (stop - start)) // 2)
        box.append(slice(max(0, start - margin), min(length, stop + margin)))
    shown = (box[0].stop - box[0].start) * (box[1].stop - box[1].start)
    return (box[0], box[1]) if shown < 0.4 * truth.size else None


def _each(masks: Masks, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Masks:
    """The same change made to labels and ids of both sides."""
    return Masks(
        change(masks.truth),
        change(masks.predicted),
        None if masks.truth_objects is None else change(masks.truth_objects),
        None if masks.predicted_objects is None else change(masks.predicted_objects),
    )


def _drawn_size(shape: tuple[int, ...], spacing: tuple[float, ...], *, side: int) -> tuple[int, int]:
    height, width = shape[0] * spacing[0], shape[1] * spacing[1]
    scale = side / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))
