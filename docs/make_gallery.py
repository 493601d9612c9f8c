"""Makes the pictures of docs/gallery.md, and prints the figures that stand beside them.

python docs/make_gallery.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from delineate.classical import (
    LocalMean,
    Otsu,
    Sauvola,
    TextureForest,
    chan_vese,
    geodesic,
    quantised,
    start_at_points,
    texture_maps,
    walked,
)
from delineate.core import Case, ClassTable
from delineate.data import samples
from delineate.objects import split
from delineate.report.overlay import mistakes, outlines, stretched
from delineate.score import dice, match_objects

IMAGES = Path(__file__).parent / "images"
CLASSES = ClassTable(("table", "coin"))
INK, BLUE, ORANGE, GREEN = "#1f2933", "#009edc", "#d55e00", "#00885a"


def main() -> None:
    """Draw all."""
    IMAGES.mkdir(exist_ok=True)
    train, _ = samples.coins()
    whole = samples.coin_picture()
    draw_thresholds(train, whole)
    draw_watershed()
    draw_contours()
    draw_texture(whole)
    draw_scribbles(whole)


def draw_thresholds(train: Sequence[Case], whole: Case) -> None:
    """One threshold for the picture, and one for every pixel's surroundings."""
    panels: dict[str, Any] = {"the picture": stretched(whole.image)}
    for title, method in (("Otsu", Otsu()), ("local mean", LocalMean()), ("Sauvola", Sauvola())):
        found = method.fit(train).predict(whole.image).argmax(0).astype(np.uint8)
        said = f"{title}: Dice {dice(whole.labels, found, label=1):.3f}"
        panels[said] = mistakes(stretched(whole.image), whole.labels, found)
        print("thresholds,", said)
    row(panels, "gallery_thresholds.png")


def touching(noise: float, seed: int = 0) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
    """Eighteen discs that touch in pairs, as a threshold sees them through noise; and their ids."""
    rng = np.random.default_rng(seed)
    ids = np.zeros((150, 200), np.int32)
    grid = np.indices(ids.shape)
    places = [(25 + 50 * r, 22 + 62 * c + 24 * k) for r in range(3) for c in range(3) for k in range(2)]
    for number, (y, x) in enumerate(places, 1):
        ids[np.hypot(grid[0] - y, grid[1] - x) < 13.5] = number
    return (ids > 0) + rng.normal(0, noise, ids.shape) > 0.5, ids


def draw_watershed() -> None:
    """Noise makes markers, smoothing the landscape takes them away again; and too much smoothing takes all."""
    sigmas = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 10])
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 4, width_ratios=(1, 1, 1, 1.25))
    mask, truth = touching(0.24)
    for at, sigma in zip(axes, (0.0, 3.0, 10.0), strict=False):
        ids = split(mask, sigma_px=sigma, smallest_px=20)
        grey = np.where(mask, 90, 20).astype(np.uint8)[..., None]
        at.imshow(outlines(grey, (ids > 0).astype(np.uint8), ids, classes=CLASSES))
        at.set_title(f"smoothed by {sigma:g} px: {ids.max()} objects", fontsize=10, loc="left", color=INK)
        at.set_axis_off()
    for noise, colour in ((0.15, GREEN), (0.2, BLUE), (0.24, ORANGE)):
        mask, truth = touching(noise)
        found = [split(mask, sigma_px=sigma, smallest_px=20) for sigma in sigmas]
        scores = [match_objects(truth, ids).ap50 for ids in found]
        axes[3].plot(sigmas, scores, color=colour, marker="o", markersize=3, label=f"noise {noise:g}")
        counts = {float(s): int(ids.max()) for s, ids in zip(sigmas, found, strict=True)}
        print(
            f"watershed, noise {noise:g}, objects of 18 by smoothing: {counts}; AP@0.5 {np.round(scores, 2)}"
        )
    axes[3].set_xlabel("smoothing of the distance, px", fontsize=9)
    axes[3].set_title("AP@0.5", fontsize=10, loc="left", color=INK)
    axes[3].set_ylim(-0.03, 1.03)
    axes[3].legend(frameon=False, fontsize=8)
    axes[3].spines[["top", "right"]].set_visible(False)
    figure.savefig(IMAGES / "gallery_watershed.png", dpi=100)


def draw_contours() -> None:
    """Where a contour ends depends on where it starts; and it runs out where the edge is weak."""
    grid = np.indices((120, 120)) - 60
    far = np.hypot(*grid)
    rng = np.random.default_rng(0)
    disc = far < 34
    blob = np.clip(np.where(disc, 0.75, 0.25) + rng.normal(0, 0.05, far.shape), 0, 1)
    figure = Figure(figsize=(11, 6.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 4, width_ratios=(1, 1, 1, 1.25))
    shifts = np.arange(0, 56, 5)
    ends: dict[str, list[float]] = {"Chan-Vese": [], "geodesic": []}
    for shift in shifts:
        start = start_at_points(blob.shape, [(60, 60 + shift)], radius_px=8)
        kinds = {
            "Chan-Vese": chan_vese(blob, start, steps=60),
            "geodesic": geodesic(blob, start, balloon=1, steps=60, sigma_px=2, stiffness=400),
        }
        for name, ended in kinds.items():
            ends[name].append(overlap(disc, ended))
        if shift in (0, 25, 50):
            at = axes[0, (0, 25, 50).index(shift)]
            curves(at, blob, {"start": start, **kinds})
            at.set_title(f"start {shift} px off the middle", fontsize=10, loc="left", color=INK)
    for (name, values), colour in zip(ends.items(), (BLUE, ORANGE), strict=True):
        axes[0, 3].plot(shifts, values, color=colour, marker="o", markersize=3, label=name)
        print(f"contours, {name}, Dice by shift of the start: {told(shifts, values)}")
    axes[0, 3].axvline(34, color="#93a0b0", linewidth=0.8, linestyle="--")
    finish(axes[0, 3], "start, px off the middle (dashed: the rim)", "Dice")
    weak = np.linspace(0, 1, 11)
    leaks: dict[str, list[float]] = {"Chan-Vese": [], "geodesic": []}
    for strength in weak:
        sector = np.abs(np.arctan2(grid[0], grid[1])) < 0.45
        edge = np.where(sector & (far >= 34), 0.75 - 0.5 * strength, np.where(disc, 0.75, 0.25))
        picture = np.clip(edge + rng.normal(0, 0.03, far.shape), 0, 1)
        start = start_at_points(picture.shape, [(60, 60)], radius_px=8)
        kinds = {
            "Chan-Vese": chan_vese(picture, start, steps=60),
            "geodesic": geodesic(picture, start, balloon=1, steps=60, sigma_px=2, stiffness=400),
        }
        for name, ended in kinds.items():
            leaks[name].append(float((ended & ~disc).sum() / disc.sum()))
        if round(strength, 1) in (1.0, 0.3, 0.0):
            at = axes[1, (1.0, 0.3, 0.0).index(round(strength, 1))]
            curves(at, picture, {"start": start, **kinds})
            at.set_title(f"edge on the right at {strength:.0%}", fontsize=10, loc="left", color=INK)
    for (name, values), colour in zip(leaks.items(), (BLUE, ORANGE), strict=True):
        axes[1, 3].plot(100 * weak, values, color=colour, marker="o", markersize=3, label=name)
        print(f"contours, {name}, leaked area by strength of the edge: {told(weak, values)}")
    finish(axes[1, 3], "strength of the edge, %", "area outside / area of the disc")
    figure.savefig(IMAGES / "gallery_contours.png", dpi=100)


def draw_texture(whole: Case) -> None:
    """Co-occurrence maps of the photograph."""
    names = ("contrast", "homogeneity", "energy", "entropy", "correlation")
    grey = whole.image[..., 0] / 255
    maps = texture_maps(quantised(grey, levels=32), levels=32, window_px=11, properties=names, averaged=True)[
        0
    ]
    panels = {"the picture": stretched(whole.image)} | dict(zip(names, maps, strict=True))
    row(panels, "gallery_texture.png", height=2.3)


def draw_scribbles(whole: Case) -> None:
    """A few strokes; what walks and what a forest make of them."""
    strokes = np.full(whole.spatial, 255, np.uint8)
    for number in np.unique(whole.objects)[1:]:
        rows, columns = np.nonzero(whole.objects == number)
        y, x = int(rows.mean()), int(columns.mean())
        strokes[y, x - 6 : x + 7] = 1
    between = (whole.labels == 0) & ((np.indices(whole.spatial)[0] % 75) == 1)
    strokes[between] = 0
    share = (strokes != 255).mean()
    picture = stretched(whole.image)
    drawn = picture.copy()
    drawn[strokes == 1], drawn[strokes == 0] = (255, 176, 0), (0, 158, 220)
    panels: dict[str, Any] = {f"strokes on {share:.1%} of the pixels": drawn}
    by_walk = walked(whole.image, strokes, beta=1500).argmax(0).astype(np.uint8)
    by_forest = TextureForest().fit([replace(whole, labels=strokes)]).predict(whole.image).argmax(0)
    for title, found in (("random walker", by_walk), ("texture forest", by_forest.astype(np.uint8))):
        said = f"{title}: Dice {dice(whole.labels, found, label=1):.3f}"
        panels[said] = mistakes(picture, whole.labels, found)
        print(f"scribbles on {share:.2%},", said)
    row(panels, "gallery_scribbles.png")


def told(at: NDArray[Any], values: Sequence[float]) -> str:
    """Pairs of numbers in words."""
    return ", ".join(f"{x:g}: {value:.2f}" for x, value in zip(at, values, strict=True))


def overlap(truth: NDArray[np.bool_], mask: NDArray[np.bool_]) -> float:
    """Dice of two masks."""
    return dice(truth.astype(np.uint8), mask.astype(np.uint8), label=1)


def curves(at: Any, picture: NDArray[Any], masks: Mapping[str, NDArray[np.bool_]]) -> None:
    """The rims of masks on a picture."""
    at.imshow(picture, cmap="gray", vmin=0, vmax=1)
    for mask, colour in zip(masks.values(), ("#f0e442", BLUE, ORANGE), strict=True):
        if mask.any() and not mask.all():
            at.contour(mask, levels=[0.5], colors=[colour], linewidths=1.6)
    at.set_axis_off()


def finish(at: Any, x: str, title: str) -> None:
    """Labels of a small diagram."""
    at.set_xlabel(x, fontsize=9)
    at.set_title(title, fontsize=10, loc="left", color=INK)
    at.spines[["top", "right"]].set_visible(False)
    at.set_ylim(bottom=-0.03)
    at.legend(frameon=False, fontsize=8)


def row(panels: Mapping[str, Any], name: str, *, height: float = 2.9) -> None:
    """Pictures side by side."""
    figure = Figure(figsize=(11, height), layout="constrained")
    FigureCanvasAgg(figure)
    for at, (title, panel) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        at.imshow(panel, cmap=None if panel.ndim == 3 else "magma", interpolation="nearest")
        at.set_title(title, loc="left", fontsize=10, color=INK)
        at.set_axis_off()
    figure.savefig(IMAGES / name, dpi=100)


if __name__ == "__main__":
    main()
