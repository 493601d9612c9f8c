"""From a finished label store to the one file that a viewer opens: a pyramidal OME-TIFF, or a NIfTI.

Both are written tile by tile or row by row, and appear whole. The OME-TIFF is tiled and compressed without loss,
its coarser levels are sub-images of the first, with as many slices, and a palette gives classes their colours: QuPath,
napari, Fiji and everything built on Bio-Formats or tifffile open it in place, for it has the image's pixel size.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import numpy as np
from numpy.typing import NDArray

from delineate.core.classes import ClassTable
from delineate.core.output import written_whole
from delineate.data.large.image import LargeImage
from delineate.data.large.labels import LabelStore, boxes
from delineate.data.large.volume import NIFTI_HEAD, begun_nifti
from delineate.data.picture import METRES, label_palette

_TILE = 512


def write_ome_tiff(path: Path, store: LabelStore, image: LargeImage, *, classes: ClassTable | None) -> None:
    """All levels of a finished store as an OME-TIFF with the pixel size of `image`; classes None: object ids."""
    from tifffile import TiffWriter

    axes = "ZYX"[3 - len(image.spatial) :]
    name = path.name.removesuffix(".ome.tif")
    made_of = json.dumps([name, store.settings, store.levels])  # the same labels give the same file
    metadata: dict[str, Any] = {"axes": axes, "Name": name, "UUID": str(uuid5(NAMESPACE_OID, made_of))}
    if image.unit in METRES:
        for axis, size in zip(axes, image.spacing, strict=True):
            metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": image.unit}
    look: dict[str, Any] = {"photometric": "minisblack"}
    if classes is not None:
        names = {str(i): name for i, name in enumerate(classes.names)}
        metadata["MapAnnotation"] = {"Namespace": "delineate/classes", **names}
        colours = label_palette(classes.colours).T.astype(np.uint16) * 257
        look = {"photometric": "palette", "colormap": colours}
    with written_whole(path) as beside, TiffWriter(beside, bigtiff=True, ome=True) as file:
        for level, shape in enumerate(store.levels):
            file.write(
                _tiles(store, level),
                shape=(*store.levels[0][:-2], *shape[-2:]),
                dtype=store.dtype,
                tile=(_TILE, _TILE),
                compression="zlib",
                subifds=None if level else len(store.levels) - 1,
                subfiletype=1 if level else 0,
                metadata=None if level else metadata,
                **look,
            )


def _tiles(store: LabelStore, level: int) -> Iterator[NDArray[Any]]:
    """The tiles of a level in the order of the file: of every slice, or of the one nearest to it that the level has."""
    deep, has = math.prod(store.levels[0][:-2]), math.prod(store.levels[level][:-2])
    for z in range(deep):
        near = min(int((z + 0.5) * has / deep), has - 1)
        lead = (slice(near, near + 1),) * (len(store.levels[0]) - 2)
        for rows, columns in boxes(store.levels[level][-2:], (_TILE, _TILE)):
            yield store.read((*lead, rows, columns), level).reshape(rows.stop - rows.start, -1)


def write_nifti(path: Path, store: LabelStore, image: LargeImage) -> None:
    """The finest level as an uncompressed NIfTI, in the very place and orientation of the NIfTI `image`."""
    with written_whole(path) as beside:
        shape = store.levels[0]
        dtype = begun_nifti(image.path, beside, shape, store.dtype)
        with beside.open("r+b") as file:
            for box in boxes(shape, (*store.chunk[:-1], shape[-1])):  # rows of one slice lie together
                part = store.read(box).astype(dtype).reshape(-1, box[-2].stop - box[-2].start, shape[-1])
                for depth, rows in enumerate(part, start=box[0].start if len(shape) == 3 else 0):
                    row = depth * shape[-2] + box[-2].start
                    file.seek(NIFTI_HEAD + row * shape[-1] * dtype.itemsize)
                    file.write(rows.tobytes())
