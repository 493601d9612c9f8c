"""What is found of people and of the model, as findings and remedies, in plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from delineate.audits.annotators.agreement import Agreement
from delineate.audits.annotators.habits import Habit
from delineate.audits.annotators.hands import Hand
from delineate.audits.annotators.leaning import Leaning
from delineate.audits.annotators.standing import LEAST, Standing
from delineate.audits.evidence import Evidence
from delineate.audits.section import Finding, Remedy
from delineate.score.interval import Interval

REMEDIES = (
    Remedy(
        "Learn from everybody: for every crop one person is drawn at random, so that the model meets all styles. "
        "Nuclei drawn by three simulated people: Dice with truth 0.83, learnt from one of them 0.76.",
        "delineate train DATA -o MODEL --annotators random",
    ),
    Remedy(
        "Learn the share of people who drew each pixel, which is what `random` teaches on average, in one step. There: 0.83.",
        "delineate train DATA -o MODEL --annotators soft",
    ),
    Remedy(
        "Learn what the majority drew, whose border runs between theirs. There: 0.86.",
        "delineate train DATA -o MODEL --annotators consensus",
    ),
)


def agreement_finding(among: Mapping[tuple[str, str], Agreement], evidence: Evidence) -> Finding:
    known = {pair: one for pair, one in among.items() if not math.isnan(one.mean_dice)}
    if not known:
        return evidence.thresholds.judged(
            "annotators.agreement", math.nan, "No two people drew anything in the same image."
        )
    (one, other), least = min(known.items(), key=lambda item: item[1].mean_dice)
    mean = sum(each.mean_dice for each in known.values()) / len(known)
    return evidence.thresholds.judged(
        "annotators.agreement",
        least.mean_dice,
        f"People agree with each other at a mean Dice of {mean:.3f}; furthest apart are {one} and {other} "
        f"({least.mean_dice:.3f}).",
    )


def habit_findings(habits: Sequence[Habit], people: Sequence[str], evidence: Evidence) -> list[Finding]:
    """The strongest habit among people: of the border, and of missing small objects."""
    persons = [habit for habit in habits if habit.name in people]
    border = max(persons, key=lambda one: abs(np.nan_to_num(one.larger_px)))
    blind = max(persons, key=lambda one: np.nan_to_num(one.small_missed))
    return [
        evidence.thresholds.judged(
            "annotators.border_px",
            abs(border.larger_px),
            f"{border.name} {_sized(border)}.",
        ),
        evidence.thresholds.judged(
            "annotators.small_missed",
            blind.small_missed,
            "The consensus holds no small objects."
            if math.isnan(blind.small_missed)
            else f"{blind.name} leaves out {blind.small_missed:.1%} of the small objects"
            f"{between(blind.small_interval, '.1%')}.",
        ),
    ]


def model_findings(
    model: Hand,
    place: Standing,
    leans: Sequence[Leaning],
    habits: Sequence[Habit],
    evidence: Evidence,
) -> list[Finding]:
    """Whether the model stands among people; how it draws; whom it resembles."""
    own = next(habit for habit in habits if habit.name == model.name)
    few = place.groups < LEAST
    worst = math.nan if few or place.interval is None else place.interval[0]
    first = leans[0]
    verb = "better than" if place.difference > 0 else "less well than"
    likeness = (
        "Nobody stands alone against the others anywhere."
        if math.isnan(first.lean)
        else f"Where {first.person} stands alone against most others, {model.name} sides with them in {first.sides:.0%} of "
        f"the pixels, {first.lean:+.0%} beside the same share for the others{between(first.interval, '+.0%')}."
    )
    return [
        evidence.thresholds.judged(
            "annotators.model_among_people",
            worst,
            f"{model.name} agrees with people {abs(place.difference):.3f} Dice {verb} they agree with each other"
            f"{between(place.interval, '+.3f')}."
            + f" Nothing is proven by so few images: it takes {LEAST} of different groups."
            * few,
        ),
        evidence.thresholds.judged(
            "annotators.model_border_px",
            abs(own.larger_px),
            f"{model.name} {_sized(own)} of people.",
        ),
        evidence.thresholds.judged("annotators.leaning", first.lean, likeness),
    ]


def _sized(one: Habit) -> str:
    if math.isnan(one.larger_px):
        return "drew no object of the consensus"
    side = "larger" if one.larger_px >= 0 else "smaller"
    interval = one.larger_interval
    if interval is not None and one.larger_px < 0:
        interval = (-interval[1], -interval[0])
    return f"draws {abs(one.larger_px):.2f} px {side}{between(interval, '.2f')} than the consensus"


def with_interval(value: float, interval: Interval | None, form: str) -> str:
    return (
        ""
        if math.isnan(value)
        else f"{value:{form}}" + (f" ({interval[0]:{form}} to {interval[1]:{form}})" if interval else "")
    )


def between(interval: Interval | None, form: str) -> str:
    return f" (95 % interval {interval[0]:{form}} to {interval[1]:{form}})" if interval else ""
