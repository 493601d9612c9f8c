"""Two folders of masks, matched by name, become a table of scores. One case is in memory at a time, in each process.

What cannot be scored (no prediction, another size, a file that cannot be read) is named in the table, never
silently dropped: a score that gets better when predictions are missing is no score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from delineate.core import UNLABELLED, ClassTable, DataError
from delineate.data.inputs import images
from delineate.data.labelled import LabelledFile, LabelledSet, load_masks
from delineate.data.masks import MasksAre
from delineate.data.problem import listed
from delineate.data.split import groups
from delineate.score.case_files import CaseFiles, Index
from delineate.score.processes import every
from delineate.score.registry import SCORES, Score
from delineate.score.table import NO_PREDICTION, CaseScores, ScoreTable


def score_folders(
    predicted: str | Path,
    truth: str | Path,
    *,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    objects: bool | None = None,
    probabilities: str | Path | None = None,
    scores: tuple[Score, ...] = tuple(SCORES.values()),
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> ScoreTable:
    """Score the masks in folder `predicted` against those in `truth`, matched by name.

    Either may be a folder of mask files, a data folder, what `delineate predict` wrote, or one file. Classes
    are those of truth; a prediction that names its classes is matched by name, any other by value, and 0/255
    against 0/1 or object ids is understood. unlabelled, masks_are: how to read masks that do not tell by
    themselves, on both sides; binary masks are never object ids. objects: None scores objects where truth has
    ids, True always, False never; a side without ids gives its connected components, and a note says so.
    probabilities: a folder of floating-point images (*spatial, classes), or (*spatial) for a single class, by the names of
    the masks; None takes those that `delineate predict` wrote beside its masks. scores: what to score, see `scores_asked`.
    workers: processes to share the work, where it takes more than a moment; each holds one case in memory. A
    script that asks for more than one must be guarded by `if __name__ == "__main__":`, for they import it.
    progress: told cases done and cases in all.
    Raises DataError where a folder cannot be understood, and where no prediction has the name of a truth.
    """
    there = _read(Path(truth), side="truth", classes=None, unlabelled=unlabelled, masks_are=masks_are)
    guess = _read(
        Path(predicted),
        side="prediction",
        classes=there.classes,
        unlabelled=unlabelled,
        masks_are=masks_are,
    )
    notes = [*(f"truth: {note}" for note in there.notes), *(f"prediction: {note}" for note in guess.notes)]
    if probabilities is not None:
        guess, said = _with_probabilities(guess, Path(probabilities))
        notes += said
    index, said = class_index(guess.classes, there.classes)
    notes += said
    pairs, extra = _pairs(guess.files, there.files)
    if not any(pairs.values()):
        raise DataError(
            f"no prediction in {predicted} has the name of a mask in {truth} ({listed(guess.files, most=3)}; "
            f"{listed(there.files, most=3)}): give the folders that belong together, or rename the files"
        )
    lone = next(iter(pairs.items()))
    if lone[1] is not None and lone[0] != lone[1].name and not Path(predicted).is_file():
        notes.append(
            f"the only prediction, {lone[1].name}, is scored against the only truth, {lone[0]}, of another name"
        )
    if extra:
        notes.append(f"predictions without truth are not scored: {listed(extra, most=5)}")
    from_ids, said = _object_sources(there, guess, objects=objects)
    notes += said
    group_of = groups(there.files)
    if group_of:
        grouped = sorted(set(group_of.values()))
        notes.append(
            f"images are grouped by the start of their names ({grouped[0]}_…): {len(grouped)} groups of {len(there.files)} "
            "images; intervals are over groups"
        )
    jobs = {
        name: CaseFiles(
            there.files[name], file, index, from_ids, there.classes, group_of.get(name, name), scores
        )
        for name, file in pairs.items()
        if file is not None
    }
    done = len(pairs) - len(jobs)
    found = every(
        CaseFiles.scored,
        jobs,
        workers=workers,
        progress=(lambda number: progress(done + number, len(pairs))) if progress else None,
    )
    scored = {name: one for name in jobs if isinstance(one := found[name], CaseScores)}
    cases = tuple(scored.values())
    unscored = tuple(
        (name, NO_PREDICTION if file is None else str(found[name]))
        for name, file in pairs.items()
        if name not in scored
    )
    if {case.unit for case in cases} == {"px"}:
        notes.append("no file tells the size of a pixel: distances are in pixels")
    return ScoreTable(there.classes, cases, unscored, tuple(notes), scores)


def _read(
    path: Path,
    *,
    side: str,
    classes: ClassTable | None,
    unlabelled: int | None,
    masks_are: MasksAre | None,
) -> LabelledSet:
    """The masks at `path`; where they cannot be understood, the sentence says on which side."""
    try:
        return _understood(path, classes=classes, unlabelled=unlabelled, masks_are=masks_are)
    except DataError as error:
        if str(path) in str(error):
            raise
        raise DataError(f"{side}: {error}") from error


def _understood(
    path: Path, *, classes: ClassTable | None, unlabelled: int | None, masks_are: MasksAre | None
) -> LabelledSet:
    """The masks at `path`; masks_are is an answer to masks that number something, so binary ones do without."""
    understood = partial(load_masks, path, classes=classes, unlabelled=unlabelled)
    if masks_are is None:
        return understood(most=True)
    try:
        found = understood()
    except DataError:
        try:
            return understood(masks_are=masks_are, most=True)
        except DataError:
            return understood(most=True)  # binary ones, but for some that are neither
    conventions = [file.convention for file in found.files.values()]
    if all(not c.objects and len(set(c.index) - {0, UNLABELLED}) <= 1 for c in conventions) or all(
        c.objects == (masks_are == "instances") for c in conventions
    ):
        return found
    return understood(masks_are=masks_are, most=True)


def class_index(predicted: ClassTable, truth: ClassTable) -> tuple[Index, list[str]]:
    """How the classes of a prediction that names them become those of truth, and what to say about it: by name; where the names
    are others but as many, in their order. Raises DataError where neither is possible.

    >>> index, said = class_index(ClassTable(("background", "b")), ClassTable(("background", "a", "b")))
    >>> index[:2].tolist(), said
    ([0, 2], [])
    """
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
        f"the prediction has the classes {listed(predicted.names)} but truth has {listed(truth.names)}: give each of the "
        "former its value in a classes.json beside truth's masks, one that no pixel has where there is none of it"
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


def _with_probabilities(predicted: LabelledSet, folder: Path) -> tuple[LabelledSet, list[str]]:
    """The same masks, each with the file of its name in `folder`; and which ones have none."""
    found = {entry.name: entry.images[0] for entry in images(folder)}
    files = {name: replace(file, probabilities=found.get(name)) for name, file in predicted.files.items()}
    without = [name for name, file in files.items() if file.probabilities is None]
    if len(without) == len(files):
        raise DataError(
            f"no file in {folder} has the name of a prediction ({listed(found, most=3)}; {listed(files, most=3)}): give the "
            "folder of their probabilities"
        )
    said = [f"no probabilities are there for {listed(without, most=5)}"] if without else []
    return replace(predicted, files=files), said
