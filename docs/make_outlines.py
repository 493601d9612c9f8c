"""Makes images/outlines.png of docs/guide/outlines.md: outlines as another program holds them, the mask, the ids.

    python docs/make_outlines.py

The coins of the demo, their labels traced as polygons with few corners, as people draw them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from skimage.measure import approximate_polygon, find_contours

from delineate.core import Case
from delineate.data import samples
from delineate.data.outlines import Outline, ring, understand
from delineate.report.overlay import stretched

IMAGES = Path(__file__).parent / "images"
TOLERANCE_PX = 1.5  # by how much a side may cut a corner


def main() -> None:
    """Draw one picture three times."""
    case = samples.coins()[0][0]
    drawn = outlines(case)
    labels, ids, _ = understand(drawn).of(drawn, start=(0, 0), shape=case.spatial)
    figure = Figure(figsize=(11, 2.3), layout="constrained")
    FigureCanvasAgg(figure)
    first, second, third = figure.subplots(1, 3)
    first.imshow(stretched(case.image), interpolation="nearest")
    height, width = case.spatial
    for outline in drawn:
        corners = outline.parts[0][0]
        first.fill(corners[:, 1] - 0.5, corners[:, 0] - 0.5, fill=False, edgecolor="#ffb000", linewidth=1.6)
        first.plot(corners[:, 1] - 0.5, corners[:, 0] - 0.5, ".", color="#ffb000", markersize=4)
    first.set_xlim(-0.5, width - 0.5)
    first.set_ylim(height - 0.5, -0.5)
    second.imshow(labels, cmap="gray", interpolation="nearest")
    third.imshow(np.where(ids > 0, ids, np.nan), cmap="tab20", interpolation="nearest")
    titles = ("outlines of another program", "masks/: what each pixel is", "instances/: which object")
    for axes, title in zip((first, second, third), titles, strict=True):
        axes.set_title(title, loc="left", fontsize=11)
        axes.set_xticks([])
        axes.set_yticks([])
    figure.savefig(IMAGES / "outlines.png", dpi=100, metadata={"Software": None})


def outlines(case: Case) -> list[Outline]:
    """The coins of a picture as polygons with few corners."""
    assert case.labels is not None
    traced = find_contours(np.pad(case.labels == 1, 1).astype(float), 0.5)
    few = (approximate_polygon(contour - 0.5, TOLERANCE_PX) for contour in traced)
    return [Outline("coin", ((ring(corners[:-1, ::-1]),),)) for corners in few if len(corners) > 3]


if __name__ == "__main__":
    main()
