"""What breaking looks like: the same place under two conditions, with the outlines of truth and prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED

TRUTH, PREDICTED, BOTH = (86, 180, 233), (255, 159, 0), (255, 255, 255)
LEGEND = "Blue: truth. Orange: prediction. White: both."
SIDE_PX = 220  # of the window that is shown
PANEL_PX = 440  # what a panel is enlarged to, at most, by a whole factor

Rgb = NDArray[np.uint8]


def side_by_side(panels: Sequence[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]) -> Rgb:
    """(image (*spatial, channels), truth, predicted (*spatial)) of one case, drawn beside each other, with a white gap.

    Of a volume the slice is shown that holds most of the truth; of a large image the window around its middle.

    >>> image, truth = np.zeros((20, 30, 1)), np.eye(20, 30, dtype=np.uint8)
    >>> side_by_side([(image, truth, truth)]).shape
    (280, 420, 3)
    """
    _, truth, _ = panels[0]
    at = _where(truth)
    drawn = [_outlined(_shown(image)[at], truth[at], predicted[at]) for image, truth, predicted in panels]
    gap = np.full((drawn[0].shape[0], 8, 3), 255, np.uint8)
    return np.hstack([part for one in drawn for part in (gap, one)][1:])


def _where(truth: NDArray[Any]) -> tuple[int | slice, ...]:
    """The slice and the window that are shown."""
    said = (truth > 0) & (truth != UNLABELLED)
    lead: tuple[int | slice, ...] = ()
    if truth.ndim == 3:
        z = int(said.sum(axis=(1, 2)).argmax())
        lead, said = (z,), said[z]
    window = []
    for axis, length in enumerate(said.shape):
        held = np.flatnonzero(said.any(axis=1 - axis))
        middle = int(np.median(held)) if held.size else length // 2
        start = int(np.clip(middle - SIDE_PX // 2, 0, max(0, length - SIDE_PX)))
        window.append(slice(start, start + SIDE_PX))
    return (*lead, *window)


def _shown(image: NDArray[Any]) -> Rgb:
    """An image (*spatial, channels) as RGB, from its 0.5 % to its 99.5 % percentile; channels beyond three are left out."""
    low, high = np.percentile(image, (0.5, 99.5))
    scaled = np.clip((image.astype(np.float32) - low) / ((high - low) or 1.0), 0, 1)
    if image.shape[-1] == 2:
        scaled = np.concatenate([scaled, np.zeros_like(scaled[..., :1])], -1)
    elif image.shape[-1] == 1:
        scaled = np.repeat(scaled, 3, -1)
    return np.asarray(np.rint(scaled[..., :3] * 255), np.uint8)


def _outlined(picture: Rgb, truth: NDArray[Any], predicted: NDArray[Any]) -> Rgb:
    """The picture enlarged, with outlines one or two pixels wide."""
    times = max(1, PANEL_PX // max(picture.shape[:2]))
    large, truth, predicted = (
        one.repeat(times, axis=0).repeat(times, axis=1) for one in (picture, truth, predicted)
    )
    true, found = (_edges(labels, width=1 if times == 1 else 2) for labels in (truth, predicted))
    large[true], large[found], large[true & found] = TRUTH, PREDICTED, BOTH
    return large


def _edges(labels: NDArray[Any], *, width: int) -> NDArray[np.bool_]:
    """Pixels of regions (height, width) that lie within `width` of their border."""
    region = (labels > 0) & (labels != UNLABELLED)
    edge = np.zeros(labels.shape, bool)
    for reach in range(1, width + 1):
        for one, other in (
            (np.s_[reach:, :], np.s_[:-reach, :]),
            (np.s_[:, reach:], np.s_[:, :-reach]),
        ):
            differs = labels[one] != labels[other]
            edge[one] |= differs
            edge[other] |= differs
    return np.asarray(edge & region)
