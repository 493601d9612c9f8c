"""Object ids of an image that is in memory, as `polygons.write_geojson` takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from delineate.data.large.box import Box
from delineate.data.large.polygons import ObjectTable


@dataclass(frozen=True, eq=False)
class WholeIds:
    """Object ids 1 to n of a flat image, 0 for none, to be read like those of a store."""

    ids: NDArray[np.int32]

    @property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """The one resolution."""
        return (self.ids.shape,)

    def read(self, box: Box) -> NDArray[Any]:
        """The ids of a box."""
        return self.ids[box]


def tabled(ids: NDArray[np.int32], labels: NDArray[np.uint8]) -> tuple[WholeIds, ObjectTable]:
    """Ids (h, w) renumbered from 1, and what is known of the objects: each is of the class that most of its pixels have.

    >>> ids, table = tabled(np.array([[7, 7, 0], [7, 0, 3]]), np.array([[2, 2, 0], [1, 0, 1]], np.uint8))
    >>> ids.ids.tolist(), table.classes.tolist(), table.pixels.tolist(), table.stop.tolist()
    ([[2, 2, 0], [2, 0, 1]], [1, 2], [1, 3], [[2, 3], [2, 2]])
    """
    numbers = np.unique(ids[ids > 0])
    one_by_one = np.searchsorted(numbers, ids) + 1
    plain = np.where(ids > 0, one_by_one, 0).astype(np.int32)
    count, most = len(numbers), int(labels.max(initial=0)) + 1
    votes = np.bincount(plain.ravel() * most + labels.ravel(), minlength=(count + 1) * most)
    votes = votes.reshape(-1, most)[1:]
    boxes = [box for box in ndimage.find_objects(plain) if box is not None]
    start, stop = (
        np.array([[getattr(side, end) for side in box] for box in boxes], np.int64).reshape(-1, ids.ndim)
        for end in ("start", "stop")
    )
    classes = votes[:, 1:].argmax(1) + 1 if most > 1 else np.zeros(count)
    return WholeIds(plain), ObjectTable(classes.astype(np.uint8), votes.sum(1), start, stop)
