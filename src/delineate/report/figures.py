"""The drawn figures of a report: how scores spread over cases, how training went, the curves of an audit.

matplotlib is used here only, as figure objects without pyplot's global state. Every figure is drawn twice, for
light and for dark pages.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from delineate.audits import Chart
from delineate.core.classes import PALETTE, Colour
from delineate.score import SCORES, ScoreTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACCENT: dict[str, Colour] = {"light": (0, 122, 194), "dark": (92, 182, 235)}
INK = {"light": ("#2b3440", "#7a8594", "#dfe4ea"), "dark": ("#e4e8ee", "#93a0b0", "#39434f")}

_OTHERS = (PALETTE[1], *PALETTE[3:])  # curves after the first; not the blue that the accent is
_LINES = ("solid", "dashed", "dotted")  # tell curves of one colour apart, where there are more than colours
_INSIDE = 5  # curves that a legend names within the axes; that of more would lie on them


def distribution(tables: Mapping[str, ScoreTable], *, theme: str) -> bytes:
    """A PNG of Dice and Hausdorff of every case, one row per class and method: a dot per case, a box on top.

    tables: by name of the method; the first gives the classes. Infinite distances stand at the right, apart.
    """
    first = next(iter(tables.values()))
    rows = [(name, method) for name in first.names for method in tables]
    figure = new_figure(9.2, 0.9 + 0.62 * len(rows))
    for column, score in enumerate(("dice", "hausdorff")):
        axes = figure.add_subplot(1, 2, column + 1)
        styled(axes, theme)
        for at, (name, method) in enumerate(reversed(rows)):
            table = tables[method]
            values = table.values(name, score) if name in table.names else []
            colour = (
                first.classes.colours[first.classes.index(name)] if len(first.names) > 1 else ACCENT[theme]
            )
            _row(
                axes,
                values,
                at=at,
                colour=colour if method == next(iter(tables)) else (140, 140, 140),
                theme=theme,
            )
        labels = [_row_name(name, method, first, tables) for name, method in reversed(rows)]
        axes.set_yticks(range(len(rows)), labels if column == 0 else [""] * len(rows))
        axes.set_ylim(-0.6, len(rows) - 0.4)
        unit = f", {first.unit}" if SCORES[score].is_distance else ""
        axes.set_title(f"{SCORES[score].title}{unit}", loc="left", fontsize=11, color=INK[theme][0])
        if score == "dice":
            axes.set_xlim(-0.03, 1.03)
        else:
            axes.set_xlim(left=0)
            axes.margins(x=0.05)
    return png(figure)


def learning_curve(history: Sequence[Mapping[str, float]], *, theme: str) -> bytes:
    """A PNG of loss and validation Dice while training. history: step, seconds, loss, dice; dice may be absent."""
    figure = new_figure(9.2, 2.9)
    timed = all("seconds" in entry for entry in history)
    for column, (key, title) in enumerate((("loss", "Loss"), ("dice", "Dice on validation images"))):
        axes = figure.add_subplot(1, 2, column + 1)
        styled(axes, theme)
        points = [
            (entry["seconds"] / 60 if timed else entry["step"], value)
            for entry in history
            if (value := entry.get(key)) is not None and math.isfinite(value)
        ]
        if points:
            colour = rgb(ACCENT[theme])
            axes.plot(
                *zip(*points, strict=True),
                color=colour,
                linewidth=1.6,
                marker="." if len(points) < 40 else "",
            )
        axes.set_title(title, loc="left", fontsize=11, color=INK[theme][0])
        axes.set_xlabel("minutes" if timed else "step", color=INK[theme][1])
        axes.grid(axis="y", color=INK[theme][2], linewidth=0.8)
        if key == "loss":
            axes.set_ylim(bottom=0)
    return png(figure)


def reliability(table: ScoreTable, *, theme: str) -> bytes:
    """A PNG of how often a probability came true, against the probability: all labelled pixels, and those near borders."""
    figure = new_figure(9.2, 4.2)
    for column, (where, title) in enumerate(
        (("everywhere", "All labelled pixels"), ("border", "Near the borders of truth"))
    ):
        axes = figure.add_subplot(1, 2, column + 1)
        styled(axes, theme)
        axes.plot([0, 1], [0, 1], color=INK[theme][1], linewidth=1, linestyle=(0, (4, 3)))
        for name in table.names:
            found = table.calibration(name)
            if found is None:
                continue
            colour = (
                table.classes.colours[table.classes.index(name)] if len(table.names) > 1 else ACCENT[theme]
            )
            likely, true = getattr(found, where).curve
            axes.plot(likely, true, color=rgb(colour), linewidth=1.8, marker="o", markersize=4, label=name)
        axes.set_title(title, loc="left", fontsize=11, color=INK[theme][0])
        axes.set_xlabel("predicted probability", color=INK[theme][1])
        if column == 0:
            axes.set_ylabel("share that came true", color=INK[theme][1])
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_aspect("equal")
        if len(table.names) > 1:
            axes.legend(frameon=False, labelcolor=INK[theme][0], fontsize=9)
    return png(figure)


def curves(drawn: Chart, *, theme: str) -> bytes:
    """A PNG of curves over one axis, with their bands and the dashed marks."""
    from matplotlib.ticker import MaxNLocator

    many = len(drawn.curves) > _INSIDE
    figure = new_figure(7.4 if many else 5.6, 3.3)
    axes = figure.add_subplot(1, 1, 1)
    styled(axes, theme)
    axes.grid(axis="y", color=INK[theme][2], linewidth=0.8)
    for number, curve in enumerate(drawn.curves):
        again, place = divmod(number - 1, len(_OTHERS)) if number else (0, 0)
        colour = rgb(_OTHERS[place] if number else ACCENT[theme])
        axes.plot(
            curve.x,
            curve.y,
            color=colour,
            linestyle=_LINES[again % len(_LINES)],
            linewidth=1.7,
            marker="o",
            markersize=3.2,
            label=curve.name,
        )
        if curve.band is not None:
            axes.fill_between(curve.x, *curve.band, color=colour, alpha=0.16, linewidth=0)
    for name, value in drawn.marks.items():
        axes.axhline(value, color=INK[theme][1], linewidth=1, linestyle=(0, (4, 3)))
        _named(axes, name, value, theme)
    if all(float(x).is_integer() for curve in drawn.curves for x in curve.x):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(drawn.title, loc="left", fontsize=11, color=INK[theme][0])
    axes.set_xlabel(drawn.x, color=INK[theme][1])
    axes.set_ylabel(drawn.y, color=INK[theme][1])
    if len(drawn.curves) > 1:
        axes.legend(
            frameon=False,
            labelcolor=INK[theme][0],
            fontsize=8.5,
            loc="center left" if many else "best",
            bbox_to_anchor=(1.0, 0.5) if many else None,
        )
    return png(figure)


def _named(axes: Axes, name: str, value: float, theme: str) -> None:
    where = axes.get_yaxis_transform()
    axes.text(0.99, value, name, transform=where, ha="right", va="bottom", fontsize=8.5, color=INK[theme][1])


def _row(axes: Axes, values: Sequence[float], *, at: int, colour: Colour, theme: str) -> None:
    finite = np.array([value for value in values if math.isfinite(value)])
    infinite = sum(math.isinf(value) for value in values)
    if finite.size:
        spread = 0.24 * _spreading(finite.size)
        axes.scatter(finite, at + spread, s=14, color=rgb(colour), alpha=0.65, linewidths=0, zorder=2)
    if finite.size >= 4:
        ink = INK[theme][0]
        line = {"color": ink, "linewidth": 1.1}
        axes.boxplot(
            [finite], positions=[at], widths=0.62, orientation="horizontal", manage_ticks=False, showfliers=False,
            boxprops=line, whiskerprops=line, capprops=line, medianprops={"color": ink, "linewidth": 2.2}, zorder=3,
        )  # fmt: skip
    if infinite:
        axes.text(1.01, at, f"∞ × {infinite}", transform=axes.get_yaxis_transform(), va="center", fontsize=9,
                  color=INK[theme][0])  # fmt: skip


def _spreading(count: int) -> NDArray[np.float64]:
    """Numbers in [-1, 1] that keep neighbours apart, the same every time: multiples of the golden ratio."""
    return 2 * (np.arange(count, dtype=np.float64) * 0.6180339887 % 1) - 1


def _row_name(name: str, method: str, first: ScoreTable, tables: Mapping[str, ScoreTable]) -> str:
    if len(tables) == 1:
        return name
    return method if len(first.names) == 1 else f"{name}, {method}"


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, whose parts make room for each other."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(wspace=0.08), facecolor="none")


def styled(axes: Axes, theme: str) -> None:
    """Give axes the quiet look of all figures here. theme: light or dark."""
    ink, pale, line = INK[theme]
    axes.set_facecolor("none")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(line)
    axes.tick_params(colors=pale, labelsize=9, length=0)
    axes.tick_params(axis="y", labelcolor=ink, labelsize=10)
    axes.grid(axis="x", color=line, linewidth=0.8)
    axes.set_axisbelow(True)


def png(figure: Figure, *, solid: bool = False) -> bytes:
    """The figure as a PNG without a background, or on white (`solid`)."""
    held = io.BytesIO()
    ground = "white" if solid else "none"
    figure.savefig(
        held, format="png", dpi=170, facecolor=ground, transparent=not solid, metadata={"Software": None}
    )
    return held.getvalue()


def rgb(colour: Colour) -> tuple[float, float, float]:
    """A colour as matplotlib takes it, from 0 to 1."""
    return colour[0] / 255, colour[1] / 255, colour[2] / 255
