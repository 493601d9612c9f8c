"""People with known habits: labels redrawn larger, smaller, shifted, smoother, or without some of the small objects.

What an audit says about annotators can be trusted once it finds what was planted. Every object is redrawn by itself, from
how deep each pixel lies in it; where two of the new shapes meet, a pixel goes to the one in which it lies deeper, so touching
objects stay apart. Volumes are redrawn slice by slice, as people draw. The same case, style and seed give the same labels.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, Case, DataError, checked_seed, new_folder
from delineate.data.depth import depth, parallel_borders
from delineate.data.formats import write_image, write_labels

_WIDEST = 4.0  # pixels around an object that are looked at, beyond what it is moved by


@dataclass(frozen=True)
class Style:
    """How somebody draws, in pixels.

    larger_px: the border is moved outwards by so much (inwards where negative). unsteady_px: standard deviation of that,
    from object to object. moved_px: everything is moved by (rows, columns). smooth_px: the sigma of a Gaussian
    that takes the wiggles out of a border. misses: share of the objects smaller than small_px (an area, in pixels)
    that is left out.
    """

    larger_px: float = 0.0
    unsteady_px: float = 0.0
    moved_px: tuple[float, float] = (0.0, 0.0)
    smooth_px: float = 0.0
    misses: float = 0.0
    small_px: float = float("inf")

    def __post_init__(self) -> None:
        if not 0 <= self.misses <= 1 or self.unsteady_px < 0 or self.smooth_px < 0:
            raise DataError(
                f"a style misses a share from 0 to 1, and smooths by 0 px or more: {self} does something else"
            )


def simulated(case: Case, style: Style, *, seed: int = 0) -> Case:
    """The case as somebody with this style would have labelled it; labels and objects are new, the image is the same.

    Objects are those of the case or, where it has none, the connected pieces of each class; what is UNLABELLED stays so.
    Raises DataError for a case without labels, and for a negative seed.

    >>> labels = np.zeros((9, 9), np.uint8)
    >>> labels[3:6, 3:6] = 1
    >>> redrawn = simulated(Case("a", np.zeros((9, 9, 1)), labels=labels), Style(larger_px=1))
    >>> redrawn.labels[4]
    array([0, 0, 1, 1, 1, 1, 1, 0, 0], dtype=uint8)
    """
    if case.labels is None:
        raise DataError(f"{case.name} has no labels to redraw: give it a mask")
    ids = _objects(case.labels) if case.objects is None else case.objects
    rng = np.random.default_rng([checked_seed(seed), zlib.crc32(case.name.encode())])
    slices = ids if ids.ndim == 3 else ids[None]
    classes = case.labels if ids.ndim == 3 else case.labels[None]
    habits = _habits(ids, style, rng)
    new_ids = np.stack([_redrawn(one, style, habits) for one in slices]).reshape(ids.shape)
    class_of = np.zeros(int(ids.max(initial=0)) + 1, np.uint8)
    for one, labels in zip(slices, classes, strict=True):
        class_of[one[one > 0]] = labels[one > 0]
    new_labels = class_of[new_ids]
    unsaid = case.labels == UNLABELLED
    new_labels[unsaid], new_ids[unsaid] = UNLABELLED, 0
    return replace(case, labels=new_labels, objects=None if case.objects is None else new_ids)


def write_annotations(
    folder: str | Path, people: Mapping[str, Sequence[Case]], *, instances: bool = True
) -> Path:
    """Write what people labelled as images/NAME, masks/PERSON/NAME and, where there are ids, instances/PERSON/NAME.

    Cases of one name are one image; all files are TIFF, and masks hold class indices. Returns the folder; raises
    OutputError where it holds something already or cannot be written.

    >>> import tempfile
    >>> from delineate.data import load_annotators
    >>> from delineate.data.samples import coins
    >>> cases, _ = coins()
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     people = {"anna": cases, "ben": [simulated(case, Style(larger_px=2)) for case in cases[:4]]}
    ...     read = load_annotators(write_annotations(Path(scratch) / "data", people))
    >>> {name: len(own) for name, own in read.people.items()}
    {'anna': 6, 'ben': 4}
    """
    root = new_folder(Path(folder))
    written: set[str] = set()
    for person, cases in people.items():
        for case in cases:
            if case.labels is None:
                raise DataError(f"{case.name} has no labels of {person}: leave it out of theirs")
            if case.name not in written:
                (root / "images").mkdir(exist_ok=True)
                write_image(root / "images" / f"{case.name}.tif", case.image)
                written.add(case.name)
            for kind, values in (("masks", case.labels), ("instances", case.objects if instances else None)):
                if values is not None:
                    (root / kind / person).mkdir(parents=True, exist_ok=True)
                    write_labels(root / kind / person / f"{case.name}.tif", values)
    return root


@dataclass(frozen=True, eq=False)
class _Habits:
    """larger_px: of each object by id. left_out: ids of the objects that are not drawn."""

    larger_px: NDArray[np.float64]
    left_out: NDArray[np.bool_]


def _habits(ids: NDArray[np.integer], style: Style, rng: np.random.Generator) -> _Habits:
    """One draw per object, in the order of the ids, so that a style changes nothing about the other draws."""
    sizes = np.bincount(ids.ravel(), minlength=1)
    unsteady, chance = rng.standard_normal(len(sizes)), rng.random(len(sizes))
    small = (sizes > 0) & (sizes < style.small_px)
    small[0] = False
    return _Habits(style.larger_px + style.unsteady_px * unsteady, small & (chance < style.misses))


def _redrawn(ids: NDArray[np.integer], style: Style, habits: _Habits) -> NDArray[np.int32]:
    """Ids (height, width) of the new shapes."""
    from scipy import ndimage

    deepest = np.full(ids.shape, 0.0)
    result = np.zeros(ids.shape, np.int32)
    for index, box in enumerate(ndimage.find_objects(ids), start=1):
        if box is None or habits.left_out[index]:
            continue
        by = float(habits.larger_px[index])
        margin = int(np.ceil(_WIDEST + max(by, 0) + max(map(abs, style.moved_px)) + 3 * style.smooth_px))
        wide = tuple(
            slice(max(side.start - margin, 0), min(side.stop + margin, n))
            for side, n in zip(box, ids.shape, strict=True)
        )
        deep = np.clip(depth(ids[wide] == index), -1e3, 1e3)  # what fills its picture has no border
        if style.smooth_px:
            deep = ndimage.gaussian_filter(deep, style.smooth_px, mode="nearest")
        if any(style.moved_px):
            deep = ndimage.shift(deep, style.moved_px, order=1, mode="nearest")
        deep = deep + (_reached(deep, by) if by else 0.0)
        here = deep > deepest[wide]
        deepest[wide] = np.where(here, deep, deepest[wide])
        result[wide] = np.where(here, index, result[wide])
    return result


def _reached(deep: NDArray[np.float64], by: float) -> float:
    """The depth beyond which pixels are left out, so that as many are drawn as the border moved by `by` px encloses.

    Depths come in steps; to take `by` itself would give a border that is off by a fifth of a pixel.
    """
    pixels = int((deep > 0).sum())
    enclosed, out = parallel_borders(deep.ravel(), pixels=pixels, reach_px=abs(by) + 2)
    wanted = float(np.interp(by, out, enclosed))
    if wanted < 0.5:
        return -float(deep.max())
    levels, counts = np.unique(np.round(deep, 6), return_counts=True)
    drawn = counts[::-1].cumsum()
    last = int(np.abs(drawn - wanted).argmin())
    return float(1e-5 - levels[::-1][last])


def _objects(labels: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Connected pieces of each class but background, in every slice by themselves where there are several."""
    from scipy.ndimage import label

    ids = np.zeros(labels.shape, np.int32)
    planes = labels if labels.ndim == 3 else labels[None]
    for z, plane in enumerate(planes):
        target = ids[z] if labels.ndim == 3 else ids
        for value in np.unique(plane):
            if value not in (0, UNLABELLED):
                found, _ = label(plane == value)
                target[...] = np.where(found > 0, found + ids.max(), target)
    return ids
