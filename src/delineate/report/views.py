"""One scored image as a person looks at it: the plain picture, and beside it where the prediction is right.

Of a volume the slice with most mistakes is shown. Where everything labelled lies in a small part of the
picture, that part is shown. Pixels are drawn square in physical units, and masks are enlarged without blur.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, DelineateError
from delineate.data.formats import read_image
from delineate.report.overlay import FALSE_ALARM, MISS, Rgb, encircled, mistakes, resized, stretched
from delineate.score import CaseScores, Masks

SIDE = 448


@dataclass(frozen=True, eq=False)
class View:
    """Two pictures of one size (h, w, 3); which part of the image they show, in words ("" where it is all of it);
    whether any of it is unlabelled."""

    plain: Rgb
    marked: Rgb
    caption: str
    unlabelled: bool = False


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
    if every[0].truth.ndim == 3:
        z, why = _telling_slice(every)
        said.insert(0, f"slice {z + 1} of {len(every[0].truth)}, {why}")
        every, picture = [_each(masks, lambda array: array[z]) for masks in every], picture[z]
    box = _telling_box(every)
    if box is not None:
        said.append("only the part that holds labels is shown")
        every, picture = [_each(masks, lambda array: array[box]) for masks in every], picture[box]
    height, width = _drawn_size(every[0].truth.shape, cases[0].spacing[-2:], side=side)
    plain = resized(np.ascontiguousarray(picture), height=height, width=width)
    drawn = [_each(masks, lambda array: resized(array, height=height, width=width)) for masks in every]
    unlabelled = bool((drawn[0].truth == UNLABELLED).any())
    return [
        View(plain, _marked(plain, masks, case), "; ".join(said), unlabelled)
        for masks, case in zip(drawn, cases, strict=True)
    ]


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


def _telling_box(every: Sequence[Masks]) -> tuple[slice, slice] | None:
    """Where anybody puts labels, with a margin and not too narrow; None where that is most of the picture."""
    truth = every[0].truth
    held = np.any([(truth > 0), *(masks.predicted > 0 for masks in every)], axis=0) & (truth != UNLABELLED)
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
