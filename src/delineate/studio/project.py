"""A project: the data folder that the page draws into. `train`, `check` and `next` read it as they read any other.

    project/
      images/        the user's images, linked
      masks/ instances/   full masks that came with them; the page shows these and leaves them as they are
      scribbles/     what is drawn on the page, a label file for each image that has a stroke
      classes.json   the names, and 255 for what nobody said
      studio.json    that this is a project, and where its images came from
      rounds/1/      model/, round.json, next/, outlined/, ... of the first training, and so on

Nothing outside the project is ever written.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from delineate import data as files
from delineate.core import (
    UNLABELLED,
    ClassTable,
    DataError,
    made_folder,
    written_whole,
)
from delineate.data import Entry, Picture
from delineate.data.formats import label_suffix, read_mask, stem_of, suffix_of, write_labels
from delineate.data.large_case import is_too_large
from delineate.data.legend import UNSAID
from delineate.data.matching import image_files
from delineate.data.picture import label_palette

T = TypeVar("T")

KEEP = 254  # in what is drawn: leave what is said there; no class has this number

MARK = "studio.json"
MOST_PIXELS = 25_000_000  # of a picture or a slice: a browser keeps four layers of it
KEPT = 3  # pictures and label arrays in memory


class Project:
    """A project folder, open. Several threads may use it.

    Raises DataError where `folder` is none.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self.source = _mark(folder)["source"]
        self.entries: dict[str, Entry] = {entry.name: entry for entry in files.images(folder / "images")}
        self._drawn = {stem_of(p): p for p in _files_in(folder / "scribbles")}
        self._names = tuple(_names_in(folder))
        self._pictures: OrderedDict[str, Picture] = OrderedDict()
        self._labels: OrderedDict[str, NDArray[np.uint8]] = OrderedDict()
        self._counts = {name: _counted(_read(path, recolour=True)) for name, path in self._drawn.items()}
        self._seen: dict[str, int | None] = {}  # when the file of labels was written that is in memory

    @property
    def masked(self) -> set[str]:
        """The images that have a full mask at this moment: somebody may take one away while the page is open."""
        return {stem_of(path) for path in _files_in(self.folder / "masks")}

    @property
    def classes(self) -> ClassTable:
        """What the strokes may say."""
        return ClassTable(self._names)

    @property
    def counts(self) -> dict[str, list[int]]:
        """How many pixels of each class are drawn, for each image that has a stroke."""
        return {name: counts[: len(self._names)].tolist() for name, counts in list(self._counts.items())}

    def entry(self, name: str) -> Entry:
        """The image of that name; raises DataError where there is none."""
        if name not in self.entries:
            raise DataError(f"there is no image {name} in {self.folder}: load the page again")
        return self.entries[name]

    def picture(self, name: str) -> Picture:
        """An image with its spacing; raises DataError where it cannot be read or is too large for a page."""
        with self._lock:
            if name not in self._pictures:
                _keep(self._pictures, name, self._read_picture(name))
            return _keep(self._pictures, name, self._pictures[name])

    def glance(self, name: str) -> Picture:
        """As `picture`, in nobody's way: who draws does not wait for it, and what is in memory stays there."""
        held = self._pictures.get(name)
        return self._read_picture(name) if held is None else held

    def _read_picture(self, name: str) -> Picture:
        entry = self.entry(name)
        if is_too_large(entry):
            raise DataError(f"{name} does not fit into memory: crop windows out of it and take these")
        picture = files.entry_image(entry)
        if (pixels := int(np.prod(picture.spatial[-2:]))) > MOST_PIXELS:
            raise DataError(
                f"{name} has {pixels / 1e6:.0f} million pixels, more than a page shows at once: crop windows out of it"
            )
        return picture

    def labels(self, name: str) -> NDArray[np.uint8]:
        """What is said of an image: (*spatial) class indices, UNLABELLED where nothing is. Not to be written to."""
        with self._lock:
            path = self._path(name)
            written = path.stat().st_mtime_ns if path is not None else None
            if name not in self._labels or self._seen.get(name) != written:  # another program may have drawn
                shape = self.picture(name).spatial
                labels = np.full(shape, UNLABELLED, np.uint8)
                if path is not None:
                    labels = _read(path)
                if labels.shape != shape:
                    raise DataError(
                        f"{path} is {labels.shape} but its image is {shape}: remove it, or put the image back as it was"
                    )
                if name not in self.masked:
                    self._note(name, path, labels)
                self._seen[name] = written
                _keep(self._labels, name, labels)
            return _keep(self._labels, name, self._labels[name])

    def draw(self, name: str, values: NDArray[np.uint8], *, at: tuple[int, int, int]) -> None:
        """Put labels `values` (height, width) where (slice, row, column) is their upper left corner, and keep them on disk.

        In a picture the slice is 0. What is said where `values` are KEEP stays. Where nothing is drawn any more there is no
        label file. Raises DataError for an image with a full mask, for a place outside the image, and for labels of no class.
        """
        if name in self.masked:
            raise DataError(
                f"{name} has a full mask, which is left as it is: remove it from {self.folder / 'masks'} to draw strokes instead"
            )
        z, row, column = at
        height, width = values.shape
        with self._lock:
            labels = self.labels(name).copy()
            planes = labels.reshape(-1, *labels.shape[-2:])
            depth, rows, columns = planes.shape
            if min(at) < 0 or z >= depth or row + height > rows or column + width > columns:
                raise DataError(f"the strokes leave {name}, which is {labels.shape}: load the page again")
            if not values.size:
                return
            said = values[(values != UNLABELLED) & (values != KEEP)]
            if said.size and int(said.max()) >= len(self._names):
                raise DataError(f"there is no class {int(said.max())} in the project: load the page again")
            box = planes[z, row : row + height, column : column + width]
            box[values != KEEP] = values[values != KEEP]
            path = self._drawn.get(name)
            if _counted(labels).any():
                path = write_labels(path or self._target(name), labels, like=self.picture(name))
            elif path is not None:
                path.unlink(missing_ok=True)
                path = None
            self._note(name, path, labels)
            self._seen[name] = path.stat().st_mtime_ns if path is not None else None
            _keep(self._labels, name, labels)

    def name_classes(self, names: Sequence[str]) -> None:
        """Give the classes these names, background first; more names are more classes.

        Raises DataError for names that are empty, twice there or read as something else, and for fewer than are drawn.
        """
        table = named_classes(names)
        with self._lock:
            drawn = sum(self._counts.values(), np.zeros(256, np.int64))
            used = max(np.flatnonzero(drawn), default=0) + 1
            if len(table) < max(used, len(self._names) if self.masked else 0):
                raise DataError(
                    f"{self._names[len(table)]} is drawn or in masks: erase its strokes before you take it away"
                )
            write_names(self.folder, table.names)
            self._names = table.names

    def _path(self, name: str) -> Path | None:
        """The file that says something of an image, as the folders are now: its mask, else its strokes."""
        given = next((p for p in _files_in(self.folder / "masks") if stem_of(p) == name), None)
        drawn = self._drawn.get(name)
        if drawn is None or not drawn.exists():
            drawn = next((p for p in _files_in(self.folder / "scribbles") if stem_of(p) == name), None)
        return given or drawn

    def _note(self, name: str, path: Path | None, labels: NDArray[np.uint8]) -> None:
        """Remember where the strokes of an image are, and how many of each class."""
        self._drawn.pop(name, None), self._counts.pop(name, None)
        if path is not None:
            self._drawn[name], self._counts[name] = path, _counted(labels)

    def _target(self, name: str) -> Path:
        """Where the strokes of an image go: the same name, in a kind of file that viewers know."""
        suffix = suffix_of(self.entry(name).images[0]) or ".tif"
        return made_folder(self.folder / "scribbles") / f"{name}{label_suffix(suffix)}"


def _files_in(folder: Path) -> list[Path]:
    return image_files(folder) if folder.is_dir() else []


def _read(path: Path, *, recolour: bool = False) -> NDArray[np.uint8]:
    """The labels in a file. recolour: give it the palette of what is drawn now, where it has another: files of one folder
    whose palettes differ, as those of few and of many classes once did, are read by their colours."""
    mask = read_mask(path)
    if mask.array.dtype != np.uint8 or mask.array.ndim > 3:
        raise DataError(
            f"{path} holds {mask.array.dtype} of shape {mask.array.shape}, not the classes of a project: take it away"
        )
    if recolour and mask.palette is not None and not np.array_equal(mask.palette, label_palette(None)):
        write_labels(path, mask.array, like=mask)
    return mask.array


def _counted(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Pixels by label (256), without those of which nothing is said."""
    counts = np.bincount(labels.ravel(), minlength=256)
    counts[UNLABELLED] = 0
    return counts


def _mark(folder: Path) -> dict[str, str]:
    try:
        mark = json.loads((folder / MARK).read_text(encoding="utf-8"))
        if mark["format"] == "delineate-studio" and isinstance(mark["source"], str):
            return dict(mark)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise DataError(f"{folder} is no project, or its {MARK} is damaged: begin one in a new folder")


def write_mark(folder: Path, *, source: Path) -> None:
    """Write studio.json, which makes a folder a project whose images came from `source`."""
    with written_whole(folder / MARK) as beside:
        mark = {"format": "delineate-studio", "version": 1, "source": str(source)}
        beside.write_text(json.dumps(mark, indent=1) + "\n", encoding="utf-8")


def _names_in(folder: Path) -> list[str]:
    try:
        values = json.loads((folder / "classes.json").read_text(encoding="utf-8"))
        return [
            name for name, value in sorted(values.items(), key=lambda item: item[1]) if value != UNLABELLED
        ]
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DataError(f"{folder / 'classes.json'} cannot be read ({error}): put it back") from error


def named_classes(names: Sequence[str]) -> ClassTable:
    """A table of these names, background first; raises DataError for one that is empty, twice there or read as something else.

    >>> named_classes([" table ", "coin"]).names
    ('table', 'coin')
    """
    wanted = tuple(name.strip() for name in names)
    for name in wanted:
        if not name or name.lower() in UNSAID or name.startswith("#") or name.lstrip("-").isdigit():
            raise DataError(f"a class cannot be called {name!r}: give it a word, such as nucleus")
    return ClassTable(wanted)


def write_names(folder: Path, names: Sequence[str]) -> None:
    """Write classes.json, which also says that 255 is unlabelled."""
    with written_whole(folder / "classes.json") as beside:
        values = {name: i for i, name in enumerate(names)} | {"unlabelled": UNLABELLED}
        beside.write_text(json.dumps(values) + "\n", encoding="utf-8")


def _keep(held: OrderedDict[str, T], name: str, value: T) -> T:
    """`value` as the one that was used last; those that were not used for long go."""
    held[name] = value
    held.move_to_end(name)
    while len(held) > KEPT:
        held.popitem(last=False)
    return value
