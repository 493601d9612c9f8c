"""Does the model stand among people, or apart from them? Its agreement with people beside theirs with each other.

In turn each person is left out and set beside the model: which of the two agrees better with all others (the alternative
annotator test, Calderon, Reichart & Dror 2025, arXiv:2501.10970)? Over all people at once this is Williams' index (1976,
doi:10.2307/2529750): mean agreement of the model with people by mean agreement of people with each other, 1 where it is one
of them. Intervals are of the bootstrap over groups of images; of fewer than LEAST nothing is concluded.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delineate.score import intervals
from delineate.score.interval import Interval, ratio_interval

Values = NDArray[np.float64]
LEAST = 5  # groups of images, without which the place of a model stays open


@dataclass(frozen=True)
class Beside:
    """The model in one person's place. difference: its mean Dice with all others less this person's, with its interval.
    closer: the share of images in which the model agrees with the others at least as well."""

    person: str
    difference: float
    interval: Interval | None
    closer: float


@dataclass(frozen=True)
class Standing:
    """The model among people. difference: mean Dice of the model with people less that of people with each other, with
    its interval; index: Williams' index with its own. beside: each person in turn. groups: of images, in which both are known."""

    difference: float
    interval: Interval | None
    index: float
    index_interval: Interval | None
    beside: tuple[Beside, ...]
    groups: int


def standing(
    people: Mapping[tuple[str, str], Values], model: Mapping[str, Values], groups: Sequence[str]
) -> Standing:
    """people: Dice of each image for every pair of people; model: for every person, of the model with them; nan: not known.

    >>> pairs = {("anna", "ben"): np.array([0.8, 0.9, 0.8, 0.9])}
    >>> found = standing(pairs, {"anna": np.full(4, 0.9), "ben": np.full(4, 0.9)}, "abcd")
    >>> round(found.difference, 2), round(found.index, 3), found.beside[0].closer
    (0.05, 1.059, 1.0)
    """
    of_model = _mean(list(model.values()))
    of_people = _mean(list(people.values()))
    both = ~np.isnan(of_model) & ~np.isnan(of_people)
    parts, wholes = of_model[both], of_people[both]
    names = [name for name, known in zip(groups, both, strict=True) if known]
    mean, interval = _mean_of(np.where(both, of_model - of_people, np.nan), groups)
    total = float(wholes.sum())
    return Standing(
        mean,
        interval,
        float(parts.sum()) / total if total else float("nan"),
        ratio_interval(parts.tolist(), wholes.tolist(), names),
        tuple(_beside(person, people, model, groups) for person in model),
        len(set(names)),
    )


def _beside(
    person: str,
    people: Mapping[tuple[str, str], Values],
    model: Mapping[str, Values],
    groups: Sequence[str],
) -> Beside:
    of_person = _mean([values for pair, values in people.items() if person in pair])
    of_model = _mean([values for other, values in model.items() if other != person])
    better = of_model - of_person
    mean, interval = _mean_of(better, groups)
    known = better[~np.isnan(better)]
    return Beside(person, mean, interval, float((known > -1e-12).mean()) if len(known) else float("nan"))


def _mean(rows: Sequence[Values]) -> Values:
    """Mean over rows, image by image, of what is known; nan where nothing is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmean(np.stack(list(rows)), axis=0), np.float64)


def _mean_of(values: Values, groups: Sequence[str]) -> tuple[float, Interval | None]:
    known = values[~np.isnan(values)]
    mean = float(known.mean()) if len(known) else float("nan")
    return mean, intervals(values.tolist(), list(groups)).mean
