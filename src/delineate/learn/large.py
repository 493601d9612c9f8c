"""A network's labels for an image of any size: one image, one model, one store, and any process may do any tile.

The store knows what shapes its labels (the model, how intensities are scaled, how large tiles are), so a process
needs its path only. Intensities are scaled by a fixed sample of the image, emptiness is judged on a fixed lattice,
every tile has its exact halo: labels depend neither on the tiles nor on who computed them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from delineate.core import ModelError, OutputError, available_bytes, release_freed
from delineate.data.conditions import Illumination, amount_of_dye, illumination_of
from delineate.data.large import Box, LargeImage, open_large
from delineate.data.large.labels import CHUNK, LabelStore, boxes
from delineate.data.large.polygons import ObjectTable
from delineate.data.large.sample import block_boxes, glass_of, is_empty, sampled
from delineate.data.problem import counted
from delineate.inference.regions import Owned, assembled, owned, regions
from delineate.inference.stream import overlapped, window_of
from delineate.learn.answer import mirrors, part_runner
from delineate.learn.engine import low_precision
from delineate.learn.learnt import Learnt
from delineate.learn.normalisation import Scale, as_grey, scale_of, scaled
from delineate.learn.objects import identified, margin_px
from delineate.learn.plan import Plan
from delineate.learn.unet import UNetMethod

BLOCK = {2: 1024, 3: 128}  # pixels along each axis of the blocks that are empty or not
LARGEST = {2: 2048, 3: 192}  # pixels along each axis that a tile keeps, at most
PROGRAM = 520 << 20  # bytes that Python, torch and the model take before the first tile
OBJECTS = "objects"  # the folder in a store with what each tile owns
DEFAULT = 2 << 30  # bytes, or a half of what is free


@dataclass(frozen=True)
class Sizes:
    """Pixels along each axis that a tile keeps, and the bytes that the whole process will take with such tiles."""

    core: tuple[int, ...]
    bytes: int


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
        self._scale = Scale(
            tuple(about["scale"]["low"]), tuple(about["scale"]["span"]), about["scale"]["clipped"]
        )
        lit = about.get("illumination")
        self._illumination = lit and Illumination(tuple(lit["brightest"]), lit["transmitted"])
        self._flips, self._skip, self._glass = about["flips"], about["skip_empty"], about["glass"]
        self.dims = self.learnt.plan.dims
        self._margin: int = about["margin"]
        self._foreground_above: float | None = about.get("foreground_above")
        self.tiles: tuple[Box, ...] = tuple(boxes(self.store.levels[0], tuple(about["core"])))
        self._run = part_runner(self.learnt)
        self._empty: dict[tuple[int, ...], bool] = {}
        self._last_shapes: list[torch.Size] = []

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
        sample = sampled(image)
        lit = None
        if learnt.plan.takes_colour and as_grey(sample).shape[-1] == 3:
            lit = illumination_of(sample)
        shown = _shown(sample, learnt.plan, lit)
        if shown.shape[-1] != learnt.plan.channels:
            raise ModelError(
                f"{image.path} is in colour, and the model was trained on grey images: convert it to grey"
            )
        scale = scale_of(shown, learnt.plan.normalisation, name=image.path.name)
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
                "glass": glass_of(sample),
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
            return box, empty, [] if skipped[_key(box)] == pixels_in(box) else self._windows(wide)

        def compute(given: tuple[Box, list[Box], list[Tensor]]) -> tuple[NDArray[np.uint8], Owned | None]:
            box, empty, windows = given
            if not windows:
                return np.zeros([s.stop - s.start for s in box], np.uint8), None
            wide = self._widened(box)
            answer = self._answer(wide, windows)
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
            (self.store.folder / OBJECTS).mkdir(exist_ok=True)
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
        return self._answer(box, self._windows(box)).numpy()

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

    def _turns(self) -> list[tuple[int, ...]]:
        return mirrors(self.dims) if self._flips else [()]

    def _window(self, box: Box, turn: tuple[int, ...]) -> Any:
        mirrored = tuple(axis + 1 in turn for axis in range(self.dims))
        net = self.learnt.net
        return window_of(
            box[-self.dims :],
            self.image.spatial[-self.dims :],
            halo=net.halo,
            divisor=net.divisor,
            mirrored=mirrored,
        )

    def _windows(self, box: Box) -> list[Tensor]:
        """What the network sees of a box, normalised: (slices, channels, *window) for every mirror, read once for all."""
        asked = [self._window(box, turn).read for turn in self._turns()]
        span = tuple(
            slice(min(side.start for side in sides), max(side.stop for side in sides))
            for sides in zip(*asked, strict=True)
        )
        pixels = self.image.window((*box[: -self.dims], *span))
        name = self.image.path.name
        pixels = _shown(pixels, self.learnt.plan, self._illumination)
        if pixels.shape[-1] != self.learnt.plan.channels:
            raise ModelError(
                f"{name} is in colour in some places, and the model was trained on grey images: convert it to grey"
            )
        seen = torch.from_numpy(scaled(pixels, self._scale, name=name))
        seen = seen.movedim(1, 0) if seen.ndim > self.dims + 1 else seen[None]
        places: list[Any] = [(..., *within(read, span)) for read in asked]
        return [seen[place] for place in places]

    def _answer(self, box: Box, windows: list[Tensor]) -> Tensor:
        """Outputs (outputs, *box), averaged over the mirrors."""
        if (shapes := [window.shape for window in windows]) != self._last_shapes:
            release_freed()  # of windows of other shapes, before the engine takes memory for these
            self._last_shapes = shapes
        total: Tensor | None = None
        count = len(self.learnt.classes)
        for turn, window in zip(self._turns(), windows, strict=True):
            inside = self._window(box, turn).inside
            axes = tuple(axis + 1 for axis in turn)
            slices = []
            for one in window:
                sides = one.shape[1:]
                keep = tuple(
                    slice(n - part.stop, n - part.start) if axis + 1 in turn else part
                    for axis, (part, n) in enumerate(zip(inside, sides, strict=True))
                )
                answer = self._run(one[None].flip(axes) if axes else one[None], keep)[0]
                answer = answer.flip(turn) if turn else answer
                if turn and self.learnt.plan.objects:  # in a mirror, offsets point the other way
                    for axis in turn:
                        answer[count + axis - 1] *= -1
                slices.append(answer)
            stack = slices[0] if len(box) == self.dims else torch.stack(slices, dim=1)
            total = stack if total is None else total + stack
        if total is None:
            raise ValueError("no mirror was asked for")
        return total / len(windows) if len(windows) > 1 else total


def _opened(model: Path, engine: str) -> Learnt:
    method = UNetMethod.load(model)
    method.use_engine(engine)
    return method.fitted()


def labels_of(likely: Tensor, *, foreground_above: float | None = None) -> NDArray[np.uint8]:
    """The most likely class of each pixel, (*spatial) uint8, of probabilities (classes, *spatial); ties: the first.

    foreground_above: as in `delineate.core.labels_of`, which gives the same. One class after the
    other is compared: that takes a byte and a float for each pixel, whatever the number of classes.

    >>> labels_of(torch.tensor([[0.2, 0.5], [0.7, 0.5], [0.1, 0.0]]))
    array([1, 0], dtype=uint8)
    """
    best = likely[0].clone()
    labels = torch.zeros(best.shape, dtype=torch.uint8)
    for index in range(1, len(likely)):
        better = likely[index] > best
        labels.masked_fill_(better, index)
        torch.maximum(best, likely[index], out=best)
    if foreground_above is not None:
        ahead = likely[1] if len(likely) == 2 else likely[1:].sum(0)
        added = (labels == 0) & (ahead >= foreground_above)
        labels[added] = (1 + likely[1:, added].argmax(0)).to(torch.uint8)
    return labels.numpy()


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


def _shown(pixels: NDArray[Any], plan: Plan, lit: Illumination | None) -> NDArray[Any]:
    """A part as `answer.seen` shows the whole; lit: of the image, where it is in colour and the model takes its dye."""
    if lit is not None:
        return amount_of_dye(pixels, lit)
    return as_grey(pixels) if plan.grey or plan.takes_colour else pixels


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


def sizes_for(
    learnt: Learnt,
    image: LargeImage,
    *,
    memory: float | None,
    tile: int | None = None,
    flips: bool = False,
    objects: bool = False,
) -> Sizes:
    """Tiles for a process that takes no more than `memory` bytes; None: 2 GB, or a half of what is free.

    tile: pixels along each axis instead, rounded up to whole chunks. flips: mirrors are predicted too. objects: these
    are looked for as well.
    Raises ModelError where even the smallest tiles take more.
    """
    dims = learnt.plan.dims
    step = CHUNK[dims]
    sides = image.spatial[-dims:]
    allowed = min(DEFAULT, available_bytes() // 2 + PROGRAM) if memory is None else memory
    most = min(LARGEST[dims], -(-max(sides) // step) * step)
    if tile is not None:
        asked = [(-(-tile // step) * step,) * 2]
    else:  # the largest first: squares, and those that are a chunk wider
        asked = [(side, min(side + more, most)) for side in range(most, 0, -step) for more in (step, 0)]
    for side, width in asked:
        core = (1,) * (len(image.spatial) - dims) + (side,) * (dims - 1) + (width,)
        needed = bytes_with(learnt, image, core, flips=flips, objects=objects)
        if needed <= allowed or (tile is not None and memory is None):
            return Sizes(core, needed)
    raise ModelError(
        f"{allowed / 1e9:.2g} GB of memory are too little: this model needs {needed / 1e9:.2g} GB with tiles of "
        f"{side} pixels; give --memory {math.ceil(needed / 1e8) / 10:g} or more"
    )


def bytes_with(
    learnt: Learnt, image: LargeImage, core: tuple[int, ...], *, flips: bool = False, objects: bool = False
) -> int:
    """An upper estimate of what the process takes with tiles that keep `core` pixels along each axis.

    flips: mirrors are parts of one window, turned one after the other. What a file's decoder takes beside the window counts
    as well.
    """
    plan, halo = learnt.plan, learnt.net.halo + (margin_px(learnt) if objects else 0)
    dims = plan.dims
    around_core = 2 * halo + learnt.net.divisor * flips  # a mirror's grid begins elsewhere
    sides = [min(c + around_core, n) for c, n in zip(core[-dims:], image.spatial[-dims:], strict=True)]
    window = math.prod(sides)
    number = 2 if getattr(learnt.engine, "low", learnt.engine is None and low_precision(learnt)) else 4
    outputs = len(learnt.classes) + plan.dims * plan.objects
    inside = 9 * plan.width * number / plan.shuffle**dims
    around = 2 * image.channels * (image.dtype.itemsize + 8) + 12 * outputs + 8
    if flips:
        around += 4 * plan.channels + 8 * outputs
    around += 80 * objects  # maps of votes, hills and basins
    block = math.prod(min(BLOCK[dims], n) for n in image.spatial[-dims:])
    judged = block * image.channels * (image.dtype.itemsize + 1)  # whether it is empty
    return int(PROGRAM + image.decoded + judged + window * (inside + around))


def shared(one: Box, other: Box) -> Box:
    """What two boxes have in common, an empty box where that is nothing.

    >>> shared((slice(0, 5),), (slice(3, 9),)), shared((slice(0, 2),), (slice(3, 9),))
    ((slice(3, 5, None),), (slice(3, 3, None),))
    """
    starts = [max(a.start, b.start) for a, b in zip(one, other, strict=True)]
    stops = [min(a.stop, b.stop) for a, b in zip(one, other, strict=True)]
    return tuple(slice(start, max(start, stop)) for start, stop in zip(starts, stops, strict=True))


def within(part: Box, box: Box) -> Box:
    """Where a part of a box lies in an array of that box.

    >>> within((slice(5, 7),), (slice(4, 9),))
    (slice(1, 3, None),)
    """
    return tuple(slice(p.start - b.start, p.stop - b.start) for p, b in zip(part, box, strict=True))


def pixels_in(box: Box) -> int:
    """The number of pixels in a box."""
    return math.prod(side.stop - side.start for side in box)


def _key(box: Box) -> Any:
    return tuple((side.start, side.stop) for side in box)
