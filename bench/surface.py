"""Hausdorff, its 95th percentile, average distance, surface Dice and Dice together: ours beside three packages, in one process.

    peers/bin/pip install -c constraints.txt surface-distance medpy   # bench/peers.py says how to make the rest
    peers/bin/python bench/surface.py [--rounds 3] [--only 1024] [--without "MedPy"] [--memory]

Every contender answers the questions about the same masks, with what it can share between them; they take turns.
MedPy knows no surface Dice. Values differ by convention (docs/correctness/surface_dice.md). Printed are
the median seconds, the median over rounds of a contender's time by ours, the same of processor time (which other work on
the machine disturbs less), and the answers. With --memory also what each needs beyond the masks at its peak, asked of the
operating system about a process of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from delineate.score import dice, surface_distances
from peers import peers

try:
    from medpy.metric import binary as medpy
    from surface_distance import metrics as deepmind
except ImportError as absent:
    sys.exit(
        f"{absent.name} is not installed: peers/bin/pip install -c constraints.txt surface-distance medpy"
    )

TOLERANCE = 2.0
Answers = tuple[float, ...]
Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]
Contender = Callable[[NDArray[np.uint8], NDArray[np.uint8], tuple[float, ...]], Answers]


def ours(convention: str) -> Contender:
    """Questions to distances that are measured once."""

    def ask(a: NDArray[np.uint8], b: NDArray[np.uint8], spacing: tuple[float, ...]) -> Answers:
        measured = surface_distances(a, b, label=1, spacing=spacing, convention=convention)
        return (
            measured.hausdorff,
            measured.percentile(95),
            measured.average,
            measured.within(TOLERANCE),
            dice(a, b, label=1),
        )

    return ask


def by_deepmind(a: NDArray[np.uint8], b: NDArray[np.uint8], spacing: tuple[float, ...]) -> Answers:
    """surface-distance, its distances shared."""
    shared = deepmind.compute_surface_distances(a == 1, b == 1, spacing)
    return (
        deepmind.compute_robust_hausdorff(shared, 100),
        deepmind.compute_robust_hausdorff(shared, 95),
        float(np.mean(deepmind.compute_average_surface_distance(shared))),
        deepmind.compute_surface_dice_at_tolerance(shared, TOLERANCE),
        deepmind.compute_dice_coefficient(a == 1, b == 1),
    )


def by_deepmind_apart(a: NDArray[np.uint8], b: NDArray[np.uint8], spacing: tuple[float, ...]) -> Answers:
    """surface-distance, one call each, as its reader would write it down."""

    def measured() -> dict[str, NDArray[np.float64]]:
        distances: dict[str, NDArray[np.float64]] = deepmind.compute_surface_distances(
            a == 1, b == 1, spacing
        )
        return distances

    return (
        deepmind.compute_robust_hausdorff(measured(), 100),
        deepmind.compute_robust_hausdorff(measured(), 95),
        float(np.mean(deepmind.compute_average_surface_distance(measured()))),
        deepmind.compute_surface_dice_at_tolerance(measured(), TOLERANCE),
        deepmind.compute_dice_coefficient(a == 1, b == 1),
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
        float(metrics.compute_dice(x, y)),
    )


def by_medpy(a: NDArray[np.uint8], b: NDArray[np.uint8], spacing: tuple[float, ...]) -> Answers:
    """MedPy, without surface Dice."""
    return medpy.hd(a, b, spacing), medpy.hd95(a, b, spacing), medpy.assd(a, b, spacing), medpy.dc(a, b)


CONTENDERS: dict[str, Contender] = {
    "Delineate, voxels": ours("voxels"),
    "Delineate, elements": ours("elements"),
    "surface-distance": by_deepmind,
    "surface-distance, apart": by_deepmind_apart,
    "MONAI": by_monai,
    "MedPy": by_medpy,
}


def lobes(shape: tuple[int, ...], number: int, seed: int) -> NDArray[np.uint8]:
    """A mask of `number` wavy ellipsoids, each of other place and size."""
    rng = np.random.default_rng(seed)
    grid = np.ogrid[tuple(slice(n) for n in shape)]
    mask = np.zeros(shape, np.uint8)
    for _ in range(number):
        centre, radius = rng.uniform(0.3, 0.7, len(shape)), rng.uniform(0.1, 0.2)
        stretch, phase = rng.uniform(0.8, 1.25, len(shape)), rng.uniform(0, 6, 2)
        from_centre = sum(
            ((x / n - c) * s) ** 2 for x, n, c, s in zip(grid, shape, centre, stretch, strict=True)
        )
        waves = 0.12 * np.sin(grid[0] / shape[0] * 40 + phase[0]) + 0.12 * np.sin(
            grid[-1] / shape[-1] * 40 + phase[1]
        )
        mask[from_centre < (radius * (1 + waves)) ** 2] = 1
    return mask


def two(shape: tuple[int, ...], number: int, seed: int) -> Pair:
    """Two masks that have nothing to do with each other."""
    return lobes(shape, number, seed), lobes(shape, number, seed + 10_000)


def alike(shape: tuple[int, ...], number: int, seed: int) -> Pair:
    """A mask, and the same moved by a voxel along each axis: what a good prediction looks like."""
    mask = lobes(shape, number, seed)
    return mask, np.roll(mask, 1, axis=tuple(range(len(shape))))


def lesions(shape: tuple[int, ...]) -> Pair:
    """Three small cubes, far apart in a large volume, and the same a voxel further down."""
    masks = np.zeros((2, *shape), np.uint8)
    for place in (0.05, 0.5, 0.9):
        start = [int(place * n) for n in shape]
        for mask, down in zip(masks, (0, 1), strict=True):
            mask[
                tuple(
                    slice(s + down * (axis == 0), s + 8 + down * (axis == 0)) for axis, s in enumerate(start)
                )
            ] = 1
    return masks[0], masks[1]


Task = tuple[Callable[[], list[Pair]], tuple[float, ...]]
FLAT, VOLUME = (1.0, 1.0), (2.0, 1.0, 1.0)
TASKS: dict[str, Task] = {
    "256 x 256 x 256, two lobes": (lambda: [two((256,) * 3, 2, 31)], VOLUME),
    "256 x 256 x 256, two lobes, alike": (lambda: [alike((256,) * 3, 2, 31)], VOLUME),
    "512 x 512 x 512, three small lesions": (lambda: [lesions((512,) * 3)], VOLUME),
    "1024 x 1024, three lobes": (lambda: [two((1024, 1024), 3, 21)], FLAT),
    "1000 pairs of 256 x 256, two lobes": (lambda: [two((256, 256), 2, seed) for seed in range(1000)], FLAT),
}


def beyond(title: str, name: str) -> float:
    """Megabytes beyond the masks at the peak of one contender; to be called in a fresh process."""
    made, spacing = TASKS[title]
    pairs = made()
    small = np.zeros((16,) * len(spacing), np.uint8)
    small[4:8] = 1
    CONTENDERS[name](small, np.roll(small, 1), spacing)  # what is imported at the first call is not counted
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
    before = resident("VmRSS")
    for a, b in pairs:
        CONTENDERS[name](a, b, spacing)
    return resident("VmHWM") - before


def resident(what: str) -> float:
    """A line of the operating system about this process, in megabytes (Linux)."""
    (kilobytes,) = re.findall(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return float(kilobytes) / 1000


def main() -> None:
    """Parse, then one table a task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="tasks whose title holds this")
    parser.add_argument(
        "--without", nargs="*", default=[], help="contenders to leave out: MedPy takes minutes at 512"
    )
    parser.add_argument("--memory", action="store_true", help="also what each needs beyond the masks")
    asked = parser.parse_args()
    for title, (made, spacing) in TASKS.items():
        if asked.only not in title:
            continue
        print(f"{title}, spacing {spacing}")
        pairs = made()
        contenders = {name: ask for name, ask in CONTENDERS.items() if name not in asked.without}
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        processor: dict[str, list[float]] = {name: [] for name in contenders}
        answers: dict[str, Answers] = {}
        for _ in range(asked.rounds):
            for name, ask in contenders.items():
                begun, spent = time.perf_counter(), time.process_time()
                for a, b in pairs:
                    answers[name] = ask(a, b, spacing)
                seconds[name].append(time.perf_counter() - begun)
                processor[name].append(time.process_time() - spent)
        for name, taken in seconds.items():
            ratio, of_processor = (
                statistics.median(t / own for t, own in zip(of[name], of["Delineate, voxels"], strict=True))
                for of in (seconds, processor)
            )
            said = ", ".join(f"{value:.4f}" for value in answers[name])
            print(
                f"  {name:24s} {statistics.median(taken):8.3f} s  {ratio:6.1f} {of_processor:6.1f}   {said}",
                flush=True,
            )
        for name in contenders if asked.memory else ():
            with multiprocessing.get_context("spawn").Pool(1) as alone:
                print(
                    f"  {name:24s} {alone.apply(beyond, (title, name)):8.0f} MB beyond the masks", flush=True
                )


if __name__ == "__main__":
    main()
