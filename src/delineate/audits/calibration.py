"""Is the model as sure as it should be? Of the pixels that were given 0.8, do 8 of 10 come true?

Asked all over and in the band along borders of truth, where a segmentation is most often wrong and most often too sure.
The remedy, one temperature, is measured honestly: fitted on every second group of cases and judged on the others, and the
other way round.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
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
from delineate.audits.section import Chart, Curve, Finding, Picture, Remedy, Section, Table
from delineate.audits.subject import Subject
from delineate.audits.sureness import how_sure
from delineate.core import UNLABELLED, Case, DataError, tempered
from delineate.data.problem import counted
from delineate.score import Calibration, border_band, fitted_temperature, pool_calibrations
from delineate.score import calibration as calibration_of

MOST_CASES = 100
MOST_PIXELS = 1 << 18  # of a case, every n-th
SURE = 0.9  # of a prediction that should not be wrong


@dataclass(frozen=True, eq=False)
class _Seen:
    """Pixels of one case: truth (n,), probabilities (classes, n), whether near a border (n,)."""

    group: str
    truth: NDArray[np.uint8]
    likely: NDArray[np.float32]
    near: NDArray[np.bool_]


def calibration(subject: Subject, evidence: Evidence) -> Section:
    """Reliability, expected calibration error and Brier score, without and with a temperature.

    Raises ModelError for a folder of predictions, DataError without truth.
    """
    predict = subject.asked()
    labelled = evidence.labelled()
    cases = [labelled[i * len(labelled) // n] for n in [min(len(labelled), MOST_CASES)] for i in range(n)]
    if not any((_truth(case) % UNLABELLED > 0).any() for case in cases):
        raise DataError(
            "no image shows any class but background, so there is nothing to be sure of: give others"
        )
    seen, worst_case, worst = [], cases[0], -1.0
    evidence.tell(f"calibration: {len(cases)} cases")
    for case in cases:
        likely = predict(case.image)
        seen.append(_seen(case, likely))
        wrong = float(_surely_wrong(case, likely).mean())
        if wrong > worst:
            worst_case, worst = case, wrong
    names = subject.classes.names[1 : len(seen[0].likely)]
    softer, temperatures = _cross_fitted(seen)
    before, after = (_per_class(likely, len(names)) for likely in (seen, softer))
    ece = max(one.ece for one, _ in before)
    border = max(near.ece for _, near in before)
    border_after = max(near.ece for _, near in after)
    temperature = fitted_temperature([one.truth for one in seen], [one.likely for one in seen]).temperature
    place = "all over" if math.isnan(border) else "near borders"
    confident, errors, sure_errors = _confidence(seen)
    findings = (
        evidence.thresholds.judged(
            "calibration.ece",
            ece,
            f"Over all pixels, probabilities are off by {_points(ece)} on average.",
        ),
        evidence.thresholds.judged(
            "calibration.border_ece",
            border,
            f"Within 3 px of a border, where it matters, they are off by {_points(border)}."
            if not math.isnan(border)
            else "Truth has no border to look near.",
        ),
    )
    off = ece if math.isnan(border) else border
    way = how_sure(_surplus(seen), off, steady=all(one.verdict in ("pass", "open") for one in findings))
    rows = tuple(
        (name, when, whole.ece, near.ece, whole.brier, near.brier)
        for i, name in enumerate(names)
        for when, (whole, near) in (("as it is", before[i]), ("with a temperature", after[i]))
    )
    curves = [Curve("perfect", (0.0, 1.0), (0.0, 1.0))]
    for i, name in enumerate(names):
        for when, found in (("as it is", before[i]), ("with a temperature", after[i])):
            curves.append(_curve(f"{name}, near borders, {when}", found[1]))
    curves += [_curve(f"{name}, all over", before[i][0]) for i, name in enumerate(names)]
    return Section(
        name="calibration",
        title="Calibration",
        question="When the model says 80 %, is it right in 8 of 10 pixels?",
        sentence=(
            f"The model is {way}: {place} its probabilities are off by {_points(off)}"
            + (
                f", and by {_points(border_after)} once a temperature of {temperature:.2f} is applied."
                if border_after < border
                else "."
            )
            + (f" {findings[0].sentence}" if findings[0].verdict in ("warn", "fail") and ece > border else "")
        ),
        findings=findings,
        tables=(
            Table(
                "Calibration error and Brier score, 0 is best",
                ("class", "probabilities", "error", "error near borders", "Brier", "Brier near borders"),
                rows,
            ),
        ),
        charts=(Chart("Reliability", "probability", "share that is the class", tuple(curves)),),
        pictures=_pictures(worst_case, predict(worst_case.image)) if worst > 0 else (),
        remedies=(
            Remedy(
                f"Divide the logits by {temperature:.2f}: no label changes, and the error near borders goes from "
                f"{_points(border)} to {_points(border_after)} ("
                + (
                    "fitted on half of the cases, judged on the others)."
                    if len(temperatures) > 1
                    else "on the same images)."
                )
                + (
                    ""
                    if subject.taught
                    else " A U-Net of Delineate carries it, also into the files that are exported then."
                ),
                f"delineate calibrate {subject.taught or 'FOLDER'} DATA"
                + ("" if subject.taught else " && delineate export FOLDER --onnx -o EXPORTED"),
            ),
        )
        if border_after < border
        else _teach(findings),
        notes=(
            f"Of the wrong pixels {sure_errors:.0%} were given {SURE:g} or more by the model; of all pixels "
            f"{confident:.0%} were.",
            f"{counted(len(cases), 'case')}, {sum(one.truth.size for one in seen):,} pixels; a case counts by its pixels.",
            *(
                ()
                if len(temperatures) > 1
                else ("One group of cases only: the temperature is judged on what it was fitted on.",)
            ),
        ),
        numbers={
            "cases": len(cases),
            "temperature": temperature,
            "temperatures_of_halves": list(temperatures),
            "pixel_error": errors,
            "sure_share": confident,
            "sure_share_of_errors": sure_errors,
            "classes": {
                name: {
                    "ece": [before[i][0].ece, after[i][0].ece],
                    "border_ece": [before[i][1].ece, after[i][1].ece],
                    "brier": [before[i][0].brier, after[i][0].brier],
                    "border_brier": [before[i][1].brier, after[i][1].brier],
                }
                for i, name in enumerate(names)
            },
        },
    )


def _surplus(seen: Sequence[_Seen]) -> float:
    """By how much what the model says of its own labels is above the share that is right; near borders, where there are any."""
    sure, right, pixels = 0.0, 0, 0
    banded = any(one.near.any() for one in seen)
    for one in seen:
        likely, truth = (one.likely[:, one.near], one.truth[one.near]) if banded else (one.likely, one.truth)
        sure += float(likely.max(0).sum())
        right += int((likely.argmax(0) == truth).sum())
        pixels += truth.size
    return (sure - right) / max(pixels, 1)


def _teach(findings: Sequence[Finding]) -> tuple[Remedy, ...]:
    """Where no temperature helps, and something has to."""
    if all(one.verdict in ("pass", "open") for one in findings):
        return ()
    return (
        Remedy(
            "No temperature mends this: borders lie elsewhere than in these masks, or classes are mistaken for each other. Teach "
            "a model with masks of this kind.",
            "delineate train DATA -o MODEL",
        ),
    )


def _seen(case: Case, likely: NDArray[np.float32]) -> _Seen:
    truth = _truth(case)
    at = np.flatnonzero(truth != UNLABELLED)
    at = at[:: max(1, -(-len(at) // MOST_PIXELS))]
    near = border_band(truth).reshape(-1)[at]
    return _Seen(case.group, truth.reshape(-1)[at], likely.reshape(len(likely), -1)[:, at], near)


def _truth(case: Case) -> NDArray[np.uint8]:
    if case.labels is None:
        raise ValueError(f"{case.name} has no labels")
    return case.labels


def _cross_fitted(seen: Sequence[_Seen]) -> tuple[list[_Seen], tuple[float, ...]]:
    """Every case under the temperature of the other half of the groups; of all, where there is one group."""
    groups = sorted({one.group for one in seen})
    halves = [set(groups[::2]), set(groups[1::2])] if len(groups) > 1 else [set(groups), set(groups)]
    fits = []
    for half in halves:
        part = [one for one in seen if one.group in half]
        fits.append(fitted_temperature([one.truth for one in part], [one.likely for one in part]).temperature)
    softer = [
        _Seen(one.group, one.truth, tempered(one.likely, temperature=fits[one.group in halves[0]]), one.near)
        for one in seen
    ]
    return softer, tuple(fits) if len(groups) > 1 else (fits[0],)


def _per_class(seen: Sequence[_Seen], count: int) -> list[tuple[Calibration, Calibration]]:
    """Of each class but background: all over, and near borders."""
    return [
        (
            pool_calibrations(calibration_of(one.truth, one.likely[label], label=label) for one in seen),
            pool_calibrations(
                calibration_of(one.truth, one.likely[label], label=label, within=one.near) for one in seen
            ),
        )
        for label in range(1, count + 1)
    ]


def _confidence(seen: Sequence[_Seen]) -> tuple[float, float, float]:
    """Share of pixels said with SURE or more; share that is wrong; share of the wrong said with SURE or more."""
    pixels = sum(one.truth.size for one in seen)
    sure = wrong = both = 0
    for one in seen:
        certain = one.likely.max(0) >= SURE
        false = one.likely.argmax(0) != one.truth
        sure, wrong, both = (
            sure + int(certain.sum()),
            wrong + int(false.sum()),
            both + int((certain & false).sum()),
        )
    return sure / max(pixels, 1), wrong / max(pixels, 1), both / max(wrong, 1)


def _surely_wrong(case: Case, likely: NDArray[np.float32]) -> NDArray[np.bool_]:
    truth = _truth(case)
    wrong: NDArray[np.bool_] = (likely.argmax(0) != truth) & (truth != UNLABELLED) & (likely.max(0) >= SURE)
    return wrong


def _pictures(case: Case, likely: NDArray[np.float32]) -> tuple[Picture, ...]:
    at: Any = middle_slice(case.spatial)
    wrong = _surely_wrong(case, likely)
    if at is not None:
        at = int(wrong.reshape(len(wrong), -1).sum(1).argmax())
    place: Any = ... if at is None else at
    picture = picture_of(case.image[place])
    truth, labels, here = _truth(case)[place], likely.argmax(0)[place], wrong[place]
    drawn = painted(picture, outline_of((truth > 0) & (truth != UNLABELLED)), (255, 255, 255), strength=0.8)
    drawn = painted(drawn, here & (labels == 0), ORANGE)
    drawn = painted(drawn, here & (labels > 0), MAGENTA)
    return (
        Picture(
            f"{case.name}: wrong, and said with {SURE:g} or more. Orange: called background. Magenta: called foreground. "
            "White: outlines of truth.",
            side_by_side([picture, drawn]),
        ),
    )


def _curve(name: str, found: Calibration) -> Curve:
    x, y = found.curve
    return Curve(name, tuple(map(float, x)), tuple(map(float, y)))


def _points(error: float) -> str:
    return f"{100 * error:.1f} percentage points"
