"""What the blocks of a network answer to one image: a row of maps per block, from edges to whole objects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import written_whole
from delineate.report.overlay import stretched

COLUMNS = 8


def draw_features(image: NDArray[Any], maps: Mapping[str, NDArray[np.float32]], path: Path) -> Path:
    """Draw `maps`, block name -> (channels, *spatial), for `image` (*spatial, channels) into a PNG at `path`.

    Each row shows the strongest varying channels of a block, each stretched by itself; of volumes the middle
    slice is shown.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     maps = {"encoder 0": np.random.default_rng(0).random((4, 8, 8), np.float32)}
    ...     draw_features(np.zeros((16, 16, 1), np.uint8), maps, Path(scratch) / "maps.png").name
    'maps.png'
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    picture = stretched(image)
    rows: dict[str, list[NDArray[Any]]] = {
        "image": [picture if picture.ndim == 3 else picture[len(picture) // 2]]
    }
    for name, channels in maps.items():
        planes = channels if channels.ndim == 3 else channels[:, channels.shape[1] // 2]
        order = np.argsort(-planes.reshape(len(planes), -1).std(1), kind="stable")[:COLUMNS]
        rows[f"{name}\n{planes.shape[1]} x {planes.shape[2]}"] = [planes[i] for i in order]
    figure = Figure(figsize=(1.6 * COLUMNS + 1.2, 1.65 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(rows), COLUMNS, squeeze=False)
    for axes, (name, row) in zip(grid, rows.items(), strict=True):
        for axis in axes:
            axis.set_axis_off()
        axes[0].text(-0.08, 0.5, name, transform=axes[0].transAxes, ha="right", va="center", fontsize=9)
        for axis, plane in zip(axes, row, strict=False):
            axis.imshow(plane, cmap=None if plane.ndim == 3 else "magma", interpolation="nearest")
    with written_whole(path) as beside:
        figure.savefig(beside, format="png", dpi=110)
    return path
