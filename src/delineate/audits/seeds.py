"""One training proves little: how far apart are models that differ in nothing but their seed?

The subject and its siblings, trainings of the same plan with other seeds, are asked the same cases. Told is the spread of
their mean Dice, where another training would likely come out, and the pixels they quarrel about.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.audits.drawn import (
    MAGENTA,
    ORANGE,
    middle_slice,
    outline_of,
    painted,
    picture_of,
    side_by_side,
)
from delineate.audits.evidence import Evidence
from delineate.audits.section import Chart, Curve, Picture, Remedy, Section, Table
from delineate.audits.subject import Subject
from delineate.core import UNLABELLED, Case, DataError, ModelError
from delineate.data.problem import counted
from delineate.score import mean_dice

Labels = NDArray[np.uint8]

MEASURED = ("reasons", "object_radius_px", "smallest_object_px")
"""Of a plan, what follows from the cases that a seed holds out."""

WHOLE = ("one", "consensus")
"""Ways to learn from several people under which data have one fingerprint, whatever a seed holds out."""


@dataclass(frozen=True)
class SeedsSettings:
    """siblings: folders of models that were trained as the subject was, with other seeds."""

    siblings: tuple[str, ...] = ()


def seeds(subject: Subject, evidence: Evidence, *, settings: SeedsSettings = SeedsSettings()) -> Section:
    """The spread of Dice over trainings with other seeds, and where they disagree.

    Raises DataError without siblings or truth and for two trainings with one seed, ModelError for siblings of another kind
    and for a folder of predictions without siblings.
    """
    if not settings.siblings:
        subject.asked()  # of predictions it is not known how they were trained
        raise DataError(
            "there is one training only: name others with --sibling, or have some trained with --seeds"
        )
    models = [subject, *(_sibling(subject, Path(folder)) for folder in settings.siblings)]
    _check_seeds(models)
    labelled = evidence.labelled()
    known = [case for case in labelled if subject.has(case)]
    cases = evidence.some(known)
    names = _names(models)
    scores = np.empty((len(models), len(cases)))
    quarrels, shown, drawn, most = list[float](), 0, list[Labels](), -1.0
    for at, case in enumerate(cases):
        evidence.tell(f"seeds: {at + 1} of {len(cases)} cases")
        labels = [one.labels(case) for one in models]
        scores[:, at] = [_dice(case, one, len(subject.classes)) for one in labels]
        quarrels.append(_quarrel(labels))
        if (here := np.nan_to_num(quarrels[at])) > most:
            shown, drawn, most = at, labels, here
    if np.isnan(scores).all(axis=1).any():
        raise DataError(
            "no image shows any class but background, so there is no Dice to compare: give others"
        )
    means = np.nanmean(scores, axis=1)
    spread = float(means.std(ddof=1))
    low, high = _next(means)
    of_case = np.array([_of_defined(np.ptp, column) for column in scores.T])
    quarrel = _of_defined(np.mean, np.array(quarrels))
    order = np.argsort(-np.nan_to_num(of_case))
    spreading = evidence.thresholds.judged(
        "seeds.spread",
        spread,
        f"The mean Dice of {len(models)} trainings has a standard deviation of {spread:.4f}.",
    )
    disputed = evidence.thresholds.judged(
        "seeds.disagreement",
        quarrel,
        f"Of the pixels that any of them outlines, {quarrel:.1%} are not outlined alike by all."
        if not np.isnan(quarrel)
        else "None of them outlines anything.",
    )
    return Section(
        name="seeds",
        title="Other seeds",
        question="Would another training with the same data give the same answer?",
        sentence=(
            f"Over {len(models)} trainings the mean Dice is {means.mean():.3f} with a standard deviation of {spread:.4f} "
            f"({means.min():.3f} to {means.max():.3f}); another would come out between {low:.3f} and {high:.3f} (95 %)."
            + (f" {disputed.sentence}" if disputed.verdict in ("warn", "fail") else "")
        ),
        findings=(spreading, disputed),
        tables=(
            Table(
                "Dice by training",
                ("training", "folder", "mean Dice", "lowest case"),
                tuple(
                    (name, str(one.source or one.name), float(mean), float(np.nanmin(row)))
                    for name, one, mean, row in zip(names, models, means, scores, strict=True)
                ),
            ),
            Table(
                "Cases that depend most on the seed",
                ("case", *names, "range"),
                tuple((cases[i].name, *map(float, scores[:, i]), float(of_case[i])) for i in order[:8]),
            ),
        ),
        charts=(
            Chart(
                "Dice of each case, lowest first",
                "case",
                "Dice",
                tuple(
                    Curve(name, tuple(range(1, len(cases) + 1)), tuple(map(float, row[_ranked(scores)])))
                    for name, row in zip(names, scores, strict=True)
                ),
            ),
        ),
        pictures=_pictures(cases[shown], drawn),
        remedies=(
            Remedy(
                "Differences between methods that are smaller than this spread say nothing: report the mean over seeds, or "
                "train for longer. Measured on nuclei, 3 seeds: of 100 steps the spread was 0.013 with 18 % of the pixels in "
                "dispute, of 400 steps 0.005 with 10 %.",
                "delineate train DATA -o OTHER --seed 1 --minutes 30",
            ),
        ),
        notes=(
            f"{counted(len(cases), 'case')}; the interval is that of one more training (Student's t, "
            f"{counted(len(models) - 1, 'degree')} of freedom), and is wide with few trainings.",
            *(
                [
                    f"Left out, for no prediction fits: {counted(len(labelled) - len(known), 'labelled image')}."
                ]
                if len(known) < len(labelled)
                else []
            ),
            *_odd(models),
        ),
        numbers={
            "models": names,
            "mean_dice": [float(mean) for mean in means],
            "standard_deviation": spread,
            "next": [low, high],
            "cases": {case.name: [float(x) for x in scores[:, i]] for i, case in enumerate(cases)},
            "disagreement": quarrel,
        },
    )


def _sibling(subject: Subject, folder: Path) -> Subject:
    from delineate.audits.subject import subject_of_method
    from delineate.learn import UNetMethod

    method = UNetMethod.load(folder)
    if method.classes.names != subject.classes.names:
        raise ModelError(
            f"{folder} tells {', '.join(method.classes.names)} apart, and the model {', '.join(subject.classes.names)}: "
            "give trainings on the same data"
        )
    return subject_of_method(method, name=str(folder), source=folder)


def _check_seeds(models: Sequence[Subject]) -> None:
    """Raise DataError where two of the trainings have one seed: they would agree, and prove nothing."""
    known: dict[int, Subject] = {}
    for one in models:
        if one.method is None or one.method.learnt is None:
            continue
        seed = one.method.learnt.record.seed
        if seed in known:
            raise DataError(
                f"{known[seed].name} and {one.name} were trained with the same seed, {seed}: give a training with another --seed"
            )
        known[seed] = one


def _names(models: Sequence[Subject]) -> list[str]:
    """What to call each training: by its seed where these differ, else by its folder."""
    learnt = [None if one.method is None else one.method.learnt for one in models]
    called = [
        one.name if had is None else f"seed {had.record.seed}"
        for one, had in zip(models, learnt, strict=True)
    ]
    if len(set(called)) < len(called):
        called = [one.name for one in models]
    return [f"the model, {called[0]}" if learnt[0] is not None else called[0], *called[1:]]


def _odd(models: Sequence[Subject]) -> list[str]:
    """What makes siblings no siblings."""
    learnt = [one.method.learnt for one in models if one.method is not None and one.method.learnt is not None]
    notes = []
    plans = [{k: v for k, v in one.plan.to_json().items() if k not in MEASURED} for one in learnt]
    if (
        other := [item for item in plans[0] if any(plan[item] != plans[0][item] for plan in plans)]
        if plans
        else []
    ):
        notes.append(
            f"The trainings differ in their plan ({', '.join(other)}), so this is not the spread of seeds alone."
        )
    steps = [one.record.steps for one in learnt]
    if steps and max(steps) > 1.2 * min(steps):
        notes.append(f"The trainings had {min(steps)} to {max(steps)} steps.")
    data = [one.record.data for one in learnt if one.plan.annotators in WHOLE]
    comparable = [
        one for one in data if "learnt" in one
    ]  # before it was kept, fingerprints depended on the seed
    if len({one["fingerprint"] for one in comparable}) > 1:
        notes.append("The trainings had other data, so this is not the spread of seeds alone.")
    if len({one.record.data.get("from", {}).get("weights") for one in learnt}) > 1:
        notes.append("The trainings began from other weights, so this is not the spread of seeds alone.")
    if len({bool(one.record.data.get("validation")) for one in learnt if one.plan.weak}) > 1:
        notes.append(
            "Some trainings kept the best of their steps by images held out, others had none and kept their last."
        )
    return notes


def _dice(case: Case, labels: Labels, classes: int) -> float:
    """The mean over classes but background; nan where none is defined."""
    if case.labels is None:
        raise ValueError(f"{case.name} has no labels")
    return mean_dice(case.labels, labels, classes=classes)


def _quarrel(labels: Sequence[Labels]) -> float:
    """Share of the pixels outlined by any that are not labelled alike by all; nan where none outlines anything."""
    stack = np.stack(labels)
    outlined = (stack > 0).any(0)
    return float((stack != stack[0]).any(0)[outlined].mean()) if outlined.any() else float("nan")


def _next(means: NDArray[np.float64]) -> tuple[float, float]:
    """Where one more mean would lie, with 95 %: mean ± t s sqrt(1 + 1/n)."""
    from scipy.stats import t

    count = len(means)
    half = float(t.ppf(0.975, count - 1) * means.std(ddof=1) * np.sqrt(1 + 1 / count))
    return max(0.0, float(means.mean()) - half), min(1.0, float(means.mean()) + half)


def _ranked(scores: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.argsort(np.nan_to_num([_of_defined(np.mean, column) for column in scores.T]), kind="stable")


def _of_defined(summary: Callable[[NDArray[np.float64]], Any], values: NDArray[np.float64]) -> float:
    """A summary of what is defined; nan where nothing is."""
    defined = values[~np.isnan(values)]
    return float(summary(defined)) if len(defined) else float("nan")


def _pictures(case: Case, labels: Sequence[Labels]) -> tuple[Picture, ...]:
    votes = (np.stack(labels) > 0).sum(0)
    some = (votes > 0) & (votes < len(labels))
    place: Any = ...
    if middle_slice(case.spatial) is not None:
        place = int(some.reshape(len(some), -1).sum(1).argmax())
    picture, count = picture_of(case.image[place]), votes[place]
    drawn = painted(picture, (count > 0) & (2 * count <= len(labels)), ORANGE)
    drawn = painted(drawn, (2 * count > len(labels)) & (count < len(labels)), MAGENTA)
    if case.labels is not None:
        truth = case.labels[place]
        drawn = painted(drawn, outline_of((truth > 0) & (truth != UNLABELLED)), (255, 255, 255), strength=0.8)
    return (
        Picture(
            f"{case.name}: outlined by half of the {len(labels)} trainings or fewer (orange), by most but not all (magenta). "
            "White: outlines of truth.",
            side_by_side([picture, drawn]),
        ),
    )
