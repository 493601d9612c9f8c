"""What the network is taught about objects, beside their class: where they touch and how far inside one lies.

Both are maps in 0 to 1, predicted through a sigmoid. `distance` comes from the whole picture, once; it may be
interpolated, for it is scaled by each object's own size. `border` is drawn on each crop, so that it is as wide
in a zoomed crop as in any other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor


def distance(
    objects: NDArray[np.integer[Any]], *, spacing: tuple[float, ...] | None = None
) -> NDArray[np.float32]:
    """Distance of every pixel to the rim of its object, over the largest such distance in that object.

    objects: (*spatial) ids. Result: (*spatial) from 0 (outside) to 1 (the innermost pixels of each object).
    The border of the picture is no rim: an object that it cuts goes on beyond.

    >>> distance(np.array([[0, 1, 1, 1, 2, 2, 2, 2]]))
    array([[0.  , 0.5 , 1.  , 0.5 , 0.25, 0.5 , 0.75, 1.  ]], dtype=float32)
    """
    from scipy import ndimage

    inner = objects > 0
    for axis in range(
        objects.ndim
    ):  # a pixel beside another object lies on the rim, as one beside background does
        differs = np.diff(objects, axis=axis) != 0
        before = [(0, 0)] * objects.ndim
        after = list(before)
        before[axis], after[axis] = (1, 0), (0, 1)
        inner &= ~np.pad(differs, before) & ~np.pad(differs, after)
    finest = min(spacing) if spacing else 1.0
    depth = (ndimage.distance_transform_edt(inner, sampling=spacing) / finest if inner.any() else inner) + (
        objects > 0
    )
    names, inverse = np.unique(objects, return_inverse=True)
    deepest = ndimage.maximum(depth, inverse.reshape(objects.shape), np.arange(len(names)))
    scaled = depth / np.maximum(np.asarray(deepest), 1e-6)[inverse.reshape(objects.shape)]
    return np.where(objects > 0, scaled, 0).astype(np.float32)


def border(objects: Tensor) -> Tensor:
    """Where two objects touch or nearly touch: 1 within two pixels of two different objects, else 0.

    objects: (batch, *spatial) float32 ids, 0 for none. Result of the same shape.

    >>> import torch
    >>> border(torch.tensor([[[1., 1, 1, 1, 2, 2, 2, 2, 0]]]))
    tensor([[[0., 0., 1., 1., 1., 1., 0., 0., 0.]]])
    """
    pool = {3: F.max_pool2d, 4: F.max_pool3d}[objects.ndim]
    none = objects == 0
    highest = pool(objects[:, None], 3, stride=1, padding=1)
    lowest = -pool(-objects.masked_fill(none, float("inf"))[:, None], 3, stride=1, padding=1)
    touching = ((highest > lowest) & (highest > 0)).to(objects.dtype)
    return pool(touching, 3, stride=1, padding=1)[:, 0]
