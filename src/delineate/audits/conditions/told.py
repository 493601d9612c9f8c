"""The words, tables, curves and numbers of the section on acquisition conditions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from delineate.audits.conditions.measured import SEVERITIES, Course
from delineate.audits.conditions.shifted import Shift, interval_said
from delineate.audits.evidence import Evidence
from delineate.audits.section import Chart, Curve, Finding, Remedy, Table
from delineate.core import Case
from delineate.data.conditions import Condition
from delineate.data.problem import listed
from delineate.score import intervals

HELPS = 0.05  # of Dice: so much more with bright and dark exchanged says that contrast is in the way


def unconcerned(cases: Sequence[Case], conditions: Mapping[str, Condition]) -> list[str]:
    """For each kind of image that some conditions are for, and that not all of `cases` are, which conditions these are.

    >>> import numpy as np
    >>> from delineate.data.conditions import ACQUISITION
    >>> grey = Case("a", np.zeros((2, 2, 1), np.uint8))
    >>> unconcerned([grey], {"other hues": ACQUISITION["other hues"], "blur": ACQUISITION["blur"]})
    ['Tried on colour images alone, which 0 of 1 images are: other hues.']
    """
    found: dict[tuple[str, int], list[str]] = {}
    for name, one in conditions.items():
        count = sum(one.concerns(case.image) for case in cases)
        if count < len(cases):
            found.setdefault((one.whom, count), []).append(name)
    return [
        f"Tried on {whom} alone, which {count} of {len(cases)} images are: {listed(names)}."
        for (whom, count), names in found.items()
    ]


def of_family(family: str, ranked: Sequence[Course], evidence: Evidence) -> Finding | None:
    """The condition of a family that breaks the model first; None where none concerns the images."""
    mine = [course for course in ranked if course.condition.family == family]
    if not mine:
        return None
    worst = mine[0]
    if math.isnan(worst.dice[0]):
        value, sentence = math.nan, f"{family}: no class occurs in the images that were looked at."
    elif worst.dice[0] <= worst.fall:
        value = math.nan
        sentence = f"{family}: Dice is {worst.dice[0]:.2f} as it is, and has nothing to lose."
    elif math.isnan(worst.breaks):
        count = "the one condition" if len(mine) == 1 else f"all {len(mine)} conditions"
        value = float(SEVERITIES[-1])
        sentence = f"{family}: Dice stays within {worst.fall:g} of what it was in {count}, up to severity 5."
    else:
        value = worst.breaks
        sentence = (
            f"{family}: {worst.condition.name} breaks it first: Dice has fallen by {worst.fall:g} at severity "
            f"{worst.breaks:.1f} ({worst.condition.said(worst.breaks)}), and is {worst.dice[-1]:.2f} at severity 5."
        )
    return evidence.thresholds.judged(f"conditions.{family}", value, sentence)


def worst_said(ranked: Sequence[Course], fall: float) -> str:
    broken = [course for course in ranked if not math.isnan(course.breaks)]
    if not broken:
        clean = [course.dice[0] for course in ranked if not math.isnan(course.dice[0])]
        if not clean:
            return (
                "Nothing could be measured: no image has truth in which any class but background is labelled."
            )
        if max(clean) <= fall:
            return f"Dice is {max(clean):.2f} as it is, so that no condition can take {fall:g} of it."
        return f"Dice is {max(clean):.2f} as it is; no condition takes more than {fall:g} of Dice up to severity 5."
    worst = broken[0]
    stand = len(ranked) - len(broken)
    return (
        f"Worst is {worst.condition.name}: Dice {worst.dice[0]:.2f} has fallen by {fall:g} at severity {worst.breaks:.1f} "
        f"({worst.condition.said(worst.breaks)}); {stand} of {len(ranked)} conditions never take that much."
    )


def ranking(ranked: Sequence[Course], fall: float) -> Table:
    rows = []
    for course in ranked:
        never, one = math.isnan(course.breaks), course.condition
        rows.append(
            (
                one.name,
                one.family,
                "never" if never else f"{course.breaks:.1f}",
                "" if never else one.said(course.breaks),
                *(course.dice[severity] for severity in (0, 1, 3, 5)),
                _distance(course.hausdorff[5]),
                course.missed[5],
                one.said(5),
            )
        )
    header = (
        "condition",
        "family",
        f"Dice falls by {fall:g} at severity",
        "which is",
        "Dice",
        "at 1",
        "at 3",
        "at 5",
        "median Hausdorff at 5",
        "missed at 5",
        "severity 5 is",
    )
    return Table("Every condition, worst first", header, tuple(rows))


def _distance(value: float) -> str | float:
    """A Hausdorff distance for a table."""
    return "a class missed" if math.isinf(value) else value


def charts(ranked: Sequence[Course], *, fall: float, most: int) -> tuple[Chart, ...]:
    shown = ranked[:most]
    if not shown:
        return ()
    steps = tuple(float(severity) for severity in SEVERITIES)
    overlap = [
        Curve(course.condition.name, steps, course.dice, _band(course) if course is shown[0] else None)
        for course in shown
    ]
    far = []
    for course in shown:
        known = [(x, y) for x, y in zip(steps, course.hausdorff, strict=True) if math.isfinite(y)]
        if known:
            far.append(Curve(course.condition.name, *map(tuple, zip(*known, strict=True))))
    unit = shown[0].cases[0].unit
    limit = {f"{fall:g} less": shown[0].dice[0] - fall}
    return (
        Chart("Dice under the worst conditions", "severity", "mean Dice", tuple(overlap), limit),
        Chart("Hausdorff distance under the same", "severity", f"median, {unit}", tuple(far)),
    )


def _band(course: Course) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """95 % intervals of the means, where there are groups enough."""
    groups = [case.group for case in course.cases]
    found = [intervals([one.dice for one in row], groups).mean for row in course.scored]
    ends = [one for one in found if one is not None]
    if len(ends) < len(found):
        return None
    return tuple(low for low, _ in ends), tuple(high for _, high in ends)


def shift_finding(second: Shift, evidence: Evidence) -> Finding:
    here, there = second.dice
    sentence = (
        f"On the second data set Dice is {interval_said(there, second.interval_there)} against "
        f"{interval_said(here, second.interval_here)} here"
    )
    if second.fall_interval is not None and second.fall_interval[0] <= 0 <= second.fall_interval[1]:
        sentence += ", which may be chance"
    if second.exchanged > there + HELPS:
        sentence += f"; with bright and dark exchanged it is {second.exchanged:.3f}: contrast is in the way"
    return evidence.thresholds.judged("conditions.shifted", second.fall, sentence + ".")


def shift_table(second: Shift) -> Table:
    (here, there), (far_here, far_there) = second.dice, second.hausdorff
    rows = (
        ("here", len(second.here), interval_said(here, second.interval_here), _distance(far_here)),
        ("there", len(second.there), interval_said(there, second.interval_there), _distance(far_there)),
        ("there, bright and dark exchanged", len(second.there), f"{second.exchanged:.3f}", ""),
        ("lost", "", interval_said(second.fall, second.fall_interval), ""),
    )
    return Table(
        "The second data set", ("where", "images", "mean Dice [95 % interval]", "median Hausdorff"), rows
    )


ALL = "Coins: with all families 12 of 15 conditions never took 0.05 of Dice, where it was 4."
REMEDIES = {
    "light": "Train on crops of other exposure, tone curve and evenness of light. Coins, all families: Dice under stray light of "
    "severity 5 went from 0.71 to 0.98.",
    "camera": "Train on crops out of focus, of coarser pixels, with noise, compression and few grey levels. Coins, all families: "
    "Dice under noise of severity 5 went from 0.58 to 0.99, under blur from 0.85 to 0.97.",
    "stain": "Train on crops in other dyes; a model of grey images then reads colour images by the dye that they hold. "
    "Nuclei: Dice on stained tissue went from 0.16 to 0.80, on fluorescence from 0.91 to 0.90.",
    "inversion": "Train on crops with bright and dark exchanged. Coins, all families: Dice on the negative went from "
    "0.30 to 0.99.",
    "motion": "Train on crops that moved, and volumes that lost slices. Coins, all families: Dice of severity 5 went from 0.87 "
    "to 0.90.",
}


def _command(names: str) -> str:
    return f"delineate train DATA -o MODEL --robust {names}"


def remedies_for(findings: Sequence[Finding]) -> list[Remedy]:
    """One for each family that is not well, and one for all of them together."""
    ill = [one.name.removeprefix("conditions.") for one in findings if one.verdict in ("warn", "fail")]
    each = [Remedy(REMEDIES[family], _command(family)) for family in ill]
    if len(ill) < 2:
        return each
    return [Remedy(f"Train on crops under all of these conditions. {ALL}", _command(",".join(ill))), *each]


def shift_remedy(second: Shift) -> Remedy:
    contrasted = second.exchanged > second.dice[1] + HELPS
    if second.converted or contrasted:
        return Remedy(
            "Train on crops in other dyes, which exchange bright and dark as well. Nuclei: Dice on stained tissue, of which none "
            "was learnt from, went from 0.16 to 0.80.",
            _command("stain"),
        )
    return Remedy(
        f"Train on crops under all conditions; best, add labelled images from there. {ALL}", _command("all")
    )


def numbers(ranked: Sequence[Course], second: Shift | None) -> dict[str, Any]:
    each = {
        course.condition.name: {
            "family": course.condition.family,
            "breaks": course.breaks,
            "breaks_at": None if math.isnan(course.breaks) else course.condition.said(course.breaks),
            "severities": [course.condition.said(severity) for severity in SEVERITIES],
            "images": len(course.cases),
            "dice": list(course.dice),
            "hausdorff": list(course.hausdorff),
            "missed": list(course.missed),
        }
        for course in ranked
    }
    if second is None:
        return {"conditions": each}
    return {
        "conditions": each,
        "shifted": {
            "images": len(second.there),
            "dice_here": second.dice[0],
            "dice_there": second.dice[1],
            "fall": second.fall,
            "fall_interval": None if second.fall_interval is None else list(second.fall_interval),
            "hausdorff_here": second.hausdorff[0],
            "hausdorff_there": second.hausdorff[1],
            "exchanged": second.exchanged,
            "converted": second.converted,
            "each": {case.name: one.dice for case, one in zip(second.cases, second.there, strict=True)},
        },
    }
