"""What is labelling worth? One picture of Dice against effort, with the ceiling that full masks reach, and its numbers.

budget.png is the picture, budget.html a page around it, budget.json the numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from delineate.core import written_whole
from delineate.data.problem import counted
from delineate.report.figures import ACCENT, INK, new_figure, png, rgb, styled
from delineate.report.page import source, template
from delineate.score.summary import shown

TITLES = {
    "strokes": "Strokes on every image",
    "clicks": "One click on each object",
    "masks": "Full masks for some images",
}
EFFORT = {
    "strokes": "share of pixels drawn on, %",
    "clicks": "number of clicks",
    "masks": "number of images",
}
ENOUGH = 0.95


@dataclass(frozen=True)
class Spent:
    """One training: what was labelled, and how good its model is.

    kind: strokes (on every image), clicks (on the objects of some images, a few background strokes beside) or masks (of
    some images, full). asked: the share of pixels, or the number of images. images, share, clicks: images with labels,
    share of all training pixels that is labelled, number of clicks. dice: mean over the classes but background, each over
    the judged images; per_class: by name; nan where undefined.
    """

    kind: str
    asked: float
    images: int
    share: float
    clicks: int
    seed: int
    dice: float
    per_class: dict[str, float]
    seconds: float

    @property
    def effort(self) -> float:
        """Where it stands on the axis of its kind."""
        return {"strokes": 100 * self.share, "clicks": self.clicks, "masks": self.images}[self.kind]


@dataclass(frozen=True)
class Budget:
    """All trainings, and the one with full masks of all images, the ceiling. page: the file to open."""

    spent: tuple[Spent, ...]
    ceiling: float
    page: Path

    @property
    def lines(self) -> list[str]:
        """One line per training, for a terminal."""
        return [verdict(self.spent, self.ceiling)] + [
            f"{TITLES[one.kind]:28s} {_effort(one):34s} Dice {shown(one.dice)} ({shown(ratio(one.dice, self.ceiling))} of full)"
            for one in sorted(self.spent, key=lambda one: (one.kind, one.effort, one.seed))
        ]


def ratio(dice: float, ceiling: float) -> float:
    """The share of the ceiling that is reached; nan where the ceiling is 0 or undefined.

    >>> ratio(0.45, 0.9), ratio(0.5, 0.0)
    (0.5, nan)
    """
    return dice / ceiling if ceiling > 0 else math.nan


def verdict(spent: Sequence[Spent], ceiling: float) -> str:
    """The cheapest of each kind that comes near the ceiling, in a sentence.

    >>> one = Spent("strokes", 0.01, 9, 0.01, 0, 0, 0.9, {}, 1.0)
    >>> verdict([one], 0.9)
    'Full masks of all images reach a Dice of 0.900; 95 % of that takes strokes on 1 % of the pixels.'
    """
    parts = []
    most = max((one.images for one in spent if one.kind == "masks"), default=0)
    for kind in ("strokes", "clicks", "masks"):
        means = _means([one for one in spent if one.kind == kind and (kind != "masks" or one.images < most)])
        near = [effort for effort, dice in means if ratio(dice, ceiling) >= ENOUGH]
        if near and kind == "strokes":
            parts.append(f"strokes on {min(near):.2g} % of the pixels")
        elif near and kind == "clicks":
            parts.append(f"{round(min(near))} clicks")
        elif near:
            count = round(min(near))
            parts.append(f"full masks of {count} image{'s' if count > 1 else ''}")
    if not ceiling > 0:
        return f"Full masks of all images reach a Dice of {shown(ceiling)}, so that nothing can be compared: train longer."
    said = f"Full masks of all images reach a Dice of {shown(ceiling)}; {ENOUGH:.0%}".replace("%", " %")
    if not parts:
        return f"{said} of that was not reached with less."
    return f"{said} of that takes {' or '.join(parts)}."


def write_budget(folder: Path, spent: Sequence[Spent], *, judged: int, cost: str) -> Budget:
    """Write budget.json, budget.png and budget.html into `folder`.

    judged: number of images judged on. cost: what each training was given, in words. The training with full masks of the
    most images is the ceiling.
    """
    most = max(one.images for one in spent)
    full = [one.dice for one in spent if one.kind == "masks" and one.images == most]
    ceiling = _mean(full)
    content: dict[str, Any] = {
        "format": "delineate-budget",
        "version": 1,
        "judged_images": judged,
        "training": cost,
        "ceiling": _number(ceiling),
        "points": [
            {key: _number(value) if isinstance(value, float) else value for key, value in asdict(one).items()}
            | {"per_class": {name: _number(value) for name, value in one.per_class.items()}}
            for one in spent
        ],
    }
    with written_whole(folder / "budget.json") as beside:
        beside.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    with written_whole(folder / "budget.png") as beside:
        beside.write_bytes(budget_curve(spent, ceiling, theme="light", solid=True))
    with written_whole(folder / "budget.html") as beside:
        beside.write_text(_html(spent, ceiling, judged=judged, cost=cost), encoding="utf-8")
    return Budget(tuple(spent), ceiling, folder / "budget.html")


def budget_curve(spent: Sequence[Spent], ceiling: float, *, theme: str, solid: bool = False) -> bytes:
    """A PNG with one panel for each kind of labels: Dice against effort, and the ceiling as a line. solid: on white."""
    from matplotlib.ticker import FixedLocator, NullLocator

    spent = [one for one in spent if math.isfinite(one.dice)]
    kinds = [kind for kind in TITLES if any(one.kind == kind for one in spent)]
    drawn = new_figure(3.4 * max(len(kinds), 1) + 0.6, 3.4)
    if not kinds:
        drawn.text(0.5, 0.5, "no Dice is defined", ha="center", va="center", color=INK[theme][0])
    lowest = min([one.dice for one in spent], default=0.0)
    floor = max(0.0, min(0.9 * lowest, lowest - 0.05))
    for column, kind in enumerate(kinds):
        axes = drawn.add_subplot(1, len(kinds), column + 1)
        styled(axes, theme)
        here = [one for one in spent if one.kind == kind]
        means = _means(here)
        if math.isfinite(ceiling):
            axes.axhline(ceiling, color=INK[theme][1], linewidth=1, linestyle=(0, (4, 3)))
        if column == 0 and math.isfinite(ceiling):
            axes.annotate(
                f"full masks {shown(ceiling)}", (0.02, ceiling), xycoords=("axes fraction", "data"),
                xytext=(0, 4), textcoords="offset points", fontsize=9, color=INK[theme][1],
            )  # fmt: skip
        axes.plot(*zip(*means, strict=True), color=rgb(ACCENT[theme]), linewidth=1.8)
        axes.scatter(
            [one.effort for one in here],
            [one.dice for one in here],
            color=rgb(ACCENT[theme]),
            s=18,
            zorder=3,
        )
        axes.set_xscale("log")
        ticks = [effort for effort, _ in means]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticklabels([f"{tick:.2g}" if kind == "strokes" else f"{tick:.0f}" for tick in ticks])
        highest = max(value for value in (ceiling, *(one.dice for one in spent)) if math.isfinite(value))
        axes.set_ylim(floor, min(1.0, highest + 0.04))
        axes.set_title(TITLES[kind], loc="left", fontsize=11, color=INK[theme][0])
        axes.set_xlabel(EFFORT[kind], fontsize=9, color=INK[theme][1])
        if column == 0:
            axes.set_ylabel("Dice", fontsize=9, color=INK[theme][1])
    return png(drawn, solid=solid)


def _means(spent: Sequence[Spent]) -> list[tuple[float, float]]:
    """(effort, mean Dice) of the seeds of each step, rising in effort; nan where no seed has one."""
    steps: dict[float, list[Spent]] = {}
    for one in spent:
        steps.setdefault(one.asked, []).append(one)
    return sorted(
        (sum(o.effort for o in some) / len(some), _mean([o.dice for o in some])) for some in steps.values()
    )


def _mean(values: Sequence[float]) -> float:
    """The mean of those that are defined; nan where none is."""
    defined = [value for value in values if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else math.nan


def _effort(one: Spent) -> str:
    if one.kind == "strokes":
        return f"{one.share:.2%} of the pixels, {counted(one.images, 'image')}"
    if one.kind == "clicks":
        return f"{counted(one.clicks, 'click')}, {counted(one.images, 'image')}"
    return counted(one.images, "image")


def _html(spent: Sequence[Spent], ceiling: float, *, judged: int, cost: str) -> str:
    page = template("budget.html.j2")
    classes = list(spent[0].per_class) if len(spent[0].per_class) > 1 else []
    return page.render(
        verdict=verdict(spent, ceiling),
        light=source(budget_curve(spent, ceiling, theme="light")),
        dark=source(budget_curve(spent, ceiling, theme="dark")),
        classes=classes,
        rows=[
            {
                "kind": TITLES[one.kind],
                "effort": _effort(one),
                "seed": one.seed,
                "dice": shown(one.dice),
                "ratio": shown(ratio(one.dice, ceiling)),
                "per_class": [shown(one.per_class[name]) for name in classes],
                "seconds": f"{one.seconds:.0f} s",
            }
            for one in sorted(spent, key=lambda one: (list(TITLES).index(one.kind), one.effort, one.seed))
        ],
        judged=judged,
        cost=cost,
    )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
