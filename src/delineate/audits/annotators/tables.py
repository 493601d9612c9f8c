"""What is found of people and of the model, in tables, in a chart, and as plain values for audit.json."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from delineate.audits.annotators.agreement import Agreement
from delineate.audits.annotators.habits import Habit, known_mean
from delineate.audits.annotators.hands import Group
from delineate.audits.annotators.leaning import Leaning
from delineate.audits.annotators.standing import Standing
from delineate.audits.annotators.style import joined
from delineate.audits.annotators.telling import with_interval
from delineate.audits.section import Chart, Curve, Table
from delineate.audits.subject import Subject
from delineate.data import staple


def pairs_table(said: Mapping[tuple[str, str], Agreement], group: Group) -> Table:
    unit = group.images[0].unit
    rows = tuple(
        (
            f"{a} and {b}",
            int((~np.isnan(one.dice)).sum()),
            one.mean_dice,
            one.median_hausdorff,
            int(np.isinf(one.hausdorff).sum()),
            one.disagreement,
            one.kappa,
        )
        for (a, b), one in said.items()
    )
    header = (
        "pair",
        "images",
        "mean Dice",
        f"median Hausdorff ({unit})",
        "where one missed a class",
        "objects without partner",
        "kappa",
    )
    return Table("How far every two agree", header, rows)


def habits_table(habits: Sequence[Habit]) -> Table:
    rows = tuple(
        (
            one.name,
            one.images,
            with_interval(one.larger_px, one.larger_interval, "+.2f"),
            with_interval(one.small_missed, one.small_interval, ".1%"),
            f"{one.missed:.1%}",
            f"{one.extra:.1%}",
            "" if math.isnan(one.moved_px[0]) else f"{one.moved_px[0]:+.2f}, {one.moved_px[1]:+.2f}",
            one.wiggles_px,
        )
        for one in habits
    )
    header = (
        "who",
        "images",
        "border outside the consensus (px)",
        "small objects left out",
        "all objects left out",
        "objects of their own",
        "moved (down, right; px)",
        "wiggles (px)",
    )
    return Table("How each draws, beside the consensus", header, rows)


def staple_table(group: Group, subject: Subject) -> Table:
    """Sensitivity and specificity of each person as STAPLE estimates them, mean over images."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for i in range(len(group.images)):
        present = [(one.name, labels) for one in group.people if (labels := one.labels[i]) is not None]
        for label, name in enumerate(subject.classes.names[1:], start=1):
            seen = staple([labels for _, labels in present], label=label)
            for (person, _), *rates in zip(present, seen.sensitivity, seen.specificity, strict=True):
                found.setdefault((person, name), []).append((rates[0], rates[1]))
    rows = tuple(
        (person, name, known_mean(np.array(rates)[:, 0]), known_mean(np.array(rates)[:, 1]))
        for (person, name), rates in sorted(found.items())
    )
    return Table(
        "How good each person is, as STAPLE sees it", ("who", "class", "sensitivity", "specificity"), rows
    )


def model_table(place: Standing, leans: Sequence[Leaning], closeness: Mapping[str, float]) -> Table:
    by_person = {one.person: one for one in leans}
    rows = tuple(
        (
            one.person,
            closeness[one.person],
            with_interval(by_person[one.person].sides, None, ".0%"),
            with_interval(by_person[one.person].lean, by_person[one.person].interval, "+.0%"),
            with_interval(one.difference, one.interval, "+.3f"),
            with_interval(one.closer, None, ".0%"),
        )
        for one in place.beside
    )
    header = (
        "who",
        "Dice of the model with them",
        "where they stand alone, the model sides with them",
        "beside the others",
        "the model in their place: Dice with the others",
        "images where it agrees at least as well",
    )
    return Table("The model among people", header, rows)


def size_chart(habits: Sequence[Habit], edges: Sequence[float]) -> Chart:
    """Share of objects left out, by quarter of object size."""
    curves = []
    for one in habits:
        seen = joined([picture for picture in one.pictures if picture is not None])
        quarter = np.clip(np.searchsorted(edges[1:-1], seen.sizes, side="left"), 0, 3)
        shares = [
            float(seen.missed[quarter == q].mean()) if (quarter == q).any() else math.nan for q in range(4)
        ]
        curves.append(Curve(one.name, (1.0, 2.0, 3.0, 4.0), tuple(shares)))
    ends = ", ".join(f"{edge:.0f}" for edge in edges[1:])
    quarters = f"objects by size: quarters, up to {ends} px"
    return Chart("Objects left out, by size", quarters, "share left out", tuple(curves))


def plain(one: Agreement) -> dict[str, Any]:
    return {
        "images": int((~np.isnan(one.dice)).sum()),
        "dice": one.mean_dice,
        "hausdorff": one.median_hausdorff,
        "disagreement": one.disagreement,
        "kappa": one.kappa,
    }


def plain_habit(one: Habit) -> dict[str, Any]:
    return {
        "larger_px": one.larger_px,
        "larger_interval": one.larger_interval,
        "small_missed": one.small_missed,
        "small_interval": one.small_interval,
        "missed": one.missed,
        "extra": one.extra,
        "moved_px": one.moved_px,
        "wiggles_px": one.wiggles_px,
    }
