"""OME-Zarr 0.4 and 0.5 (Zarr 2 and 3), and plain Zarr arrays, window by window.

The metadata names the axes and gives each level's scale; channels go last, one time point is dropped, several are
refused. OME-NGFF: Moore et al. 2021, doi:10.1038/s41592-021-01326-w, and 2023, doi:10.1007/s00418-023-02209-1.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core.errors import DataError
from delineate.data.large.box import Box
from delineate.data.large.image import LargeImage
from delineate.data.picture import in_one_unit, length_unit

_MOST_CHANNELS = 8
_AT_ONCE = 10  # chunks that zarr decodes at the same time
_COUNTED = 100_000  # chunks; of more it takes too long to ask which are there


def open_zarr(path: Path) -> LargeImage:
    """The image at the root of a Zarr folder: its multiscale, or an array of 2 to 4 axes, channel last if few."""
    zarr = zarr_library()
    try:
        node: Any = zarr.open(str(path), mode="r")
    except (FileNotFoundError, ValueError, KeyError) as error:
        raise DataError(
            f"{path} is no Zarr group or array ({type(error).__name__}): give the folder that holds zarr.json or .zattrs"
        ) from error
    if isinstance(node, zarr.Array):
        spatial = node.ndim if node.ndim == 2 or node.shape[-1] > _MOST_CHANNELS else node.ndim - 1
        if not 2 <= spatial <= 3:
            raise DataError(
                f"{path} is an array of {node.ndim} axes without names: save it as OME-Zarr, or as (z, y, x) or "
                "(z, y, x, channel)"
            )
        axes = "zyx"[3 - spatial :] + ("c" if node.ndim > spatial else "")
        return _image(path, [node], axes, (1.0,) * spatial, "px")
    about = node.attrs.asdict()
    about = about.get("ome", about)
    scales = about.get("multiscales")
    if not scales:
        parts = ", ".join(sorted(node.keys())[:5])
        raise DataError(
            f"{path} is a Zarr group without a multiscale image (it holds {parts or 'nothing'}): "
            "give the group of one image in it"
        )
    first = scales[0]
    axes, units = _axes(first, path)
    named, arrays, notes = [entry["path"] for entry in first["datasets"]], [], []
    for name in named:
        if name in node:
            arrays.append(node[name])
        elif arrays:
            notes = [f"the level {name} that its metadata name is not there: finer levels are used"]
            break
        else:
            break
    if not arrays:
        raise DataError(
            f"{path} lacks its full resolution, the level {named[0] if named else '0'}: copy the folder again, all of it"
        )
    steps, start = (_told(first["datasets"][0], kind, axes) for kind in ("scale", "translation"))
    whole, shift = (_told(first, kind, axes) for kind in ("scale", "translation"))
    if {len(steps), len(whole), len(start), len(shift), arrays[0].ndim} != {len(axes)}:
        raise DataError(
            f"{path} cannot be understood: its array has {arrays[0].ndim} axes, but its metadata name {len(axes)} and give "
            f"scales of {min(len(steps), len(whole))}: export it again"
        )
    lengths = [s * w if s * w > 0 else 1.0 for s, w in zip(steps, whole, strict=True)]
    spatial = [i for i, a in enumerate(axes) if a in "zyx"]
    spacing, unit = in_one_unit([lengths[i] for i in spatial], [units[i] for i in spatial])
    origin, _ = in_one_unit([start[i] * whole[i] + shift[i] for i in spatial], [units[i] for i in spatial])
    image = _image(path, arrays, axes, spacing, unit, notes, labels="image-label" in about)
    return replace(image, origin=origin[-len(image.spatial) :]) if any(origin) else image


def zarr_library() -> Any:
    """The zarr package; raises DataError where it is not installed."""
    try:
        import zarr
    except ImportError as error:
        raise DataError(
            "Zarr, in which large results are kept, is not installed: pip install 'delineate[large]'"
        ) from error
    return zarr


def _axes(scale: dict[str, Any], path: Path) -> tuple[str, list[str]]:
    """Letters of the axes in their order, and the unit of each; versions before 0.4 have tczyx without a word."""
    listed = scale.get("axes", list("tczyx"))
    names = [a if isinstance(a, str) else a["name"] for a in listed]
    units = ["px" if isinstance(a, str) else length_unit(a.get("unit") or "") for a in listed]
    letters = "".join(n[0].lower() for n in names)
    if any(a not in "tczyx" for a in letters) or "y" not in letters or "x" not in letters:
        raise DataError(
            f"{path} has the axes {', '.join(names)}: rows y and columns x are needed, z, c and t known"
        )
    return letters, units


def _told(entry: dict[str, Any], kind: str, axes: str) -> list[float]:
    """The scale or translation that an entry gives along each axis, without effect where it gives none."""
    for transformation in entry.get("coordinateTransformations", ()):
        if transformation.get("type") == kind:
            return [float(number) for number in transformation[kind]]
    return [float(kind == "scale")] * len(axes)


def _image(
    path: Path,
    arrays: list[Any],
    axes: str,
    spacing: tuple[float, ...],
    unit: str,
    notes: Sequence[str] = (),
    *,
    labels: bool = False,
) -> LargeImage:
    first = arrays[0]
    if 0 in first.shape:
        raise DataError(f"{path} has no pixels: export it again")
    if "t" in axes and first.shape[axes.index("t")] > 1:
        raise DataError(
            f"{path} holds {first.shape[axes.index('t')]} time points: save one image per time point"
        )
    spatial = [i for i, a in enumerate(axes) if a in "zyx"]
    if len(spatial) == 3 and first.shape[spatial[0]] == 1:
        spatial, spacing = spatial[1:], spacing[1:]
    channel = axes.find("c")
    count = first.shape[channel] if channel >= 0 else 1

    def read(box: Box, level: int) -> NDArray[Any]:
        places: list[Any] = [0] * len(axes)
        for axis, side in zip(spatial, box, strict=True):
            places[axis] = side
        if channel >= 0:
            places[channel] = slice(0, count)
        block: NDArray[Any] = np.asarray(arrays[level][tuple(places)])
        if channel < 0:
            return block[..., None]
        before = sum(i < channel for i in spatial)
        return np.ascontiguousarray(np.moveaxis(block, before, -1))

    levels = tuple(tuple(int(a.shape[i]) for i in spatial) for a in arrays)
    chunk = tuple(int(first.chunks[i]) for i in spatial)
    return LargeImage(
        path=path,
        levels=levels,
        channels=int(count),
        dtype=np.dtype(first.dtype),
        spacing=tuple(spacing),
        unit=unit,
        affine=None,
        suffix=".ome.zarr",
        chunk=chunk,
        read=read,
        notes=(*notes, *_missing(path, first, labels=labels)),
        decoded=2 * min(_AT_ONCE, first.nchunks) * math.prod(first.chunks) * first.dtype.itemsize,
    )


def _missing(path: Path, array: Any, *, labels: bool) -> tuple[str, ...]:
    """A note on chunks (shards, where there are) that are not there; raises where none of an image is: a copy that
    stopped after the metadata, or pixels of one value. Labels may well be all background.

    Zarr defines that they read as the fill value, and writers leave out those that hold nothing else: the two are alike.
    """
    grid = [-(-n // c) for n, c in zip(array.shape, array.shards or array.chunks, strict=True)]
    count, kind = math.prod(grid), "shards" if array.shards else "chunks"
    if count > _COUNTED:
        return ()
    key, there = array.metadata.encode_chunk_key, _files(path / array.path)
    held = sum(key(index) in there for index in itertools.product(*map(range, grid)))
    if held == count:
        return ()
    if not held and not labels:
        raise DataError(
            f"{path} has metadata but not one of its {count} {kind} of pixels: copy the folder again, all of it, "
            "or leave it out if the image is empty"
        )
    return (
        f"{count - held} of {count} {kind} are not there and read as {array.fill_value}, as Zarr defines it",
    )


def _files(folder: Path) -> set[str]:
    """Every file below a folder, by its way from there."""
    walked = ((os.path.relpath(root, folder), names) for root, _, names in os.walk(folder))
    return {
        name if root == "." else f"{root}/{name}".replace(os.sep, "/")
        for root, names in walked
        for name in names
    }
