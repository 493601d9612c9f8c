"""A data folder as cases to learn from: `load` reads it, converts the masks, and refuses what would mislead.

Everything that is understood about the files is said once, in `DataSet.notes`; whatever would make training
wrong is a DataError of one sentence. `delineate.data.check` reports the same problems without stopping.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, Case, ClassTable, DataError
from delineate.data.beside import Folder, legend_of
from delineate.data.evidence import Evidence, look
from delineate.data.faults import (
    contradictions,
    fringes,
    image_problems,
    set_problems,
    training_problems,
)
from delineate.data.folders import find_folder
from delineate.data.formats import read_mask
from delineate.data.grey import alike, as_grey
from delineate.data.image_and_mask import case_of, drawn_labels, label_path
from delineate.data.joining import joining
from delineate.data.kinds import Meaning, form_problems, is_weak, kind_of, kinds_note, understand_all
from delineate.data.label_choice import LabelKind
from delineate.data.large_case import LargeCase, evidence_in, is_too_large, large_case, mask_of
from delineate.data.marks import disc_radius
from delineate.data.masks import MasksAre
from delineate.data.matching import Entry, Kind
from delineate.data.outlines import how_to_label
from delineate.data.picture import Picture
from delineate.data.places import Places, places_of, unclaimed
from delineate.data.placing import marked, points_in_pixels
from delineate.data.problem import Problem, counted, listed
from delineate.data.reading import each, entry_image
from delineate.data.split import groups
from delineate.data.twice import Dispute, disputes, label_files, together, with_spare

MOST_SAID = 3


@dataclass(frozen=True)
class DataSet:
    """What a data folder holds.

    cases: labelled, to train on, sorted by name. validation: those that the layout itself keeps apart, or ().
    classes: what the labels index. notes: what was understood, in words, each said once.
    sources: the image file of each case, by name; for channel files the first. large: labelled images to train on that
    are too large to be loaded; of those to validate on, a few windows are among `validation`. unlabelled: images to train
    on that have no labels (`labels` None). labels: the kind of labels that was asked for, None for the fullest of each image.
    """

    cases: tuple[Case, ...]
    validation: tuple[Case, ...]
    classes: ClassTable
    notes: tuple[str, ...]
    sources: Mapping[str, Path]
    large: tuple[LargeCase, ...] = ()
    unlabelled: tuple[Case, ...] = ()
    labels: LabelKind | None = None


def load(
    path: str | Path,
    *,
    labels: LabelKind | None = None,
    all_images: bool | None = None,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    classes: ClassTable | None = None,
) -> DataSet:
    """Read the data folder `path`: images with their masks, scribbles, points or boxes, in any of the layouts of
    `delineate.data.folders`.

    labels: which labels to take, where several kinds lie there; else the fullest that each image has.
    all_images: whether images without labels join, as `DataSet.unlabelled`; else they do where others have scribbles,
    points or boxes. unlabelled: the label value that means "nobody said", where the files do not tell.
    masks_are: whether numbers in masks are classes or ids of single objects, where the files do not tell.
    classes: the table that labels shall index (that of a trained model); without it, it follows from the
    masks. Images that do not join are left out, with a note. Raises DataError where there is nothing to learn
    from, where a file cannot be read or image and mask do not fit, and where masks can be read in more than
    one way."""
    folder = find_folder(path, labels=labels)
    if folder.twins:
        one, other = folder.twins[0]
        raise DataError(f"{one.name} and {other.name} have one name: rename or remove one of them")
    places = places_of(folder.entries)
    labelled = [entry for entry in folder.entries if kind_of(entry, places)]
    to_train = {entry.name for entry in folder.train}
    lost = unclaimed(folder.entries)
    if not any(entry.name in to_train for entry in labelled):
        raise DataError(
            str(lost[0])
            if lost and not labelled
            else f"{path} holds {counted(len(folder.train), 'image')} but no mask for any of them: {how_to_label(path)}"
        )
    notes = [*folder.notes, *map(str, lost)]
    too_large = [entry for entry in labelled if is_too_large(entry)]
    labelled = [entry for entry in labelled if entry not in too_large]
    if pointed := [entry.images[0].name for entry in too_large if entry.name in places or entry.discs]:
        raise DataError(
            f"{pointed[0]} is too large for points and boxes: draw strokes, or crop windows out of it"
        )
    large_masks = [mask_of(label_path(entry)) for entry in too_large]
    drawn = [one for entry in labelled for one in label_files(entry)]
    paths = [label_path(entry) for entry in drawn]
    masks = dict(zip(paths, each(read_mask, paths), strict=True))
    evidence: list[tuple[Kind, Evidence]] = []
    for entry, path in zip(drawn, paths, strict=True):
        scribbled = entry.kind == "scribbles"
        closely = folder.doubtful(masks_are) and not scribbled
        seen = look(masks[path], where=path.name, closely=closely, strokes=scribbled)
        if problem := fringes(seen):
            raise problem.error
        evidence.append((entry.kind, seen))
    large_evidence = [evidence_in(mask) for mask in large_masks]
    evidence += [(entry.kind, seen) for entry, seen in zip(too_large, large_evidence, strict=True)]
    meaning = understand_all(
        evidence,
        places,
        kind=folder.kind,
        legend=legend_of(folder),
        unlabelled=unlabelled,
        masks_are=masks_are,
        classes=classes,
    )
    meaning = with_spare(meaning, folder, unlabelled=unlabelled)
    notes += meaning.notes
    counts = np.array([meaning.of(kind).tally(seen) for kind, seen in evidence]).reshape(-1, 256)
    weak = is_weak((kind_of(entry, places) for entry in (*labelled, *too_large)), counts)
    joining_in = weak if all_images is None else all_images
    joins = [e for e in folder.train if joining_in and not kind_of(e, places)]
    notes = [*_left_out(folder, places, joins), *notes]
    notes += [str(problem) for problem in form_problems(evidence, counts)[:MOST_SAID]]
    notes += [kinds_note([kind_of(e, places) for e in (*labelled, *too_large, *joins)])]
    group_of = {entry.name: entry.name for entry in (*labelled, *too_large, *joins)}
    found = groups(entry.name for entry in (*labelled, *too_large, *joins))
    if found:
        first = min(found)
        notes.append(
            f"names such as {first} tell of {len(set(found.values()))} groups such as {found[first]}: "
            "images of one group are never split between training and validation"
        )
        group_of = found
    pictures, shown_grey = alike(
        dict(zip((entry.name for entry in labelled), each(entry_image, labelled), strict=True))
    )
    notes.append(shown_grey)
    radius_px = disc_radius(points_in_pixels(places, pictures))

    def case(entry: Entry) -> _Outcome:
        return _case(
            entry,
            pictures[entry.name],
            masks[entry.labels] if entry.labels else None,
            meaning=meaning,
            group=group_of[entry.name],
            places=places.get(entry.name),
            radius_px=radius_px,
        )

    outcomes = list(each(case, labelled))
    if any(found.points for found in places.values()):
        notes.append(f"the disc around each point has a radius of {radius_px:.1f} pixels")
    cases = tuple(outcome.case for outcome in outcomes)
    large = [
        large_case(entry, mask, convention=meaning.of(entry.kind), group=group_of[entry.name])
        for entry, mask in zip(too_large, large_masks, strict=True)
    ]
    shapes = [(c.name, len(c.spatial), c.channels) for c in cases]
    shapes += [(c.name, len(c.image.spatial), c.image.channels) for c in large]
    for problem in set_problems(shapes):
        raise problem.error
    notes += _reading_notes(outcomes)
    if large:
        notes.append(
            f"{counted(len(large), 'image')} would take too much memory: crops are read from the file as they are needed"
        )
    count = sum(entry.name in to_train for entry in labelled)
    if classes is None:
        tallies = [
            meaning.of(e.kind).tally(seen)
            for e, seen in zip(too_large, large_evidence, strict=True)
            if e.name in to_train
        ]
        _learnable(outcomes[:count], meaning.classes, tallies, weak=weak)
    shown = [case.image for case in (*cases, *(look for c in large for look in c.looks))]
    grey = all(as_grey(image).shape[-1] == 1 for image in shown)
    joined, more = joining(joins, shapes[0][1:], group_of, grey=grey)
    return DataSet(
        cases[:count],
        (*cases[count:], *(look for c in large if c.name not in to_train for look in c.looks)),
        meaning.classes,
        tuple(note for note in dict.fromkeys((*notes, *more)) if note),
        {entry.name: entry.images[0] for entry in (*labelled, *too_large, *joins)},
        tuple(c for c in large if c.name in to_train),
        joined,
        labels,
    )


def _left_out(folder: Folder, places: Mapping[str, Places], joins: Sequence[Entry]) -> list[str]:
    """Notes on images without labels and labels without an image, where there are any of them."""
    notes = []
    without = [e.name for e in folder.entries if not kind_of(e, places) and e not in joins]
    if without:
        notes.append(f"{counted(len(without), 'image')} without a mask left out: {listed(without, most=3)}")
    for what, tables in (("mask", False), ("table", True)):
        names = [path.name for path in folder.strays if (path.suffix == ".csv") == tables]
        if names:
            notes.append(f"{counted(len(names), what)} without an image left out: {listed(names, most=3)}")
    return notes


@dataclass(frozen=True, eq=False)
class _Outcome:
    case: Case
    notes: tuple[str, ...]
    constant: bool
    apart: int
    foreground: int
    problems: tuple[Problem, ...] = ()
    disputes: tuple[Dispute, ...] = ()


def _case(
    entry: Entry,
    picture: Picture,
    mask: Picture | None,
    *,
    meaning: Meaning,
    group: str,
    places: Places | None,
    radius_px: float,
) -> _Outcome:
    file = entry.images[0]
    problems = image_problems(picture, name=file.name, where=str(file))
    if serious := [problem for problem in problems if problem.serious]:
        raise serious[0].error
    labels = np.full(picture.spatial, UNLABELLED, np.uint8)
    objects, apart, contradicted = None, 0, list[Dispute]()
    if mask is not None:
        labels, objects, apart = drawn_labels(
            entry, picture, mask, convention=meaning.of(entry.kind), called=label_path(entry).name
        )
        labels, contradicted = together(entry, labels, picture, meaning)
    more: tuple[Problem, ...] = ()
    if places is not None:
        found = marked(
            labels,
            places,
            picture,
            classes=meaning.classes,
            numbers=meaning.numbers,
            radius_px=radius_px,
            name=file.name,
        )
        labels, more = found.labels, found.problems
        if serious := [problem for problem in more if problem.serious]:
            raise serious[0].error
    case = case_of(entry, picture, labels=labels, objects=objects, group=group)
    foreground = int(((labels != 0) & (labels != UNLABELLED)).sum())
    return _Outcome(
        case,
        tuple(dict.fromkeys(picture.notes)),
        bool(problems),
        apart,
        foreground,
        more,
        tuple(contradicted),
    )


def _reading_notes(outcomes: Sequence[_Outcome]) -> list[str]:
    """What readers understood, said once with the number of images, and whether labels agree; raises where they are swapped."""
    said = Counter(note for outcome in outcomes for note in outcome.notes)
    notes = [
        note if n == len(outcomes) else f"{note} ({n} of {len(outcomes)} images)" for note, n in said.items()
    ]
    apart = contradictions((o.case.name, o.apart, o.foreground) for o in outcomes)
    twice = disputes([dispute for outcome in outcomes for dispute in outcome.disputes])
    if twice and twice[0].serious:
        raise twice[0].error
    notes += [str(problem) for problem in (*apart, *twice)]
    misplaced = [str(problem) for outcome in outcomes for problem in outcome.problems]
    notes += misplaced[:MOST_SAID]
    if len(misplaced) > MOST_SAID:
        notes.append(
            f"{len(misplaced) - MOST_SAID} more images have such points: `delineate check` names them"
        )
    return notes


def _learnable(
    outcomes: Sequence[_Outcome], classes: ClassTable, tallies: Sequence[NDArray[np.int64]], *, weak: bool
) -> None:
    """Raise DataError where all images are blank or a class has no pixel."""
    if outcomes and not tallies and all(outcome.constant for outcome in outcomes):
        raise DataError("every image has one value everywhere (all black, for example): export them again")
    labels = (outcome.case.labels for outcome in outcomes)
    counts = np.array(
        [*(np.bincount(array.ravel(), minlength=256) for array in labels if array is not None), *tallies]
    )
    for problem in training_problems(counts, classes, weak=weak):
        raise problem.error
