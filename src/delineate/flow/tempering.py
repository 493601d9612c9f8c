"""Which cases a temperature is fitted on, and whether what they say is believed: the same after a training and in `calibrate`.

Full masks are believed in both directions. Strokes lie where it is easy: they may say that a model is too sure, not that it
is not sure enough. What brings probabilities further from what comes true is believed of neither.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, Case, DataError, foreground, tempered
from delineate.data.problem import counted
from delineate.data.sparse import barely_labelled, sparse
from delineate.flow.methods import Progress, Tell
from delineate.score import (
    Temperature,
    border_band,
    calibration,
    fitted_temperature,
    judged_temperature,
    pool_calibrations,
    risk_controlled_threshold,
)

if TYPE_CHECKING:
    from delineate.learn.plan import Plan

Errors = tuple[float, float]
ROUNDING = 1e-5  # of a probability, more than it changes when the temperature is applied before the softmax, as predictions do
WORSE = 0.01  # by which both errors together may grow: one point is no finding


@dataclass(frozen=True)
class Calibrated:
    """What was fitted on `cases` cases, and the expected calibration error, all over and near borders, before and after.

    Of several classes the error is that of foreground or of the class with the largest. thresholds: alpha -> threshold on
    the probability of foreground. kept: why the temperature is the one that the model had; "" for one that was fitted. gone:
    alphas that the model guaranteed and does not any more.
    """

    temperature: Temperature
    cases: int
    groups: int
    ece: Errors
    border_ece: Errors
    thresholds: dict[float, float]
    kept: str = ""
    gone: tuple[float, ...] = ()

    def lines(self, model: str) -> list[str]:
        """What was found, and what each guarantee says and assumes, in sentences."""
        witnesses = f"{self.groups} groups of images" if self.groups < self.cases else f"{self.groups} images"
        return [
            str(self),
            *(
                f"alpha {alpha:g}: `delineate predict {model} IMAGES -o OUT --guarantee {alpha:g}` outlines whatever is "
                f"foreground with a probability of {threshold:.3g} or more; on average at most {alpha:.1%} of the foreground "
                f"of an image is missed, provided that new images come about as these {witnesses} did: "
                "same kind of sample, stain and instrument"
                for alpha, threshold in self.thresholds.items()
            ),
            *(
                f"alpha {alpha:g}: the guarantee that the model had is gone, for its threshold belonged to the temperature "
                "before and these images are too few, or have no full masks, for another: give more of them to "
                f"`delineate calibrate {model} DATA --alpha {alpha:g}`"
                for alpha in self.gone
            ),
        ]

    def found(self) -> dict[str, Any]:
        """What was measured, as plain values for `model.json`."""
        errors = {"ece": list(self.ece), "border_ece": list(self.border_ece)}
        return asdict(self.temperature) | {"cases": self.cases} | errors

    def __str__(self) -> str:
        fit = self.temperature
        if self.kept:
            return f"{self.kept}, so probabilities stay as they are (temperature {fit.temperature:.4g})"
        how = "too sure" if fit.temperature > 1 else "not sure enough"
        return (
            f"temperature {fit.temperature:.3f} (the model was {how}), fitted on {counted(self.cases, 'case')}: negative "
            f"log-likelihood {fit.nll_before:.4f} -> {fit.nll_after:.4f}, {_said(self.ece, self.border_ece)} on the same cases"
        )


def told_by(cases: Sequence[Case], *, tell: Tell) -> tuple[list[Case], bool]:
    """The cases that a temperature may be fitted on, and whether these are full masks.

    Those with full masks; where there are none, which `tell` hears, those with strokes or points. Boxes say nothing of it.
    """
    labelled = [case for case in cases if case.labels is not None and (case.labels != UNLABELLED).any()]
    if masks := [case for case in labelled if not sparse(case)]:
        return masks, True
    if strokes := [case for case in labelled if barely_labelled(case)]:
        tell("no image held out has a full mask: the temperature is fitted on what their strokes imply")
    return strokes, False


def truth_of(cases: Sequence[Case], plan: Plan) -> list[Case]:
    """The cases with what their strokes imply; full masks are truth as they are."""
    from delineate.learn.weak import held_out

    return [
        held_out(case, dims=plan.dims, normalisation=plan.normalisation, grey=plan.grey) for case in cases
    ]


def fitted(
    answers: Sequence[NDArray[np.float32]],
    cases: Sequence[Case],
    *,
    alphas: Sequence[float] = (),
    masks: bool = True,
    had: float = 1.0,
) -> Calibrated:
    """The temperature and the thresholds that probabilities (classes, *spatial) of temperature 1 ask for.

    masks: whether the labels of the cases are full masks, rather than what strokes imply. had: the temperature of the model,
    which stays where what is fitted is not believed.
    """
    truth = [case.labels for case in cases if case.labels is not None]
    groups = [case.group for case in cases]
    if not truth or len(truth) < len(cases):
        raise DataError("a model is calibrated on truth: give cases that all have masks")

    def under(temperature: float) -> tuple[list[NDArray[np.float32]], Errors]:
        softer = [tempered(one, temperature=temperature) for one in answers]
        return softer, _errors(truth, softer)

    fit = fitted_temperature(truth, answers)
    (_, plain), (old, held), (softer, after) = under(1.0), under(had), under(fit.temperature)
    kept = ""
    if not masks and fit.temperature < had:
        kept = "what strokes imply is too easy to say that the model is not sure enough"
    elif np.nansum(after) > np.nansum(held) + WORSE:
        kept = (
            f"a temperature of {fit.temperature:.3f} would bring probabilities further from what comes true "
            f"({_said(*zip(held, after, strict=True))})"
        )
    if kept:
        fit, softer, after = judged_temperature(truth, answers, temperature=had), old, held
    ahead = [foreground(one) for one in softer]
    return Calibrated(
        fit,
        len(cases),
        groups_of(cases),
        (plain[0], after[0]),
        (plain[1], after[1]),
        {
            alpha: risk_controlled_threshold(truth, ahead, alpha=alpha, groups=groups) * (1 - ROUNDING)
            for alpha in dict.fromkeys(alphas)
        },
        kept,
    )


def probabilities_of(
    method: Any, cases: Sequence[Case], *, progress: Progress | None = None
) -> list[NDArray[np.float32]]:
    """What the method says of every case: (classes, *spatial) each."""
    answers = []
    for done, case in enumerate(cases):
        if progress:
            progress(done, len(cases))
        answers.append(method.predict(case.image))
    return answers


def groups_of(cases: Sequence[Case]) -> int:
    """How many groups have foreground in truth."""
    return len(
        {
            case.group
            for case in cases
            if case.labels is not None and ((case.labels > 0) & (case.labels != UNLABELLED)).any()
        }
    )


def _said(ece: Errors, border_ece: Errors) -> str:
    borders = (
        "" if math.isnan(border_ece[0]) else f", near borders {border_ece[0]:.4f} -> {border_ece[1]:.4f}"
    )
    return f"calibration error {ece[0]:.4f} -> {ece[1]:.4f}{borders}"


def _errors(truth: Sequence[NDArray[np.uint8]], likely: Sequence[NDArray[np.float32]]) -> Errors:
    """Calibration error all over and near borders: of foreground, or of the class with the largest; nan without a border."""
    ahead = [foreground(one) for one in likely]
    there = [np.where(one == UNLABELLED, one, one > 0).astype(np.uint8) for one in truth]
    views = [(there, ahead, 1)]
    if (classes := len(likely[0])) > 2:
        views += [(list(truth), [one[label] for one in likely], label) for label in range(1, classes)]
    found: tuple[list[float], list[float]] = ([], [])
    for labels, answers, label in views:
        pairs = list(zip(labels, answers, strict=True))
        found[0].append(pool_calibrations(calibration(one, p, label=label) for one, p in pairs).ece)
        near = (calibration(one, p, label=label, within=border_band(one)) for one, p in pairs)
        found[1].append(pool_calibrations(near).ece)
    whole, band = (max((one for one in errors if not math.isnan(one)), default=math.nan) for errors in found)
    return whole, band
