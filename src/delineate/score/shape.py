"""Overlap where shape decides: in a band along the outline, and along the centre line.

Dice of a large object hardly moves when its outline is coarse, and that of a vessel hardly moves when it is torn in two.
Boundary IoU looks at the outline only, centre-line Dice at what runs through the middle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import DataError
from delineate.score.pair import Mask, checked_spacing, masks

BAND = 0.02  # of the diagonal of the image: the paper's choice


def boundary_iou(
    truth: NDArray[Any],
    predicted: NDArray[Any],
    *,
    label: int,
    spacing: Sequence[float] | None = None,
    width: float | None = None,
) -> float:
    """IoU of the two bands along the outlines, from 0 to 1, which is best.

    The band of a mask are its pixels that lie within `width` of the nearest pixel outside it, or outside the image, and
    in any case those with a face neighbour there. Both are integer arrays of one shape (*spatial). spacing: size
    of a pixel along each axis in array order, ones where None. width: in the unit of spacing; 2 % of the image's diagonal
    where None. Pixels that are UNLABELLED in truth belong to neither mask. Neither holds `label`: nan; only one does: 0.0.
    Raises DataError as `dice`, for a spacing that does not fit, and for a width that is not above 0.
    Cheng et al. 2021, doi:10.1109/CVPR46437.2021.01508; distances here are Euclidean, and know the spacing.

    >>> truth = np.zeros((9, 9), int)
    >>> truth[1:8, 1:8] = 1
    >>> boundary_iou(truth, np.roll(truth, 1, axis=1), label=1, width=1)  # two rings of 24 pixels share 12
    0.3333333333333333
    """
    a, b = masks(truth, predicted, label=label)
    size = checked_spacing(spacing, axes=a.ndim)
    if width is None:
        width = BAND * math.hypot(*(n * s for n, s in zip(a.shape, size, strict=True)))
    if not 0 < width < math.inf:
        raise DataError(f"the width of the band is {width}: give a number above 0 in the unit of the spacing")
    bands = [_band(mask, size, width) for mask in (a, b)]
    union = int(np.count_nonzero(bands[0] | bands[1]))
    return int(np.count_nonzero(bands[0] & bands[1])) / union if union else float("nan")


def centre_line_dice(truth: NDArray[Any], predicted: NDArray[Any], *, label: int) -> float:
    """Dice of tubes: is the centre line of each inside the other? From 0 to 1, which is best.

    The harmonic mean of the share of the prediction's skeleton that lies in truth and the share of truth's skeleton that
    lies in the prediction. Both are integer arrays of one shape (*spatial), 2D or 3D. Pixels that are UNLABELLED in
    truth belong to neither mask. Neither holds `label`: nan; only one does: 0.0. A skeleton is no unique thing:
    mirrored masks may give another third digit. Raises DataError as `dice`, and for other numbers of axes.
    Shit et al. 2021 (clDice), doi:10.1109/CVPR46437.2021.01629; skeletons: Lee et al. 1994, doi:10.1006/cgip.1994.1042.

    >>> truth = np.zeros((5, 9), int)
    >>> truth[1:4] = 1
    >>> thin = np.zeros((5, 9), int)
    >>> thin[2] = 1  # drawn much too thin, Dice 0.5, but in one piece and in the middle
    >>> centre_line_dice(truth, thin, label=1)
    1.0
    """
    a, b = masks(truth, predicted, label=label)
    if a.ndim not in (2, 3):
        raise DataError(f"centre lines are defined in 2D and 3D, not for {a.ndim} axes: use Dice")
    if not (a.any() and b.any()):
        return 0.0 if a.any() or b.any() else float("nan")
    of_truth, of_predicted = _skeleton(a), _skeleton(b)
    found = (of_predicted & a).sum() / of_predicted.sum()
    covered = (of_truth & b).sum() / of_truth.sum()
    return float(2 * found * covered / (found + covered)) if found + covered else 0.0


def _band(mask: Mask, size: tuple[float, ...], width: float) -> Mask:
    from scipy.ndimage import distance_transform_edt

    band = np.zeros_like(mask)
    if mask.any():
        box = tuple(
            slice(int(at.min()), int(at.max()) + 1)
            for at in (np.flatnonzero(mask.any(axis=_others(mask.ndim, axis))) for axis in range(mask.ndim))
        )
        inside = np.pad(mask[box], 1)
        middle = (slice(1, -1),) * mask.ndim
        near = distance_transform_edt(inside, sampling=size)[middle] <= width
        for axis in range(mask.ndim):
            for step in (0, 2):
                moved = tuple(
                    slice(step, n - 2 + step) if i == axis else slice(1, -1)
                    for i, n in enumerate(inside.shape)
                )
                near |= ~inside[moved]
        band[box] = near & mask[box]
    return band


def _others(axes: int, axis: int) -> tuple[int, ...]:
    return tuple(other for other in range(axes) if other != axis)


def _skeleton(mask: Mask) -> Mask:
    """The centre line; the mask itself where thinning leaves nothing."""
    from skimage import morphology

    thinned: Any = morphology.skeletonize
    thin: Mask = thinned(mask, method="lee") > 0
    return thin if thin.any() else mask
