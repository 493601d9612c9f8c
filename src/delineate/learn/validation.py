"""How a training is judged on its way: by images that it does not learn from, a few of them kept to be shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from delineate.core import Case
from delineate.learn.answer import answered
from delineate.learn.learnt import Learnt

SHOWN = 6  # cases

Previews = tuple[tuple[Case, NDArray[np.uint8]], ...]
"""Cases with the labels (*spatial) that were predicted for them."""

Judge = Callable[[NDArray[np.uint8], NDArray[np.uint8]], float]
"""(truth, predicted), both (*spatial) -> a Dice between 0 and 1, nan where it is undefined."""


def validated(learnt: Learnt, cases: Sequence[Case], *, judge: Judge) -> tuple[float | None, Previews]:
    """The mean of `judge` over the cases for which it is defined (None without any), and the first few as predicted."""
    count = len(learnt.classes)
    predicted = [answered(learnt, case.image)[:count].argmax(0).astype(np.uint8) for case in cases]
    scores = [
        judge(case.labels, labels)
        for case, labels in zip(cases, predicted, strict=True)
        if case.labels is not None
    ]
    defined = [score for score in scores if not math.isnan(score)]
    mean = float(np.mean(defined)) if defined else None
    return mean, tuple(zip(cases, predicted, strict=True))[:SHOWN]
