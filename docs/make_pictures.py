"""Makes the pictures of README.md and docs/fundamentals.md, and prints the figures that stand beside them.

    python docs/make_pictures.py [--steps 300]

One U-Net is taught on the coins; what is drawn is of the blocks held out. (skips.png comes from bench/skips.py.)
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy import ndimage

import delineate
from delineate.classical import Otsu
from delineate.core import Case, ClassTable
from delineate.data import DataSet, samples
from delineate.learn import Learnt, Overrides, UNetMethod
from delineate.learn.answer import feature_maps
from delineate.learn.normalisation import normalised
from delineate.report.overlay import mistakes, outlines, stretched
from delineate.score import dice

IMAGES = Path(__file__).parent / "images"
CLASSES = ClassTable(("table", "coin"))


def main() -> None:
    """Train once, draw all."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--steps", type=int, default=300)
    train, held_out = samples.coins()
    data = DataSet(tuple(train), tuple(held_out), CLASSES, (), {})
    pixels = Overrides(shuffle=1)  # not blocks of them: a kernel of the first layer can be drawn as it is
    method = delineate.train(data, steps=asked.parse_args().steps, seed=0, overrides=pixels, tell=print)
    IMAGES.mkdir(exist_ok=True)
    draw_coins(method, Otsu(classes=CLASSES).fit(train), held_out[0])
    draw_filters(method.learnt, held_out[1])
    delineate.features(method, held_out[1].image, out=IMAGES / "features.png")
    print_alikeness(method.learnt, held_out)


def draw_coins(method: UNetMethod, threshold: Otsu, case: Case) -> None:
    """The left edge of the picture, lying on its side: our outlines, a threshold, the network."""
    unet, otsu = (fitted.predict(case.image).argmax(0).astype(np.uint8) for fitted in (method, threshold))
    picture = stretched(case.image)
    panels = {
        "held out, with our outlines": outlines(case.image, case.labels, classes=CLASSES),
        f"Otsu threshold: Dice {dice(case.labels, otsu, label=1):.3f}": mistakes(picture, case.labels, otsu),
        f"U-Net: Dice {dice(case.labels, unet, label=1):.3f}": mistakes(picture, case.labels, unet),
    }
    figure = Figure(figsize=(9, 7.6), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (title, panel) in zip(figure.subplots(3, 1), panels.items(), strict=True):
        axes.imshow(panel.transpose(1, 0, 2), interpolation="nearest")
        axes.set_title(title, loc="left", fontsize=12)
        axes.set_axis_off()
        print(title)
    figure.savefig(IMAGES / "coins.png", dpi=100)


def draw_filters(learnt: Learnt, case: Case) -> None:
    """The first layer's kernels above what each of them makes of the picture."""
    kernels = learnt.net.first[0].weight.detach().numpy()[:, 0]
    image = normalised(case.image, learnt.plan.normalisation)[0]
    strongest = np.argsort(-np.abs(kernels).sum((1, 2)), kind="stable")[:8]
    figure = Figure(figsize=(13, 2.9), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(2, len(strongest))
    for column, number in enumerate(strongest):
        kernel = kernels[number]
        answer = ndimage.correlate(image, kernel, mode="nearest")
        for axes, shown in zip(grid[:, column], (kernel, answer), strict=True):
            reach = np.percentile(np.abs(shown), 99.5)
            axes.imshow(shown, cmap="PuOr_r", vmin=-reach, vmax=reach, interpolation="nearest")
            axes.set_axis_off()
    figure.savefig(IMAGES / "filters.png", dpi=100)


def print_alikeness(learnt: Learnt, cases: list[Case]) -> None:
    """How much the maps of each block are like brightness, edges and coins: mean |correlation| over its maps."""
    rows: dict[str, list[list[float]]] = {}
    for case in cases:
        image = normalised(case.image, learnt.plan.normalisation)[0]
        wanted = (image, ndimage.gaussian_gradient_magnitude(image, 1.0), (case.labels == 1).astype(float))
        for name, maps in ({"the picture itself": image[None]} | feature_maps(learnt, case.image)).items():
            for plane in maps:
                scale = [n / m for n, m in zip(image.shape, plane.shape, strict=True)]
                full = ndimage.zoom(plane, scale, order=1, grid_mode=True, mode="nearest")
                if full.std() > 1e-6:
                    alike = [abs(np.corrcoef(full.ravel(), other.ravel())[0, 1]) for other in wanted]
                    rows.setdefault(name, []).append(alike)
    print("\n| block | brightness | edges | coin or table |\n|---|---|---|---|")
    for name, values in rows.items():
        print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in np.mean(values, axis=0)) + " |")


if __name__ == "__main__":
    main()
