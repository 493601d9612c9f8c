"""The form of what is drawn in a label file: strokes of a brush, or regions filled to their borders, as full masks have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

EVEN = 0.2  # by how much a stroke may be wider or narrower than the median one and still be of one brush
TOUCH, BLOB, ROOM = (
    0.25,
    0.45,
    0.02,
)  # regions of full masks; strokes up to 20 pixels wide stay below 0.1 and 0.4


@dataclass(frozen=True)
class Form:
    """How the values of a file lie, those drawn being all but the most common one; in a stack slice by slice.

    drawn: their share of the pixels. touching: of all edges, the share between two drawn values; strokes seldom touch.
    blob: by the area of the connected pieces, that of the largest disc in each; less the longer they are for their width.
    even: the share of the drawn pixels in pieces of one width. pieces: how many there are.
    """

    drawn: float = 0.0
    touching: float = 0.0
    blob: float = 0.0
    even: float = 0.0
    pieces: int = 0

    @property
    def tiled(self) -> bool:
        """Whether regions border on each other, as those of full masks do and strokes do not."""
        return self.touching >= TOUCH

    @property
    def filled(self) -> bool:
        """Whether the pieces are regions rather than strokes: they border on each other, or are blobs."""
        return self.tiled or (self.blob >= BLOB and self.drawn >= ROOM)

    @property
    def brushed(self) -> bool:
        """Whether the pieces are strokes of one brush that seldom touch."""
        return self.pieces >= 4 and self.touching < 0.1 and self.blob < BLOB and self.even >= 0.8


def form_of(ints: NDArray[np.integer[Any]]) -> Form:
    """The form of what is drawn in a label file (*spatial).

    >>> line = np.zeros((9, 30), np.uint8)
    >>> line[4, 2:28] = 1
    >>> form_of(line).filled, form_of(np.pad(np.ones((9, 9), np.uint8), 15)).filled
    (False, True)
    """
    values, counts = np.unique(ints, return_counts=True)
    if len(values) < 2:
        return Form()
    common = int(values[counts.argmax()])
    edges = touching = 0
    areas, radii = [np.zeros(0)], [np.zeros(0)]
    for plane in ints.reshape(-1, *ints.shape[-2:]).astype(np.int64):
        drawn = plane != common
        if not drawn.any():
            continue
        for axis in (0, 1):
            near, far = _neighbours(plane, axis)
            edges += int((near != far).sum())
            touching += int(((near != far) & (near != common) & (far != common)).sum())
        area, radius = _pieces(plane, common)
        areas.append(area)
        radii.append(radius)
    area, radius = np.concatenate(areas), np.concatenate(radii)
    alike = np.abs(radius / np.median(radius) - 1) <= EVEN
    return Form(
        float(area.sum() / ints.size),
        touching / max(edges, 1),
        float(np.pi * (radius**2).sum() / area.sum()),
        float(area[alike].sum() / area.sum()),
        len(area),
    )


def _neighbours(plane: NDArray[Any], axis: int) -> tuple[NDArray[Any], NDArray[Any]]:
    return (plane[1:], plane[:-1]) if axis == 0 else (plane[:, 1:], plane[:, :-1])


def _pieces(plane: NDArray[np.int64], common: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Area of each connected piece of a drawn value, and the radius of the largest disc inside it, in pixels."""
    from scipy import ndimage
    from skimage import measure

    label: Any = measure.label
    rim = np.pad(np.zeros([max(n - 2, 0) for n in plane.shape], bool), 1, constant_values=True)
    rim = rim[: plane.shape[0], : plane.shape[1]]
    for axis in (0, 1):
        near, far = _neighbours(plane, axis)
        for side in _neighbours(rim, axis):
            side |= near != far
    depth = 1 + ndimage.distance_transform_edt(~rim)
    pieces = label(plane, background=common, connectivity=2)
    area = np.bincount(pieces.ravel())[1:].astype(float)
    return area, np.asarray(ndimage.maximum(depth, pieces, np.arange(1, len(area) + 1)), float)
