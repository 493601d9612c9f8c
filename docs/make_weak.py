"""Makes the picture of docs/guide/weak-labels.md: one click on every coin, and what is learnt from it.

    python docs/make_weak.py [--steps 300]

Two U-Nets see the same clicks and the same crops in the same order; what is drawn of them is held out. With --steps 0
only the clicks are drawn, and what they imply.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import delineate
from delineate.core import UNLABELLED, Case, ClassTable
from delineate.data import DataSet, pointed, samples
from delineate.learn import Overrides
from delineate.learn.normalisation import Normalisation
from delineate.learn.weak import held_out as spread_out
from delineate.report.overlay import mistakes, stretched
from delineate.score import dice

IMAGES = Path(__file__).parent / "images"
CLASSES = ClassTable(("table", "coin"))


def main() -> None:
    """Train twice, draw once."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--steps", type=int, default=300)
    steps = asked.parse_args().steps
    train, held_out = samples.coins()
    clicked = [pointed(case) for case in train]
    share = np.mean(np.concatenate([case.labels.ravel() for case in clicked]) != UNLABELLED)
    shown, number = held_out[0], max(range(len(clicked)), key=lambda i: clicked[i].image.size)
    marks = clicked[number]
    grown = spread_out(marks, dims=2, normalisation=Normalisation(), grey=True)
    panels = {
        f"strokes on {share:.1%} of the pixels": marked(marks),
        "what they imply": marked(grown),
    }
    for title, weak in (("strokes alone", False), ("Delineate", True)) if steps else ():
        data = DataSet(tuple(clicked), (), CLASSES, (), {})
        method = delineate.train(data, steps=steps, seed=0, overrides=Overrides(weak=weak, objects=False))
        found = method.predict(shown.image).argmax(0).astype(np.uint8)
        said = f"{title}: Dice {dice(shown.labels, found, label=1):.3f}"
        panels[said] = mistakes(stretched(shown.image), shown.labels, found)
        print(said)
    IMAGES.mkdir(exist_ok=True)
    rows = len(panels) // 2
    figure = Figure(figsize=(11, 2.4 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (title, panel) in zip(figure.subplots(rows, 2).flat, panels.items(), strict=True):
        tall = panel.shape[0] > panel.shape[1]
        axes.imshow(panel.transpose(1, 0, 2) if tall else panel, interpolation="nearest")
        axes.set_title(title, loc="left", fontsize=11)
        axes.set_axis_off()
    figure.savefig(IMAGES / "weak.png", dpi=100)


def marked(case: Case) -> np.ndarray:
    """The image with labelled pixels in the colour of their class: background blue, coins orange."""
    picture = stretched(case.image).copy()
    for label, colour in ((0, (0, 158, 220)), (1, (255, 176, 0))):
        picture[case.labels == label] = colour
    return picture


if __name__ == "__main__":
    main()
