"""Makes images/scribbles.png of docs/guide/scribbles.md: full masks, strokes, clicks, and where `delineate next` would draw.

    python docs/make_scribbles.py [--steps 250]

A small U-Net is taught on strokes on one block of the coins; what it is asked about are the blocks that nobody drew on.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

import delineate
from delineate.core import Case, ClassTable
from delineate.data import DataSet, Hand, pointed, samples, scribbled
from delineate.learn import Overrides
from delineate.report.overlay import Rgb, outlines, stretched

IMAGES = Path(__file__).parent / "images"
CLASSES = ClassTable(("table", "coin"))
INK = {0: (60, 160, 255), 1: (255, 176, 0)}
PEN = Hand(width_px=2)


def main() -> None:
    """Draw one block four times."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--steps", type=int, default=250)
    train, _ = samples.coins()
    case = train[0]
    drawn = scribbled(case, share=0.03, hand=PEN)
    panels = {
        "full masks": outlines(case.image, case.labels, classes=CLASSES),
        "strokes on 3 % of the pixels": inked(drawn),
        "a click on every coin, background strokes": inked(pointed(case, radius_px=3, hand=PEN)),
        "delineate next: what to draw on": asked_for(drawn, train[1], asked.parse_args().steps),
    }
    figure = Figure(figsize=(10, 6.2), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (title, panel) in zip(figure.subplots(2, 2).flat, panels.items(), strict=True):
        axes.imshow(panel, interpolation="nearest")
        axes.set_title(title, loc="left", fontsize=11)
        axes.set_axis_off()
    figure.savefig(IMAGES / "scribbles.png", dpi=110, metadata={"Software": None})


def inked(case: Case) -> Rgb:
    """A case with its strokes and points in the colours of their classes."""
    picture = stretched(case.image)
    for label, colour in INK.items():
        picture[case.labels == label] = colour
    return picture


def asked_for(drawn: Case, other: Case, steps: int) -> Rgb:
    """The overlay that `delineate next` draws of another block, once a network was taught on the strokes of the first."""
    small = Overrides(width=16, patch=64, batch=4)
    method = delineate.train(DataSet((drawn,), (), CLASSES, (), {}), steps=steps, overrides=small)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        Image.fromarray(np.repeat(other.image, 3, axis=-1)[..., 0]).save(place / "block.png")
        delineate.suggest(method, place / "block.png", out=place / "next", count=3, region_px=48)
        return np.asarray(Image.open(place / "next" / "overlays" / "block.png"))


if __name__ == "__main__":
    main()
