"""Outlines that were drawn in other programs become masks, and with them a data folder that every other verb takes."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import DataError, made_folder, whole_folder, written_whole
from delineate.data import entry_image, images, open_large
from delineate.data.formats import label_suffix, suffix_of, write_labels
from delineate.data.large import LargeImage
from delineate.data.large.labels import boxes
from delineate.data.large.overview import lookup, overview, thinned
from delineate.data.large_case import is_too_large
from delineate.data.matching import Entry
from delineate.data.outlines import Drawn, Meaning, Outline, Outside, read_outlines, understand, whose
from delineate.data.picture import label_palette
from delineate.data.problem import listed
from delineate.data.reading import placed
from delineate.flow.methods import Progress, Tell
from delineate.flow.misfits import checked_seen, checked_size, left_out_notes, only_marks
from delineate.report.overlay import outlines as drawn_on
from delineate.report.picture import write_picture

MOST_IN_PNG = 65535
TILE = 512


def masks(
    outlines: str | Path,
    images_at: str | Path | None = None,
    *,
    out: str | Path,
    outside: Outside | None = None,
    named: str | None = None,
    objects: bool = True,
    tell: Tell | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write masks from outlines of QuPath (GeoJSON), COCO, labelme or ImageJ into a new data folder; returns the folder.

    outlines: a file, or a folder of files. images_at: the images, as `predict` takes them; without it they lie where the
    outlines lie. out: gets images/ (linked where the disk allows it), masks/, classes.json, overlays/ to look at and, where
    `objects`, instances/ with an id for each outline. Images on which nobody drew stay out; one that a COCO file lists
    without outlines has nothing on it. outside, named: as in `delineate.data.outlines.understand`. Smaller outlines lie on
    larger ones; points and lines have no area and are left out, which is told. Slides and whatever else is too large for
    memory are written in tiles, without ids, and stacks without ids too.
    Raises DataError where there are no outlines or none is on an image, where an image has another size than the one that
    was drawn on, and where classes are not clear; OutputError where `out` is not empty.

    >>> import tempfile
    >>> from delineate.data.samples import write
    >>> shape = {"label": "coin", "shape_type": "circle", "points": [[30, 30], [30, 50]]}
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     place = write(Path(scratch) / "coins") / "train" / "images"
    ...     first = sorted(place.iterdir())[0].name
    ...     _ = (place / "a.json").write_text(json.dumps({"shapes": [shape], "imagePath": first}))
    ...     made = masks(place, out=Path(scratch) / "labelled")
    ...     sorted(path.name for path in made.iterdir())
    ['classes.json', 'images', 'instances', 'masks', 'overlays']
    """
    say = tell or (lambda _: None)
    entries = images(_where(Path(outlines)) if images_at is None else images_at)
    taken, nobodys = whose(read_outlines(outlines), entries)
    if not taken:
        said = listed(dict.fromkeys(one.image or one.source.name for one in nobodys), most=3)
        raise DataError(
            f"no image is one of those that {outlines} speaks of ({said}): give the folder that holds these images"
        )
    found = {name: each for name, each in taken.items() if not only_marks(each)}
    meaning = understand(
        (outline for each in found.values() for one in each for outline in one.outlines),
        outside=outside,
        named=named,
    )
    for note in (
        *meaning.notes,
        *left_out_notes(taken, nobodys, [one.name for one in entries if one.name not in found]),
    ):
        say(note)
    labelled = [entry for entry in entries if entry.name in found]
    names = _names(labelled)
    tiles = {entry.name: _tiles(entry) for entry in labelled}
    total, done = sum(max(count, 1) for count in tiles.values()), 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    with whole_folder(Path(out)) as folder:
        into = _Into(folder, meaning, objects, say)
        for entry in labelled:
            if tiles[entry.name]:
                into.write_large(entry, names[entry.name], found[entry.name], step)
            else:
                into.write(entry, names[entry.name], found[entry.name])
                step()
        with written_whole(folder / "classes.json") as beside:
            beside.write_text(json.dumps({name: i for i, name in enumerate(meaning.classes.names)}) + "\n")
    return Path(out)


def _where(outlines: Path) -> Path:
    """Where the images of outlines lie: in their folder, or in images/ beside it."""
    place = outlines if outlines.is_dir() else outlines.parent
    for one in (place, place.parent / "images", place / "images"):
        try:
            images(one)
        except DataError:
            continue
        return one
    raise DataError(f"there are no images in {place}: say where they are, as the second argument")


def _names(entries: Sequence[Entry]) -> dict[str, str]:
    """What each image is called in the new folder, by the name of its entry."""
    flat = [entry.name.replace("/", "_") for entry in entries]
    if twice := [name for name, count in Counter(flat).items() if count > 1]:
        files = [entry.images[0].name for entry, name in zip(entries, flat, strict=True) if name == twice[0]]
        raise DataError(
            f"two images are called {twice[0]} ({listed(files)}): rename one, or give them one folder at a time"
        )
    return dict(zip((entry.name for entry in entries), flat, strict=True))


def _tiles(entry: Entry) -> int:
    """In how many tiles the mask of an image is written; 0 for one that fits into memory."""
    if not is_too_large(entry):
        return 0
    with open_large(entry.images[0]) as image:
        *depth, rows, columns = image.spatial
        return math.prod(depth) * math.ceil(rows / TILE) * math.ceil(columns / TILE)


@dataclass(frozen=True)
class _Into:
    """Where images and masks go, and how: the new folder, what outlines mean, whether ids are wanted, who is told."""

    folder: Path
    meaning: Meaning
    objects: bool
    say: Tell

    def at(self, part: str, name: str) -> Path:
        """A file in one of its folders, which is made."""
        return made_folder(self.folder / part) / name

    def write(self, entry: Entry, name: str, drawn: Sequence[Drawn]) -> None:
        """One image with its mask and ids."""
        first, outlines = entry.images[0], [outline for one in drawn for outline in one.outlines]
        picture = entry_image(entry)
        checked_size(drawn, picture.spatial, first)
        labels, ids, seen = _drawn(outlines, picture.spatial, self.meaning)
        checked_seen(outlines, seen, self.meaning, first, picture.spatial, self.say)
        kind, colours = label_suffix(suffix_of(first) or ".tif"), self.meaning.classes.colours
        write_labels(self.at("masks", f"{name}{kind}"), labels, like=picture, colours=colours)
        if self.objects and ids is not None and self.meaning.objects:
            kind = ".tif" if ids.max(initial=0) > MOST_IN_PNG else kind
            write_labels(self.at("instances", f"{name}{kind}"), ids, like=picture)
        self._draw(name, picture.array, labels, ids)
        placed(entry, made_folder(self.folder / "images"), name=name)

    def write_large(self, entry: Entry, name: str, drawn: Sequence[Drawn], step: Callable[[], None]) -> None:
        """A large image with its mask, tile by tile; `step` is called for each."""
        first, outlines = entry.images[0], [outline for one in drawn for outline in one.outlines]
        target = self.at("masks", f"{name}.tif")
        with open_large(first) as image:
            spatial = image.spatial
            checked_size(drawn, spatial, first)
            seen = _tiled(target, image, outlines, self.meaning, step)
            picks = lookup(spatial)
            small = np.zeros([len(axis) for axis in picks], np.uint8)
            with open_large(target, indices=True) as mask:
                thinned(lambda box: mask.window(box)[..., 0], spatial, picks, into=small)
            self._draw(name, overview(image), small, None)
        if self.objects:
            self.say(f"{name} is too large for ids of its objects: it has masks alone")
        checked_seen(outlines, seen, self.meaning, first, spatial, self.say)
        placed(entry, made_folder(self.folder / "images"), name=name)

    def _draw(
        self, name: str, image: NDArray[Any], labels: NDArray[np.uint8], ids: NDArray[np.int32] | None
    ) -> None:
        """The picture to see that everything lies where it was drawn."""
        drawn = drawn_on(image, labels, ids, classes=self.meaning.classes)
        write_picture(self.at("overlays", f"{name}.png"), drawn)


def _drawn(
    outlines: Sequence[Outline], spatial: tuple[int, ...], meaning: Meaning
) -> tuple[NDArray[np.uint8], NDArray[np.int32] | None, set[int]]:
    """Labels, ids (None for a stack, whose slices number each object anew) and the outlines that have pixels."""
    shape = spatial[-2], spatial[-1]
    if len(spatial) == 2:
        return meaning.of(outlines, start=(0, 0), shape=shape)
    planes = [meaning.of(outlines, start=(0, 0), shape=shape, plane=z) for z in range(spatial[0])]
    return np.stack([one[0] for one in planes]), None, set[int]().union(*(one[2] for one in planes))


def _tiled(
    target: Path,
    image: LargeImage,
    outlines: Sequence[Outline],
    meaning: Meaning,
    step: Callable[[], None],
) -> set[int]:
    """Write the labels of a large image tile by tile; which outlines have pixels."""
    from tifffile import TiffWriter

    rows, columns = image.spatial[-2:]
    edges = np.array([outline.extent for outline in outlines]).reshape(-1, 4)
    planes: Sequence[int | None] = [None] if len(image.spatial) == 2 else range(image.spatial[0])
    seen = set[int]()

    def tiles() -> Iterator[NDArray[np.uint8]]:
        for plane in planes:
            for window in boxes((rows, columns), (TILE, TILE)):
                start, stop = ([getattr(side, at) for side in window] for at in ("start", "stop"))
                near = np.flatnonzero((edges[:, :2] < stop).all(1) & (edges[:, 2:] > start).all(1)).tolist()
                labels, _, there = meaning.of(
                    [outlines[i] for i in near], start=(start[0], start[1]), shape=(TILE, TILE), plane=plane
                )
                seen.update(near[i] for i in there)
                yield labels
                step()

    palette = label_palette(meaning.classes.colours).astype(np.uint16)
    with written_whole(target) as beside, TiffWriter(beside, bigtiff=True) as file:
        file.write(
            tiles(),
            shape=image.spatial,
            dtype=np.uint8,
            tile=(TILE, TILE),
            compression="zlib",
            photometric="palette",
            colormap=palette.T * 257,
        )
    return seen
