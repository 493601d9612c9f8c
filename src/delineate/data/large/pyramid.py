"""From a finished label store to the one file that a viewer opens: a pyramidal OME-TIFF, or a NIfTI.

Both are written tile by tile or slice by slice, and appear whole. The OME-TIFF is tiled and compressed without loss,
its coarser levels are sub-images of the first, and a palette gives classes their colours: QuPath, napari, Fiji and
everything built on Bio-Formats or tifffile open it in place, for it has the image's pixel size.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import numpy as np
from numpy.typing import NDArray

from delineate.core.classes import ClassTable
from delineate.core.output import written_whole
from delineate.data.large.image import LargeImage
from delineate.data.large.labels import LabelStore, boxes
from delineate.data.large.volume import nifti_of_labels
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
                shape=shape,
                dtype=store.dtype,
                tile=(_TILE, _TILE),
                compression="zlib",
                subifds=None if level else len(store.levels) - 1,
                subfiletype=1 if level else 0,
                metadata=None if level else metadata,
                **look,
            )


def _tiles(store: LabelStore, level: int) -> Iterator[NDArray[Any]]:
    """The tiles of a level in the order of the file."""
    shape = store.levels[level]
    for box in boxes(shape, (1,) * (len(shape) - 2) + (_TILE, _TILE)):
        yield store.read(box, level).reshape(box[-2].stop - box[-2].start, -1)


def write_nifti(path: Path, store: LabelStore, image: LargeImage) -> None:
    """The finest level as an uncompressed NIfTI, in the very place and orientation of the NIfTI `image`."""
    with written_whole(path) as beside:
        voxels = nifti_of_labels(image.path, beside, store.levels[0], store.dtype)
        for box in boxes(store.levels[0], _slab(store.levels[0], store.chunk)):
            voxels[box] = store.read(box)
        voxels.flush()


def _slab(shape: Sequence[int], chunk: Sequence[int]) -> tuple[int, ...]:
    """Whole slices, as many as chunks are deep."""
    return (chunk[0], *shape[1:]) if len(shape) == 3 else tuple(shape)
