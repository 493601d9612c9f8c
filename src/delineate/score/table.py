"""Every case with its scores, and the questions asked of all of them: what report and files are made of."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, ClassTable, DataError
from delineate.data.problem import listed
from delineate.score.interval import Interval, Intervals, intervals, ratio_interval
from delineate.score.matching import match_objects
from delineate.score.objects import ObjectScores, pool_objects
from delineate.score.overlap import Counts, counted, pooled
from delineate.score.pair import check_pair, checked_spacing
from delineate.score.probabilities import Calibration, border_band, calibration, pool_calibrations
from delineate.score.registry import SCORES, Score
from delineate.score.summary import Summary, summarise
from delineate.score.surface import Point, surface_distances

NO_PREDICTION = "it has no prediction"


@dataclass(frozen=True, eq=False)
class Masks:
    """What one image was scored on: labels in the classes of truth, object ids (*spatial), and its image."""

    truth: NDArray[Any]
    predicted: NDArray[Any]
    truth_objects: NDArray[Any] | None = None
    predicted_objects: NDArray[Any] | None = None
    image: Path | None = None


@dataclass(frozen=True, eq=False)
class Calibrations:
    """How far the probabilities of one class can be believed, in all labelled pixels and near the borders of truth."""

    everywhere: Calibration
    border: Calibration


@dataclass(frozen=True)
class CaseScores:
    """The scores of one image.

    values: by class name, then by name of the score. counts: by class name. objects: None where there are no
    ids. shape: (*spatial). spacing: in `unit`, array order. reread: gives the masks once more, for pictures,
    so that no more than one image is held in memory; None where they are not to be had. calibration: by class name, empty
    where no probabilities are known. farthest: by class name, where its Hausdorff distance is attained: a point of the surface
    of truth and one of the prediction, in pixels, array order; None where one of them holds none.
    """

    name: str
    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    unit: str
    values: dict[str, dict[str, float]]
    counts: dict[str, Counts]
    objects: ObjectScores | None = None
    group: str = ""
    reread: Callable[[], Masks] | None = field(default=None, repr=False, compare=False)
    calibration: dict[str, Calibrations] = field(default_factory=dict, repr=False, compare=False)
    farthest: dict[str, tuple[Point, Point] | None] = field(default_factory=dict, repr=False, compare=False)

    @property
    def mean_dice(self) -> float:
        """Mean Dice over the classes for which it is defined; nan where there is none, or where Dice was not scored."""
        return summarise([scores.get("dice", math.nan) for scores in self.values.values()]).mean


@dataclass(frozen=True)
class ScoreTable:
    """Every scored case, the images that could not be scored, and what was said on the way.

    classes: truth's table; background is in no score. unscored: name of an image and the reason why it has
    no score. notes: what was noticed while reading and matching. scores: what every case has a value of.
    """

    classes: ClassTable
    cases: tuple[CaseScores, ...]
    unscored: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    scores: tuple[Score, ...] = tuple(SCORES.values())

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes that are scored: all but background."""
        return self.classes.names[1:]

    @property
    def brief(self) -> tuple[Score, ...]:
        """The scores that stand in tables with a column per score, are compared, and are told by subgroup: the brief ones, and
        those that were asked for by name."""
        return tuple(score for score in self.scores if score.brief or score.name not in SCORES)

    def values(self, name: str, score: str) -> list[float]:
        """The values of one score of class `name`, one per case, in their order."""
        return [case.values[name][score] for case in self.cases]

    def summary(self, name: str, score: str) -> Summary:
        """Mean, median and counts of one score of class `name`."""
        counts = [case.counts[name] for case in self.cases]
        return summarise(
            self.values(name, score),
            missed=sum(c.truth > 0 and c.predicted == 0 for c in counts),
            spurious=sum(c.truth == 0 and c.predicted > 0 for c in counts),
        )

    def intervals(self, name: str, score: str) -> Intervals:
        """Bootstrap intervals of mean and median of one score of class `name`, over groups of cases; within its range."""
        found = intervals(self.values(name, score), [case.group for case in self.cases])
        bounds = next(one for one in self.scores if one.name == score).range
        return replace(found, mean=None if found.mean is None else _within(found.mean, bounds))

    def pooled_dice(self, name: str) -> float:
        """Dice of class `name` over the pixels of all cases together; nan where nobody holds it."""
        return pooled(case.counts[name] for case in self.cases).dice

    @property
    def objects(self) -> ObjectScores | None:
        """Objects of all cases, pooled; None where no case has any ids."""
        scored = [case.objects for case in self.cases if case.objects is not None]
        return pool_objects(scored) if scored else None

    @property
    def object_intervals(self) -> dict[str, Interval | None]:
        """Bootstrap intervals of the pooled AP@0.5, F1 and PQ of objects, over groups of cases, by name."""
        scored = [(case.group, case.objects) for case in self.cases if case.objects is not None]
        names = [group for group, _ in scored]
        found = [one.tp for _, one in scored]
        wrong = [one.fp + one.fn for _, one in scored]
        iou = [float(one.found_iou.sum()) for _, one in scored]
        weights = [2 * tp + w for tp, w in zip(found, wrong, strict=True)]
        if not names:
            return dict.fromkeys(("ap50", "f1", "pq"))
        return {
            "ap50": ratio_interval(found, [tp + w for tp, w in zip(found, wrong, strict=True)], names),
            "f1": ratio_interval([2 * tp for tp in found], weights, names),
            "pq": ratio_interval([2 * one for one in iou], weights, names),
        }

    def calibration(self, name: str) -> Calibrations | None:
        """Calibration of class `name` over the pixels of all cases that have probabilities; None where none has."""
        found = [case.calibration[name] for case in self.cases if name in case.calibration]
        if not found:
            return None
        return Calibrations(
            pool_calibrations(one.everywhere for one in found), pool_calibrations(one.border for one in found)
        )

    @property
    def unit(self) -> str:
        """The unit of distances; `mixed units` where cases differ."""
        units = sorted({case.unit for case in self.cases})
        return units[0] if len(units) == 1 else "mixed units"

    @property
    def worst_first(self) -> tuple[CaseScores, ...]:
        """Cases by mean Dice, lowest first; equal ones by Hausdorff, farthest first; undefined ones last."""

        def rank(case: CaseScores) -> tuple[bool, float, float, str]:
            dice = case.mean_dice
            far = [
                scores["hausdorff"]
                for scores in case.values.values()
                if not math.isnan(scores.get("hausdorff", math.nan))
            ]
            undefined = math.isnan(dice)
            return undefined, 0.0 if undefined else dice, -max(far, default=0.0), case.name

        return tuple(sorted(self.cases, key=rank))

    @property
    def left_out(self) -> tuple[str, ...]:
        """Which images are in no score and why, those of one reason in one sentence.

        >>> ScoreTable(ClassTable.numbered(2), (), (("a", "it is torn"), ("b", "it is torn")), ()).left_out
        ('2 images are in no score (a and b), each because it is torn',)
        """
        alike: dict[str, list[str]] = {}
        for name, reason in self.unscored:
            alike.setdefault(reason, []).append(name)
        return tuple(
            f"{names[0]} is in no score: {reason}"
            if len(names) == 1
            else f"{len(names)} images are in no score ({listed(names, most=5)}), each because {reason}"
            for reason, names in alike.items()
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """The notes, what has no score, and the cautions."""
        return (*self.notes, *self.left_out, *self.cautions)

    @property
    def cautions(self) -> tuple[str, ...]:
        """What the means in this table leave out or mix, of cases that have scores."""
        said = []
        if len({case.unit for case in self.cases}) > 1:
            counted = Counter(case.unit for case in self.cases)
            units = ", ".join(f"{unit} ({n} images)" for unit, n in counted.items())
            said.append(
                f"distances are in several units, {units}: their means mix them; score each kind by itself"
            )
        silent = [case.name for case in self.cases if all(c.labelled == 0 for c in case.counts.values())]
        if silent:
            said.append(
                f"truth says nothing in {len(silent)} of {len(self.cases)} images, every pixel of which is unlabelled, so that "
                f"all scores are undefined there: {listed(silent, most=5)}"
            )
        distances = [score for score in self.scores if score.is_distance][
            :1
        ]  # all of them are infinite together
        for name, distance in product(self.names, distances):
            without = [case.name for case in self.cases if math.isinf(case.values[name][distance.name])]
            if without:
                said.append(
                    f"{distance.title} and other distances of {name} are infinite in {len(without)} of {len(self.cases)} "
                    f"images, which their means leave out, because only one side holds the class: {listed(without)}"
                )
        return tuple(said)


def _within(interval: Interval, bounds: tuple[float, float]) -> Interval:
    low, high = (min(max(end, bounds[0]), bounds[1]) for end in interval)
    return low, high


def score_case(
    truth: NDArray[Any],
    predicted: NDArray[Any],
    *,
    classes: ClassTable,
    name: str = "image",
    spacing: Sequence[float] = (),
    unit: str = "px",
    group: str = "",
    truth_objects: NDArray[Any] | None = None,
    predicted_objects: NDArray[Any] | None = None,
    probabilities: Mapping[str, NDArray[np.floating[Any]]] | None = None,
    scores: Sequence[Score] = tuple(SCORES.values()),
    reread: Callable[[], Masks] | None = None,
) -> CaseScores:
    """Every one of `scores` of every class but background, for one image.

    truth, predicted: (*spatial) class indices, UNLABELLED allowed in truth. spacing: in `unit`, array order;
    ones where empty. Objects are scored where both id arrays (*spatial) are given. probabilities: (*spatial) by
    class name. reread: see CaseScores.
    Raises DataError where shapes differ, values are not integers, spacing does not fit, or probabilities are none.

    >>> cells = ClassTable(("background", "cell"))
    >>> scores = score_case(np.array([[1, 1, 0]]), np.array([[1, 0, 0]]), classes=cells).values["cell"]
    >>> {name: round(value, 3) for name, value in scores.items()}
    {'dice': 0.667, 'iou': 0.5, 'precision': 1.0, 'recall': 0.5, 'specificity': 1.0, 'volume_difference': -0.5,
     'hausdorff': 1.0, 'hausdorff95': 1.0, 'average_surface_distance': 0.333}
    """
    check_pair(truth, predicted)
    size = checked_spacing(spacing if np.size(spacing) else None, axes=truth.ndim)
    values, counts, farthest = {}, {}, {}
    for label, class_name in enumerate(classes.names[1:], start=1):
        counts[class_name] = counted(truth, predicted, label=label)
        measured = {
            convention: surface_distances(truth, predicted, label=label, spacing=size, convention=convention)
            for convention in {score.convention for score in scores if score.asked}
        }
        if "voxels" in measured:
            farthest[class_name] = measured["voxels"].farthest
        values[class_name] = {
            score.name: score.counted(counts[class_name])
            if score.counted
            else score.asked(measured[score.convention])
            if score.asked
            else score.of(truth, predicted, label=label, spacing=size)
            for score in scores
        }
    objects = None
    if truth_objects is not None and predicted_objects is not None:
        if truth_objects.shape != truth.shape:
            raise DataError(
                f"object ids of {name} are {truth_objects.shape}, labels {truth.shape}: give one shape"
            )
        objects = match_objects(
            truth_objects, predicted_objects, spacing=size, unlabelled=truth == UNLABELLED
        )
    band = border_band(truth) if probabilities else None
    believed = {
        class_name: Calibrations(
            calibration(truth, likely, label=classes.index(class_name)),
            calibration(truth, likely, label=classes.index(class_name), within=band),
        )
        for class_name, likely in (probabilities or {}).items()
    }
    return CaseScores(
        name, truth.shape, size, unit, values, counts, objects, group or name, reread, believed, farthest
    )
