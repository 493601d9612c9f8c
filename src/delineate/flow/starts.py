"""Where active contours start, image by image: from masks, or from points or boxes in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate import data as files
from delineate.core import UNLABELLED, DataError
from delineate.data.labelled import LabelledFile
from delineate.data.metadata import metadata_column
from delineate.data.problem import listed

AXES = ("slice", "row", "column")


@dataclass(frozen=True)
class Start:
    """What one image starts from: a mask file, points (axes,), or boxes (first of each axis, then stop of each), in pixels."""

    mask: LabelledFile | None = None
    points: tuple[tuple[float, ...], ...] = ()
    boxes: tuple[tuple[float, ...], ...] = ()

    def on(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """The start mask (*spatial); raises DataError where a file cannot be read or a place lies outside."""
        from delineate.classical.contours import start_at_points, start_in_boxes

        if self.mask is not None:
            labels = self.mask.read().labels
            held: NDArray[np.bool_] = (labels > 0) & (labels != UNLABELLED)
            return held
        return start_at_points(shape, self.points) if self.points else start_in_boxes(shape, self.boxes)

    def everywhere(self) -> Start:
        """The same, by a path that holds in other processes."""
        return (
            self
            if self.mask is None
            else replace(self, mask=replace(self.mask, path=self.mask.path.absolute()))
        )


def starts_of(method: Any, start: str | Path | None, names: Sequence[str]) -> Mapping[str, Start]:
    """Where each image starts, by its name; empty for `start` None.

    start: a folder of masks, or a CSV file with a row per place: name, row, column (slice as well in a volume) of a
    point, or with row_stop, column_stop (slice_stop) besides of a box.
    Raises DataError where the method starts from nothing, or an image has no place.
    """
    if start is None:
        return {}
    if not hasattr(method, "predict_from"):
        raise DataError(
            f"{method.name} starts from nothing: leave --start out, or train snake, chan-vese or geodesic"
        )
    if Path(start).suffix.lower() == ".csv":
        found = _of_table(Path(start), names)
    else:
        found = {name: Start(mask) for name, mask in files.load_masks(start).files.items()}
    if missing := [name for name in names if name not in found]:
        raise DataError(f"{start} says nothing of {listed(missing, most=3)} to start from: add it")
    return found


def _of_table(path: Path, names: Sequence[str]) -> dict[str, Start]:
    titles = [title for axis in AXES for title in (axis, f"{axis}_stop")]
    columns = {}
    for title in titles:
        try:
            columns[title] = metadata_column(path, title)
        except DataError:
            if title in ("row", "column") or not path.is_file():
                raise
    axes = [axis for axis in AXES if axis in columns]
    boxed = all(f"{axis}_stop" in columns for axis in axes)
    wanted = [*axes, *(f"{axis}_stop" for axis in axes)] if boxed else axes
    found: dict[str, list[tuple[float, ...]]] = {}
    for number, rows in enumerate(zip(*(columns[title].rows for title in wanted), strict=True), start=2):
        name = next((form for form in (rows[0][0], Path(rows[0][0]).stem) if form in names), None)
        if name is None:
            continue
        try:
            found.setdefault(name, []).append(tuple(float(value) for _, value in rows))
        except ValueError as error:
            raise DataError(f"line {number} of {path} holds no number ({error}): give pixels") from error
    return {
        name: Start(boxes=tuple(places)) if boxed else Start(points=tuple(places))
        for name, places in found.items()
    }
