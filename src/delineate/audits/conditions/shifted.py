"""A second data set as a real shift: Dice there against Dice here, each with its interval.

Where the model takes other channels than the images have, colour is shown as its brightness and grey as colour, and the
section says so. Each image is tried with bright and dark exchanged as well: where that helps, contrast is what is in the way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from delineate.audits.conditions.measured import Scored, mean, median, scored
from delineate.audits.subject import Subject
from delineate.core import Case, DataError, DelineateError, ModelError
from delineate.data.conditions import contrast
from delineate.score import difference_interval, intervals

Interval = tuple[float, float] | None
Measured = TypeVar("Measured")

_BRIGHTNESS = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R BT.601


@dataclass(frozen=True, eq=False)
class Shift:
    """here, there: every case scored. predicted, turned: labels there, and with bright and dark exchanged.

    fall: mean Dice here less there, with a 95 % interval over groups, None where they are too few. exchanged: mean Dice
    there with bright and dark exchanged. converted: what was done to the channels, "" for nothing.
    """

    here: tuple[Scored, ...]
    there: tuple[Scored, ...]
    cases: tuple[Case, ...]
    predicted: tuple[NDArray[np.uint8], ...]
    turned: tuple[NDArray[np.uint8], ...]
    interval_here: Interval
    interval_there: Interval
    fall: float
    fall_interval: Interval
    exchanged: float
    converted: str

    @property
    def dice(self) -> tuple[float, float]:
        """Mean Dice (here, there)."""
        return mean([one.dice for one in self.here]), mean([one.dice for one in self.there])

    @property
    def hausdorff(self) -> tuple[float, float]:
        """Median Hausdorff distance (here, there)."""
        return median([one.hausdorff for one in self.here]), median([one.hausdorff for one in self.there])

    @property
    def typical(self) -> int:
        """The index of the case there whose Dice is the median."""
        values = np.nan_to_num([one.dice for one in self.there], nan=-1.0)
        return int(np.argsort(values)[len(values) // 2])


def shift(subject: Subject, cases: Sequence[Case], here: Sequence[Scored], second: Sequence[Case]) -> Shift:
    """The model on a second data set, beside its scores on the first; both carry labels.

    Raises DataError where nothing in the second has labels, ModelError where the model cannot be shown its images.
    """
    labelled = tuple(case for case in second if case.labels is not None)
    if not labelled:
        raise DataError("no image of the second data set has a mask: give masks, or leave --shifted out")
    answers = [_labels(subject, case.image) for case in labelled]
    predicted = tuple(labels for labels, _ in answers)
    turned = tuple(_labels(subject, contrast(case.image, factor=-1))[0] for case in labelled)
    there, exchanged = (
        tuple(scored(case, one, classes=subject.classes) for case, one in zip(labelled, labels, strict=True))
        for labels in (predicted, turned)
    )
    values = [[one.dice for one in side] for side in (here, there)]
    groups = [[f"{side} {case.group}" for case in given] for side, given in enumerate((cases, labelled))]
    return Shift(
        tuple(here),
        there,
        labelled,
        predicted,
        turned,
        interval_here=intervals(values[0], groups[0]).mean,
        interval_there=intervals(values[1], groups[1]).mean,
        fall=mean(values[0]) - mean(values[1]),
        fall_interval=difference_interval(
            values[0] + values[1],
            [True] * len(values[0]) + [False] * len(values[1]),
            groups[0] + groups[1],
        ),
        exchanged=mean([one.dice for one in exchanged]),
        converted=next((done for _, done in answers if done), ""),
    )


def answered(subject: Subject, image: NDArray[Any]) -> tuple[NDArray[np.float32], str]:
    """What the model says of an image, (classes, *spatial), and what was done to the channels where it takes others."""
    try:
        return subject.asked()(image), ""
    except ModelError:
        shown, done = with_channels(image, subject.channels)
        if not done:
            raise
        return subject.asked()(shown), done


def _labels(subject: Subject, image: NDArray[Any]) -> tuple[NDArray[np.uint8], str]:
    """Predicted labels (*spatial), and what was done to the channels so that the model took them."""
    likely, done = answered(subject, image)
    return np.asarray(likely.argmax(0), np.uint8), done


def or_why_not(measure: Callable[[], Measured], *, without: Measured) -> tuple[Measured, list[str]]:
    """What is measured on the second data set; where it cannot be, `without`, and a note that says why."""
    try:
        return measure(), []
    except DelineateError as error:
        return without, [f"The second data set could not be looked at: {error}"]


def with_channels(image: NDArray[Any], channels: int | None) -> tuple[NDArray[Any], str]:
    """An image (*spatial, channels) with as many channels as a model takes, where that is sensible, and what was done.

    Colour becomes its brightness, grey the same in red, green and blue; all else stays as it is, and "" says so.

    >>> shown, done = with_channels(np.full((2, 2, 3), 8, np.uint8), 1)
    >>> shown.shape, shown.dtype, int(shown[0, 0, 0]), done
    ((2, 2, 1), dtype('uint8'), 8, 'colour was shown to the model as its brightness')
    >>> with_channels(np.zeros((2, 2, 5)), 3)[1]
    ''
    """
    if (image.shape[-1], channels) == (3, 1):
        bright = image.astype(np.float64) @ np.array(_BRIGHTNESS)[:, None]
        bright = np.rint(bright) if image.dtype.kind in "iu" else bright
        return bright.astype(image.dtype), "colour was shown to the model as its brightness"
    if (image.shape[-1], channels) == (1, 3):
        return np.repeat(image, 3, -1), "grey was shown to the model as red, green and blue alike"
    return image, ""


def interval_said(value: float, interval: Interval) -> str:
    """A mean with its interval.

    >>> interval_said(0.9134, (0.9, 0.925)), interval_said(0.5, None)
    ('0.913 [0.900, 0.925]', '0.500')
    """
    if interval is None or any(math.isnan(end) for end in interval):
        return f"{value:.3f}"
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"
