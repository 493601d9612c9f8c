"""After the training: probabilities that come true, and thresholds with a promise, from cases that were not learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from delineate.core import Case, DataError, ModelError
from delineate.data import DataSet
from delineate.data.fingerprint import digest_of, seen
from delineate.data.masks import MasksAre
from delineate.flow.evidence import check_classes
from delineate.flow.methods import Progress, Tell, data_set, load
from delineate.flow.tempering import Calibrated, fitted, groups_of, probabilities_of, told_by, truth_of
from delineate.score import check_alpha, least_alpha

ENGINE = "torch-float32"


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
    learnt from are left out, which `tell` hears; where these are more than half, all is refused. Left out are also images
    with strokes, points or boxes where others have full masks; where none has, a temperature is fitted on what strokes imply,
    and is never below the one that the model has. alphas: expected shares of missed foreground, each with a threshold for
    `predict(guarantee=alpha)`; see `delineate.score.risk_controlled_threshold`. Cases of one group are one witness. engine:
    what runs the network (None: torch in float32), and will run it wherever a guarantee is asked for.

    What was fitted before is replaced, and the guarantees that the model has are fitted anew; where the data do not allow
    for it and the temperature is another, they are gone. A temperature that brings probabilities further from what comes
    true is not taken. Weights and the labels of most likely classes stay as they are. Raises DataError for too few cases or
    those it knows, and for a guarantee without full masks, ModelError for a method that is no U-Net; nothing is written
    then.
    """
    say = tell or (lambda _: None)
    method = load(model, tell=tell)
    if method.name != "unet":
        raise ModelError(f"{method.name} has no temperature: give the folder of a trained U-Net")
    from delineate.learn.learnt import Guarantee, recalibrated

    before = method.learnt
    found = data_set(data, unlabelled=unlabelled, masks_are=masks_are, classes=before.classes)
    looks = [look for one in found.large for look in one.looks]
    cases, masks = _told(_unseen(method, found.validation or (*found.cases, *looks), say), say)
    check_classes(cases, before.classes)
    if alphas and not masks:
        raise DataError(
            "strokes tell nothing of borders, where most is missed, so no guarantee follows from them: give images with full "
            "masks, or leave --alpha out"
        )
    groups = groups_of(cases)
    for alpha in alphas:
        check_alpha(alpha, groups=groups)
    again = [one.alpha for one in before.guarantees if masks and one.alpha >= least_alpha(groups)]
    used = engine or ENGINE
    method.learnt = replace(before, temperature=1.0)
    method.use_engine(used)
    answers = probabilities_of(method, cases, progress=progress)
    truth = truth_of(cases, before.plan)
    result = fitted(answers, truth, alphas=(*alphas, *again), masks=masks, had=before.temperature)
    temperature = result.temperature.temperature
    others = [one for one in before.guarantees if one.alpha not in result.thresholds]
    stay = others if temperature == before.temperature else []
    result = replace(result, gone=tuple(one.alpha for one in others if one not in stay))
    new = [Guarantee(alpha, threshold, groups, used) for alpha, threshold in result.thresholds.items()]
    fresh = map(digest_of, cases) if new or not result.kept else ()
    learnt = replace(
        method.learnt,
        temperature=temperature,
        guarantees=(*new, *stay),
        fitted_on=tuple(dict.fromkeys((*(before.fitted_on if result.kept or stay else ()), *fresh))),
    )
    recalibrated(learnt, Path(model), found=result.found())
    return result


def _told(cases: Sequence[Case], tell: Tell) -> tuple[list[Case], bool]:
    """The cases to calibrate on, and whether they have full masks; raises DataError where there are none."""
    told, masks = told_by(cases, tell=tell)
    if not told:
        raise DataError("a model is calibrated on truth: give cases that all have masks")
    if others := len(cases) - len(told):
        tell(
            f"{others} of {len(cases)} images are left out: they have {'no full mask' if masks else 'no strokes'}"
        )
    return told, masks


def _unseen(method: Any, cases: Sequence[Case], tell: Tell) -> list[Case]:
    """The cases that the model has not learnt from; raises DataError where these are fewer than half."""
    known = seen(cases, method.learnt.record.seen)
    if 2 * len(known) > len(cases):
        raise DataError(
            f"the model has learnt from {len(known)} of these {len(cases)} images, where it is surer than elsewhere: give images "
            "that it never saw"
        )
    if known:
        tell(f"{len(known)} of {len(cases)} images are left out: the model has learnt from them")
    return [case for case in cases if not any(case is one for one in known)]
