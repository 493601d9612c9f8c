"""The files of a data folder, opened one by one and counted; what goes wrong is noted, and the next file follows.

Pixels are not kept: of each mask its `Evidence` stays, and how much of each value lies under object ids.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, DelineateError
from delineate.data.beside import Folder
from delineate.data.convention import object_ids
from delineate.data.edges import count
from delineate.data.evidence import Evidence, look, plain
from delineate.data.faults import fit_problem, fringes, image_problems, place_problem
from delineate.data.formats import read_mask
from delineate.data.grey import as_grey
from delineate.data.image_and_mask import label_path
from delineate.data.kinds import Meaning
from delineate.data.marks import disc_radius
from delineate.data.masks import MasksAre
from delineate.data.matching import Entry
from delineate.data.picture import Picture
from delineate.data.places import Places
from delineate.data.placing import marked, points_in_pixels
from delineate.data.problem import Problem
from delineate.data.reading import In, Out, entry_image
from delineate.data.twice import disputes, label_files, together


@dataclass(frozen=True)
class ValueRange:
    """The images of one dtype: how many, and the lowest and highest finite value among them."""

    dtype: str
    low: float
    high: float
    count: int


@dataclass
class Seen:
    """What was met so far, file by file."""

    problems: list[Problem] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    kinds: list[tuple[str, int, int]] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)
    """Of each image, the channels that say something of their own."""
    sizes: Counter[tuple[int, ...]] = field(default_factory=Counter)
    spacings: Counter[tuple[tuple[float, ...], str]] = field(default_factory=Counter)
    ranges: dict[str, ValueRange] = field(default_factory=dict)
    prints: dict[bytes, list[tuple[str, bool]]] = field(default_factory=dict)
    tables: list[Problem] = field(default_factory=list)
    constant: int = 0
    frames: dict[str, Picture] = field(default_factory=dict)
    """Each image by its file's name, without its pixels."""


@dataclass(frozen=True)
class LookedAt:
    """A mask file: what it holds, of which entry, and whether it is for validation.

    beneath: pixels of each value that lie under object ids; None where there are none beside the mask.
    """

    entry: Entry
    evidence: Evidence
    held_out: bool
    beneath: Mapping[int, int] | None = None


def look_at(
    entry: Entry, *, folder: Folder, held_out: bool, masks_are: MasksAre | None, seen: Seen
) -> list[LookedAt]:
    """Open the files of one entry, noting what there is; its label files, where they are of use."""
    name, where = entry.images[0].name, where_of(entry.images[0], folder)
    image = _opened(entry_image, entry, where=where, seen=seen)
    if image is not None:
        _count_image(image, name=name, where=where, held_out=held_out, seen=seen)
        problems = image_problems(image, name=name, where=where)
        seen.problems += problems
        seen.constant += any(not problem.serious for problem in problems)
    looks = [
        _look_at_labels(one, image, folder=folder, held_out=held_out, masks_are=masks_are, seen=seen)
        for one in label_files(entry)
    ]
    return [one for one in looks if one]


def _look_at_labels(
    entry: Entry,
    image: Picture | None,
    *,
    folder: Folder,
    held_out: bool,
    masks_are: MasksAre | None,
    seen: Seen,
) -> LookedAt | None:
    """The label file of an entry that has one, None where it is of no use."""
    name, file = entry.images[0].name, label_path(entry)

    def labelling(file: Path | None) -> Picture | None:
        if file is None:
            return None
        place = where_of(file, folder)
        picture = _opened(read_mask, file, where=place, seen=seen)
        if picture and image:
            fit = fit_problem(image, picture, image_name=name, mask_name=file.name, where=place)
            found = fit or place_problem(image, picture, mask_name=file.name, where=place)
            seen.problems += [found] if found else []
        return picture

    mask, ids = labelling(file), labelling(entry.objects)
    drawn = entry.kind == "scribbles"
    where, closely = where_of(file, folder), folder.doubtful(masks_are) and not drawn
    objects = None
    if ids and entry.objects:
        place = where_of(entry.objects, folder)
        objects = _opened(
            lambda file: object_ids(ids, where=file.name), entry.objects, where=place, seen=seen
        )
    if mask is None:
        return None
    evidence = _opened(
        lambda file: look(mask, where=file.name, closely=closely, strokes=drawn),
        file,
        where=where,
        seen=seen,
    )
    blurred = fringes(evidence) if evidence else None
    if blurred:
        seen.problems.append(replace(blurred, where=where))
    if evidence is None or blurred:
        return None
    if objects is None or objects.shape != mask.spatial:
        return LookedAt(entry, evidence, held_out)
    return LookedAt(entry, evidence, held_out, count(plain(mask, where=where)[0][objects > 0]))


def placed_counts(
    folder: Folder,
    places: Mapping[str, Places],
    meaning: Meaning,
    held_out: Mapping[str, bool],
    masks: Sequence[LookedAt],
    seen: Seen,
) -> list[tuple[bool, NDArray[np.int64], dict[int, int]]]:
    """Of each image with points or boxes: whether it is for validation, the pixels (256,) that they label beyond what
    strokes do, and how many of them are of which class. Problems are noted.
    """
    drawn = {mask.entry.name for mask in masks}
    frames = {
        e.name: seen.frames[e.images[0].name] for e in folder.entries if e.images[0].name in seen.frames
    }
    radius_px = disc_radius(points_in_pixels(places, frames))
    found = []
    for entry in folder.entries:
        if entry.name not in places or entry.name not in frames:
            continue
        labels = np.full(frames[entry.name].spatial, UNLABELLED, np.uint8)
        if entry.labels is not None and entry.name in drawn:
            mask = read_mask(entry.labels)
            labels = meaning.of(entry.kind).read(mask, where=entry.labels.name)[0]
            labels, _ = together(entry, labels, frames[entry.name], meaning)
        before = np.bincount(labels.ravel(), minlength=256)
        where = where_of(entry.images[0], folder)
        after = _opened(
            lambda frame, entry=entry, labels=labels: marked(  # type: ignore[misc]
                labels,
                places[entry.name],
                frame,
                classes=meaning.classes,
                numbers=meaning.numbers,
                radius_px=radius_px,
                name=entry.images[0].name,
            ),
            frames[entry.name],
            where=where,
            seen=seen,
        )
        if after is None:
            continue
        seen.problems += [replace(problem, where=where) for problem in after.problems]
        counts = np.bincount(after.labels.ravel(), minlength=256)
        more = counts - before if entry.name in drawn else counts
        found.append((held_out[entry.name], more, after.by_class))
    return found


def disputes_in(folder: Folder, meaning: Meaning, seen: Seen) -> list[Problem]:
    """Where label files of one image contradict each other; a file that cannot be read is a problem already."""
    found = []
    for entry in folder.entries:
        frame = seen.frames.get(entry.images[0].name)
        if frame is None or entry.labels is None or not (entry.discs or entry.spare):
            continue
        try:
            mask = read_mask(entry.labels)
            labels = meaning.of(entry.kind).read(mask, where=entry.labels.name)[0]
            found += together(entry, labels, frame, meaning)[1]
        except DelineateError:
            continue
    return disputes(found)


def _opened(work: Callable[[In], Out], file: In, *, where: str, seen: Seen) -> Out | None:
    """What `work` makes of a file; where it cannot, None and a problem."""
    try:
        return work(file)
    except DelineateError as error:
        seen.problems.append(Problem.of(error, where=where))
    except Exception as error:  # a file that breaks its reader is a problem of the set, not the end of it
        fact = f"{where} cannot be read ({type(error).__name__}: {error})"
        seen.problems.append(Problem(where, fact, "export it again, or leave it out"))
    return None


def _count_image(image: Picture, *, name: str, where: str, held_out: bool, seen: Seen) -> None:
    from hashlib import blake2b

    array = image.array
    seen.notes.update(dict.fromkeys(image.notes, 1))
    grey = as_grey(array)
    seen.kinds.append((name, len(image.spatial), array.shape[-1]))
    seen.shown.append(grey.shape[-1])
    seen.frames[name] = replace(image, array=np.broadcast_to(np.zeros((), array.dtype), array.shape))
    seen.sizes[image.spatial] += 1
    seen.spacings[image.spacing, image.unit] += 1
    finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (np.inf, -np.inf)
    before = seen.ranges.get(str(array.dtype), ValueRange(str(array.dtype), np.inf, -np.inf, 0))
    seen.ranges[before.dtype] = ValueRange(
        before.dtype, min(before.low, low), max(before.high, high), before.count + 1
    )
    digest = blake2b(f"{grey.shape} {grey.dtype}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(grey).data)
    seen.prints.setdefault(digest.digest(), []).append((where, held_out))


def where_of(path: Path, folder: Folder) -> str:
    """A file as the user knows it, from the data folder on."""
    return str(path.relative_to(folder.path)) if path.is_relative_to(folder.path) else str(path)
