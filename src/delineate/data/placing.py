"""Places from tables on their images: in pixels, inside, without contradictions, and then as labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, ClassTable, DataError
from delineate.data.marks import Box, Point, with_boxes, with_points
from delineate.data.picture import METRES, Picture
from delineate.data.places import Place, Places
from delineate.data.problem import Problem, by, listed

SAME_PX = 1.0


@dataclass(frozen=True, eq=False)
class Marked:
    """What the places of one image come to: labels (*spatial), and what is wrong with some of them. by_class: how many of
    them count, by class index."""

    labels: NDArray[np.uint8]
    by_class: dict[int, int]
    problems: tuple[Problem, ...] = ()


def _label(place: Place, classes: ClassTable, numbers: Mapping[int, int]) -> int:
    """Class index of a place; raises DataError for a class that there is not. numbers: index by the number of a class."""
    said = place.said
    if said in classes.names:
        return classes.names.index(said)
    if said.isdecimal() and int(said) in numbers:
        return numbers[int(said)]
    alike = [i for i, name in enumerate(classes.names) if name.casefold() == said.casefold()]
    if len(alike) == 1 or said == "background":
        return alike[0] if alike else 0
    if not said and len(classes) == 2:
        return 1
    fact = f"is of the class {said}" if said else "says no class"
    number = {label: value for value, label in reversed(list(numbers.items()))} if said.isdecimal() else {}
    names = [f"{name} ({number[i]})" if i in number else name for i, name in enumerate(classes.names)]
    raise DataError(f"{place.where} {fact}, but the classes are {listed(names)}: name one of them")


def marked(
    labels: NDArray[np.uint8],
    places: Places,
    image: Picture,
    *,
    classes: ClassTable,
    numbers: Mapping[int, int],
    radius_px: float,
    name: str,
) -> Marked:
    """`labels` (*spatial) with the discs of points and the cores of boxes, where they were unlabelled.

    image: for its pixel size, where places are lengths. numbers: class index by the number that a row may give. Points that
    lie twice in one spot count once, those of two classes in one spot not at all, and strokes are believed more than points;
    each is a problem that is told.
    Raises DataError for a place outside the image, and for one that may be in pixels or not.
    """
    points = [
        Point(_pixels(place, place.start, image, name), _label(place, classes, numbers))
        for place in places.points
    ]
    for point, place in zip(points, places.points, strict=True):
        _check_inside(point.place, place, image, name)
    kept, problems = _sorted_out(points, places.points, labels, name)
    boxes = []
    for place in places.boxes:
        start, stop = (_pixels(place, part, image, name) for part in (place.start, place.stop))
        if any(e <= s for s, e in zip(start, stop, strict=True)):
            what = (
                "holds nothing"
                if all(e >= s for s, e in zip(start, stop, strict=True))
                else "ends before it begins"
            )
            raise DataError(
                f"{place.where} is a box that {what}: give its first pixel as start, and as stop the one after its last"
            )
        _check_inside(start, place, image, name)
        _check_inside(stop, place, image, name, beyond=1)
        boxes.append(Box(start, stop, _label(place, classes, numbers)))
    drawn = with_points(labels, kept, radius_px=radius_px)
    boxes, more = _boxes_sorted_out(boxes, places.boxes, name)
    if boxes:
        drawn = with_boxes(drawn, boxes)
    elif places.empty:
        drawn = np.where(drawn == UNLABELLED, np.uint8(0), drawn)
    by_class = Counter(
        [point.label for point in kept] + [box.label for box in boxes if box.label != UNLABELLED]
    )
    return Marked(drawn, dict(by_class), (*problems, *more))


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


def _check_inside(
    numbers: tuple[float, ...], place: Place, image: Picture, name: str, *, beyond: int = 0
) -> None:
    if not all(-0.5 <= n - beyond <= size - 0.5 for n, size in zip(numbers, image.spatial, strict=True)):
        at = ", ".join(f"{n:g}" for n in numbers)
        raise DataError(
            f"{place.where} lies outside image {name}, at ({at}) of {by(image.spatial)} pixels: correct it, and mind that "
            "rows come before columns"
        )


def _sorted_out(
    points: Sequence[Point], places: Sequence[Place], labels: NDArray[np.uint8], name: str
) -> tuple[list[Point], tuple[Problem, ...]]:
    """The points that can be believed, and what is wrong with the others."""
    spots = [point.place for point in points]
    again, torn, later, first = _in_one_spot(spots, [point.label for point in points], places)
    drop = again | torn
    against = on_edge = 0
    for i, point in enumerate(points):
        at = tuple(np.clip(np.rint(point.place).astype(int), 0, np.array(labels.shape) - 1))
        on_edge += any(n in (0, size - 1) for n, size in zip(at[-2:], labels.shape[-2:], strict=True))
        if labels[at] not in (UNLABELLED, point.label):
            drop.add(i)
            against += 1
    told = (
        (len(again), f"{_points(len(again))} in one spot with another of the class", "each spot counts once; remove the others"),
        (len(later), f"{_points(len(later))} in one spot with one of another class ({first})",
         "neither counts; remove one of them"),
        (against, f"{_points(against)} on a stroke of another class", "the stroke is believed; correct one of them"),
        (on_edge, f"{_points(on_edge)} on the border of the image", "make sure that their objects are there"),
    )  # fmt: skip
    problems = _told(told, name)
    return [point for i, point in enumerate(points) if i not in drop], problems


def _boxes_sorted_out(
    boxes: Sequence[Box], places: Sequence[Place], name: str
) -> tuple[list[Box], tuple[Problem, ...]]:
    """Each box once, those of two classes in one place without a core, and what is wrong with them; it is serious where most
    boxes that are given twice are of two classes."""
    spots = [(*box.start, *box.stop) for box in boxes]
    again, torn, later, first = _in_one_spot(spots, [box.label for box in boxes], places)
    pixels = sum(int(np.prod(np.subtract(boxes[i].stop, boxes[i].start))) for i in later)
    classes = (
        f"where one of another class does ({first}), so that they contradict each other on {pixels} pixels"
    )
    told = (
        (len(again), f"{_boxes(len(again))} where another of the class does", "each counts once; remove the others"),
        (len(later), f"{_boxes(len(later))} {classes}", "neither says its class there, so remove one of them"),
    )  # fmt: skip
    kept = [
        replace(box, label=UNLABELLED) if i in torn else box for i, box in enumerate(boxes) if i not in again
    ]
    problems = _told(told, name)
    if len(later) > len(again):
        problems = (*problems[:-1], replace(problems[-1], serious=True))
    return kept, problems


def _in_one_spot(
    spots: Sequence[tuple[float, ...]], labels: Sequence[int], places: Sequence[Place]
) -> tuple[set[int], set[int], set[int], str]:
    """Which spots repeat one of their class, which share theirs with one of another class, which of these come later than
    the other, and where the first two are written."""
    from scipy.spatial import KDTree

    again, torn, later, first = set[int](), set[int](), set[int](), ""
    for one, two in sorted(KDTree(np.array(spots, float)).query_pairs(SAME_PX - 1e-6)) if spots else []:
        if labels[one] == labels[two]:
            again.add(two)
        else:
            torn |= {one, two}
            later.add(two)
            first = first or f"{places[one].where} and {places[two].where}"
    return again - torn, torn, later, first


def _told(told: Sequence[tuple[int, str, str]], name: str) -> tuple[Problem, ...]:
    """Problems of an image from their numbers, facts and remedies, where the number is not 0."""
    return tuple(
        Problem(name, f"in image {name}, {fact}", remedy, serious=False) for n, fact, remedy in told if n
    )


def _points(count: int) -> str:
    return f"{count} point lies" if count == 1 else f"{count} points lie"


def _boxes(count: int) -> str:
    return f"{count} box lies" if count == 1 else f"{count} boxes lie"
