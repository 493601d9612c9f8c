"""A folder of masks, made by any tool, as the subject of an audit: what was predicted, without the model that did it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from delineate.audits.subject import Subject
from delineate.core import Case, ClassTable, DataError
from delineate.data import load_masks
from delineate.data.masks import MasksAre


def subject_of_predictions(
    folder: str | Path,
    cases: Sequence[Case],
    *,
    classes: ClassTable,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
) -> Subject:
    """The masks in `folder`, matched to the cases by name; cases without one are left to the audit to complain about.

    Raises DataError where no mask has the name of a case, and where one has another size than its image.

    >>> import tempfile
    >>> from delineate.data.samples import coins, write
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     data = write(Path(scratch) / "data")
    ...     subject = subject_of_predictions(data / "test", coins()[1], classes=ClassTable.numbered(2))
    >>> len(subject.masks) == len(coins()[1])
    True
    """
    found = load_masks(Path(folder), classes=classes, unlabelled=unlabelled, masks_are=masks_are, most=True)
    masks = {}
    for case in cases:
        if case.name in found.files:
            labels = found.files[case.name].read().labels
            if labels.shape != case.spatial:
                raise DataError(
                    f"the prediction of {case.name} is {_by(labels.shape)} but its image is {_by(case.spatial)}: predict on "
                    "that image again"
                )
            masks[case.name] = labels
    if not masks:
        raise DataError(
            f"no mask in {folder} has the name of an image ({', '.join(case.name for case in cases[:3])}): give the predictions "
            "of these images"
        )
    return Subject(str(folder), classes, masks=masks, source=Path(folder))


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
