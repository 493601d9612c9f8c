"""When a training is over: probabilities that come true, and how near weak labels have come to full masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from delineate.core import Case, tempered
from delineate.data.fingerprint import digest_of
from delineate.flow.methods import Tell
from delineate.flow.tempering import fitted, probabilities_of, told_by, truth_of
from delineate.score import expected_dice, intervals, mean_dice

if TYPE_CHECKING:
    from delineate.learn import Learnt

MOST = 16  # cases that a temperature is fitted on after a training: one number needs no more
# How far truth lay below what was expected, with strokes, clicks and scribbles on three data sets; see docs/figures.md.
FURTHEST = 0.10
LITTLE = 0.5  # of Dice: what a model outlines with less is not worth looking at
BUDGET = "what full masks would have given, `delineate budget` measures on a few of them"


@dataclass(frozen=True)
class Nearness:
    """How good a model of weak labels is on `cases` cases held out: mean Dice over the classes but background, 0 to 1.

    how: "measured" on full masks, or "expected" from the model's own probabilities. low, high: its 95 % interval over
    groups of cases, nan where there are fewer than two.
    """

    how: Literal["measured", "expected"]
    dice: float
    low: float
    high: float
    cases: int

    @classmethod
    def of(
        cls, how: Literal["measured", "expected"], values: Sequence[float], cases: Sequence[Case]
    ) -> Nearness:
        """From the Dice of every case, nan where none is defined."""
        low, high = intervals(values, [case.group for case in cases]).mean or (float("nan"),) * 2
        known = [value for value in values if not np.isnan(value)]
        return cls(how, float(np.mean(known)) if known else float("nan"), low, high, len(cases))

    def __str__(self) -> str:
        where = f"{self.cases} image{'s' if self.cases > 1 else ''} held out"
        if np.isnan(self.dice):
            shown = "the full masks of " if self.how == "measured" else "what is outlined on "
            return f"how near full masks: {shown}{where} is nothing but background, so nobody can tell"
        little = "so little that more time or more strokes are needed first; " if self.dice < LITTLE else ""
        between = "" if np.isnan(self.low) else f" ({self.low:.3f} to {self.high:.3f})"
        if self.how == "measured":
            return (
                f"how near full masks: Dice {self.dice:.3f}{between} on the full masks of {where}, where 1 would be perfect; "
                f"{little}{BUDGET}"
            )
        return (
            f"how near full masks: the model expects a Dice of about {self.dice:.2f} of itself on {where}, where 1 would be "
            f"perfect; {little}on three data sets the truth lay up to {FURTHEST:.2f} below what was expected, so "
            f"give full masks of a few images as --val to measure it; {BUDGET}"
        )


def settled(learnt: Learnt, held_out: Sequence[Case], *, folder: Path | None, tell: Tell) -> Learnt:
    """The model with the temperature that at most 16 of the cases held out give, written into its folder.

    Of a weak training it is also told, and written, how near it comes to full masks. Where no case held out has one, both
    follow from what its strokes imply; what is believed of them, `delineate.flow.tempering` says. Without any labelled case,
    and where boxes label most of each, the model is as it was.
    """
    told, masks = told_by(held_out, tell=tell)
    cases = evenly(told)
    if not cases:
        if held_out:
            tell("no image held out has a mask or strokes, so probabilities stay as they are (temperature 1)")
        return learnt
    from delineate.learn import UNetMethod
    from delineate.learn.learnt import recalibrated

    plan = learnt.plan
    answers = probabilities_of(UNetMethod.of(learnt), cases)
    result = fitted(answers, truth_of(cases, plan), masks=masks)
    temperature = result.temperature.temperature
    tell(str(result))
    found = result.found()
    if plan.weak is not None:
        near = nearness(answers, cases, temperature=temperature, measured=masks)
        tell(str(near))
        found |= {"nearness": asdict(near)}
    softer = replace(learnt, temperature=temperature, fitted_on=tuple(map(digest_of, cases)))
    if folder is not None:
        recalibrated(softer, folder, found=found)
    return softer


def nearness(
    answers: Sequence[NDArray[np.float32]], cases: Sequence[Case], *, temperature: float, measured: bool
) -> Nearness:
    """How good these answers (classes, *spatial) of temperature 1 are: measured on the masks of the cases, or expected."""
    if not measured:
        drawn = [set(np.unique(case.labels).tolist()) if case.labels is not None else set() for case in cases]
        softer = [tempered(one, temperature=temperature) for one in answers]
        expected = [expected_dice(one, present=known) for one, known in zip(softer, drawn, strict=True)]
        return Nearness.of("expected", expected, cases)
    values: list[float] = [
        mean_dice(case.labels, one.argmax(0).astype(np.uint8), classes=len(one))
        for case, one in zip(cases, answers, strict=True)
        if case.labels is not None
    ]
    return Nearness.of("measured", values, cases)


def evenly(cases: Sequence[Any]) -> list[Any]:
    """At most MOST of them, evenly chosen.

    >>> evenly(range(20))[:4], len(evenly(range(20)))
    ([0, 1, 2, 3], 16)
    """
    count = min(len(cases), MOST)
    return [cases[i * len(cases) // count] for i in range(count)]
