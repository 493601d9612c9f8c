"""Draws docs/images/surfaces.png: where the surface of a mask lies, by the two conventions in use.

python docs/make_surfaces.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from skimage.measure import find_contours

from delineate.score.border import border_voxels
from delineate.score.elements import surface_elements

MASK = np.array(
    [
        [0, 0, 0, 0, 0, 0],
        [0, 0, 1, 1, 0, 0],
        [0, 1, 1, 1, 1, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 0, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ],
    bool,
)
INK, BLUE, ORANGE = "#1f2933", "#009edc", "#d55e00"


def main() -> None:
    """Draw both side by side."""
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for axes in (left, right):
        axes.imshow(MASK, cmap="Greys", vmin=0, vmax=4, interpolation="nearest")
        axes.set_axis_off()
    y, x = border_voxels(MASK, MASK)[0].T
    left.scatter(x, y, s=110, color=BLUE)
    left.set_title(f"voxels: {len(x)} of {MASK.sum()} are border, each counts 1", fontsize=11, color=INK)
    for contour in find_contours(np.pad(MASK, 1).astype(float), 0.5):
        right.plot(contour[:, 1] - 1, contour[:, 0] - 1, color=ORANGE, linewidth=2)
    corners, lengths = surface_elements(MASK, (1.0, 1.0))
    right.scatter(corners[:, 1] - 0.5, corners[:, 0] - 0.5, s=110 * lengths, color=ORANGE)
    right.set_title(
        f"elements: {len(lengths)} corners, together {lengths.sum():.1f} long", fontsize=11, color=INK
    )
    figure.savefig(Path(__file__).parent / "images" / "surfaces.png", dpi=100)


if __name__ == "__main__":
    main()
