"""Two folders of masks, matched by name, become a table of scores. One case is in memory at a time.

What cannot be scored (no prediction, another size, a file that cannot be read) is named in the table, never
silently dropped: a score that gets better when predictions are missing is no score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, ClassTable, DataError
from delineate.data.labelled import Labelled, LabelledFile, LabelledSet, load_masks
from delineate.data.masks import MasksAre
from delineate.data.problem import listed
from delineate.data.split import groups
from delineate.score.matching import components
from delineate.score.table import NO_PREDICTION, CaseScores, Masks, ScoreTable, score_case

Index = NDArray[np.uint8] | None
"""The class of truth for each class of the prediction; None where they are the same."""


def score_folders(
    predicted: str | Path,
    truth: str | Path,
    *,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    objects: bool | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ScoreTable:
    """Score the masks in folder `predicted` against those in `truth`, matched by name.

    Either may be a folder of mask files, a data folder, what `delineate predict` wrote, or one file. Classes
    are those of truth; a prediction that names its classes is matched by name, any other by value, and 0/255
    against 0/1 or object ids is understood. unlabelled, masks_are: how to read masks that do not tell by
    themselves, on both sides; binary masks are never object ids. objects: None scores objects where truth has
    ids, True always, False never; a side without ids gives its connected components, and a note says so.
    progress: told cases done and cases in all.
    Raises DataError where a folder cannot be understood, and where no prediction has the name of a truth.
    """
    there = _read(Path(truth), classes=None, unlabelled=unlabelled, masks_are=masks_are)
    guess = _read(Path(predicted), classes=there.classes, unlabelled=unlabelled, masks_are=masks_are)
    notes = [*(f"truth: {note}" for note in there.notes), *(f"prediction: {note}" for note in guess.notes)]
    index, said = _class_index(guess.classes, there.classes)
    notes += said
    pairs, extra = _pairs(guess.files, there.files)
    if not any(pairs.values()):
        raise DataError(
            f"no prediction in {predicted} has the name of a mask in {truth} ({listed(guess.files, most=3)}; "
            f"{listed(there.files, most=3)}): give the folders that belong together, or rename the files"
        )
    if extra:
        notes.append(f"predictions without truth are not scored: {listed(extra, most=5)}")
    from_ids, said = _object_sources(there, guess, objects=objects)
    notes += said
    group_of = groups(there.files)
    cases, unscored = [], []
    for done, (name, file) in enumerate(pairs.items(), start=1):
        if file is None:
            unscored.append((name, NO_PREDICTION))
        else:
            try:
                cases.append(
                    _scored(
                        there.files[name],
                        file,
                        index,
                        from_ids,
                        classes=there.classes,
                        group=group_of.get(name, name),
                    )
                )
            except DataError as error:
                unscored.append((name, str(error)))
        if progress:
            progress(done, len(pairs))
    units = {case.unit for case in cases}
    if units == {"px"}:
        notes.append("no file tells the size of a pixel: distances are in pixels")
    return ScoreTable(there.classes, tuple(cases), tuple(unscored), tuple(notes))


def _read(
    path: Path, *, classes: ClassTable | None, unlabelled: int | None, masks_are: MasksAre | None
) -> LabelledSet:
    """The masks at `path`; masks_are is an answer to masks that number something, so binary ones do without."""
    if masks_are is None:
        return load_masks(path, classes=classes, unlabelled=unlabelled)
    try:
        found = load_masks(path, classes=classes, unlabelled=unlabelled)
    except DataError:
        return load_masks(path, classes=classes, unlabelled=unlabelled, masks_are=masks_are)
    conventions = [file.convention for file in found.files.values()]
    if all(not c.objects and len(set(c.index) - {0, UNLABELLED}) <= 1 for c in conventions) or all(
        c.objects == (masks_are == "instances") for c in conventions
    ):
        return found
    return load_masks(path, classes=classes, unlabelled=unlabelled, masks_are=masks_are)


def _class_index(predicted: ClassTable, truth: ClassTable) -> tuple[Index, list[str]]:
    """How the classes of a prediction that names them become those of truth, and what to say about it."""
    if predicted.names == truth.names:
        return None, []
    if set(predicted.names[1:]) <= set(truth.names[1:]):
        index = np.full(256, UNLABELLED, np.uint8)
        index[: len(predicted)] = [0, *(truth.index(name) for name in predicted.names[1:])]
        return index, []
    if len(predicted) == len(truth):
        pairs = [
            f"{mine} is {yours}"
            for mine, yours in zip(predicted.names, truth.names, strict=True)
            if mine != yours
        ]
        return None, [f"classes of prediction and truth are taken in their order: {listed(pairs)}"]
    raise DataError(
        f"the prediction has the classes {listed(predicted.names)} but truth has {listed(truth.names)}: name truth's "
        "classes in a classes.json beside its masks, as the prediction does"
    )


def _pairs(
    predicted: Mapping[str, LabelledFile], truth: Mapping[str, LabelledFile]
) -> tuple[dict[str, LabelledFile | None], list[str]]:
    """The prediction of each truth, None where there is none; and the predictions left over."""
    if len(predicted) == len(truth) == 1:
        return {next(iter(truth)): next(iter(predicted.values()))}, []
    return {name: predicted.get(name) for name in truth}, [name for name in predicted if name not in truth]


def _object_sources(
    truth: LabelledSet, predicted: LabelledSet, *, objects: bool | None
) -> tuple[tuple[bool, bool] | None, list[str]]:
    """Whether truth and prediction bring ids of their own; None where objects are not scored."""
    mine, yours = (_has_ids(side) for side in (truth, predicted))
    if objects is False or (objects is None and not mine):
        return None, []
    notes = [
        f"{side} has no object ids, so its connected components are taken for objects: touching ones count as one"
        for side, has in (("truth", mine), ("the prediction", yours))
        if not has
    ]
    return (mine, yours), notes


def _has_ids(masks: LabelledSet) -> bool:
    return any(file.objects_path is not None or file.convention.objects for file in masks.files.values())


def _scored(
    truth: LabelledFile,
    predicted: LabelledFile,
    index: Index,
    from_ids: tuple[bool, bool] | None,
    *,
    classes: ClassTable,
    group: str,
) -> CaseScores:
    there, guess = truth.read(), predicted.read()
    if there.labels.shape != guess.labels.shape:
        raise DataError(
            f"its prediction is {' x '.join(map(str, guess.labels.shape))} but truth is "
            f"{' x '.join(map(str, there.labels.shape))}: predict on the image that the truth belongs to"
        )
    masks = _masks(there, guess, index, from_ids, image=truth.image or predicted.image)
    scale = guess if there.unit == "px" else there
    return score_case(
        masks.truth,
        masks.predicted,
        classes=classes,
        name=truth.name,
        spacing=scale.spacing,
        unit=scale.unit,
        group=group,
        truth_objects=masks.truth_objects,
        predicted_objects=masks.predicted_objects,
        reread=partial(_reread, truth, predicted, index, from_ids),
    )


def _reread(
    truth: LabelledFile, predicted: LabelledFile, index: Index, from_ids: tuple[bool, bool] | None
) -> Masks:
    return _masks(truth.read(), predicted.read(), index, from_ids, image=truth.image or predicted.image)


def _masks(
    truth: Labelled,
    predicted: Labelled,
    index: Index,
    from_ids: tuple[bool, bool] | None,
    *,
    image: Path | None,
) -> Masks:
    labels = predicted.labels if index is None else index[predicted.labels]
    if from_ids is None:
        return Masks(truth.labels, labels, image=image)
    ids: list[NDArray[np.int32]] = []
    for side, has in zip((truth, predicted), from_ids, strict=True):
        own = side.objects if has else None
        foreground = (side.labels != 0) & (side.labels != UNLABELLED)
        ids.append(components(foreground) if own is None else own)
    return Masks(truth.labels, labels, ids[0], ids[1], image)
