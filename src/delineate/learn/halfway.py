"""Where colours tell classes apart, the border between two strokes runs half-way between their colours.

Nobody draws on borders, and so their half-lit pixels are in no stroke. Whoever learns from strokes alone gives them to the
class whose strokes differ most among themselves, and outlines swell. But a lens blurs both sides of a border alike: its
place is where the colour has gone half the way. Whether colours tell the classes of an image apart, its strokes say
themselves: each half of them is foretold from the other half.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED

Strokes = dict[int, NDArray[np.int32]]  # of each class, its strokes (*spatial) numbered from 1


def halfway(labels: NDArray[np.uint8], image: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """The labels (*spatial), each unlabelled pixel with the class whose nearest stroke it resembles most.

    image: (channels, *spatial). Strokes stay as they are, and count with their mean colour. With fewer than two
    classes there is nothing to compare with, and nothing is added.

    >>> image = np.array([[[0.0, 0.0, 0.2, 0.7, 1.0, 1.0]]])  # a blurred edge
    >>> halfway(np.array([[0, 255, 255, 255, 255, 1]], np.uint8), image)
    array([[0, 0, 0, 1, 1, 1]], dtype=uint8)
    """
    strokes = _strokes(labels)
    if len(strokes) < 2:
        return labels
    return np.where(labels == UNLABELLED, _likest(strokes, image), labels)


def foretold(labels: NDArray[np.uint8], image: NDArray[np.floating[Any]]) -> float:
    """Of the pixels under strokes, the share whose class the colours of other strokes tell, as the mean over classes, 0 to 1.

    Every second stroke is foretold from those between, and the reverse. 0 where a class has a single stroke, or where there
    are fewer than two classes: nothing is known then.

    >>> image = np.array([[[0.0, 0.1, 1.0, 0.9, 0.1, 0.0, 1.0, 0.1]]])
    >>> foretold(np.array([[0, 255, 1, 255, 0, 255, 1, 255]], np.uint8), image)
    1.0
    """
    strokes = _strokes(labels)
    if len(strokes) < 2 or any(numbered.max() < 2 for numbered in strokes.values()):
        return 0.0
    right = dict.fromkeys(strokes, 0)
    for half in (0, 1):
        told = {label: np.where(numbered % 2 == half, numbered, 0) for label, numbered in strokes.items()}
        likest = _likest(told, image)
        for label, numbered in strokes.items():
            right[label] += int((likest[(numbered > 0) & (told[label] == 0)] == label).sum())
    return float(np.mean([right[label] / np.count_nonzero(strokes[label]) for label in strokes]))


def _strokes(labels: NDArray[np.uint8]) -> Strokes:
    from scipy import ndimage

    classes = np.setdiff1d(np.unique(labels), [UNLABELLED])
    touching = np.ones((3,) * labels.ndim)
    return {int(label): ndimage.label(labels == label, touching)[0] for label in classes}


def _likest(strokes: Strokes, image: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Of each pixel (*spatial), the class whose nearest stroke has the colour that is nearest to its own."""
    distances = np.stack([_from_nearest(numbered, image) for numbered in strokes.values()])
    likest: NDArray[np.uint8] = np.array(list(strokes), np.uint8)[distances.argmin(0)]
    return likest


def _from_nearest(numbered: NDArray[np.int32], image: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """The squared distance of each pixel's colour from the mean colour of the stroke that is nearest to it, (*spatial)."""
    from scipy import ndimage

    places = ndimage.distance_transform_edt(numbered == 0, return_distances=False, return_indices=True)
    nearest = numbered[tuple(places)]
    present = np.unique(numbered[numbered > 0])
    distance = np.zeros(numbered.shape, np.float32)
    for plane in image:
        means = np.zeros(numbered.max() + 1, np.float32)
        means[present] = ndimage.mean(plane, numbered, present)
        distance += (plane - means[nearest]) ** 2
    return distance
