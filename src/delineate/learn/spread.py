"""Strokes grow along colours: a few percent of labelled pixels become a tenth, or half where strokes enclose the rest.

A pixel's distance from a class is the length of the cheapest path to its strokes. A path pays for each change of colour
it crosses, and no path crosses a stroke of another class, nor slips through a gap of a pixel in it. Only what is far surer
of one class than of any other takes its label, so that little of what is added is wrong; the rest stays unlabelled.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED

SURER = 10.0  # times nearer to one class than to any other
EDGE = 300.0  # pixels of detour that are as long as a step over an edge of the whole range of intensities


def spread(labels: NDArray[np.uint8], image: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """The labels (*spatial), with those unlabelled pixels labelled that are SURER times nearer to one class than to others.

    image: (channels, *spatial), normalised to about 0 to 1. Strokes stay as they are. With fewer than two classes
    there is nothing to compare with, and nothing is added.
    Geodesic distances for scribbles: Criminisi, Sharp & Blake 2008, doi:10.1007/978-3-540-88682-2_9.

    >>> image = np.repeat([[0.0, 1.0]], 4, axis=1)[None].repeat(3, axis=1)  # dark on the left, bright on the right
    >>> strokes = np.full((3, 8), UNLABELLED, np.uint8)
    >>> strokes[1, 0], strokes[1, 7] = 0, 1
    >>> spread(strokes, image)[0]
    array([  0,   0,   0, 255, 255,   1,   1,   1], dtype=uint8)
    """
    from scipy import ndimage
    from skimage.graph import MCP_Geometric

    classes = np.setdiff1d(np.unique(labels), [UNLABELLED])
    if len(classes) < 2:
        return labels
    edges = sum(ndimage.gaussian_gradient_magnitude(plane, 1.0) ** 2 for plane in image.astype(np.float64))
    costs = 1 + EDGE * np.sqrt(edges)
    first, second = (np.full(labels.shape, np.inf) for _ in range(2))
    nearest = np.full(labels.shape, UNLABELLED, np.uint8)
    for label in classes:
        others = (labels != label) & (labels != UNLABELLED)
        barred = ndimage.binary_dilation(others, np.ones((3,) * labels.ndim)) & (labels != label)
        paths = MCP_Geometric(np.where(barred, -1, costs))
        distances, _ = paths.find_costs(np.argwhere(labels == label))
        nearest[distances < first] = label
        second = np.minimum(second, np.maximum(first, distances))
        first = np.minimum(first, distances)
    sure = (labels == UNLABELLED) & (SURER * first < second)
    return np.where(sure, nearest, labels)
