"""The same masks, scored by many tools: where they agree and where not. Prints the tables of docs/correctness/tools.md.

    peers/bin/pip install -c constraints.txt surface-distance medpy torchmetrics panoptica  # bench/peers.py tells the rest
    peers/bin/python bench/agreement.py

Tools that are not installed are left out. What a tool raises instead of a number is printed as the name of its error.
"""

from __future__ import annotations

import importlib
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import directed_hausdorff
from skimage.metrics import hausdorff_distance

from delineate.score import dice, surface_distances
from delineate.score.border import border_voxels
from peers import peers

TOLERANCE = 2.0
QUESTIONS = ("Hausdorff", "Hausdorff 95 %", "average distance", f"surface Dice at {TOLERANCE:g}", "Dice")
Mask = NDArray[np.uint8]
Ask = Callable[[Mask, Mask, tuple[float, ...]], float]


def ours(convention: str) -> dict[str, Ask]:
    """Delineate in one of its two conventions."""

    def measured(t: Mask, p: Mask, s: tuple[float, ...]) -> Any:
        return surface_distances(t, p, label=1, spacing=s, convention=convention)

    asks: tuple[Ask, ...] = (
        lambda t, p, s: measured(t, p, s).hausdorff,
        lambda t, p, s: measured(t, p, s).percentile(95),
        lambda t, p, s: measured(t, p, s).average,
        lambda t, p, s: measured(t, p, s).within(TOLERANCE),
        lambda t, p, _: dice(t, p, label=1),
    )
    return dict(zip(QUESTIONS, asks, strict=True))


def of_monai() -> dict[str, Ask]:
    """MONAI's functions for batches of one image with one channel."""
    metrics = peers()[1].metrics

    def asked(name: str, **more: Any) -> Ask:
        def ask(t: Mask, p: Mask, s: tuple[float, ...]) -> float:
            batches = (torch.from_numpy(mask)[None, None] for mask in (p, t))
            return float(getattr(metrics, name)(*batches, include_background=True, spacing=list(s), **more))

        return ask

    def by_dice(t: Mask, p: Mask, _: tuple[float, ...]) -> float:
        return float(metrics.compute_dice(*(torch.from_numpy(mask)[None, None] for mask in (p, t))))

    asks = (
        asked("compute_hausdorff_distance"),
        asked("compute_hausdorff_distance", percentile=95),
        asked("compute_average_surface_distance", symmetric=True),
        asked("compute_surface_dice", class_thresholds=[TOLERANCE]),
        by_dice,
    )
    return dict(zip(QUESTIONS, asks, strict=True))


def of_deepmind() -> dict[str, Ask]:
    """DeepMind's surface-distance; its average is the mean of its two directions."""
    tool = importlib.import_module("surface_distance")

    def measured(t: Mask, p: Mask, s: tuple[float, ...]) -> Any:
        return tool.compute_surface_distances(t == 1, p == 1, s)

    asks: tuple[Ask, ...] = (
        lambda t, p, s: tool.compute_robust_hausdorff(measured(t, p, s), 100),
        lambda t, p, s: tool.compute_robust_hausdorff(measured(t, p, s), 95),
        lambda t, p, s: float(np.mean(tool.compute_average_surface_distance(measured(t, p, s)))),
        lambda t, p, s: tool.compute_surface_dice_at_tolerance(measured(t, p, s), TOLERANCE),
        lambda t, p, _: tool.compute_dice_coefficient(t == 1, p == 1),
    )
    return dict(zip(QUESTIONS, asks, strict=True))


def of_medpy() -> dict[str, Ask]:
    """MedPy, which knows no surface Dice."""
    tool = importlib.import_module("medpy.metric.binary")
    asks: tuple[Ask, ...] = (
        lambda t, p, s: tool.hd(p, t, s),
        lambda t, p, s: tool.hd95(p, t, s),
        lambda t, p, s: tool.assd(p, t, s),
        lambda t, p, _: tool.dc(p, t),
    )
    return dict(zip((*QUESTIONS[:3], QUESTIONS[4]), asks, strict=True))


def of_simpleitk() -> dict[str, Ask]:
    """SimpleITK's filters, which ask all voxels of a mask and not its surface."""

    def pictures(t: Mask, p: Mask, s: tuple[float, ...]) -> list[Any]:
        found = [sitk.GetImageFromArray(mask) for mask in (t, p)]
        for one in found:
            one.SetSpacing(s[::-1])
        return found

    def executed(name: str, t: Mask, p: Mask, s: tuple[float, ...]) -> Any:
        tool = getattr(sitk, name)()
        tool.Execute(*pictures(t, p, s))
        return tool

    return {
        QUESTIONS[0]: lambda t, p, s: executed(
            "HausdorffDistanceImageFilter", t, p, s
        ).GetHausdorffDistance(),
        QUESTIONS[2]: lambda t, p, s: executed(
            "HausdorffDistanceImageFilter", t, p, s
        ).GetAverageHausdorffDistance(),
        QUESTIONS[4]: lambda t, p, s: executed(
            "LabelOverlapMeasuresImageFilter", t, p, s
        ).GetDiceCoefficient(),
    }


def of_scipy() -> dict[str, Ask]:
    """SciPy, given our border voxels in millimetres."""

    def ask(t: Mask, p: Mask, s: tuple[float, ...]) -> float:
        a, b = (at * np.array(s) for at in border_voxels(t == 1, p == 1))
        return max(directed_hausdorff(a, b)[0], directed_hausdorff(b, a)[0])

    return {QUESTIONS[0]: ask}


def of_skimage() -> dict[str, Ask]:
    """scikit-image, which knows no spacing."""
    return {QUESTIONS[0]: lambda t, p, _: hausdorff_distance(t == 1, p == 1)}


def of_torchmetrics() -> dict[str, Ask]:
    """torchmetrics, for one class."""
    tool = importlib.import_module("torchmetrics.functional.segmentation")

    def distance(t: Mask, p: Mask, s: tuple[float, ...]) -> float:
        batches = (torch.from_numpy(mask)[None, None].int() for mask in (p, t))
        return float(
            tool.hausdorff_distance(*batches, num_classes=1, include_background=True, spacing=list(s))
        )

    return {QUESTIONS[0]: distance}


TOOLS: dict[str, Callable[[], dict[str, Ask]]] = {
    "Delineate, voxels": lambda: ours("voxels"),
    "Delineate, elements": lambda: ours("elements"),
    "MONAI": of_monai,
    "surface-distance": of_deepmind,
    "MedPy": of_medpy,
    "SimpleITK": of_simpleitk,
    "SciPy, border voxels": of_scipy,
    "scikit-image": of_skimage,
    "torchmetrics": of_torchmetrics,
}


def blob(shape: tuple[int, ...], seed: int) -> Mask:
    """An ellipsoid somewhere in the middle, and a small one elsewhere."""
    rng = np.random.default_rng(seed)
    grid, mask = np.ogrid[tuple(slice(n) for n in shape)], np.zeros(shape, np.uint8)
    for low, high in ((0.2, 0.3), (0.06, 0.1)):
        centre, radii = rng.uniform(0.3, 0.7, len(shape)), rng.uniform(low, high, len(shape))
        parts = (((x / n - c) / r) ** 2 for x, n, c, r in zip(grid, shape, centre, radii, strict=True))
        mask[sum(parts) < 1] = 1
    return mask


def answered(ask: Ask | None, truth: Mask, predicted: Mask, spacing: tuple[float, ...]) -> str:
    """The number, or the name of the error in its place; a dash where the tool does not know the question."""
    if ask is None:
        return "–"
    try:
        value = float(ask(truth, predicted, spacing))
    except Exception as error:
        return type(error).__name__
    return "nan" if math.isnan(value) else "inf" if math.isinf(value) else f"{value:.4f}"


def main() -> None:
    """One table per pair of masks."""
    warnings.simplefilter("ignore")
    tools = {}
    for name, made in TOOLS.items():
        try:
            tools[name] = made()
        except (ImportError, SystemExit):
            print(f"{name} is not installed: left out")
    one = np.zeros((24, 24, 24), np.uint8)
    one[8:14, 8:14, 8:14] = 1
    tasks = {
        "2D, 64 x 48, spacing (1.5, 0.5)": (blob((64, 48), 3), blob((64, 48), 4), (1.5, 0.5)),
        "3D, 24 x 30 x 20, spacing (2, 1, 1)": (
            blob((24, 30, 20), 5),
            blob((24, 30, 20), 6),
            (2.0, 1.0, 1.0),
        ),
        "only truth holds the class": (one, one * 0, (2.0, 1.0, 1.0)),
        "only the prediction holds the class": (one * 0, one, (2.0, 1.0, 1.0)),
        "neither holds the class": (one * 0, one * 0, (2.0, 1.0, 1.0)),
    }
    for title, (truth, predicted, spacing) in tasks.items():
        print(f"\n{title}\n\n| tool | {' | '.join(QUESTIONS)} |\n|---|{'---|' * len(QUESTIONS)}")
        for name, asks in tools.items():
            cells = [answered(asks.get(question), truth, predicted, spacing) for question in QUESTIONS]
            print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
