"""What a promise looks like: missed and drawn too much against the threshold, and what the threshold adds to one image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.audits.drawn import BLUE, ORANGE, middle_slice, outline_of, painted, picture_of, side_by_side
from delineate.audits.guarantee.prices import Ordered, inside_of, means
from delineate.audits.section import Chart, Curve, Picture
from delineate.core import Case

GRID = tuple(
    float(t)
    for t in np.round(
        np.concatenate([[0.001, 0.003, 0.01, 0.02], np.linspace(0.05, 0.95, 19), [0.98, 0.99]]), 3
    )
)


def chart(seen: Sequence[Ordered], alpha: float, threshold: float) -> Chart:
    grid = tuple(sorted({*GRID, round(threshold, 6)}))
    points = [means(seen, t) for t in grid]
    spread = [np.quantile([one.missed(t) for one in seen], (0.1, 0.9)) for t in grid]
    band = (tuple(float(low) for low, _ in spread), tuple(float(high) for _, high in spread))
    return Chart(
        "Missed and drawn too much (band: 8 of 10 cases)",
        "threshold on the probability of foreground",
        "share",
        (
            Curve("missed", grid, tuple(missed for missed, _ in points), band),
            Curve("drawn too much (1 - precision)", grid, tuple(1 - precision for _, precision in points)),
        ),
        {f"alpha {alpha:g}": alpha},
    )


def pictures(case: Case, ahead: NDArray[np.float32], threshold: float) -> tuple[Picture, ...]:
    inside = inside_of(case)
    at = middle_slice(case.spatial)
    place: Any = ... if at is None else int(inside.reshape(len(inside), -1).sum(1).argmax())
    picture = picture_of(case.image[place])
    truth, here = inside[place], ahead[place]
    drawn = painted(picture, here >= 0.5, BLUE, strength=0.45)
    drawn = painted(drawn, (here < 0.5) & (here >= np.float32(threshold)), ORANGE, strength=0.6)
    drawn = painted(drawn, outline_of(truth), (255, 255, 255), strength=0.9)
    return (
        Picture(
            f"{case.name}. Blue: outlined anyway. Orange: added by the threshold of {threshold:.3g}. White: outlines of truth.",
            side_by_side([picture, drawn]),
        ),
    )
