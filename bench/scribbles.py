"""Strokes as a person in a hurry would draw them, simulated from full masks, for `bench/old_ways.py`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, Case


def scribbled(case: Case, *, share: float = 0.01, seed: int = 0) -> Case:
    """The case with strokes on `share` of its pixels, half of them on objects and half beside; the rest unlabelled.

    A stroke is a smooth walk 1 pixel wide of at most 40 pixels that ends before it leaves its class.
    """
    rng = np.random.default_rng(seed)
    truth = case.labels
    labels = np.full_like(truth, UNLABELLED)
    for label in (0, 1):
        wanted = max(8, int(share * truth.size / 2))
        places = np.argwhere(truth == label)
        for _ in range(400):
            if not len(places) or (labels == label).sum() >= wanted:
                break
            _stroke(labels, truth, label, places[rng.integers(len(places))], rng)
    return replace(case, labels=labels)


def _stroke(
    labels: NDArray[np.uint8],
    truth: NDArray[np.uint8],
    label: int,
    start: NDArray[np.intp],
    rng: np.random.Generator,
) -> None:
    at, angle = start.astype(float), rng.uniform(0, 2 * np.pi)
    for _ in range(40):
        row, column = np.rint(at).astype(int)
        if not (0 <= row < truth.shape[0] and 0 <= column < truth.shape[1]) or truth[row, column] != label:
            return
        labels[row, column] = label
        angle += rng.normal(0, 0.25)
        at += (np.sin(angle), np.cos(angle))
