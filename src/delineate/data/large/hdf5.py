"""HDF5 by slab: the one image in the file, as ilastik, BigDataViewer's friends and people with h5py save it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core.errors import DataError
from delineate.data.large.box import Box
from delineate.data.large.image import LargeImage

_MOST_CHANNELS = 8
_NAMES = ("data", "image", "images", "raw", "exported_data", "volume")


def open_hdf5(path: Path) -> LargeImage:
    """The only array of 2 to 5 axes in the file, or the one called data, image, raw, volume or exported_data.

    Axes come from ilastik's axistags or the dimensions' labels; without them the last axis is the channels where it
    has at most 8 entries. `element_size_um` is the pixel size. Raises DataError where it is open which array is meant.
    """
    try:
        import h5py
    except ImportError as error:
        raise DataError(
            f"{path} is HDF5, and h5py is not installed: pip install 'delineate[large]'"
        ) from error
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path} cannot be opened as HDF5 ({error}): copy or export it again") from error
    try:
        found: dict[str, Any] = {}

        def look(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset) and 2 <= item.ndim <= 5 and item.dtype.kind in "uifb":
                found[name] = item

        file.visititems(look)
        data = _chosen(found, path)
        axes = _axes(data, path)
        return _image(path, file, data, axes)
    except BaseException:
        file.close()
        raise


def _chosen(found: dict[str, Any], path: Path) -> Any:
    if len(found) == 1:
        return next(iter(found.values()))
    named = [item for name, item in found.items() if name.rpartition("/")[2].lower() in _NAMES]
    if len(named) == 1:
        return named[0]
    if not found:
        raise DataError(f"{path} holds no array of numbers with 2 to 5 axes: export the image again")
    raise DataError(
        f"{path} holds several arrays ({', '.join(list(found)[:5])}): keep one image in a file, or call it data"
    )


def _axes(data: Any, path: Path) -> str:
    """Letters of the axes, from the file or by size."""
    letters = ""
    if "axistags" in data.attrs:
        text = data.attrs["axistags"]
        letters = "".join(
            axis["key"] for axis in json.loads(text if isinstance(text, str) else text.decode())["axes"]
        )
    elif all(dim.label for dim in data.dims):
        letters = "".join(dim.label[0].lower() for dim in data.dims)
    if not letters:
        last = data.ndim > 2 and data.shape[-1] <= _MOST_CHANNELS
        spatial = data.ndim - last
        if spatial > 3:
            raise DataError(
                f"{path} has {data.ndim} axes and does not name them: save (z, y, x) or (z, y, x, channel)"
            )
        letters = "zyx"[3 - spatial :] + "c" * last
    if len(letters) != data.ndim or any(a not in "tzyxc" for a in letters) or not {"y", "x"} <= set(letters):
        raise DataError(f"{path} has the axes {letters}: rows y and columns x are needed, z, c and t known")
    if "t" in letters and data.shape[letters.index("t")] > 1:
        raise DataError(
            f"{path} holds {data.shape[letters.index('t')]} time points: save one image per time point"
        )
    return letters


def _image(path: Path, file: Any, data: Any, axes: str) -> LargeImage:
    spatial = [axes.index(a) for a in "zyx" if a in axes and (a != "z" or data.shape[axes.index(a)] > 1)]
    channel = axes.find("c")
    count = data.shape[channel] if channel >= 0 else 1
    order = [*spatial, *([channel] if channel >= 0 else [])]
    size = np.atleast_1d(data.attrs.get("element_size_um", ())).astype(float)
    known = len(size) >= len(spatial) and bool((size > 0).all())
    chunks = data.chunks or data.shape

    def read(box: Box, level: int) -> NDArray[Any]:
        places: list[Any] = [slice(0, 1)] * len(axes)
        for axis, side in zip(spatial, box, strict=True):
            places[axis] = side
        if channel >= 0:
            places[channel] = slice(0, count)
        block = np.asarray(data[tuple(places)])
        rest = [i for i in range(len(axes)) if i not in order]
        block = block.transpose([*rest, *order]).reshape([block.shape[i] for i in order])
        return np.ascontiguousarray(block if channel >= 0 else block[..., None])

    return LargeImage(
        path=path,
        levels=(tuple(int(data.shape[i]) for i in spatial),),
        channels=int(count),
        dtype=np.dtype(data.dtype),
        spacing=tuple(float(s) for s in size[-len(spatial) :]) if known else (1.0,) * len(spatial),
        unit="µm" if known else "px",
        affine=None,
        suffix=path.suffix.lower(),
        chunk=tuple(int(chunks[i]) for i in spatial),
        read=read,
        decoded=2 * math.prod(data.chunks) * data.dtype.itemsize if data.chunks else 0,
        close=file.close,
    )
