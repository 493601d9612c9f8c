"""What a data set holds and everything that is wrong with it, before any time is spent on training.

`check` opens every file once, keeps going whatever it meets, and gives each problem with its remedy. What
`load` would refuse is a serious problem here; what is merely worth knowing (an empty mask, the same image
twice) is one that is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, ClassTable, DelineateError
from delineate.data.convention import object_ids
from delineate.data.dataset import legend_of
from delineate.data.evidence import Evidence, look
from delineate.data.faults import (
    fit_problem,
    fringes,
    image_problems,
    mask_problems,
    place_problem,
    same_twice,
    set_problems,
    torn_groups,
    training_problems,
)
from delineate.data.folders import Folder, find_folder
from delineate.data.formats import read_mask
from delineate.data.masks import MasksAre, understand
from delineate.data.matching import Entry
from delineate.data.picture import Picture
from delineate.data.problem import Problem
from delineate.data.reading import In, Out, entry_image

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ValueRange:
    """The images of one dtype: how many, and the lowest and highest finite value among them."""

    dtype: str
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class ClassShare:
    """How many labelled pixels are of one class, their share of all labelled pixels, and in how many
    masks."""

    name: str
    pixels: int
    share: float
    masks: int


@dataclass(frozen=True)
class Check:
    """What was found; all counts are of images that could be read, training and validation together.

    images, labelled, validation: number of images, of those with a mask, and of those kept for validation.
    sizes, channels, spacings: each size (*spatial), number of channels, and (spacing, unit), with its count,
    the most frequent first. classes: empty where the masks could not be understood. unlabelled: share of mask
    pixels about which nobody said anything. problems: serious ones first. notes: what was understood, in
    words."""

    path: Path
    images: int
    labelled: int
    validation: int
    sizes: tuple[tuple[tuple[int, ...], int], ...]
    dtypes: tuple[ValueRange, ...]
    channels: tuple[tuple[int, int], ...]
    spacings: tuple[tuple[tuple[tuple[float, ...], str], int], ...]
    classes: tuple[ClassShare, ...]
    unlabelled: float
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]

    @property
    def trainable(self) -> bool:
        """Whether no problem is serious, so that `load` takes the data set."""
        return not any(problem.serious for problem in self.problems)


@dataclass
class _Seen:
    """What was met so far, file by file."""

    problems: list[Problem] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    kinds: list[tuple[str, int, int]] = field(default_factory=list)
    sizes: Counter[tuple[int, ...]] = field(default_factory=Counter)
    spacings: Counter[tuple[tuple[float, ...], str]] = field(default_factory=Counter)
    ranges: dict[str, ValueRange] = field(default_factory=dict)
    prints: dict[bytes, list[tuple[str, bool]]] = field(default_factory=dict)
    constant: int = 0


def check(
    path: str | Path,
    *,
    val: str | Path | None = None,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    progress: Progress | None = None,
) -> Check:
    """Look through the data folder `path`, and the folder `val` of validation data where it lies elsewhere.

    unlabelled, masks_are: as for `load`. progress: called with (images done, images in all) after each image.
    Raises DataError only where the folder holds no image, or its layout cannot be understood; everything else is a
    problem in what is returned.
    """
    folders = [find_folder(path), *([find_folder(val)] if val is not None else [])]
    seen, table = _Seen(), None
    pixels: NDArray[np.int64] = np.zeros((0, 256), np.int64)
    notes: list[str] = []
    parts: list[tuple[str, bool]] = []
    labelled, total = 0, sum(len(at.train) + len(at.validation) for at in folders)
    for at in folders:
        seen.problems += _folder_problems(at)
        masks = []
        entries = [(e, at is not folders[0]) for e in at.train] + [(e, True) for e in at.validation]
        for entry, held_out in entries:
            parts.append((entry.name, held_out))
            evidence = _look_at(entry, at, held_out, seen)
            masks += [(evidence, held_out)] if evidence else []
            if progress is not None:
                progress(len(parts), total)
        labelled += sum(entry.labels is not None for entry, _ in entries)
        notes += at.notes
        try:
            legend = legend_of(at)
            convention = understand(
                [evidence for evidence, _ in masks],
                kind=at.kind,
                legend=legend,
                unlabelled=unlabelled,
                masks_are=masks_are,
                classes=table,
            )
        except DelineateError as error:
            if masks:
                seen.problems.append(Problem.of(error, where=f"masks of {at.path}"))
            continue
        notes += convention.notes
        counts = np.array([convention.tally(evidence) for evidence, _ in masks])
        seen.problems += mask_problems([evidence for evidence, _ in masks], counts)
        if table is None:
            table = convention.classes
            seen.problems += training_problems(counts[[not held for _, held in masks]], table)
        pixels = np.concatenate([pixels, counts])
    if not labelled:
        remedy = "put masks of the same names into a folder masks/ beside images/"
        seen.problems.append(Problem(str(path), f"none of the {total} images has a mask", remedy))
    if seen.kinds and seen.constant == len(seen.kinds):
        fact = "every image has one value everywhere"
        seen.problems.append(Problem("images", fact, "export the images again"))
    seen.problems += [*set_problems(seen.kinds), *same_twice(seen.prints), *torn_groups(parts)]
    read = len(seen.kinds)
    notes += [note if n == read else f"{note} ({n} of {read} images)" for note, n in seen.notes.items()]
    return Check(
        Path(path),
        total,
        labelled,
        sum(held_out for _, held_out in parts),
        tuple(seen.sizes.most_common()),
        tuple(sorted(seen.ranges.values(), key=lambda r: -r.count)),
        tuple(Counter(kind[2] for kind in seen.kinds).most_common()),
        tuple(seen.spacings.most_common()),
        _shares(pixels, table),
        float(pixels[:, UNLABELLED].sum() / max(pixels.sum(), 1)),
        tuple(sorted(seen.problems, key=lambda problem: not problem.serious)),
        tuple(dict.fromkeys(notes)),
    )


def _folder_problems(folder: Folder) -> list[Problem]:
    """What the names alone tell."""
    found = [
        Problem(str(two), f"{one.name} and {two.name} have one name", "rename or remove one of them")
        for one, two in folder.twins
    ]
    entries = (*folder.train, *folder.validation)
    if any(entry.labels for entry in entries):
        for entry in entries:
            if entry.labels is None:
                fact = f"image {entry.images[0].name} has no mask"
                remedy = "label it, or name its mask as the image is named; it is left out until then"
                found.append(Problem(_where(entry.images[0], folder), fact, remedy, serious=False))
    for path in folder.strays:
        remedy = "add the image, or name the mask as the image is named; it is left out until then"
        found.append(Problem(_where(path, folder), f"mask {path.name} has no image", remedy, serious=False))
    return found


def _look_at(entry: Entry, folder: Folder, held_out: bool, seen: _Seen) -> Evidence | None:
    """Open the files of one entry, noting what there is; the evidence of its mask, where that is of use."""
    name, where = entry.images[0].name, _where(entry.images[0], folder)
    image = _opened(entry_image, entry, where=where, seen=seen)
    if image is not None:
        _count_image(image, name=name, where=where, held_out=held_out, seen=seen)
        problems = image_problems(image, name=name, where=where)
        seen.problems += problems
        seen.constant += any(not problem.serious for problem in problems)
    if entry.labels is None:
        return None
    where = _where(entry.labels, folder)
    mask = _opened(read_mask, entry.labels, where=where, seen=seen)
    ids = (
        _opened(read_mask, entry.objects, where=_where(entry.objects, folder), seen=seen)
        if entry.objects
        else None
    )
    for file, other in ((entry.labels, mask), (entry.objects, ids)):
        if file and other and image:
            place = _where(file, folder)
            fit = fit_problem(image, other, image_name=name, mask_name=file.name, where=place)
            found = fit or place_problem(image, other, mask_name=file.name, where=place)
            seen.problems += [found] if found else []
    if mask is None:
        return None
    evidence = _opened(
        lambda file: look(mask, where=file.name, closely=folder.doubtful),
        entry.labels,
        where=where,
        seen=seen,
    )
    if ids is not None and entry.objects:
        _opened(lambda file: object_ids(ids, where=file.name), entry.objects, where=where, seen=seen)
    blurred = fringes(evidence) if evidence else None
    if blurred:
        seen.problems.append(replace(blurred, where=where))
        return None
    return evidence


def _opened(work: Callable[[In], Out], file: In, *, where: str, seen: _Seen) -> Out | None:
    """What `work` makes of a file; where it cannot, None and a problem."""
    try:
        return work(file)
    except DelineateError as error:
        seen.problems.append(Problem.of(error, where=where))
    except (
        Exception
    ) as error:  # a file that breaks its reader is a problem of the data set, not the end of it
        fact = f"{where} cannot be read ({type(error).__name__}: {error})"
        seen.problems.append(Problem(where, fact, "export it again, or leave it out"))
    return None


def _count_image(image: Picture, *, name: str, where: str, held_out: bool, seen: _Seen) -> None:
    from hashlib import blake2b

    array = image.array
    seen.notes.update(dict.fromkeys(image.notes, 1))
    seen.kinds.append((name, len(image.spatial), array.shape[-1]))
    seen.sizes[image.spatial] += 1
    seen.spacings[image.spacing, image.unit] += 1
    finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (np.inf, -np.inf)
    before = seen.ranges.get(str(array.dtype), ValueRange(str(array.dtype), np.inf, -np.inf, 0))
    seen.ranges[before.dtype] = ValueRange(
        before.dtype, min(before.low, low), max(before.high, high), before.count + 1
    )
    digest = blake2b(f"{array.shape} {array.dtype}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(array).data)
    seen.prints.setdefault(digest.digest(), []).append((where, held_out))


def _shares(counts: NDArray[np.int64], classes: ClassTable | None) -> tuple[ClassShare, ...]:
    if classes is None:
        return ()
    pixels = counts.sum(axis=0)
    total = max(int(pixels[:UNLABELLED].sum()), 1)
    return tuple(
        ClassShare(name, int(pixels[i]), float(pixels[i] / total), int((counts[:, i] > 0).sum()))
        for i, name in enumerate(classes.names)
    )


def _where(path: Path, folder: Folder) -> str:
    """A file as the user knows it, from the data folder on."""
    return str(path.relative_to(folder.path)) if path.is_relative_to(folder.path) else str(path)
