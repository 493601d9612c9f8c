"""Where the voxels of a NIfTI or NRRD file are plain numbers on the disk: mapped into memory, they are read by window.

ITK would read all of an NRRD for every window, make NaN in a NIfTI 0, and crash on parts of a NIfTI of vectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from delineate.core.errors import DataError
from delineate.data.large.box import Box
from delineate.data.medical import nifti_head

Window = Callable[[Box], NDArray[Any]]

_ORDERS: dict[str, Literal["<", ">"]] = {"little": "<", "big": ">"}  # NRRD's words for the order of bytes


def raw_windows(path: Path, spatial: tuple[int, ...], channels: int, dtype: np.dtype[Any]) -> Window | None:
    """What reads a box of `path` as (*window, channels) of `dtype`, as ITK reads it whole; None where ITK has to.

    Raises DataError where the file ends before its voxels do.
    """
    mapped = {".nii": _nifti, ".nrrd": _nrrd}.get(path.suffix.lower())
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


def _nrrd(path: Path, spatial: tuple[int, ...], channels: int, dtype: np.dtype[Any]) -> Window | None:
    """Components lie beside each other where they are the first axis, of a length that no other has."""
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        for line in iter(file.readline, b""):
            if not line.strip():
                break
            name, _, value = line.decode("latin-1").partition(": ")
            fields[name.strip().lower()] = value.strip()
        offset = file.tell()
    sizes = [int(n) for n in fields["sizes"].split()]
    lengths = list(reversed(spatial))
    beside = sizes == [channels, *lengths] and channels not in spatial
    alone = channels == 1 and sizes[: len(spatial)] == lengths and math.prod(sizes) == math.prod(spatial)
    if not (beside or alone):
        return None
    other = fields.get("data file", fields.get("datafile", ""))
    skip = int(fields.get("byte skip", fields.get("byteskip", "0")))
    lines = int(fields.get("line skip", fields.get("lineskip", "0")))
    if fields["encoding"].lower() != "raw" or lines or other.startswith("LIST") or "%" in other:
        return None
    if other:
        path, offset = path.parent / other, 0
    offset = offset + skip if skip >= 0 else path.stat().st_size - math.prod(sizes) * dtype.itemsize
    stated = dtype.newbyteorder(_ORDERS.get(fields.get("endian", "").lower(), "="))
    stored = _mapped(path, offset, stated, (*spatial, channels))
    return lambda box: stored[box].astype(dtype, order="C")


def _mapped(path: Path, offset: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    needed, held = offset + math.prod(shape) * dtype.itemsize, path.stat().st_size
    if held < needed or offset < 0:
        raise DataError(f"{path} is cut short ({held} of {needed} bytes): copy it again")
    return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape)
