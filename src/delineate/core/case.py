"""One image with what is known about it: the unit that flows from files to scores.

A `Case` is frozen, and its arrays are never written to by anything downstream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core.errors import DataError

UNLABELLED = 255
"""The label of a pixel about which nobody said anything; it contributes to no loss, score or statistic."""


@dataclass(frozen=True, eq=False)
class Case:
    """An image, its labels and its scale.

    image: (*spatial, channels), 2 or 3 spatial axes, any real dtype, as read.
    labels: (*spatial) uint8 class index, 0 background, UNLABELLED where nobody said; or None.
    objects: (*spatial) integer object ids, 0 for none; or None.
    spacing: size of a pixel along each spatial axis, in array order, in `unit`; ones where unknown.
    affine: (n + 1, n + 1) matrix from array index (array order) to physical point (x, y, z; LPS), or None.
    group: patient, slide or plate; cases of one group are never split across train and validation.

    Raises DataError where the shapes do not agree, and for what is no array of numbers of its kind.

    >>> case = Case("tiny", np.zeros((4, 5, 3), np.uint8), labels=np.zeros((4, 5), np.uint8))
    >>> case.spatial, case.channels, case.spacing, case.group
    ((4, 5), 3, (1.0, 1.0), 'tiny')
    """

    name: str
    image: NDArray[Any]
    labels: NDArray[np.uint8] | None = None
    objects: NDArray[np.integer[Any]] | None = None
    spacing: tuple[float, ...] = ()
    unit: str = "px"
    affine: NDArray[np.float64] | None = None
    group: str = ""

    def __post_init__(self) -> None:
        check_pixels(self.image, name=f"image {self.name}")
        for what, array in (("labels", self.labels), ("objects", self.objects)):
            if array is not None and not (isinstance(array, np.ndarray) and array.dtype.kind in "iub"):
                kind = getattr(array, "dtype", type(array).__name__)
                raise DataError(
                    f"{what} of {self.name} are {kind}: give a NumPy array of integers (*spatial)"
                )
        if self.image.ndim not in (3, 4):
            raise DataError(
                f"image {self.name} has shape {self.image.shape}: "
                "give it as (height, width, channels) or (depth, height, width, channels)"
            )
        if not isinstance(self.spacing, tuple):  # a list or an array
            object.__setattr__(self, "spacing", tuple(np.atleast_1d(self.spacing).tolist()))
        if not self.spacing:
            object.__setattr__(self, "spacing", (1.0,) * len(self.spatial))
        if not self.group:
            object.__setattr__(self, "group", self.name)
        if len(self.spacing) != len(self.spatial) or not all(
            isinstance(s, (int, float, np.number)) and s > 0 for s in self.spacing
        ):
            raise DataError(
                f"image {self.name} has spacing {self.spacing} for {len(self.spatial)} spatial axes: "
                "give one positive number per axis, in array order"
            )
        for what, array in (("labels", self.labels), ("objects", self.objects)):
            if array is not None and array.shape != self.spatial:
                raise DataError(
                    f"{what} of {self.name} are {_by(array.shape)} but its image is {_by(self.spatial)}: "
                    "crop or resample one of them"
                )
        if self.labels is not None and self.labels.dtype != np.uint8:
            raise DataError(
                f"labels of {self.name} are {self.labels.dtype}: convert them to uint8 class indices"
            )

    @property
    def spatial(self) -> tuple[int, ...]:
        """Length of each spatial axis."""
        return self.image.shape[:-1]

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.image.shape[-1])


def check_pixels(image: NDArray[Any], *, name: str = "the image") -> None:
    """Raise DataError unless `image` is a NumPy array of real numbers, none of them masked.

    >>> check_pixels(np.ones((4, 5, 1), complex))
    Traceback (most recent call last):
    delineate.core.errors.DataError: the image is complex128: give real numbers, such as np.abs(image)
    """
    if not isinstance(image, np.ndarray):
        raise DataError(
            f"{name} is a {type(image).__name__}: give a NumPy array (*spatial, channels), such as np.asarray(image)"
        )
    if isinstance(image, np.ma.MaskedArray):
        raise DataError(f"{name} is a masked array: fill what is masked, such as image.filled(0)")
    if image.dtype.kind not in "buif":
        raise DataError(f"{name} is {image.dtype}: give real numbers, such as np.abs(image)")


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape)
