"""The audit: how far does the mask fall apart when an adversary may change every pixel by a few grey levels?

Read `attack`: choose images, look at each, look closely at a few. `telling` judges and shows what was found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from delineate.audits.attack.climb import Logits
from delineate.audits.attack.files import Attacked, attacked
from delineate.audits.attack.measure import Close, Examiner
from delineate.audits.attack.quick import counted_by, quick
from delineate.audits.attack.settings import DEFAULTS, AttackSettings
from delineate.audits.attack.telling import told
from delineate.audits.evidence import Evidence
from delineate.audits.section import Section
from delineate.audits.subject import Subject, at_rest, subject_of_method
from delineate.core import DataError, ModelError
from delineate.data.intensities import intensities
from delineate.learn import UNetMethod


def attack(subject: Subject, evidence: Evidence, *, settings: AttackSettings = DEFAULTS) -> Section:
    """What is left of Dice under the strongest attack of size eps on each image, and whether the attack is to be trusted.

    Without truth, the model's own outlines of the clean images stand in for it. Without gradients, a black box (and a surrogate
    where one is given) attacks instead, and the section says that this is a lower bound of the harm. Raises DataError or
    ModelError where eps or steps are not positive, eps is less than a grey level, there is nothing to take away, or the surrogate
    is of another task or has no gradients.
    """
    if not (settings.eps > 0 and math.isfinite(settings.eps)):
        raise DataError(
            f"eps is {settings.eps:g}, which is no size of a change: give a positive number of grey levels of 255, such as 4"
        )
    if not (settings.steps > 0 and settings.images > 0 and settings.queries > 0):
        raise DataError(
            f"an attack in {settings.steps} steps (black box: {settings.queries} queries) on {settings.images} images changes "
            "nothing: give positive numbers"
        )
    cases = [case for case in evidence.cases if case.labels is not None] or list(evidence.cases)
    if not cases:
        raise DataError("there is no image to attack: give at least one")
    valid = intensities(case.image for case in cases)
    eps = valid.of_255(settings.eps)
    if valid.whole and eps < 1:
        raise DataError(
            f"eps {settings.eps:g} of 255 is {eps:.2g} intensities, less than one step of these files: give a larger eps"
        )
    surrogate = None if settings.surrogate is None else _surrogate(settings.surrogate, subject)
    with at_rest(subject.network):
        examiner = Examiner(
            predict=counted_by(subject),
            logits=quick(subject) if subject.logits is not None else None,
            surrogate=None if surrogate is None else quick(surrogate),
            valid=valid,
            eps=eps,
            steps=settings.steps,
            queries=settings.queries,
            seed=evidence.seed,
            like=(lambda images: quick(subject, low=False, like=images))
            if subject.logits is not None
            else None,
        )
        chosen = replace(evidence, most=min(settings.images, evidence.most)).some(cases)
        ones = [
            _with_truth(attacked(case, dims=subject.dims, grey=subject.channels == 1), examiner)
            for case in chosen
        ]
        if not any(one.case.labels is not None and (one.case.labels % 255 > 0).any() for one in ones):
            raise DataError(
                "no image shows any class but background, so an attack has nothing to take away: give others"
            )
        if examiner.logits is not None and not _climbable(examiner.logits, ones[0]):
            examiner = replace(examiner, logits=None, like=None)
        if surrogate is not None:
            _check_channels(surrogate, ones)
            if examiner.surrogate is not None and not _climbable(examiner.surrogate, ones[0]):
                raise ModelError(f"{surrogate.name} has no gradients: give a model that has as the surrogate")
        looks = []
        for number, one in enumerate(ones, 1):
            evidence.tell(f"attacking {one.case.name}, {number} of {len(ones)}")
            looks.append(examiner.look(one))
        closely: list[Close] = []
        if examiner.logits is not None:
            for one in ones[: settings.close]:
                evidence.tell(f"looking closely at {one.case.name}")
                closely.append(examiner.close(one, steps=settings.by_steps, shares=settings.by_eps))
    return told(subject, evidence, settings, valid, looks, closely, white=examiner.logits is not None)


def _climbable(logits: Logits, one: Attacked) -> bool:
    """Whether the answer for an image depends on it through operations that have a slope."""
    try:
        return logits(one.images.clone().requires_grad_()).requires_grad
    except ModelError:  # it does not take such an image, which the attack will say
        return True
    except RuntimeError:  # anybody's code: some compute where gradients are forbidden
        return False


def _surrogate(given: str | Subject, subject: Subject) -> Subject:
    """The trained model in a folder, or another subject; raises ModelError where it has other axes or classes than the subject,
    or no gradients."""
    if isinstance(given, str):
        if Path(given).is_file():
            raise ModelError(
                f"{given} is a file, which has no gradients: give the folder of a trained model as the surrogate, or from Python "
                "a torch module"
            )
        other = subject_of_method(UNetMethod.load(given), name=f"the surrogate {given}", source=Path(given))
    else:
        other = given
        other.differentiable()
    pairs = {
        "spatial axes": (other.dims, subject.dims),
        "classes": (len(other.classes), len(subject.classes)),
    }
    for what, (theirs, ours) in pairs.items():
        if theirs != ours:
            raise ModelError(
                f"{other.name} has {theirs} {what} but {subject.name} has {ours}: give a model of the same task"
            )
    return other


def _check_channels(surrogate: Subject, ones: Sequence[Attacked]) -> None:
    """Raise ModelError where the surrogate takes other channels than those that are attacked."""
    if surrogate.channels is None:  # a module that says what it takes when it is asked
        return
    takes_colour = surrogate.method is not None and surrogate.method.fitted().plan.takes_colour
    for one in ones:
        count = one.images.shape[1]
        if count != surrogate.channels and not (takes_colour and count == 3):
            raise ModelError(
                f"{surrogate.name} takes {surrogate.channels} channels but {one.case.name} is attacked in {count}: give a model "
                "of the same task"
            )


def _with_truth(one: Attacked, examiner: Examiner) -> Attacked:
    """With the model's own labels where nobody gave any."""
    if one.case.labels is not None:
        return one
    own = examiner.labels(one.case.image)
    return attacked(replace(one.case, labels=own), dims=one.dims, grey=False)
