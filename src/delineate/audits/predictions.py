"""A folder of masks, made by any tool, as the subject of an audit: what was predicted, without the model that did it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate.audits.subject import Subject
from delineate.core import Case, ClassTable, DataError
from delineate.data import load_masks
from delineate.data.labelled import LabelledFile
from delineate.data.masks import MasksAre
from delineate.data.problem import listed
from delineate.score.case_files import Index
from delineate.score.folders import class_index

SHOWN = 3  # predictions that do not fit are told with their reason, further ones by name


def subject_of_predictions(
    folder: str | Path,
    cases: Sequence[Case],
    *,
    classes: ClassTable,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
) -> Subject:
    """The masks in `folder`, matched to the cases by name; a case without one that fits is as one that was not predicted.

    Predictions that name their classes are matched to `classes` by name, as `delineate score` does. Masks that cannot be read, or
    have another size than their image, are left out, and `notes` of the subject name them. Raises DataError where no mask has
    the name of a case, where none of those that have fits, and where the classes are others.

    >>> import tempfile
    >>> from delineate.data.samples import coins, write
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     data = write(Path(scratch) / "data")
    ...     subject = subject_of_predictions(data / "test", coins()[1], classes=ClassTable.numbered(2))
    >>> len(subject.masks) == len(coins()[1])
    True
    """
    found = load_masks(Path(folder), classes=classes, unlabelled=unlabelled, masks_are=masks_are, most=True)
    named = [case for case in cases if case.name in found.files]
    if not named:
        raise DataError(
            f"no mask in {folder} has the name of an image ({listed((case.name for case in cases), most=3)}): give the "
            "predictions of these images"
        )
    index, said = class_index(found.classes, classes)
    masks, faults = dict[str, NDArray[np.uint8]](), dict[str, DataError]()
    for case in named:
        try:
            masks[case.name] = _fitting(found.files[case.name], case, index)
        except DataError as error:
            faults[case.name] = error
    if not masks:
        raise next(iter(faults.values()))
    notes = (*said, *(f"left out: {error}" for error in list(faults.values())[:SHOWN]))
    if len(faults) > SHOWN:
        notes += (f"left out as well, for such reasons: {listed([*faults][SHOWN:])}",)
    return Subject(str(folder), classes, masks=masks, source=Path(folder), notes=notes)


def _fitting(file: LabelledFile, case: Case, index: Index) -> NDArray[np.uint8]:
    """The predicted labels of a case, in its classes; raises DataError where they cannot be read or are of another size."""
    labels = file.read().labels
    if labels.shape != case.spatial:
        raise DataError(
            f"the prediction of {case.name} is {_by(labels.shape)} but its image is {_by(case.spatial)}: predict on that image "
            "again"
        )
    return labels if index is None else index[labels]


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
