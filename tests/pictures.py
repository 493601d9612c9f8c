"""Pictures that more than one file of tests draws."""

from __future__ import annotations

import numpy as np

from delineate.core import Case


def discs(count: int, *, seed: int) -> list[Case]:
    """Noisy pictures of a bright disc."""
    draw = np.random.default_rng(seed)
    cases = []
    for number in range(count):
        y, x = np.ogrid[:48, :40]
        inside = (y - draw.integers(15, 33)) ** 2 + (x - draw.integers(12, 28)) ** 2 < draw.integers(40, 120)
        image = np.clip(90 + 60 * inside + draw.normal(0, 40, inside.shape), 0, 255).astype(np.uint8)
        cases.append(Case(f"d{seed} {number}", image[..., None], labels=inside.astype(np.uint8)))
    return cases
