"""After the training: probabilities that come true, and thresholds with a promise, from cases that were not learnt from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, Case, DataError, ModelError, foreground, tempered
from delineate.data import DataSet
from delineate.data.fingerprint import digest_of, seen
from delineate.data.masks import MasksAre
from delineate.data.problem import counted
from delineate.flow.evidence import check_classes
from delineate.flow.methods import Progress, Tell, data_set, load
from delineate.score import (
    Calibration,
    Temperature,
    border_band,
    calibration,
    check_alpha,
    fitted_temperature,
    pool_calibrations,
    risk_controlled_threshold,
)

ENGINE = "torch-float32"


@dataclass(frozen=True)
class Calibrated:
    """What was fitted on `cases` cases, and the expected calibration error, all over and near borders, before and after.

    thresholds: alpha -> threshold on the probability of foreground.
    """

    temperature: Temperature
    cases: int
    groups: int
    ece: tuple[float, float]
    border_ece: tuple[float, float]
    thresholds: dict[float, float]

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
        ]

    @property
    def unchanged(self) -> Calibrated:
        """The same of the probabilities as they were."""
        before = self.temperature.nll_before
        kept = Temperature(1.0, before, before)
        ece, border = self.ece[0], self.border_ece[0]
        return replace(self, temperature=kept, ece=(ece, ece), border_ece=(border, border))

    def found(self) -> dict[str, Any]:
        """What was measured, as plain values for `model.json`."""
        errors = {"ece": list(self.ece), "border_ece": list(self.border_ece)}
        return asdict(self.temperature) | {"cases": self.cases} | errors

    def __str__(self) -> str:
        fit = self.temperature
        borders = (
            ""
            if math.isnan(self.border_ece[0])
            else f", near borders {self.border_ece[0]:.4f} -> {self.border_ece[1]:.4f}"
        )
        how = "too sure" if fit.temperature > 1 else "not sure enough"
        return (
            f"temperature {fit.temperature:.3f} (the model was {how}), fitted on {counted(self.cases, 'case')}: negative "
            f"log-likelihood {fit.nll_before:.4f} -> {fit.nll_after:.4f}, calibration error {self.ece[0]:.4f} -> "
            f"{self.ece[1]:.4f}{borders} on the same cases"
        )


def calibrate(
    model: str | Path,
    data: str | Path | DataSet | Sequence[Case],
    *,
    alphas: Sequence[float] = (),
    engine: str | None = None,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    tell: Tell | None = None,
    progress: Progress | None = None,
) -> Calibrated:
    """Fit the temperature of a trained U-Net, and thresholds for each alpha, and write both into its model.json.

    data: labelled cases that it has not learnt from; of a data set with a validation part, that part. Images that it has
    learnt from are left out, which `tell` hears; where these are more than half, all is refused. alphas: expected shares of
    missed foreground, each with a threshold for `predict(guarantee=alpha)`; see
    `delineate.score.risk_controlled_threshold`. Cases of one group are one witness. engine: what runs the network (None:
    torch in float32), and will run it wherever a guarantee is asked for. What was fitted before is replaced; weights and
    the labels of most likely classes stay as they are. Raises DataError for too few cases or those it knows, ModelError
    for a method that is no U-Net; nothing is written then.
    """
    method = load(model, tell=tell)
    if method.name != "unet":
        raise ModelError(f"{method.name} has no temperature: give the folder of a trained U-Net")
    from delineate.learn.learnt import Guarantee, recalibrated

    found = data_set(data, unlabelled=unlabelled, masks_are=masks_are, classes=method.classes)
    looks = [look for one in found.large for look in one.looks]
    cases = _unseen(method, found.validation or (*found.cases, *looks), tell or (lambda _: None))
    check_classes(cases, method.classes)
    for alpha in alphas:
        check_alpha(alpha, groups=_groups(cases))
    used = engine or ENGINE
    method.learnt = replace(method.learnt, temperature=1.0)
    method.use_engine(used)
    answers = probabilities_of(method, cases, progress=progress)
    result = fitted(answers, cases, alphas=alphas)
    learnt = replace(
        method.learnt,
        temperature=result.temperature.temperature,
        guarantees=tuple(
            Guarantee(alpha, threshold, result.groups, used) for alpha, threshold in result.thresholds.items()
        ),
        fitted_on=tuple(map(digest_of, cases)),
    )
    recalibrated(learnt, Path(model), found=result.found())
    return result


def _unseen(method: Any, cases: Sequence[Case], tell: Tell) -> list[Case]:
    """The cases that the model has not learnt from; raises DataError where these are fewer than half."""
    known = seen(cases, method.learnt.record.data.get("learnt", ()))
    if 2 * len(known) > len(cases):
        raise DataError(
            f"the model has learnt from {len(known)} of these {len(cases)} images, where it is surer than elsewhere: give images "
            "that it never saw"
        )
    if known:
        tell(f"{len(known)} of {len(cases)} images are left out: the model has learnt from them")
    return [case for case in cases if not any(case is one for one in known)]


def fitted(
    answers: Sequence[NDArray[np.float32]], cases: Sequence[Case], *, alphas: Sequence[float] = ()
) -> Calibrated:
    """What `calibrate` finds, of probabilities (classes, *spatial) at temperature 1; nothing is written."""
    truth = [case.labels for case in cases if case.labels is not None]
    groups = [case.group for case in cases]
    if not truth or len(truth) < len(cases):
        raise DataError("a model is calibrated on truth: give cases that all have masks")
    temperature = fitted_temperature(truth, answers)
    softer = [tempered(one, temperature=temperature.temperature) for one in answers]
    before, after = (_errors(truth, likely) for likely in (answers, softer))
    ahead = [foreground(one) for one in softer]
    return Calibrated(
        temperature,
        len(cases),
        _groups(cases),
        (before[0].ece, after[0].ece),
        (before[1].ece, after[1].ece),
        {
            alpha: risk_controlled_threshold(truth, ahead, alpha=alpha, groups=groups)
            for alpha in dict.fromkeys(alphas)
        },
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


def _groups(cases: Sequence[Case]) -> int:
    """How many groups have foreground in truth."""
    return len(
        {
            case.group
            for case in cases
            if case.labels is not None and ((case.labels > 0) & (case.labels != UNLABELLED)).any()
        }
    )


def _errors(
    truth: Sequence[NDArray[np.uint8]], likely: Sequence[NDArray[np.float32]]
) -> tuple[Calibration, Calibration]:
    """Calibration of foreground, all over and near borders."""
    whole, band = [], []
    for labels, answer in zip(truth, likely, strict=True):
        there = np.where(labels == UNLABELLED, labels, labels > 0).astype(np.uint8)
        ahead = foreground(answer)
        whole.append(calibration(there, ahead, label=1))
        band.append(calibration(there, ahead, label=1, within=border_band(there)))
    return pool_calibrations(whole), pool_calibrations(band)
