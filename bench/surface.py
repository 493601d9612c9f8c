"""Hausdorff, its 95th percentile, average distance and surface Dice together: ours beside three packages, in one process.

    peers/bin/pip install -c constraints.txt surface-distance medpy   # bench/peers.py says how to make the rest
    peers/bin/python bench/surface.py [--rounds 3]

Every contender answers the four questions about the same masks, with what it can share between them; they take turns.
MedPy knows no surface Dice and answers three. Values differ by convention (docs/correctness/surface_dice.md). Printed are
the median seconds, the median over rounds of a contender's time by ours, and the four answers.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from medpy.metric import binary as medpy
from numpy.typing import NDArray
from surface_distance import metrics as deepmind

from delineate.score import surface_distances
from peers import peers

TOLERANCE = 2.0
Answers = tuple[float, ...]
Contender = Callable[[NDArray[np.uint8], NDArray[np.uint8], tuple[float, ...]], Answers]


def ours(convention: str) -> Contender:
    """Four questions to distances that are measured once."""

    def ask(a: NDArray[np.uint8], b: NDArray[np.uint8], spacing: tuple[float, ...]) -> Answers:
        measured = surface_distances(a, b, label=1, spacing=spacing, convention=convention)
        return measured.hausdorff, measured.percentile(95), measured.average, measured.within(TOLERANCE)

    return ask


def by_deepmind(a: NDArray[np.uint8], b: NDArray[np.uint8], spacing: tuple[float, ...]) -> Answers:
    """surface-distance, its distances shared."""
    shared = deepmind.compute_surface_distances(a == 1, b == 1, spacing)
    return (
        deepmind.compute_robust_hausdorff(shared, 100),
        deepmind.compute_robust_hausdorff(shared, 95),
        float(np.mean(deepmind.compute_average_surface_distance(shared))),
        deepmind.compute_surface_dice_at_tolerance(shared, TOLERANCE),
    )


def by_monai(a: NDArray[np.uint8], b: NDArray[np.uint8], spacing: tuple[float, ...]) -> Answers:
    """MONAI, one call each: it shares nothing."""
    metrics = peers()[1].metrics
    x, y = (torch.from_numpy(mask)[None, None] for mask in (a, b))
    common = {"include_background": True, "spacing": list(spacing)}
    return (
        float(metrics.compute_hausdorff_distance(x, y, **common)),
        float(metrics.compute_hausdorff_distance(x, y, percentile=95, **common)),
        float(metrics.compute_average_surface_distance(x, y, symmetric=True, **common)),
        float(metrics.compute_surface_dice(x, y, class_thresholds=[TOLERANCE], **common)),
    )


def by_medpy(a: NDArray[np.uint8], b: NDArray[np.uint8], spacing: tuple[float, ...]) -> Answers:
    """MedPy, three of the four."""
    return medpy.hd(a, b, spacing), medpy.hd95(a, b, spacing), medpy.assd(a, b, spacing)


CONTENDERS: dict[str, Contender] = {
    "Delineate, voxels": ours("voxels"),
    "Delineate, elements": ours("elements"),
    "surface-distance": by_deepmind,
    "MONAI": by_monai,
    "MedPy (three)": by_medpy,
}


def blobs(shape: tuple[int, ...], number: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Two masks of `number` overlapping ellipsoids, the second a little moved and grown."""
    rng = np.random.default_rng(seed)
    grid = np.ogrid[tuple(slice(n) for n in shape)]
    masks = np.zeros((2, *shape), np.uint8)
    for _ in range(number):
        centre, radii = rng.uniform(0.35, 0.65, len(shape)), rng.uniform(0.12, 0.25, len(shape))
        for mask, shift, growth in ((masks[0], 0.0, 1.0), (masks[1], 0.01, 1.05)):
            parts = [
                ((axis / n - c - shift) / (r * growth)) ** 2
                for axis, n, c, r in zip(grid, shape, centre, radii, strict=True)
            ]
            mask[sum(parts) < 1] = 1
    return masks[0], masks[1]


def main() -> None:
    """Parse, then one table a task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    tasks = {
        "256 x 256 x 256, two lobes, spacing (2, 1, 1)": ([blobs((256,) * 3, 2, 0)], (2.0, 1.0, 1.0)),
        "1024 x 1024, three blobs": ([blobs((1024, 1024), 3, 1)], (1.0, 1.0)),
        "100 pairs of 256 x 256": ([blobs((256, 256), 2, seed) for seed in range(100)], (1.0, 1.0)),
    }
    for title, (pairs, spacing) in tasks.items():
        print(title)
        seconds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
        answers: dict[str, Answers] = {}
        for _ in range(rounds):
            for name, ask in CONTENDERS.items():
                begun = time.perf_counter()
                for a, b in pairs:
                    answers[name] = ask(a, b, spacing)
                seconds[name].append(time.perf_counter() - begun)
        first = seconds["Delineate, voxels"]
        for name, taken in seconds.items():
            ratio = statistics.median(t / own for t, own in zip(taken, first, strict=True))
            said = ", ".join(f"{value:.4f}" for value in answers[name])
            print(f"  {name:22s} {statistics.median(taken):8.3f} s  {ratio:6.1f}   {said}", flush=True)


if __name__ == "__main__":
    main()
