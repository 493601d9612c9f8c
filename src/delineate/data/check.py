"""What a data set holds and everything that is wrong with it, before any time is spent on training.

`check` opens every file once, keeps going whatever it meets, and gives each problem with its remedy. What
`load` would refuse is a serious problem here; what is merely worth knowing (an empty mask, the same image
twice) is one that is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, ClassTable, DelineateError
from delineate.data.beside import Folder, legend_of
from delineate.data.convention import Convention
from delineate.data.faults import (
    contradictions,
    mask_problems,
    same_twice,
    set_problems,
    torn_groups,
    training_problems,
)
from delineate.data.folders import find_folder
from delineate.data.grey import grey_note
from delineate.data.inventory import LookedAt, Seen, ValueRange, disputes_in, look_at, placed_counts, where_of
from delineate.data.kinds import form_problems, is_weak, kind_of, understand_all
from delineate.data.label_choice import LabelKind, offered
from delineate.data.masks import MasksAre
from delineate.data.matching import Entry
from delineate.data.outlines import how_to_label
from delineate.data.places import Places, places_of, unclaimed
from delineate.data.problem import Problem
from delineate.data.twice import with_spare

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ClassShare:
    """How many labelled pixels are of one class, their share of all labelled pixels, in how many masks, and in how many
    strokes and points, where there are such."""

    name: str
    pixels: int
    share: float
    masks: int
    strokes: int = 0


@dataclass(frozen=True)
class Check:
    """What was found; all counts are of images that could be read, training and validation together.

    images, labelled, validation: number of images, of those with a mask, and of those kept for validation.
    sizes, channels, spacings: each size (*spatial), number of channels, and (spacing, unit), with its count,
    the most frequent first. classes: empty where the masks could not be understood. unlabelled: share of mask
    pixels about which nobody said anything. problems: serious ones first. notes: what was understood, in
    words. kinds: (masks, scribbles, points, boxes or "" for none; number of images) of those kinds that there are."""

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
    kinds: tuple[tuple[str, int], ...] = ()

    @property
    def trainable(self) -> bool:
        """Whether no problem is serious, so that `load` takes the data set."""
        return not any(problem.serious for problem in self.problems)


def check(
    path: str | Path,
    *,
    val: str | Path | None = None,
    labels: LabelKind | None = None,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    progress: Progress | None = None,
) -> Check:
    """Look through the data folder `path`, and the folder `val` of validation data where it lies elsewhere.

    labels, unlabelled, masks_are: as for `load`. progress: called with (images done, images in all) after each image.
    Raises DataError only where the folder holds no image, or its layout cannot be understood; everything else is a
    problem in what is returned.
    """
    folders = [find_folder(path, labels=labels)]
    if val is not None:
        there = offered(find_folder(val))
        folders.append(find_folder(val, labels=labels if labels in there else None))
    seen, table = Seen(), None
    pixels: NDArray[np.int64] = np.zeros((0, 256), np.int64)
    strokes: Counter[int] = Counter()
    kinds: Counter[str] = Counter()
    notes: list[str] = []
    parts: list[tuple[str, bool]] = []
    with_labels: set[str] = set()
    labelled, total = 0, sum(len(at.entries) for at in folders)
    for at in folders:
        begun = len(seen.problems), len(seen.tables), len(seen.kinds)
        places = _opened_places(at, seen)
        masks: list[LookedAt] = []
        entries = [(e, at is not folders[0]) for e in at.train] + [(e, True) for e in at.validation]
        for entry, held_out in entries:
            parts.append((entry.name, held_out))
            masks += look_at(entry, folder=at, held_out=held_out, masks_are=masks_are, seen=seen)
            if progress is not None:
                progress(len(parts), total)
        masks += _others(at, entries, masks_are=masks_are, seen=seen)
        of_each = [kind_of(entry, places) for entry, _ in entries]
        labelled += sum(map(bool, of_each))
        with_labels |= {e.images[0].name for (e, _), kind in zip(entries, of_each, strict=True) if kind}
        kinds.update(of_each)
        notes += at.notes
        evidence = [(mask.entry.kind, mask.evidence) for mask in masks]
        weak = is_weak(of_each, np.zeros((0, 256), np.int64))
        problems = _folder_problems(at, places, weak=weak)
        if not evidence and not places:
            seen.problems += problems
            continue
        try:
            meaning = understand_all(
                evidence,
                places,
                kind=at.kind,
                legend=legend_of(at),
                unlabelled=unlabelled,
                masks_are=masks_are,
                classes=table,
            )
            meaning = with_spare(meaning, at, unlabelled=unlabelled)
            held = {entry.name: held_out for entry, held_out in entries}
            counted = placed_counts(at, places, meaning, held, masks, seen)
        except DelineateError as error:
            seen.problems += [*problems, Problem.of(error, where=f"labels of {at.path}")]
            continue
        notes += meaning.notes
        counts = np.array([meaning.of(kind).tally(one) for kind, one in evidence]).reshape(-1, 256)
        weak = is_weak(of_each, counts)
        seen.problems += _folder_problems(at, places, weak=weak)
        alone = [i for i, mask in enumerate(masks) if mask.entry.name not in places]
        seen.problems += mask_problems([masks[i].evidence for i in alone], counts[alone])
        seen.problems += [*form_problems(evidence, counts), *disputes_in(at, meaning, seen)]
        _join_discs(counts, [mask.entry for mask in masks])
        seen.problems += contradictions(
            _apart(mask, meaning.of(mask.entry.kind)) for mask in masks if mask.entry.kind != "scribbles"
        )
        for mask in masks:
            index = meaning.of(mask.entry.kind).index
            strokes.update({index[v]: n for v, n in (mask.evidence.strokes or {}).items() if v in index})
        for label, one in ((p, n) for _, _, points in counted for p, n in points.items()):
            strokes[label] += one
        of_places = np.array([row for _, row, _ in counted]).reshape(-1, 256)
        counts, held_out_rows = (
            np.concatenate([counts, of_places]),
            [mask.held_out for mask in masks] + [held_out for held_out, _, _ in counted],
        )
        if table is None:
            table = meaning.classes
            if len(counted) == len(places):  # else rows are wrong, and what they lack is not known
                seen.problems += training_problems(counts[~np.array(held_out_rows, bool)], table, weak=weak)
        pixels = np.concatenate([pixels, counts])
    names = [name for name, *_ in seen.kinds]
    if val is not None:
        seen.problems[begun[0] :] = [problem.within(at.path) for problem in seen.problems[begun[0] :]]
        seen.tables[begun[1] :] = [problem.within(at.path) for problem in seen.tables[begun[1] :]]
        names[begun[2] :] = [str(at.path / name) for name in names[begun[2] :]]
    seen.problems += [replace(p, serious=p.serious or not labelled) for p in seen.tables]
    if not labelled and not seen.tables:
        fact = f"none of the {total} images has a mask"
        seen.problems.append(Problem(str(path), fact, how_to_label(path)))
    if seen.kinds and seen.constant == len(seen.kinds):
        fact = "every image has one value everywhere"
        seen.problems.append(Problem("images", fact, "export the images again"))
    taught = [i for i, (name, *_) in enumerate(seen.kinds) if name in with_labels] or range(len(seen.kinds))
    shown_grey = grey_note([seen.kinds[i][2] for i in taught], [seen.shown[i] for i in taught])
    notes += [shown_grey] if shown_grey else []
    read_as = [(names[i], seen.kinds[i][1], 1 if shown_grey else seen.kinds[i][2]) for i in taught]
    seen.problems += [*set_problems(read_as), *same_twice(seen.prints), *torn_groups(parts)]
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
        _shares(pixels, table, strokes),
        float(pixels[:, UNLABELLED].sum() / max(pixels.sum(), 1)),
        tuple(sorted(seen.problems, key=lambda problem: not problem.serious)),
        tuple(dict.fromkeys(notes)),
        tuple((kind, kinds[kind]) for kind in ("masks", "scribbles", "points", "boxes", "") if kinds[kind]),
    )


def _join_discs(counts: NDArray[np.int64], entries: Sequence[Entry]) -> None:
    """Count (files, 256) what discs label with the strokes of their image, which have counted what is open."""
    for i, (one, two) in enumerate(pairwise(entries)):
        if two.labels == two.discs and one.name == two.name:
            counts[i, :UNLABELLED] += counts[i + 1, :UNLABELLED]
            counts[i + 1] = 0


def _others(
    folder: Folder, used: Sequence[tuple[Entry, bool]], *, masks_are: MasksAre | None, seen: Seen
) -> list[LookedAt]:
    """The masks that other people drew of images already looked at; only their problems are counted."""
    held_out = {entry.name: out for entry, out in used}
    counted = {entry.labels for entry, _ in used}
    more = [e for own in folder.people.values() for e in own if e.labels and e.labels not in counted]
    apart = Seen()
    masks = [
        look
        for entry in more
        for look in look_at(
            entry, folder=folder, held_out=held_out[entry.name], masks_are=masks_are, seen=apart
        )
    ]
    known = {problem.where for problem in seen.problems}
    seen.problems += [problem for problem in apart.problems if problem.where not in known]
    return masks


def _opened_places(folder: Folder, seen: Seen) -> dict[str, Places]:
    """What the tables of points and boxes say; where one cannot be read, a problem, and nothing."""
    try:
        seen.tables += unclaimed(folder.entries)
        return places_of(folder.entries)
    except DelineateError as error:
        seen.tables.append(Problem.of(error, where=f"points and boxes of {folder.path}"))
        return {}


def _folder_problems(folder: Folder, places: Mapping[str, Places], *, weak: bool) -> list[Problem]:
    """What the names alone tell. Where some labels are weak, images without any join, and are no problem."""
    found = [
        Problem(str(two), f"{one.name} and {two.name} have one name", "rename or remove one of them")
        for one, two in folder.twins
    ]
    if any(kind_of(entry, places) for entry in folder.entries) and not weak:
        for entry in folder.entries:
            if not kind_of(entry, places):
                fact = f"image {entry.images[0].name} has no mask"
                remedy = "label it, or name its mask as the image is named; it is left out until then"
                found.append(Problem(where_of(entry.images[0], folder), fact, remedy, serious=False))
    for path in folder.strays:
        what = "table" if path.suffix == ".csv" else "mask"
        remedy = f"add the image, or name the {what} as the image is named; it is left out until then"
        found.append(
            Problem(where_of(path, folder), f"{what} {path.name} has no image", remedy, serious=False)
        )
    return found


def _apart(mask: LookedAt, convention: Convention) -> tuple[str, int, int]:
    """File, pixels on which labels and object ids contradict each other, and pixels of foreground."""
    whole = convention.tally(mask.evidence)
    foreground = int(whole[1:UNLABELLED].sum())
    if mask.beneath is None:
        return mask.evidence.where, 0, foreground
    beneath = convention.tally(replace(mask.evidence, counts=mask.beneath))
    apart = beneath[0] + (whole - beneath)[1:UNLABELLED].sum()
    return mask.evidence.where, int(apart), foreground


def _shares(
    counts: NDArray[np.int64], classes: ClassTable | None, strokes: Mapping[int, int]
) -> tuple[ClassShare, ...]:
    if classes is None:
        return ()
    pixels = counts.sum(axis=0)
    total = max(int(pixels[:UNLABELLED].sum()), 1)
    return tuple(
        ClassShare(
            name, int(pixels[i]), float(pixels[i] / total), int((counts[:, i] > 0).sum()), strokes.get(i, 0)
        )
        for i, name in enumerate(classes.names)
    )
