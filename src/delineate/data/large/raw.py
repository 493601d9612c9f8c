"""Where the voxels of a NIfTI file are plain numbers on the disk: mapped into memory, they are read by window.

ITK would make NaN 0, and crash on parts of vectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core.errors import DataError
from delineate.data.large.box import Box
from delineate.data.medical import nifti_head

Window = Callable[[Box], NDArray[Any]]


def raw_windows(path: Path, spatial: tuple[int, ...], channels: int, dtype: np.dtype[Any]) -> Window | None:
    """What reads a box of `path` as (*window, channels) of `dtype`, as ITK reads it whole; None where ITK has to.

    Raises DataError where the file ends before its voxels do.
    """
    mapped = {".nii": _nifti}.get(path.suffix.lower())
    return mapped(path, spatial, channels, dtype) if mapped else None


def _nifti(path: Path, spatial: tuple[int, ...], channels: int, dtype: np.dtype[Any]) -> Window | None:
    """Components lie one after the other. ITK converts to `dtype` first, and scales then in float64."""
    with path.open("rb") as file:
        head = nifti_head(file.read(348), path)
    if head.dtype is None:
        return None
    stored = _mapped(path, head.offset, head.dtype, (channels, *spatial))

    def window(box: Box) -> NDArray[Any]:
        numbers = np.moveaxis(stored[(slice(None), *box)], 0, -1).astype(dtype, order="C")
        if (head.slope, head.intercept) == (1.0, 0.0):
            return numbers
        return (numbers.astype(np.float64) * head.slope + head.intercept).astype(dtype)

    return window


def _mapped(path: Path, offset: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    needed, held = offset + math.prod(shape) * dtype.itemsize, path.stat().st_size
    if held < needed or offset < 0:
        raise DataError(f"{path} is cut short ({held} of {needed} bytes): copy it again")
    return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape)
