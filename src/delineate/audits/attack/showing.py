"""Tables, curves and pictures of what a few images were looked at closely for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from delineate.audits.attack.ensemble import CLEAN
from delineate.audits.attack.measure import SQUARE, Close, Look
from delineate.audits.attack.outcome import HEADER, Outcome, pooled, row
from delineate.audits.attack.pictures import panels
from delineate.audits.attack.settings import AttackSettings
from delineate.audits.attack.targeted import Achieved
from delineate.audits.section import Chart, Curve, Picture, Table
from delineate.data.problem import counted


def close_table(closely: Sequence[Close], settings: AttackSettings) -> Table:
    """What other kinds of attack leave."""
    return Table(
        f"Other attacks, on {len(closely)} of the images",
        HEADER,
        (
            row(SQUARE + f", {settings.queries} queries", [c.black_box for c in closely]),
            row(f"L2, root mean square {settings.eps / 4:g} of 255", [c.l2 for c in closely]),
            row("no limit at all", [c.unbounded for c in closely]),
        ),
    )


def size_table(closely: Sequence[Close], settings: AttackSettings) -> Table:
    """What is left at each size of the change."""
    rows = [row(f"{share * settings.eps:g}", [c.by_eps[share] for c in closely]) for share in settings.by_eps]
    title = f"Against the size of the change, {counted(len(closely), 'image')}"
    return Table(title, ("at most, of 255", *HEADER[1:]), tuple(rows))


def steps_table(closely: Sequence[Close], settings: AttackSettings) -> Table:
    """What is left after so many steps."""
    rows = [row(f"{count}", [c.by_steps[count] for c in closely]) for count in settings.by_steps]
    title = f"Against the steps of the attack, {counted(len(closely), 'image')}"
    return Table(title, ("steps", *HEADER[1:]), tuple(rows))


def target_table(closely: Sequence[Close]) -> Table:
    """How often an object could be made to vanish, or to appear."""

    def line(name: str, results: list[Achieved]) -> tuple[str | float, ...]:
        if not results:
            return (name, "no image has such a target", math.nan, math.nan)
        return (
            name,
            f"{sum(r.done for r in results)} of {len(results)}",
            float(np.mean([r.share for r in results])),
            float(np.mean([r.elsewhere for r in results])),
        )

    return Table(
        "Attacks with a purpose",
        ("made to", "done", "share of its pixels", "share of other pixels changed"),
        (
            line("vanish: one object", [c.vanished for c in closely if c.vanished]),
            line("appear: one object", [c.appeared for c in closely if c.appeared]),
        ),
    )


def charts(closely: Sequence[Close], clean: Outcome, settings: AttackSettings) -> tuple[Chart, ...]:
    """Dice against eps, attack beside noise, and against the number of steps."""
    if not closely:
        return ()
    at = tuple(share * settings.eps for share in settings.by_eps)

    def curve(name: str, points: Sequence[float], outcomes: Sequence[Sequence[Outcome]]) -> Curve:
        return Curve(name, tuple(map(float, points)), tuple(pooled(o).dice for o in outcomes))

    return (
        Chart(
            "Dice against the size of the change",
            "largest change of a pixel, of 255",
            "Dice",
            (
                curve("attack", at, [[c.by_eps[s] for c in closely] for s in settings.by_eps]),
                curve("noise", at, [[c.noise_by_eps[s] for c in closely] for s in settings.by_eps]),
            ),
            {"clean": clean.dice} if math.isfinite(clean.dice) else {},
        ),
        Chart(
            "Dice against the steps of the attack",
            "steps",
            "Dice",
            (
                curve(
                    "attack", settings.by_steps, [[c.by_steps[n] for c in closely] for n in settings.by_steps]
                ),
            ),
        ),
    )


def pictures(looks: Sequence[Look], eps: float) -> tuple[Picture, ...]:
    """The image that lost most, and the middle one."""
    order = sorted(range(len(looks)), key=lambda i: looks[i].outcomes[CLEAN].harm - looks[i].worst.harm)
    chosen = list(dict.fromkeys([order[0], order[len(order) // 2]]))
    return tuple(
        Picture(
            f"{looks[i].attacked.case.name}: clean (Dice {looks[i].outcomes[CLEAN].dice:.3f}), under attack by {looks[i].by} "
            f"(Dice {looks[i].worst.dice:.3f}), and the change, amplified: grey is none, black and white are eps. Outlined is "
            "what the model finds: what is outlined on the left and not on the changed image is lost.",
            panels(
                looks[i].attacked.case.image,
                looks[i].image,
                before=looks[i].before,
                after=looks[i].after,
                eps=eps,
            ),
        )
        for i in chosen
    )
