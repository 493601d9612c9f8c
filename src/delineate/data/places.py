"""Points and boxes in CSV files: which image they are of, where they lie, and which class they are.

    points.csv          name, row, column, class       slice as well in a stack; one table for all images
    points/IMAGE.csv    the same without a name; napari's points files (index, axis-0, axis-1) as they are
    points/CLASS/...    where the files do not say the class, the folder does
    boxes.csv           name, row, column, row_stop, column_stop, class

Columns may be called y and x instead (z in a stack). Places are pixels, whole numbers at the middles of pixels; a unit in
the title (x_um, y_mm) makes them lengths from the middle of the first pixel. A row with a name and no place says that
there is nothing in an image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from delineate.core import ClassTable, DataError
from delineate.data.beside import TRAIN_FOLDERS, VALIDATION_FOLDERS
from delineate.data.formats import stem_of
from delineate.data.matching import Entry
from delineate.data.metadata import NAMES, table_of
from delineate.data.picture import METRES, length_unit
from delineate.data.problem import Problem, listed

AXES = (("slice", "row", "column"), ("z", "y", "x"), ("axis-0", "axis-1", "axis-2"))
CLASSES = ("class", "label", "category", "classification", "type")
SHARED = ("points", "point", "boxes", "box")


@dataclass(frozen=True)
class Place:
    """One row: numbers in pixels, or in `unit` where the titles name one. stop: () for a point. said: its class, or ""."""

    start: tuple[float, ...]
    stop: tuple[float, ...]
    said: str
    unit: str
    known_px: bool
    where: str


@dataclass(frozen=True)
class Places:
    """All rows about one image; `empty` where a row says that there is nothing in it."""

    points: tuple[Place, ...] = ()
    boxes: tuple[Place, ...] = ()
    empty: bool = False

    @property
    def said(self) -> set[str]:
        """The classes that are named."""
        return {place.said for place in (*self.points, *self.boxes) if place.said}


def places_of(entries: Sequence[Entry]) -> dict[str, Places]:
    """What the tables say of each entry, by its name; entries of which none speaks are left out.

    Raises DataError where a table cannot be read, has no places, or does not say which image it is about.
    """
    tables = _tables(entries)
    found: dict[str, Places] = {}
    for entry in entries:
        names = _names(entry)
        points, boxes = (
            [place for p in files for name, place in tables[p] if Path(name).name in names]
            for files in (entry.points, entry.boxes)
        )
        if points or boxes:
            placed = [tuple(place for place in kind if place.start) for kind in (points, boxes)]
            found[entry.name] = Places(placed[0], placed[1], empty=not any(placed))
    return found


def unclaimed(entries: Sequence[Entry]) -> list[Problem]:
    """Rows about images that are not there; raises as `places_of`."""
    known = set[str]().union(*map(_names, entries))
    problems = []
    for path, rows in _tables(entries).items():
        names = dict.fromkeys(name for name, _ in rows if Path(name).name not in known)
        if names:
            fact = f"{path.name} has rows about {listed(names, most=3)}, of which there is no image"
            problems.append(Problem(path.name, fact, "name images as their files are named", serious=False))
    return problems


def _names(entry: Entry) -> set[str]:
    """What a table may call an image."""
    return {entry.name.rpartition("/")[2], stem_of(entry.images[0]), entry.images[0].name}


def _tables(entries: Sequence[Entry]) -> dict[Path, list[tuple[str, Place]]]:
    found = {p: _read(p, boxed=False) for e in entries for p in e.points}
    return found | {p: _read(p, boxed=True) for e in entries for p in e.boxes}


def _read(path: Path, *, boxed: bool) -> list[tuple[str, Place]]:
    """(name of the image, place) of each row of a table."""
    header, rows = table_of(path)
    titles = [title.lower() for title in header]
    shared = path.stem.lower() in SHARED
    named_at = next((titles.index(name) for name in NAMES if name in titles), None) if shared else None
    if shared and named_at is None:
        raise DataError(f"{path} does not say which image its rows are about: add a column called name")
    class_at = next((titles.index(name) for name in CLASSES if name in titles), None)
    above = path.parent.name
    of_folder = "" if shared or above.lower() in (*SHARED, *TRAIN_FOLDERS, *VALIDATION_FOLDERS) else above
    bare, units = zip(*(_without_unit(title) for title in titles), strict=True)
    axes = next(([a for a in family if a in bare] for family in AXES if set(family[-2:]) & set(bare)), [])
    if "axis-1" in axes and "axis-0" not in axes:
        axes = []
    if "axis-0" in bare and "axis-1" in bare:
        axes = [a for a in AXES[2] if a in bare]
    if len(axes) < 2:
        raise DataError(
            f"{path} has the columns {listed(header, most=12)}, so that places are not found: call them row and column"
        )
    wanted = [*axes, *(f"{axis}_stop" for axis in axes)] if boxed else axes
    if missing := [title for title in wanted if title not in bare]:
        raise DataError(
            f"{path} has no column {missing[0]}: give the first pixel of a box as {listed(axes)} and the one after its "
            f"last as {listed(f'{a}_stop' for a in axes)}"
        )
    at = [bare.index(title) for title in wanted]
    told = {units[i] for i in at}
    if len(told) > 1:
        raise DataError(f"{path} has places in {listed(sorted(told))}: give all of them in one unit")
    known = axes[0] not in AXES[1] or told != {""}
    found = []
    for number, row in enumerate(rows, start=2):
        if not any(text.strip() for text in row):
            continue
        where = f"line {number} of {path.name}"
        try:
            texts = [row[i].strip() for i in at]
            numbers = tuple(float(text) for text in texts) if any(texts) else ()
            if not all(map(math.isfinite, numbers)):
                raise ValueError(f"{', '.join(texts)} is not in any image")
            said = row[class_at].strip() if class_at is not None else of_folder
            name = row[named_at].strip() if named_at is not None else path.stem
        except (ValueError, IndexError) as error:
            raise DataError(
                f"{where} is no place ({error}): give a number for each of {listed(wanted)}"
            ) from error
        count = len(axes)
        unit = next(iter(told)).removesuffix("px")
        found.append((name, Place(numbers[:count], numbers[count:], said, unit, known, where)))
    return found


def _without_unit(title: str) -> tuple[str, str]:
    """A column title and the unit at its end: ("x", "µm") of x_um, and ("x", "px") of x_px."""
    base, _, end = title.rpartition("_")
    if base and end == "px":
        return base, "px"
    unit = length_unit(end) if base else None
    if unit in METRES:
        return base, str(unit)
    if base.endswith(("_um", "_mm", "_nm", "_px")) and end == "stop":  # x_um_stop
        first, unit_ = _without_unit(base)
        return f"{first}_stop", unit_
    return title, ""


def table_from(said: set[str]) -> ClassTable:
    """Classes from what places are called, where nothing else names them; one without a name is foreground.

    >>> table_from({"tumour", "background", "immune"}).names, table_from({"2", "0", "1"}).names
    (('background', 'immune', 'tumour'), ('background', 'class_1', 'class_2'))
    """
    names = said - {"background", "0"}
    if names and all(name.isdecimal() for name in names):
        return ClassTable.numbered(max(map(int, names)) + 1)
    return ClassTable(("background", *sorted(names))) if names else ClassTable(("background", "foreground"))
