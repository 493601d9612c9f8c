"""Points and boxes in CSV files: which image they are of, where they lie, and which class they are.

    points.csv          name, row, column, class       slice as well in a stack; one table for all images
    points/IMAGE.csv    the same without a name; napari's points files (index, axis-0, axis-1) as they are
    points/CLASS/...    where the files do not say the class, the folder does
    boxes.csv           name, row, column, row_stop, column_stop, class

Columns may be called y and x instead (z in a stack), those of boxes ymin, xmin, ymax, xmax or y1, x1, y2, x2 as well. Places
are pixels, whole numbers at the middles of pixels; a unit in the title (x_um, y_mm) makes them lengths from the middle of the
first pixel. A row with a name and no place says that there is nothing in an image.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from delineate.core import ClassTable, DataError
from delineate.data.beside import TRAIN_FOLDERS, VALIDATION_FOLDERS
from delineate.data.matching import Entry, finder
from delineate.data.metadata import NAMES, lines_of
from delineate.data.picture import METRES, length_unit
from delineate.data.problem import Problem, listed

AXES = (("slice", "row", "column"), ("z", "y", "x"), ("axis-0", "axis-1", "axis-2"))
CORNERS = {
    f"{axis}{end}": f"{axis}{stop}"
    for axis in "zyx"
    for end, stop in (("min", ""), ("1", ""), ("max", "_stop"), ("2", "_stop"))
}
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

    Rows name images by their files; where that is clear, another suffix, letter case or folder does not matter.
    Raises DataError where a table cannot be read, has no places, or does not say which image it is about.
    """
    tables = _tables(entries)
    claims = _claims(tables, entries)
    found: dict[str, Places] = {}
    for entry in entries:
        points, boxes = (
            [place for p in files for name, place in tables[p] if claims[p][name] == [entry.name]]
            for files in (entry.points, entry.boxes)
        )
        if points or boxes:
            placed = [tuple(place for place in kind if place.start) for kind in (points, boxes)]
            found[entry.name] = Places(placed[0], placed[1], empty=not any(placed))
    return found


def unclaimed(entries: Sequence[Entry]) -> list[Problem]:
    """Rows about images that are not there, or that may be of several, and shared tables without a row; raises as
    `places_of`."""
    tables = _tables(entries)
    problems = []
    for path, named in _claims(tables, entries).items():
        nobody = [name for name, whose in named.items() if not whose]
        several = [name for name, whose in named.items() if len(whose) > 1]
        lost, torn = (
            f"has rows about {listed(names, most=3)}, of which there" for names in (nobody, several)
        )
        bare = not tables[path] and path.stem.lower() in SHARED
        told = (
            (nobody, f"{lost} is no image", "name images as their files are named"),
            (several, f"{torn} are several images", "name the folder as well, as in train/a.png"),
            (bare, "has no row below its header", "add a row for each point or box"),
        )
        problems += [
            Problem(path.name, f"{path.name} {fact}", remedy, serious=False)
            for so, fact, remedy in told
            if so
        ]
    return problems


def _claims(
    tables: Mapping[Path, Sequence[tuple[str, Place]]], entries: Sequence[Entry]
) -> dict[Path, dict[str, list[str]]]:
    """For each name in each table the entries that it may be of: one, or it is of no use."""
    of = {path: [e for e in entries if path in (*e.points, *e.boxes, *e.aside)] for path in tables}
    finders = {path: finder(of[path]) for path in tables}
    return {
        path: {name: finders[path](name) for name in dict.fromkeys(name for name, _ in rows)}
        for path, rows in tables.items()
    }


def _tables(entries: Sequence[Entry]) -> dict[Path, list[tuple[str, Place]]]:
    found = {p: _read(p, boxed=False) for e in entries for p in e.points}
    return found | {p: _read(p, boxed=True) for e in entries for p in e.boxes}


def _read(path: Path, *, boxed: bool) -> list[tuple[str, Place]]:
    """(name of the image, place) of each row of a table."""
    separator, lines = lines_of(path)
    if not lines:
        raise DataError(f"{path} is empty: give a header line and a row for each place")
    header, *rows = [[text.strip() for text in line] for line in lines]
    titles = [title.lower() for title in header]
    shared = path.stem.lower() in SHARED
    named_at = next((titles.index(name) for name in NAMES if name in titles), None) if shared else None
    if shared and named_at is None:
        raise DataError(f"{path} does not say which image its rows are about: add a column called name")
    class_at = next((titles.index(name) for name in CLASSES if name in titles), None)
    above = path.parent.name
    of_folder = "" if shared or above.lower() in (*SHARED, *TRAIN_FOLDERS, *VALIDATION_FOLDERS) else above
    plain, units = zip(*(_without_unit(title) for title in titles), strict=True)
    bare = [CORNERS.get(title, title) for title in plain] if boxed else plain
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
    count, unit = len(axes), next(iter(told)).removesuffix("px")
    for number, row in enumerate(rows, start=2):
        if not any(row):
            continue
        where = f"line {number} of {path.name}"
        if len(row) <= max(*at, class_at or 0, named_at or 0):
            raise DataError(
                f"{where} has {len(row)} fields but the header {len(header)}: give a number for each of {listed(wanted)}"
            )
        try:
            texts = [row[i] for i in at]
            numbers = tuple(_number(text, separator) for text in texts) if any(texts) else ()
            if not all(map(math.isfinite, numbers)):
                raise ValueError(f"{', '.join(texts)} is not in any image")
        except ValueError as error:
            raise DataError(
                f"{where} is no place ({error}): give a number for each of {listed(wanted)}, with a decimal point"
            ) from error
        said = _class(row[class_at] if class_at is not None else of_folder)
        name = row[named_at] if named_at is not None else path.stem
        found.append((name, Place(numbers[:count], numbers[count:], said, unit, known, where)))
    return found


def _number(text: str, separator: str) -> float:
    """A number; where fields are not parted by commas, one with a decimal comma as well."""
    return float(text.replace(",", ".") if separator != "," and "." not in text else text)


def _class(said: str) -> str:
    """A class as it is called everywhere: background in any letter case, and whole numbers without decimals.

    >>> _class("Background"), _class("1.0"), _class("T-cell")
    ('background', '1', 'T-cell')
    """
    if re.fullmatch(r"\d+\.0+", said):
        return said.partition(".")[0]
    return "background" if said.lower() == "background" else said


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

    Raises DataError where two differ in capital letters alone.

    >>> table_from({"tumour", "background", "immune"}).names, table_from({"2", "0", "1"}).names
    (('background', 'immune', 'tumour'), ('background', 'class_1', 'class_2'))
    """
    names = said - {"background", "0"}
    alike = {name.casefold(): name for name in sorted(names)}
    if twin := next((name for name in sorted(names) if alike[name.casefold()] != name), None):
        raise DataError(
            f"points or boxes are of the classes {twin} and {alike[twin.casefold()]}, which differ in capital letters alone: "
            "write them alike, or name both in classes.json"
        )
    if names and all(name.isdecimal() for name in names):
        return ClassTable.numbered(max(map(int, names)) + 1)
    return ClassTable(("background", *sorted(names))) if names else ClassTable(("background", "foreground"))
