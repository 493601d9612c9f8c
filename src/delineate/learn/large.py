"""A network's labels for an image of any size: one image, one model, one store, and any process may do any tile.

The store knows what shapes its labels (the model, how intensities are scaled, how large tiles are), so a process
needs its path only. Intensities are scaled by a fixed sample of the image, emptiness is judged on a fixed lattice,
every tile has its exact halo: labels depend neither on the tiles nor on who computed them. How a tile is answered is in
`large_answer`, how large it may be in `footprint`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from delineate.core import ModelError, OutputError, made_folder
from delineate.data.conditions import Illumination
from delineate.data.large import Box, LargeImage, open_large
from delineate.data.large.box import pixels_in, shared, within
from delineate.data.large.labels import LabelStore, boxes
from delineate.data.large.polygons import ObjectTable
from delineate.data.large.sample import BLOCK, block_boxes, is_empty
from delineate.data.problem import counted
from delineate.inference.regions import Owned, assembled, owned, regions
from delineate.inference.stream import overlapped
from delineate.learn.large_answer import LargeAnswer, labels_of
from delineate.learn.large_measure import measured
from delineate.learn.learnt import Learnt
from delineate.learn.normalisation import Scale
from delineate.learn.objects import identified, margin_px
from delineate.learn.unet import UNetMethod

OBJECTS = "objects"  # the folder in a store with what each tile owns


class LargePrediction:
    """The prediction that a store describes; `begin` makes the store. learnt, image: where they are open already.

    tiles: the boxes to predict, each a whole number of chunks. Raises OutputError where the store is damaged, or the
    model or the image is not what it was.
    """

    def __init__(
        self, folder: Path, *, learnt: Learnt | None = None, image: LargeImage | None = None
    ) -> None:
        self.store = LabelStore(folder)
        about = self.store.settings
        self.learnt = _opened(Path(about["model"]), about["engine"]) if learnt is None else learnt
        self.image = open_large(about["image"]) if image is None else image
        if identity(self.learnt, self.image) != about["identity"]:
            raise OutputError(
                f"{folder} was begun with another model or another state of {self.image.path}: "
                "choose another output folder, or remove that one"
            )
        self._skip, self._glass = about["skip_empty"], about["glass"]
        self.dims = self.learnt.plan.dims
        self._margin: int = about["margin"]
        self._foreground_above: float | None = about.get("foreground_above")
        self.tiles: tuple[Box, ...] = tuple(boxes(self.store.levels[0], tuple(about["core"])))
        lit = about.get("illumination")
        self._answer = LargeAnswer(
            self.learnt,
            self.image,
            scale=Scale(
                tuple(about["scale"]["low"]), tuple(about["scale"]["span"]), about["scale"]["clipped"]
            ),
            illumination=lit and Illumination(tuple(lit["brightest"]), lit["transmitted"]),
            flips=about["flips"],
        )
        self._empty: dict[tuple[int, ...], bool] = {}

    @classmethod
    def begin(
        cls,
        folder: Path,
        learnt: Learnt,
        image: LargeImage,
        *,
        model: str,
        core: tuple[int, ...],
        engine: str = "torch",
        flips: bool = False,
        skip_empty: bool = True,
        objects: bool = False,
        foreground_above: float | None = None,
    ) -> LargePrediction:
        """Make the store `folder`; model, engine: the folder that other processes load, and what runs it
        there. Raises ModelError as `fits`.

        objects: keep the objects that each tile owns as well, where the model separates them; see `objects_of`.
        foreground_above: see `delineate.core.labels_of`.
        """
        fits(learnt, image)
        if learnt.plan.equivariant:
            raise ModelError(
                f"{image.path} would be predicted in parts, and an equivariant model looks at the whole image at once: crop "
                "the image, or train without --equivariant"
            )
        scale, lit, glass = measured(image, learnt.plan)
        LabelStore.create(
            folder,
            image,
            classes=learnt.classes,
            dims=learnt.plan.dims,
            settings={
                "model": model,
                "engine": engine,
                "image": str(image.path.absolute()),
                "identity": identity(learnt, image),
                "scale": asdict(scale),
                "illumination": None if lit is None else asdict(lit),
                "flips": flips,
                "skip_empty": skip_empty,
                "glass": glass,
                "core": core,
                "margin": margin_px(learnt) if objects else 0,
                "foreground_above": foreground_above,
            },
        )
        return cls(folder, learnt=learnt, image=image)

    def recut(self, core: tuple[int, ...]) -> None:
        """Go on in tiles of this size, whole chunks, here and wherever the store is opened from now on.

        Raises OutputError where tiles keep the objects that they own, for then they stay as they are.
        """
        if self._margin:
            raise OutputError(
                f"{self.store.folder} was begun in tiles of {self.store.settings['core'][-1]} pixels that keep their "
                "objects: go on with these, or choose another output folder"
            )
        self.store.settle({**self.store.settings, "core": list(core)})
        self.tiles = tuple(boxes(self.store.levels[0], core))

    def todo(self) -> list[Box]:
        """The tiles that are not written yet."""
        return [tile for tile in self.tiles if not self.store.written(tile)]

    def predicted(self, tiles: Iterable[Box]) -> Iterator[tuple[Box, int]]:
        """Predict and write tiles; each with the number of its pixels that were skipped as empty, once it is written."""
        skipped: dict[Any, int] = {}

        def read(box: Box) -> tuple[Box, list[Box], list[Tensor]]:
            wide = self._widened(box)
            empty = self.empty_parts(wide) if self._skip else []
            skipped[_key(box)] = sum(pixels_in(shared(part, box)) for part in empty)
            return box, empty, [] if skipped[_key(box)] == pixels_in(box) else self._answer.windows(wide)

        def compute(given: tuple[Box, list[Box], list[Tensor]]) -> tuple[NDArray[np.uint8], Owned | None]:
            box, empty, windows = given
            if not windows:
                return np.zeros([s.stop - s.start for s in box], np.uint8), None
            wide = self._widened(box)
            answer = self._answer.of(wide, windows)
            labels = labels_of(answer[: len(self.learnt.classes)], foreground_above=self._foreground_above)
            for part in empty:
                labels[within(part, wide)] = 0
            if not self._margin:
                return labels, None
            corner = tuple(side.start for side in wide)
            ids = identified(self.learnt, answer.numpy(), labels)
            return labels[within(box, wide)], owned(ids, labels, corner=corner, keep=box)

        def write(box: Box, done: tuple[NDArray[np.uint8], Owned | None]) -> None:
            labels, objects = done
            if objects is not None:  # before the labels, which say that the tile is done
                objects.save(self._objects_at(box))
            self.store.write(box, labels)

        if self._margin:
            made_folder(self.store.folder / OBJECTS)
        for box in overlapped(tiles, read=read, compute=compute, write=write):
            yield box, skipped.pop(_key(box))

    def objects_of(self, ids: LabelStore, scratch: LabelStore) -> ObjectTable:
        """Write the objects of all tiles into the empty store `ids`: separated where `begin` was asked to, else pieces.

        scratch: an empty store of the same shape, for work in between.
        """
        if not self._margin:
            flat = self.dims == 2 and len(self.image.spatial) == 3  # the size is that in one slice
            smallest_px = 0 if flat else self.learnt.plan.smallest_object_px
            return regions(self.store, scratch, ids, smallest_px=smallest_px)
        return assembled([path for tile in self.tiles if (path := self._objects_at(tile)).exists()], ids)

    def _objects_at(self, box: Box) -> Path:
        return self.store.folder / OBJECTS / ("_".join(str(side.start) for side in box) + ".npz")

    def _widened(self, box: Box) -> Box:
        """A box with the margin in which objects are looked for."""
        margins = (0,) * (len(box) - self.dims) + (self._margin,) * self.dims
        return tuple(
            slice(max(side.start - m, 0), min(side.stop + m, n))
            for side, m, n in zip(box, margins, self.image.spatial, strict=True)
        )

    def answer(self, box: Box) -> NDArray[np.float32]:
        """Class probabilities, then offsets, of any box of the image: (outputs, *box)."""
        return self._answer.of(box, self._answer.windows(box)).numpy()

    def empty_parts(self, box: Box) -> list[Box]:
        """The parts of a box that lie in empty blocks of the image."""
        side = (1,) * (len(box) - self.dims) + (BLOCK[self.dims],) * self.dims
        parts = []
        for block in block_boxes(box, self.image.spatial, side):
            corner = tuple(s.start for s in block)
            if corner not in self._empty:
                self._empty[corner] = is_empty(self.image, block, self._glass)
            if self._empty[corner]:
                parts.append(shared(block, box))
        return parts


def _opened(model: Path, engine: str) -> Learnt:
    method = UNetMethod.load(model)
    method.use_engine(engine)
    return method.fitted()


def fits(learnt: Learnt, image: LargeImage) -> None:
    """Raise ModelError where the image has other axes or channels than the model."""
    plan = learnt.plan
    if plan.dims > len(image.spatial):
        raise ModelError(
            f"{image.path} is flat but the model works on volumes: give a volume, or another model"
        )
    if image.channels != plan.channels and not ((plan.grey or plan.takes_colour) and image.channels == 3):
        raise ModelError(
            f"{image.path} has {counted(image.channels, 'channel')} but the model was trained on {plan.channels}: "
            "convert the image, or train a model on such images"
        )


def identity(learnt: Learnt, image: LargeImage) -> list[str]:
    """What must be the same for a run to go on: the weights, and the image as its file was last written."""
    digest = hashlib.sha256()
    for name, tensor in sorted(learnt.net.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    if learnt.temperature != 1:
        digest.update(f"temperature {learnt.temperature!r}".encode())
    state = image.path.stat() if image.path.exists() else None
    return [digest.hexdigest(), "" if state is None else f"{state.st_size} {state.st_mtime_ns}"]


def _key(box: Box) -> Any:
    return tuple((side.start, side.stop) for side in box)
