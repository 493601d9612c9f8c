"""Outlines to pixels: ours beside scikit-image's polygon, which asks of each pixel of a box whether all corners surround it.

    python bench/outlines.py [--turns 5]

Wobbly discs of 30, 200 and 600 corners; both in turns, medians, and how many pixels differ.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from skimage.draw import polygon

from delineate.data.outlines import inside


def main() -> None:
    """Measure, print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    turns = parser.parse_args().turns
    for count, radius in ((30, 10), (200, 60), (600, 200)):
        corners, shape = disc(count, radius)
        seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
        for _ in range(turns):
            begun = time.perf_counter()
            ours = inside([corners], start=(0, 0), shape=shape)
            seconds["ours"].append(time.perf_counter() - begun)
            begun = time.perf_counter()
            theirs = np.zeros(shape, bool)
            theirs[polygon(*(corners.T - 0.5), shape)] = (
                True  # its pixels have their middles at whole numbers
            )
            seconds["theirs"].append(time.perf_counter() - begun)
        mine, other = (statistics.median(seconds[name]) for name in ("ours", "theirs"))
        print(
            f"{count} corners, {shape[0]} x {shape[1]}: ours {mine * 1e3:.2f} ms, scikit-image {other / mine:.1f} times as long, "
            f"{int((ours != theirs).sum())} pixels differ"
        )


def disc(count: int, radius: float) -> tuple[np.ndarray, tuple[int, int]]:
    """Corners (count, 2) of a wobbly disc, and the size of a picture that holds it."""
    rng = np.random.default_rng(0)
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    radii = radius * (1 + 0.2 * np.sin(7 * angles) + 0.02 * rng.standard_normal(count))
    corners = radius * 1.3 + np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
    return corners, (int(radius * 2.7),) * 2


if __name__ == "__main__":
    main()
