"""Between a case and an attack: tensors of what is attacked, and back to what a file of the same type can hold.

A perturbation that exists only between two grey levels is none: before anything is counted, changed images are rounded to the
type of the file, and what is left of the change is measured again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from delineate.audits.attack.ball import Ball
from delineate.core import UNLABELLED, Case
from delineate.data.conditions.kind import like
from delineate.data.grey import as_grey
from delineate.data.intensities import Intensities

SIDE = {2: 512, 3: 64}  # pixels along each axis of what is attacked, at most


@dataclass(frozen=True, eq=False)
class Attacked:
    """A case as an attack sees it. images: (n, channels, *spatial) float32 intensities, n slices of a stack that is read
    slice by slice, else 1. labels: (n, *spatial) int64."""

    case: Case
    dims: int
    images: Tensor
    labels: Tensor

    def image(self, changed: Tensor) -> NDArray[Any]:
        """Changed images as the file would hold them, (*spatial, channels) of the type of the case."""
        values = changed.detach().cpu().numpy()
        stacked = self.dims < len(self.case.spatial)
        array = np.moveaxis(values, 1, -1) if stacked else np.moveaxis(values[0], 0, -1)
        return array > 0.5 if self.case.image.dtype == np.bool_ else like(self.case.image, array)


def attacked(case: Case, *, dims: int, grey: bool) -> Attacked:
    """What is attacked of a case: `windowed`, in one channel where `grey`, for a model of one channel.

    A grey picture stored as three equal channels stays one: its channels are changed together. One in colour keeps them all;
    what becomes of it is the model's affair.
    """
    case = windowed(case, dims=dims)
    if grey:
        case = replace(case, image=as_grey(case.image))
    values = torch.from_numpy(np.moveaxis(case.image, -1, 0).astype(np.float32, order="C"))
    truth = torch.from_numpy(
        (np.zeros(case.spatial) if case.labels is None else case.labels).astype(np.int64)
    )
    stacked = dims < len(case.spatial)
    return Attacked(
        case,
        dims,
        values.movedim(1, 0).contiguous() if stacked else values[None],
        truth if stacked else truth[None],
    )


def windowed(case: Case, *, dims: int) -> Case:
    """The part of a case that is attacked: at most SIDE pixels along each axis, and of a stack that is read slice by slice
    the one slice that shows most; around the middle of what is labelled."""
    shown = (
        np.ones(case.spatial, bool)
        if case.labels is None
        else (case.labels > 0) & (case.labels != UNLABELLED)
    )
    if not shown.any():
        shown = np.ones(case.spatial, bool)
    box = []
    for axis, length in enumerate(case.spatial):
        side = 1 if axis == 0 and dims < len(case.spatial) else min(length, SIDE[dims])
        along = shown.sum(axis=tuple(a for a in range(shown.ndim) if a != axis))
        sums = np.convolve(along, np.ones(side, np.int64), mode="valid")
        best = np.flatnonzero(sums == sums.max())
        first = int(best[len(best) // 2])
        box.append(slice(first, first + side))
    window = tuple(box)
    return replace(
        case,
        image=case.image[window],
        labels=None if case.labels is None else case.labels[window],
        objects=None if case.objects is None else case.objects[window],
    )


def held(changed: Tensor, *, images: Tensor, ball: Ball, valid: Intensities) -> Tensor:
    """What a file keeps of changed images (n, channels, *spatial): whole intensities where it holds no others.

    The change never leaves the ball by rounding: it is shortened until it fits.

    >>> from delineate.audits.attack import L2, LInf
    >>> eight_bit, clean = Intensities(0, 255, whole=True), torch.full((1, 1, 2), 7.0)
    >>> held(clean + torch.tensor([1.4, -1.5]), images=clean, ball=LInf(1.5), valid=eight_bit).tolist()
    [[[8.0, 6.0]]]
    """
    if not valid.whole:
        return changed.clamp(valid.low, valid.high)
    result = images.clone()
    share = torch.ones(len(images), device=images.device)
    todo = torch.ones(len(images), dtype=torch.bool, device=images.device)
    spread = (-1, *(1,) * (images.ndim - 1))
    while bool(todo.any()):
        change = torch.round((changed - images) * share.reshape(spread))
        fits = ball.size(change) <= ball.eps * (1 + 1e-6)
        done = (todo & fits).reshape(spread)
        result = torch.where(done, images + change, result)
        todo &= ~fits
        share *= 0.97
    return result.clamp(valid.low, valid.high)
