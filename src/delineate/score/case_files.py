"""One case of two folders: its files are read, checked against each other, and scored.

It holds files and not arrays, so that it can be handed to another process.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, ClassTable, DataError
from delineate.data.labelled import Labelled, LabelledFile
from delineate.data.problem import by
from delineate.score.matching import components
from delineate.score.registry import Score
from delineate.score.table import CaseScores, Masks, score_case

Index = NDArray[np.uint8] | None
"""The class of truth for each class of the prediction; None where they are the same."""


@dataclass(frozen=True)
class CaseFiles:
    """Truth and prediction of one case, as files, and how they are to be read; index: see Index.

    from_ids: whether truth and prediction bring object ids of their own; None where objects are not scored.
    """

    truth: LabelledFile
    predicted: LabelledFile
    index: Index
    from_ids: tuple[bool, bool] | None
    classes: ClassTable
    group: str
    scores: tuple[Score, ...]

    def scored(self) -> CaseScores:
        """The scores of the case; raises DataError where a file cannot be read or the two do not fit together."""
        there, guess = self.truth.read(), self.predicted.read()
        _check_place(there, guess)
        self._check_said(there, guess)
        masks = self._masks(there, guess)
        scale = guess if there.unit == "px" else there
        likely = self.predicted.read_probabilities()
        return score_case(
            masks.truth,
            masks.predicted,
            classes=self.classes,
            name=self.truth.name,
            spacing=scale.spacing,
            unit=scale.unit,
            group=self.group,
            truth_objects=masks.truth_objects,
            predicted_objects=masks.predicted_objects,
            probabilities=None if likely is None else self._by_class(likely, there.labels.shape),
            scores=self.scores,
            reread=self.reread,
        )

    def _check_said(self, truth: Labelled, predicted: Labelled) -> None:
        """Raise DataError where truth labels nothing, or the prediction holds negative values where truth is labelled."""
        labelled = truth.labels != UNLABELLED
        if not labelled.any():
            raise DataError("every pixel of its truth is unlabelled: label some of them, or leave it out")
        convention = self.predicted.convention
        negative = [str(value) for value in convention.index if value < 0]
        if convention.objects and convention.ignore is None:
            negative = ["negative ids"]
        if negative and (labelled & (predicted.labels == UNLABELLED)).any():
            raise DataError(
                f"its prediction holds {negative[0]} where truth is labelled, which is no class: write a class there, 0 for "
                "background"
            )

    def reread(self) -> Masks:
        """The masks once more, for pictures."""
        return self._masks(self.truth.read(), self.predicted.read())

    def _masks(self, truth: Labelled, predicted: Labelled) -> Masks:
        labels = predicted.labels if self.index is None else self.index[predicted.labels]
        image = self.truth.image or self.predicted.image
        if self.from_ids is None:
            return Masks(truth.labels, labels, image=image)
        ids: list[NDArray[np.int32]] = []
        for side, has in zip((truth, predicted), self.from_ids, strict=True):
            own = side.objects if has else None
            foreground = (side.labels != 0) & (side.labels != UNLABELLED)
            ids.append(components(foreground) if own is None else own)
        return Masks(truth.labels, labels, ids[0], ids[1], image)

    def _by_class(
        self, likely: NDArray[np.floating[Any]], shape: tuple[int, ...]
    ) -> dict[str, NDArray[np.floating[Any]]]:
        """Probabilities (*spatial) of each class of truth, from those of the classes of the prediction."""
        channels = likely.shape[-1]
        if likely.shape[:-1] != shape:
            raise DataError(
                f"its probabilities are {by(likely.shape[:-1])} but truth is {by(shape)}: give one value per "
                "pixel and class, classes on the last axis"
            )
        if channels == 1 and len(self.classes) == 2:
            return {self.classes.names[1]: likely[..., 0]}
        classes = np.arange(channels) if self.index is None else self.index[:channels]
        if channels > 255 or (self.index is None and channels != len(self.classes)):
            raise DataError(
                f"its probabilities have {channels} channels for {len(self.classes)} classes: give one per class, background "
                "first"
            )
        return {
            name: likely[..., classes == label].sum(-1)
            for label, name in enumerate(self.classes.names)
            if label and (classes == label).any()
        }


def _check_place(truth: Labelled, predicted: Labelled) -> None:
    """Raise DataError unless both have one size and, where both tell, one spacing and one place in space."""
    if truth.labels.shape != predicted.labels.shape:
        raise DataError(
            f"its prediction is {by(predicted.labels.shape)} but truth is {by(truth.labels.shape)}: predict on the image that "
            "the truth belongs to"
        )
    if "px" in (truth.unit, predicted.unit):
        return
    apart = _apart(truth, predicted)
    if truth.unit != predicted.unit or (
        apart > 0.5 * min(truth.spacing) and not np.allclose(truth.spacing, predicted.spacing, rtol=0.001)
    ):
        raise DataError(
            f"its prediction has a spacing of {_sized(predicted.spacing)} {predicted.unit} but truth one of "
            f"{_sized(truth.spacing)} {truth.unit}: write the prediction with the header of its image, or resample it there "
            "(labels by nearest neighbour)"
        )
    if apart > 0.5 * min(truth.spacing):
        places = [_place(side.affine) for side in (predicted, truth)]
        raise DataError(
            f"its prediction lies elsewhere in space than truth: {places[0]} against {places[1]}, up to "
            f"{apart:.3g} {truth.unit} apart: write it with the header of its image, or resample it there (labels by nearest "
            "neighbour)"
        )


def _apart(truth: Labelled, predicted: Labelled) -> float:
    """How far apart the two headers put one voxel, at most, which is in a corner; where one tells the spacing only, 0 for the
    same within 1 % and else infinity."""
    if truth.affine is None or predicted.affine is None:
        same = np.allclose(truth.spacing, predicted.spacing, rtol=0.01)
        return 0.0 if same else float("inf")
    corners = np.array(
        [(*corner, 1) for corner in product(*((0, length - 1) for length in truth.labels.shape))]
    )
    moved = corners @ (truth.affine - predicted.affine).T
    return float(np.linalg.norm(moved, axis=1).max())


def _sized(spacing: tuple[float, ...]) -> str:
    return " x ".join(f"{s:.4g}" for s in spacing)


def _place(affine: NDArray[np.float64] | None) -> str:
    """Where the first voxel lies and which way the axes run, in LPS coordinates."""
    if affine is None:
        return "nowhere"
    size = len(affine) - 1
    axes = [int(np.abs(affine[:size, axis]).argmax()) for axis in range(size)]
    ways = ["+-"[int(affine[k, axis] < 0)] + "xyz"[k] for axis, k in enumerate(axes)]
    return (
        f"first voxel at ({', '.join(f'{x:.4g}' for x in affine[:size, size])}), axes along {' '.join(ways)}"
    )
