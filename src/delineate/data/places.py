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

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, ClassTable, DataError
from delineate.data.formats import stem_of
from delineate.data.marks import Box, Point, with_boxes, with_points
from delineate.data.matching import Entry
from delineate.data.metadata import NAMES, table_of
from delineate.data.picture import METRES, Picture, length_unit
from delineate.data.problem import Problem, by, listed

AXES = (("slice", "row", "column"), ("z", "y", "x"), ("axis-0", "axis-1", "axis-2"))
CLASSES = ("class", "label", "category", "classification", "type")
SHARED = ("points", "point", "boxes", "box")
SAME_PX = 1.0


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


@dataclass(frozen=True, eq=False)
class Marked:
    """What the places of one image come to: labels (*spatial), and what is wrong with some of them. by_class: how many of
    them count, by class index."""

    labels: NDArray[np.uint8]
    by_class: dict[int, int]
    problems: tuple[Problem, ...] = ()


def places_of(entries: Sequence[Entry]) -> dict[str, Places]:
    """What the tables say of each entry, by its name; entries of which none speaks are left out.

    Raises DataError where a table cannot be read, has no places, or does not say which image it is about.
    """
    tables = {p: _read(p, boxed=False) for e in entries for p in e.points}
    tables |= {p: _read(p, boxed=True) for e in entries for p in e.boxes}
    found: dict[str, Places] = {}
    for entry in entries:
        names = {entry.name, stem_of(entry.images[0]), entry.images[0].name}

        def rows(files: Sequence[Path], names: set[str] = names) -> list[Place]:
            return [
                place for p in files for name, place in tables[p] if name in names or Path(name).name in names
            ]

        points, boxes = rows(entry.points), rows(entry.boxes)
        if points or boxes:
            placed = [tuple(place for place in kind if place.start) for kind in (points, boxes)]
            found[entry.name] = Places(placed[0], placed[1], empty=not any(placed))
    return found


def _read(path: Path, *, boxed: bool) -> list[tuple[str, Place]]:
    """(name of the image, place) of each row of a table."""
    header, rows = table_of(path)
    titles = [title.lower() for title in header]
    shared = path.stem.lower() in SHARED
    named_at = next((titles.index(name) for name in NAMES if name in titles), None) if shared else None
    if shared and named_at is None:
        raise DataError(f"{path} does not say which image its rows are about: add a column called name")
    class_at = next((titles.index(name) for name in CLASSES if name in titles), None)
    of_folder = "" if path.parent.name.lower() in SHARED or shared else path.parent.name
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


def _label(place: Place, classes: ClassTable) -> int:
    """Class index of a place; raises DataError for a class that there is not."""
    said = place.said
    if said in classes.names:
        return classes.names.index(said)
    if said.isdecimal() and int(said) < len(classes):
        return int(said)
    if said == "background":
        return 0
    if not said and len(classes) == 2:
        return 1
    fact = f"is of the class {said}" if said else "says no class"
    raise DataError(f"{place.where} {fact}, but the classes are {listed(classes.names)}: name one of them")


def marked(
    labels: NDArray[np.uint8],
    places: Places,
    image: Picture,
    *,
    classes: ClassTable,
    radius_px: float,
    name: str,
) -> Marked:
    """`labels` (*spatial) with the discs of points and the cores of boxes, where they were unlabelled.

    image: for its pixel size, where places are lengths. Points that lie twice in one spot count once, those of two classes
    in one spot not at all, and strokes are believed more than points; each is a problem that is told.
    Raises DataError for a place outside the image, and for one that may be in pixels or not.
    """
    points = [
        Point(_pixels(place, place.start, image, name), _label(place, classes)) for place in places.points
    ]
    for point, place in zip(points, places.points, strict=True):
        _check_inside(point.place, place, image, name)
    kept, problems = _sorted_out(points, places.points, labels, name)
    boxes = []
    for place in places.boxes:
        start, stop = (_pixels(place, part, image, name) for part in (place.start, place.stop))
        _check_inside(start, place, image, name)
        _check_inside(tuple(s - 1 for s in stop), place, image, name)
        if any(e <= s for s, e in zip(start, stop, strict=True)):
            raise DataError(
                f"{place.where} is a box that ends before it begins: give start and stop in that order"
            )
        boxes.append(Box(start, stop, _label(place, classes)))
    drawn = with_points(labels, kept, radius_px=radius_px)
    if boxes:
        drawn = with_boxes(drawn, boxes)
    elif places.empty:
        drawn = np.where(drawn == UNLABELLED, np.uint8(0), drawn)
    by_class = Counter([point.label for point in kept] + [box.label for box in boxes])
    return Marked(drawn, dict(by_class), problems)


def points_in_pixels(places: Mapping[str, Places], pictures: Mapping[str, Picture]) -> list[list[Point]]:
    """The points of each image, whatever their class, for `disc_radius`."""
    return [
        [Point(_pixels(place, place.start, pictures[name], name), 1) for place in found.points]
        for name, found in places.items()
        if name in pictures
    ]


def _pixels(place: Place, numbers: tuple[float, ...], image: Picture, name: str) -> tuple[float, ...]:
    axes = len(image.spacing)
    if len(numbers) != axes:
        raise DataError(
            f"{place.where} has {len(numbers)} coordinates but image {name} has {axes} axes: give "
            + ("slice, row and column" if axes == 3 else "row and column")
        )
    scaled = image.unit != "px" and any(s != 1 for s in image.spacing)
    if not place.unit:
        if scaled and not place.known_px:
            raise DataError(
                f"{place.where} may be in pixels or in {image.unit}, for image {name} has a pixel size: call the columns "
                f"row and column if they are pixels, x_{_plain(image.unit)} and y_{_plain(image.unit)} if they are lengths"
            )
        return numbers
    if not scaled:
        raise DataError(
            f"{place.where} is in {place.unit} but image {name} has no pixel size: give pixels, as row and column"
        )
    factor = METRES[place.unit] / METRES[image.unit]
    return tuple(n * factor / s for n, s in zip(numbers, image.spacing, strict=True))


def _plain(unit: str) -> str:
    return {"µm": "um"}.get(unit, unit)


def _check_inside(numbers: tuple[float, ...], place: Place, image: Picture, name: str) -> None:
    if not all(-0.5 <= n <= size - 0.5 for n, size in zip(numbers, image.spatial, strict=True)):
        at = ", ".join(f"{n:g}" for n in numbers)
        raise DataError(
            f"{place.where} lies outside image {name}, at ({at}) of {by(image.spatial)} pixels: correct it, and mind that "
            "rows come before columns"
        )


def _sorted_out(
    points: Sequence[Point], places: Sequence[Place], labels: NDArray[np.uint8], name: str
) -> tuple[list[Point], tuple[Problem, ...]]:
    """The points that can be believed, and what is wrong with the others."""
    from scipy.spatial import KDTree

    drop: set[int] = set()
    twice = torn = 0
    first = ""
    spots = np.array([point.place for point in points], float)
    for one, two in sorted(KDTree(spots).query_pairs(SAME_PX - 1e-6)) if len(points) > 1 else []:
        if points[one].label == points[two].label:
            drop.add(two)
            twice += 1
        else:
            drop |= {one, two}
            torn, first = torn + 1, first or f"{places[one].where} and {places[two].where}"
    against = on_edge = 0
    for i, point in enumerate(points):
        at = tuple(np.clip(np.rint(point.place).astype(int), 0, np.array(labels.shape) - 1))
        on_edge += any(n in (0, size - 1) for n, size in zip(at[-2:], labels.shape[-2:], strict=True))
        if labels[at] not in (UNLABELLED, point.label):
            drop.add(i)
            against += 1
    told = (
        (twice, f"{_points(twice)} in one spot with another of the class", "each spot counts once; remove the others"),
        (torn, f"{_points(torn)} in one spot with one of another class ({first})", "neither counts; remove one of them"),
        (against, f"{_points(against)} on a stroke of another class", "the stroke is believed; correct one of them"),
        (on_edge, f"{_points(on_edge)} on the border of the image", "make sure that their objects are there"),
    )  # fmt: skip
    problems = tuple(
        Problem(name, f"in image {name}, {fact}", remedy, serious=False) for n, fact, remedy in told if n
    )
    return [point for i, point in enumerate(points) if i not in drop], problems


def _points(count: int) -> str:
    return f"{count} point lies" if count == 1 else f"{count} points lie"
