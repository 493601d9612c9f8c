"""Labels of an image that is never whole in memory: an OME-Zarr label image that grows chunk by chunk.

Any number of processes write into it at once, each its own chunks, and a chunk appears whole or not at all. So the
store itself tells what is done, and a run that was killed goes on. `finish` adds the coarser levels of the pyramid.
OME-NGFF 0.5, with image-label metadata: Moore et al. 2023, doi:10.1007/s00418-023-02209-1.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core.classes import ClassTable
from delineate.core.errors import OutputError
from delineate.core.output import written_whole
from delineate.data.large.box import Box
from delineate.data.large.image import LargeImage
from delineate.data.large.zarr import zarr_library
from delineate.data.picture import UDUNITS

CHUNK = {2: 512, 3: 64}
"""Pixels along each axis of a chunk, for pictures (and each slice of a stack) and for volumes."""

_SMALLEST = 512  # a level whose longest side is no more than this is the last
_OWN = "delineate"


class LabelStore:
    """A label image in a folder that `create` made; raises OutputError where there is none.

    settings: what shaped the labels, as `create` was told. levels: spatial shape of each resolution. chunk: what is
    stored in one piece.

    >>> import tempfile
    >>> image = LargeImage.of(np.zeros((700, 900, 1)))
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     store = LabelStore.create(Path(scratch) / "a.ome.zarr", image, classes=ClassTable.numbered(2), dims=2)
    ...     box = (slice(0, 512), slice(512, 900))
    ...     store.write(box, np.ones((512, 388), np.uint8))
    ...     store.written(box), store.written((slice(0, 700), slice(0, 900))), int(store.read(box).min())
    (True, False, 1)
    """

    def __init__(self, folder: Path) -> None:
        zarr = zarr_library()
        self.folder = folder
        try:
            about = json.loads((folder / "zarr.json").read_text(encoding="utf-8"))["attributes"]
            self.settings: dict[str, Any] = about[_OWN]
            with zarr.config.set({"array.write_empty_chunks": True}):
                group = zarr.open_group(str(folder), mode="r+")
                count = len(about["ome"]["multiscales"][0]["datasets"])
                self._arrays: list[Any] = [group[str(level)] for level in range(count)]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OutputError(
                f"{folder} is not what an interrupted prediction leaves behind: remove it or choose another folder"
            ) from error
        self.levels: tuple[tuple[int, ...], ...] = tuple(tuple(array.shape) for array in self._arrays)
        self.chunk: tuple[int, ...] = tuple(self._arrays[0].chunks)
        self.dtype: np.dtype[Any] = self._arrays[0].dtype

    @classmethod
    def create(
        cls,
        folder: Path,
        image: LargeImage,
        *,
        classes: ClassTable | None,
        dims: int,
        dtype: Any = np.uint8,
        settings: Mapping[str, Any] | None = None,
    ) -> LabelStore:
        """A new store for labels of `image`, empty; classes None: object ids. dims: axes that are predicted together."""
        zarr = zarr_library()
        shapes = _levels(image, dims)
        side = CHUNK[dims]
        spatial = len(image.spatial)
        chunk = (1,) * (spatial - dims) + (side,) * dims
        beside = folder.with_name(f".{os.getpid()}.{folder.name}")
        with _full_disk_told(folder):
            group = zarr.open_group(str(beside), mode="w", zarr_format=3)
            for number, shape in enumerate(shapes):
                group.create_array(
                    str(number),
                    shape=shape,
                    chunks=chunk,
                    dtype=dtype,
                    fill_value=0,
                    dimension_names="zyx"[3 - spatial :],
                )
            group.attrs.update(
                {
                    "ome": _metadata(image, shapes, classes, folder),
                    _OWN: dict(settings or {}),
                }
            )
            os.replace(beside, folder)
        return cls(folder)

    def written(self, box: Box) -> bool:
        """Whether every chunk of a box (that starts and ends at chunks, or at the border) is there."""
        ranges = (range(side.start // c, -(-side.stop // c)) for side, c in zip(box, self.chunk, strict=True))
        root = self.folder / "0" / "c"
        return all(root.joinpath(*map(str, index)).exists() for index in itertools.product(*ranges))

    def write(self, box: Box, labels: NDArray[Any], level: int = 0) -> None:
        """Write a box that starts and ends at chunks, or at the border; raises OutputError where the disk is full."""
        with _full_disk_told(self.folder):
            self._arrays[level][box] = labels

    def move(self, target: Path, image: LargeImage) -> None:
        """Move the folder; from where it lies then, its metadata name it and find `image`. Open it anew there."""
        about = self._about()
        ome = about["attributes"]["ome"]
        ome["image-label"]["source"]["image"] = _source(image, target)
        ome["multiscales"][0]["name"] = _name(target)
        self._describe(about)
        with _full_disk_told(target):
            os.replace(self.folder, target)

    def settle(self, settings: Mapping[str, Any]) -> None:
        """Replace the settings."""
        about = self._about()
        about["attributes"][_OWN] = self.settings = dict(settings)
        self._describe(about)

    def _about(self) -> dict[str, Any]:
        about: dict[str, Any] = json.loads((self.folder / "zarr.json").read_text(encoding="utf-8"))
        return about

    def _describe(self, about: dict[str, Any]) -> None:
        with _full_disk_told(self.folder), written_whole(self.folder / "zarr.json") as beside:
            beside.write_text(json.dumps(about, indent=2), encoding="utf-8")

    def read(self, box: Box, level: int = 0) -> NDArray[Any]:
        """The labels of a box, of the finest level or another."""
        part: NDArray[Any] = np.asarray(self._arrays[level][box])
        return part

    def finish(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Write the coarser levels, each from the one before, by the nearest pixel; labels are never mixed."""
        for level in range(1, len(self.levels)):
            fine, coarse = self.levels[level - 1], self.levels[level]
            lookup = [
                np.minimum(((np.arange(n) + 0.5) * f / n).astype(np.int64), f - 1)
                for f, n in zip(fine, coarse, strict=True)
            ]
            for box in boxes(coarse, self.chunk):
                picks = [table[side] for table, side in zip(lookup, box, strict=True)]
                part = self.read(tuple(slice(int(p[0]), int(p[-1]) + 1) for p in picks), level - 1)
                self.write(box, part[np.ix_(*(p - p[0] for p in picks))], level)
            if progress:
                progress(level, len(self.levels) - 1)


def boxes(shape: tuple[int, ...], step: tuple[int, ...]) -> Iterator[Box]:
    """Boxes of size `step` that cover `shape`, the last along each axis shorter.

    >>> [[side.start for side in box] + [box[1].stop] for box in boxes((1, 5), (1, 4))]
    [[0, 0, 4], [0, 4, 5]]
    """
    axes = [
        [slice(start, min(start + size, length)) for start in range(0, length, size)]
        for length, size in zip(shape, step, strict=True)
    ]
    yield from itertools.product(*axes)


def _levels(image: LargeImage, dims: int) -> list[tuple[int, ...]]:
    """Shapes of the pyramid: those of an OME-Zarr source, then each half of the one before along the last axes."""
    steps = [
        max(f / n for f, n in zip(fine, coarse, strict=True))
        for fine, coarse in itertools.pairwise(image.levels)
    ]
    kept = image.suffix == ".ome.zarr" and all(step <= 4 for step in steps)
    shapes = list(image.levels if kept else image.levels[:1])
    while max(shapes[-1][-2:]) > _SMALLEST:
        last = shapes[-1]
        halved = [-(-n // 2) for n in last]
        deep = dims == 3 and last[0] > CHUNK[3]
        shapes.append(tuple(halved) if deep else (*last[:-2], *halved[-2:]))
    return shapes


def _metadata(
    image: LargeImage, shapes: list[tuple[int, ...]], classes: ClassTable | None, folder: Path
) -> dict[str, Any]:
    unit = {"unit": UDUNITS[image.unit]} if image.unit in UDUNITS else {}
    place = [{"type": "translation", "translation": list(image.origin)}] if image.origin else []
    label: dict[str, Any] = {"source": {"image": _source(image, folder)}}
    if classes is not None:
        label["colors"] = [
            {"label-value": i, "rgba": [*colour, 0 if i == 0 else 255]}
            for i, colour in enumerate(classes.colours)
        ]
        label["properties"] = [{"label-value": i, "name": text} for i, text in enumerate(classes.names)]
    return {
        "version": "0.5",
        "multiscales": [
            {
                "name": _name(folder),
                "axes": [{"name": axis, "type": "space", **unit} for axis in "zyx"[3 - len(image.spatial) :]],
                "datasets": [
                    {
                        "path": str(number),
                        "coordinateTransformations": [
                            {
                                "type": "scale",
                                "scale": [
                                    s * full / here
                                    for s, full, here in zip(image.spacing, shapes[0], shape, strict=True)
                                ],
                            },
                            *place,
                        ],
                    }
                    for number, shape in enumerate(shapes)
                ],
            }
        ],
        "image-label": label,
    }


def _source(image: LargeImage, folder: Path) -> str:
    """Where the image lies, seen from a folder of labels."""
    return Path(os.path.relpath(image.path.absolute(), folder.absolute())).as_posix()


def _name(folder: Path) -> str:
    return folder.name.removesuffix(".ome.zarr")


@contextmanager
def _full_disk_told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write into {folder}: {error.strerror or error}; what was written is kept: free space, or mend "
            "the folder, and start again with --resume"
        ) from error
