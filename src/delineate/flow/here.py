"""Whole images, predicted in this process one after the other; see `workers` for those that others predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from delineate import data as files
from delineate.core import Behind, DataError, ModelError, ahead
from delineate.data import Entry, Picture
from delineate.flow.answering import How, answered_as, put, told
from delineate.flow.scale import Scale

if TYPE_CHECKING:
    from delineate.report.prediction import PredictionFolder


def one_by_one(
    method: Any,
    entries: Sequence[Entry],
    folder: PredictionFolder,
    how: How,
    count: Callable[[int], None],
    scale: Scale,
) -> list[str]:
    """Predict whole images here; what failed, in sentences. The next is read, the last one written, while the network runs."""
    failures = []
    with Behind() as written_behind:
        for number, (entry, reading) in enumerate(ahead(files.entry_image, entries)):
            count(number)
            try:
                picture = reading.result()
                scale.see(entry.name, picture.spacing, picture.unit)
                answer = answered_as(method, entry.name, picture.array, how)
            except (DataError, ModelError) as error:
                failures.append(told(entry.images[0], error))
                continue
            written_behind(partial(_put, folder, entry, picture, answer, how))
    return failures


def _put(folder: PredictionFolder, entry: Entry, picture: Picture, answer: tuple[Any, Any], how: How) -> None:
    folder.note(entry.name, put(folder, entry, picture, answer, how))
