"""How far apart two surfaces lie: distances are measured once, and many questions are asked of them.

Two conventions are in use, and public tools differ by millimetres on the same masks because of them:

- "voxels" (MedPy, SimpleITK, MONAI): a border voxel is a voxel of the mask that has a face neighbour outside it (the mask
  minus its erosion by the cross of connectivity 1); what lies beyond the edge of the image is outside, so that a voxel at
  the edge is border too. Distances run between the centres of border voxels; each counts alike.
- "elements" (DeepMind's surface-distance): the surface runs between voxels. Its elements sit on the corners of voxels and
  count by their area, or length; see `elements.py`.

Distances are exact, in the unit of `spacing`. Read `surface_distances`, then the questions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from delineate.core import DataError
from delineate.score.border import border_voxels, cut, rows_held
from delineate.score.elements import surface_elements
from delineate.score.nearest import nearest_distances, nearest_one
from delineate.score.pair import check_pair, checked_spacing, masks

Convention = Literal["voxels", "elements"]
Point = tuple[float, ...]


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Distances between the surfaces of two masks, in both directions.

    from_truth: (n,) from each element of the surface of truth to the nearest of the prediction; from_predicted: (m,) the
    other way; truth_weights, predicted_weights: (n,), (m,) areas of the elements, ones for voxels. farthest: the point
    of one surface that is farthest from the other, and the nearest one there, in index coordinates, as (of truth, of
    predicted); None where a surface is empty. An empty surface is infinitely far from one that is not.
    """

    from_truth: NDArray[np.float64]
    from_predicted: NDArray[np.float64]
    truth_weights: NDArray[np.float64]
    predicted_weights: NDArray[np.float64]
    truth_points: NDArray[np.number]
    predicted_points: NDArray[np.number]
    spacing: tuple[float, ...]

    @property
    def undefined(self) -> bool:
        """Whether both surfaces are empty."""
        return not len(self.from_truth) and not len(self.from_predicted)

    @property
    def missed(self) -> bool:
        """Whether one of the two surfaces is empty and the other is not."""
        return (len(self.from_truth) == 0) != (len(self.from_predicted) == 0)

    @property
    def hausdorff(self) -> float:
        """The largest distance, in either direction."""
        return max(self.directed)

    @property
    def directed(self) -> tuple[float, float]:
        """The largest distance (from truth to the prediction, from the prediction to truth): what is missed, what is too much.

        >>> truth, predicted = np.array([[1, 1, 0, 0, 1]]), np.array([[1, 1, 0, 0, 0]])
        >>> surface_distances(truth, predicted, label=1).directed  # a missed pixel, and nothing that is too much
        (3.0, 0.0)
        """
        if self.undefined or self.missed:
            return self._empty, self._empty
        return float(self.from_truth.max()), float(self.from_predicted.max())

    @property
    def farthest(self) -> tuple[Point, Point] | None:
        """The point of one surface that is farthest from the other, and the nearest one there, as (of truth, of predicted).

        In index coordinates; None where a surface is empty.

        >>> surface_distances(np.array([[1, 1, 0, 1]]), np.array([[1, 1, 0, 0]]), label=1).farthest
        ((0.0, 3.0), (0.0, 1.0))
        """
        if self.undefined or self.missed:
            return None
        i, j = int(self.from_truth.argmax()), int(self.from_predicted.argmax())
        if self.from_truth[i] >= self.from_predicted[j]:
            j = nearest_one(self.truth_points[i], self.predicted_points, spacing=self.spacing)
        else:
            i = nearest_one(self.predicted_points[j], self.truth_points, spacing=self.spacing)
        return _place(self.truth_points[i]), _place(self.predicted_points[j])

    def percentile(self, share: float) -> float:
        """The larger of the two directions' percentiles, by area: no outlier of less than 100 - share per cent decides.

        nan where both surfaces are empty, inf where one is. Raises DataError for a share outside (0, 100].

        >>> truth, predicted = np.ones((1, 20), np.uint8), np.ones((1, 20), np.uint8)
        >>> predicted[0, 1:] = 0
        >>> surface_distances(truth, predicted, label=1).percentile(95)  # of 0, 1, ... 19 pixels
        18.0
        """
        if not 0 < share <= 100:
            raise DataError(f"the percentile is {share}: give a number above 0, up to 100, such as 95")
        if self.undefined or self.missed:
            return self._empty
        return max(
            _percentile(self.from_truth, self.truth_weights, share),
            _percentile(self.from_predicted, self.predicted_weights, share),
        )

    @property
    def averages(self) -> tuple[float, float]:
        """Mean distance (from truth to the prediction, from the prediction to truth), by area."""
        if self.undefined or self.missed:
            return self._empty, self._empty
        return (
            float(np.average(self.from_truth, weights=self.truth_weights)),
            float(np.average(self.from_predicted, weights=self.predicted_weights)),
        )

    @property
    def average(self) -> float:
        """Mean distance over both surfaces together, by area."""
        if self.undefined or self.missed:
            return self._empty
        total = self.from_truth @ self.truth_weights + self.from_predicted @ self.predicted_weights
        return float(total / self._area)

    def within(self, tolerance: float) -> float:
        """Share of both surfaces, by area, that lies within `tolerance` of the other: the normalised surface Dice.

        nan where both are empty, 0.0 where one is. Raises DataError for a tolerance that is not a number >= 0.
        """
        _check_tolerance(tolerance)
        if self.undefined:
            return float("nan")
        near = self.truth_weights[self.from_truth <= tolerance].sum()
        near += self.predicted_weights[self.from_predicted <= tolerance].sum()
        return float(near / self._area)

    def overlaps(self, tolerance: float) -> tuple[float, float]:
        """Share (of the surface of truth, of that of the prediction), by area, that lies within `tolerance` of the other.

        What was found, and what is right: the two sides of `within`, as recall and precision are of Dice. nan for an empty
        surface, 0.0 for one whose other is empty. Raises DataError as `within`.

        >>> truth, predicted = np.array([[1, 1, 0, 0, 1]]), np.array([[1, 1, 0, 0, 0]])
        >>> surface_distances(truth, predicted, label=1).overlaps(1)
        (0.6666666666666666, 1.0)
        """
        _check_tolerance(tolerance)
        sides = (self.from_truth, self.truth_weights), (self.from_predicted, self.predicted_weights)
        found, right = (
            float(weights[far <= tolerance].sum() / weights.sum()) if len(far) else math.nan
            for far, weights in sides
        )
        return found, right

    @cached_property
    def _area(self) -> float:
        return float(self.truth_weights.sum() + self.predicted_weights.sum())

    @property
    def _empty(self) -> float:
        return float("nan") if self.undefined else float("inf")


def surface_distances(
    truth: NDArray[Any],
    predicted: NDArray[Any],
    *,
    label: int,
    spacing: Sequence[float] | None = None,
    convention: Convention = "voxels",
) -> SurfaceDistances:
    """Measure all distances between the surfaces of `label` in two masks, once.

    Both are integer arrays of one shape (*spatial). spacing: size of a voxel along each axis in array order, ones where
    None; distances have its unit. Pixels that are UNLABELLED in truth belong to neither mask: both end at the edge of the
    unlabelled region, and nothing predicted inside it counts. "elements" works in 2D and 3D.
    Time and memory follow the objects, not the volume around them (beyond one look at it).
    Raises DataError where shapes differ, values are not integers, or spacing is not one positive number per axis.

    >>> truth, predicted = np.zeros((2, 100, 100, 100), np.uint8)
    >>> truth[:50], predicted[:51] = 1, 1
    >>> measured = surface_distances(truth, predicted, label=1, spacing=(2, 1, 1), convention="elements")
    >>> measured.hausdorff, round(measured.averages[0], 3), round(measured.averages[1], 3), round(measured.within(1), 3)
    (2.0, 0.322, 0.339, 0.836)
    """
    check_pair(truth, predicted)
    size = checked_spacing(spacing, axes=truth.ndim)
    rows = rows_held(truth, predicted, label=label)
    a, b = masks(cut(truth, rows), cut(predicted, rows), label=label)
    if convention == "elements":
        (of_truth, truth_weights), (of_predicted, predicted_weights) = (
            surface_elements(mask, size) for mask in (a, b)
        )
        rows = tuple(np.append(at, at[-1:] + 1) for at in rows)  # an element sits on a corner of voxels
        corner = 0.5
    elif convention == "voxels":
        of_truth, of_predicted = border_voxels(a, b)
        truth_weights, predicted_weights = np.ones(len(of_truth)), np.ones(len(of_predicted))
        corner = 0.0
    else:
        raise DataError(f"there is no convention {convention}: choose voxels or elements")
    for axis, at in enumerate(rows):
        for points in (of_truth, of_predicted):
            points[:, axis] = at[points[:, axis]]  # from the part that was cut out to the whole
    there, back = nearest_distances(of_truth, of_predicted, spacing=size)
    places = [points - corner if corner else points for points in (of_truth, of_predicted)]
    return SurfaceDistances(there, back, truth_weights, predicted_weights, places[0], places[1], size)


def hausdorff(
    truth: NDArray[Any], predicted: NDArray[Any], *, label: int, spacing: Sequence[float] | None = None
) -> float:
    """Largest distance from a border voxel of either mask to the nearest border voxel of the other.

    Both are integer arrays of one shape (*spatial); 0.0 is best. spacing: size of a voxel along each axis in
    array order, ones where None; the result has its unit. Pixels that are UNLABELLED in truth belong to
    neither mask. Neither holds `label`: nan (undefined, counted by the summary). Only one does: inf (a miss is the
    worst). For where it is attained see `surface_distances`.
    Raises DataError as `surface_distances`. Huttenlocher et al. 1993, doi:10.1109/34.232073.

    >>> truth = np.array([[1, 1, 0, 0, 0], [0, 0, 0, 0, 1]])
    >>> predicted = np.array([[1, 1, 0, 0, 0], [0, 0, 0, 0, 0]])
    >>> hausdorff(truth, predicted, label=1, spacing=(2, 1))
    3.605551275463989
    """
    return surface_distances(truth, predicted, label=label, spacing=spacing).hausdorff


def hausdorff95(
    truth: NDArray[Any], predicted: NDArray[Any], *, label: int, spacing: Sequence[float] | None = None
) -> float:
    """The distance that 95 % of the border voxels of either mask keep: `hausdorff` without its outliers; 0.0 is best.

    The 95th percentile of each direction is taken (the smallest distance that at least 95 % do not exceed), and the
    larger of the two, as MONAI and surface-distance do; MedPy pools both directions. Arguments, empty cases and
    errors as `hausdorff`.

    >>> truth, predicted = np.ones((1, 40), np.uint8), np.ones((1, 40), np.uint8)
    >>> truth[0, 38:] = 0
    >>> hausdorff(truth, predicted, label=1), hausdorff95(truth, predicted, label=1)
    (2.0, 0.0)
    """
    return surface_distances(truth, predicted, label=label, spacing=spacing).percentile(95)


def average_surface_distance(
    truth: NDArray[Any], predicted: NDArray[Any], *, label: int, spacing: Sequence[float] | None = None
) -> float:
    """Mean distance from the border voxels of both masks, taken together, to the nearest of the other; 0.0 is best.

    Arguments, empty cases and errors as `hausdorff`. The mean of each direction is in `SurfaceDistances.averages`;
    tools that average these two means (panoptica) differ where one surface is larger.
    Heimann et al. 2009, doi:10.1109/TMI.2009.2013851.

    >>> average_surface_distance(np.array([[1, 0, 0]]), np.array([[1, 0, 1]]), label=1)  # (0 + 0 + 2) / 3
    0.6666666666666666
    """
    return surface_distances(truth, predicted, label=label, spacing=spacing).average


def surface_dice(
    truth: NDArray[Any],
    predicted: NDArray[Any],
    *,
    label: int,
    tolerance: float,
    spacing: Sequence[float] | None = None,
    convention: Convention = "elements",
) -> float:
    """Share of both surfaces, by area, that lies within `tolerance` of the other: from 0 to 1, which is best.

    tolerance: in the unit of spacing. Neither holds `label`: nan; only one does: 0.0. Errors as `surface_distances`, and
    DataError for a tolerance below 0. Nikolov et al. 2021, doi:10.2196/26151.

    >>> truth = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]])
    >>> surface_dice(truth, np.roll(truth, 1, axis=0), label=1, tolerance=1)
    1.0
    """
    measured = surface_distances(truth, predicted, label=label, spacing=spacing, convention=convention)
    return measured.within(tolerance)


def _check_tolerance(tolerance: float) -> None:
    if not 0 <= tolerance < float("inf"):
        raise DataError(f"the tolerance is {tolerance}: give a number >= 0 in the unit of the spacing")


def _percentile(distances: NDArray[np.float64], weights: NDArray[np.float64], share: float) -> float:
    """The smallest distance that at least `share` per cent of the weight do not exceed."""
    if share == 100:
        return float(distances.max())
    if (weights == weights[0]).all():  # the usual case, without a sort
        place = math.ceil(len(distances) * share / 100 * (1 - 1e-12)) - 1
        return float(np.partition(distances, place)[place])
    order = np.argsort(distances)
    reached = np.cumsum(weights[order])
    wanted = np.searchsorted(reached, reached[-1] * share / 100 * (1 - 1e-12))
    return float(distances[order[min(int(wanted), len(order) - 1)]])


def _place(point: NDArray[np.number]) -> Point:
    return tuple(float(x) for x in point)
