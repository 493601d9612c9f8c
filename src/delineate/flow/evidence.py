"""What an audit is shown besides the model, read from files: what does not fit is said and left out, the rest goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from delineate import data as files
from delineate.core import UNLABELLED, Case, ClassTable, DataError, DelineateError
from delineate.data import DataSet
from delineate.data.fingerprint import seen
from delineate.data.folders import find_folder
from delineate.data.large_case import LargeCase
from delineate.data.masks import MasksAre
from delineate.data.metadata import metadata_facts
from delineate.data.problem import counted, listed
from delineate.data.sparse import barely_labelled
from delineate.flow.methods import Tell, unfinished

if TYPE_CHECKING:
    from delineate.audits import Subject

Read = TypeVar("Read")


def data_of(
    data: str | Path | DataSet | Sequence[Case],
    *,
    classes: ClassTable | None,
    unlabelled: int | None,
    masks_are: MasksAre | None,
) -> DataSet:
    """The cases of `data`, with their labels, of large images some windows; where nothing is labelled, the images alone."""
    if isinstance(data, DataSet):
        return data if data.validation else _with_windows(data)
    if not isinstance(data, (str, Path)):
        return DataSet(tuple(data), (), classes or ClassTable.numbered(2), (), {})
    folder = find_folder(data)
    if any(entry.labels for entry in (*folder.train, *folder.validation)):
        found = files.load(data, classes=classes, unlabelled=unlabelled, masks_are=masks_are)
        return found if found.validation else _with_windows(found)
    entries = files.images(data)
    cases = []
    for entry in entries:
        picture = files.entry_image(entry)
        cases.append(
            Case(entry.name, picture.array, spacing=picture.spacing, unit=picture.unit, affine=picture.affine)
        )
    note = f"{data} has no masks: audits that need truth are left out"
    return DataSet(tuple(cases), (), classes or ClassTable.numbered(2), (note,), {})


def _with_windows(found: DataSet) -> DataSet:
    """A data set with windows of its large images among the cases."""
    return replace(found, cases=(*found.cases, *(look for one in found.large for look in one.looks)))


def check_there(*, metadata: str | Path | None, shifted: Any) -> None:
    """Raises DataError where a file or folder that was named is not there."""
    if metadata is not None and not Path(metadata).is_file():
        raise DataError(f"there is no file {metadata}: give the CSV that describes the cases")
    if isinstance(shifted, (str, Path)) and not Path(shifted).exists():
        raise DataError(f"there is no data set {shifted}: check its name")


def check_classes(cases: Sequence[Case], classes: ClassTable) -> None:
    """Raises DataError where labels hold a class that the model does not know.

    >>> import numpy as np
    >>> threes = Case("a", np.zeros((1, 2, 1)), labels=np.array([[0, 3]], np.uint8))
    >>> check_classes([threes], ClassTable.numbered(2))
    Traceback (most recent call last):
    delineate.core.errors.DataError: the labels of a go up to 3 but the model tells 2 classes apart (background ...
    """
    for case in cases:
        top = 0 if case.labels is None else int(case.labels[case.labels != UNLABELLED].max(initial=0))
        if top >= len(classes):
            raise DataError(
                f"the labels of {case.name} go up to {top} but the model tells {len(classes)} classes apart "
                f"({listed(classes.names)}): give data of its classes"
            )


def or_without(read: Callable[[], Read], *, without: Read, tell: Tell) -> Read:
    """What `read` gives; where it raises DelineateError, `without`, and `tell` hears why.

    >>> def read():
    ...     raise DataError("cases.csv has no row of a case: give one line per case")
    >>> or_without(read, without={}, tell=print)
    left out: cases.csv has no row of a case: give one line per case
    {}
    """
    try:
        return read()
    except DelineateError as error:
        tell(f"left out: {error}")
        return without


def second(
    shifted: str | Path | Sequence[Case] | None,
    subject: Subject,
    *,
    unlabelled: int | None,
    masks_are: MasksAre | None,
) -> tuple[Case, ...]:
    """Cases of another stain, site or camera, with the labels of the same classes."""
    if not isinstance(shifted, (str, Path)):
        return tuple(shifted or ())
    found = _with_windows(
        files.load(shifted, classes=subject.classes, unlabelled=unlabelled, masks_are=masks_are)
    )
    return (*found.cases, *found.validation)


def facts(
    metadata: str | Path | None, data: Any, cases: Sequence[Case], *, large: Sequence[LargeCase] = ()
) -> dict[str, dict[str, str]]:
    """What a CSV says of the cases: the one that is named, or metadata.csv in the folder of the data.

    large: what it says of one of these is said of its windows.
    """
    if metadata is None and isinstance(data, (str, Path)):
        metadata = next((path for path in (Path(data) / "metadata.csv",) if path.is_file()), None)
    if metadata is None:
        return {}
    whole = {look.name: one.name for one in large for look in one.looks}
    names = {case.name: whole.get(case.name, case.name) for case in cases}
    said = metadata_facts(metadata, names.values())
    return {
        title: {case: column[name] for case, name in names.items() if name in column}
        for title, column in said.items()
    }


def annotators(
    data: Any, *, classes: ClassTable, unlabelled: int | None, masks_are: MasksAre | None, tell: Tell
) -> dict[str, tuple[Case, ...]]:
    """Person -> cases, where the data folder holds the masks of several people; of those held out, where some are.

    tell: hears of masks that are damaged or do not fit, which are left out.
    """
    if not isinstance(data, (str, Path)) or len(files.annotator_names(data)) < 2:
        return {}
    read = files.load_annotators(
        data,
        classes=classes,
        unlabelled=unlabelled,
        masks_are=masks_are,
        left_out=lambda sentence: tell(f"left out: {sentence}"),
    )
    own = {
        name: tuple(case for case in cases if not read.held_out or case.name in read.held_out)
        for name, cases in read.people.items()
    }
    return {name: cases for name, cases in own.items() if cases}


def caveats(subject: Subject, found: DataSet) -> list[str]:
    """Warnings where images are looked at in windows, and where the model has learnt from some of the cases."""
    said = []
    windows = sum(len(one.looks) for one in found.large)
    if windows and not found.validation:
        said.append(
            f"{counted(len(found.large), 'image')} too large to be loaded: {counted(windows, 'window')} stand in."
        )
    cases = found.validation or found.cases
    labels = [case.labels for case in cases if case.labels is not None]
    if labels and not any(((one > 0) & (one != UNLABELLED)).any() for one in labels):
        said.append(
            f"No mask shows any class but background, as they were read for {listed(subject.classes.names)}: audits that need "
            "more are left out."
        )
    strokes = sum(case.labels is not None and barely_labelled(case) for case in cases)
    if strokes:
        which = (
            "Every labelled image"
            if strokes == len(labels)
            else f"{strokes} of the {len(labels)} labelled images"
        )
        verb = "is" if strokes in (1, len(labels)) else "are"
        said.append(
            f"{which} {verb} labelled on fewer than half of the pixels, as with strokes: what is found there is of the places "
            "where people drew, which are the easy ones, and tells nothing of borders. Audit on full masks."
        )
    learnt = getattr(subject.method, "learnt", None)
    if learnt is not None and (halfway := unfinished(learnt)):
        said.append(f"{halfway[0].upper()}{halfway[1:]}.")
    known = () if learnt is None else seen(cases, learnt.record.seen)
    if known:
        which = (
            "these very images" if len(known) == len(cases) else f"{len(known)} of these {len(cases)} images"
        )
        said.append(
            f"The model was trained on {which}: what is found here flatters it. Audit it on images that it never saw."
        )
    fitted = () if learnt is None else seen(cases, learnt.fitted_on)
    if fitted:
        said.append(
            f"The model's temperature and guarantees were fitted on {len(fitted)} of these {len(cases)} images: what is found of "
            "its calibration and its own guarantee flatters it."
        )
    return said
