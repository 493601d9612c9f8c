"""What would it take to miss little? Conformal risk control on the evidence: the threshold, whether it holds, its price.

The threshold is chosen on all groups of cases but one and judged on that one, for each in turn: what is missed then is what
a user with so many cases would have missed on a new one. Where a second data set is given, the promise is put to the test
that it does not claim to pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.audits.conditions.shifted import with_channels
from delineate.audits.drawn import BLUE, ORANGE, middle_slice, outline_of, painted, picture_of, side_by_side
from delineate.audits.evidence import Evidence
from delineate.audits.section import Chart, Curve, Finding, Picture, Remedy, Section, Table
from delineate.audits.subject import Subject
from delineate.core import UNLABELLED, Case, foreground
from delineate.score import check_alpha, least_alpha, risk_controlled_threshold

MOST_CASES = 200
MOST_PIXELS = 1 << 16  # of a case, of foreground and of all: evenly along their sorted probabilities
GRID = tuple(
    float(t)
    for t in np.round(
        np.concatenate([[0.001, 0.003, 0.01, 0.02], np.linspace(0.05, 0.95, 19), [0.98, 0.99]]), 3
    )
)

ALSO = (0.05, 0.1, 0.2)  # shares whose price is told beside that of the one that is asked for


@dataclass(frozen=True)
class GuaranteeSettings:
    """alpha: share of missed foreground that the threshold keeps, on average."""

    alpha: float = 0.1


@dataclass(frozen=True, eq=False)
class _Sorted:
    """Probabilities of foreground in rising order: of the pixels that are foreground, and of all that are labelled.

    share: of the labelled pixels that are foreground.
    """

    name: str
    group: str
    inside: NDArray[np.float32]
    every: NDArray[np.float32]
    share: float

    def missed(self, threshold: float) -> float:
        return float(np.searchsorted(self.inside, np.float32(threshold)) / len(self.inside))

    def precision(self, threshold: float) -> float:
        drawn = 1 - np.searchsorted(self.every, np.float32(threshold)) / len(self.every)
        return min(1.0, (1 - self.missed(threshold)) * self.share / float(drawn)) if drawn else float("nan")


@dataclass(frozen=True)
class _Price:
    """What an alpha costs; held: what is missed in each group that had no part in choosing, None where none can be spared."""

    threshold: float
    missed: float
    precision: float
    held: list[float] | None


def guarantee(
    subject: Subject, evidence: Evidence, *, settings: GuaranteeSettings = GuaranteeSettings()
) -> Section:
    """The threshold that keeps the expected share of missed foreground below alpha, what it misses and what it costs.

    Raises ModelError for a folder of predictions, DataError without truth or with fewer cases than alpha needs.
    """
    predict, alpha = subject.asked(), settings.alpha
    held = [case for case in evidence.labelled() if _inside(case).any()]
    cases = [held[i * len(held) // n] for n in [min(len(held), MOST_CASES)] for i in range(n)]
    groups = len({case.group for case in cases})
    check_alpha(alpha, groups=groups)
    seen = []
    evidence.tell(f"guarantee: {len(cases)} cases in {groups} groups")
    for case in cases:
        seen.append(_sorted(case, foreground(predict(case.image))))
    threshold = _threshold(seen, alpha)
    plain = _means(seen, 0.5)
    findings: list[Finding] = []
    rows: list[tuple[str | int | float, ...]] = [
        ("what is more likely foreground than not", 0.5, *plain, len(seen))
    ]

    prices = {one: _price(seen, one) for one in sorted({*ALSO, alpha}) if one >= least_alpha(groups)}
    for one, price in prices.items():
        how = (
            "chosen and judged on the same"
            if price.held is None
            else "each group in turn, under the threshold of the others"
        )
        rows.append((f"alpha {one:g}: {how}", price.threshold, price.missed, price.precision, len(seen)))
    precision, left, kept = prices[alpha].precision, prices[alpha].held, ""
    if left is not None:
        error = float(np.std(left, ddof=1) / np.sqrt(len(left)))
        over = _standard_errors(left, alpha)
        kept = f"{np.mean(left):.1%} (standard error {error:.1%}) were missed in groups that had no part in choosing it"
        findings.append(
            evidence.thresholds.judged(
                "guarantee.excess",
                over,
                f"Under a threshold chosen on the other groups {np.mean(left):.1%} of the foreground is missed on average, "
                f"where {alpha:.1%} was promised: {over:+.1f} standard errors.",
            )
        )
    findings.append(
        evidence.thresholds.judged(
            "guarantee.precision",
            precision,
            f"The price: {precision:.0%} of what is outlined then is foreground, {plain[1]:.0%} without the promise.",
        )
    )
    findings += _stored(subject, evidence, seen, alpha, rows)
    moved = _shifted(subject, evidence, threshold)
    if moved:
        rows.append(
            ("the same threshold on the second data set", threshold, *_means(moved, threshold), len(moved))
        )
    shown = min(cases, key=lambda case: -_of(seen, case.name).missed(0.5))
    source = subject.source or "MODEL"
    return Section(
        name="guarantee",
        title="Guarantee",
        question="How low must the threshold be, so that little foreground is missed?",
        sentence=(
            f"At a threshold of {threshold:.3g} at most {alpha:.0%} of the foreground of an image is missed on average"
            + (f"; {kept}" if kept else "")
            + f". The price: {precision:.0%} of what is outlined is foreground, in place of {plain[1]:.0%}."
        ),
        findings=tuple(findings),
        tables=(
            Table(
                "What is missed, and what is drawn too much",
                ("rule", "threshold", "missed", "precision", "cases"),
                tuple(rows),
            ),
        ),
        charts=(_chart(seen, alpha, threshold),),
        pictures=_pictures(shown, foreground(predict(shown.image)), threshold),
        remedies=(
            Remedy(
                f"Keep the threshold in the model, and outline what is above it: on average at most {alpha:.0%} of the "
                "foreground of a new image is missed.",
                f"delineate calibrate {source} DATA --alpha {alpha:g} && "
                f"delineate predict {source} IMAGES -o OUT --guarantee {alpha:g}",
            ),
        ),
        notes=(
            f"Assumed: new images come about as these {groups} groups of images did (exchangeable): same kind of sample, stain "
            "and instrument, none chosen for being easy. Nothing is assumed of the model.",
            "Promised is a mean over new groups of images with foreground, not each image, and not objects.",
            "A threshold above 0.5 shows that little is missed anyway; `predict --guarantee` never outlines less than without.",
            f"With {groups} groups the smallest possible alpha is {least_alpha(groups):.3g}; about {1 / (groups + 1):.1%} is "
            "kept in reserve for the next one, which is why less than alpha is missed.",
        ),
        numbers={
            "alpha": alpha,
            "threshold": threshold,
            "groups": groups,
            "prices": {
                f"{one:g}": [price.threshold, price.missed, price.precision] for one, price in prices.items()
            },
            "missed_of_groups": left or [],
            "most_likely_class": {"missed": plain[0], "precision": plain[1]},
            "shifted": {one.name: one.missed(threshold) for one in moved},
        },
    )


def _inside(case: Case) -> NDArray[np.bool_]:
    if case.labels is None:
        raise ValueError(f"{case.name} has no labels")
    inside: NDArray[np.bool_] = (case.labels > 0) & (case.labels != UNLABELLED)
    return inside


def _sorted(case: Case, ahead: NDArray[np.float32]) -> _Sorted:
    inside, said = _inside(case), case.labels != UNLABELLED
    share = float(inside.sum() / np.sum(said))
    return _Sorted(case.name, case.group, _even(ahead[inside]), _even(ahead[said]), share)


def _even(values: NDArray[np.float32]) -> NDArray[np.float32]:
    ordered = np.sort(values)
    return ordered[:: max(1, -(-len(ordered) // MOST_PIXELS))]


def _of(seen: Sequence[_Sorted], name: str) -> _Sorted:
    return next(one for one in seen if one.name == name)


def _threshold(seen: Sequence[_Sorted], alpha: float) -> float:
    ones = [np.ones(len(one.inside), np.uint8) for one in seen]
    return risk_controlled_threshold(
        ones, [one.inside for one in seen], alpha=alpha, groups=[one.group for one in seen]
    )


def _by_group(seen: Sequence[_Sorted], values: Sequence[float]) -> list[float]:
    """The mean of each group; nan does not count."""
    of_group: dict[str, list[float]] = {}
    for one, value in zip(seen, values, strict=True):
        if not np.isnan(value):
            of_group.setdefault(one.group, []).append(value)
    return [float(np.mean(each)) for each in of_group.values()]


def _weighted(seen: Sequence[_Sorted], values: Sequence[float]) -> float:
    """The mean over groups."""
    return float(np.mean(_by_group(seen, values) or [np.nan]))


def _means(seen: Sequence[_Sorted], threshold: float) -> tuple[float, float]:
    """Missed share and precision, means over groups."""
    return (
        _weighted(seen, [one.missed(threshold) for one in seen]),
        _weighted(seen, [one.precision(threshold) for one in seen]),
    )


def _price(seen: Sequence[_Sorted], alpha: float) -> _Price:
    """The threshold for alpha; each group is judged under that of all others, or, where too few are left, under its own."""
    groups = list(dict.fromkeys(one.group for one in seen))
    threshold = _threshold(seen, alpha)
    if alpha < least_alpha(len(groups) - 1):
        return _Price(threshold, *_means(seen, threshold), None)
    chosen = {group: _threshold([one for one in seen if one.group != group], alpha) for group in groups}
    held = _by_group(seen, [one.missed(chosen[one.group]) for one in seen])
    precision = _weighted(seen, [one.precision(chosen[one.group]) for one in seen])
    return _Price(threshold, float(np.mean(held)), precision, held)


def _standard_errors(missed: Sequence[float], alpha: float) -> float:
    """How many standard errors the mean of groups lies above alpha; nan for one group."""
    if len(missed) < 2:
        return float("nan")
    error = float(np.std(missed, ddof=1) / np.sqrt(len(missed)))
    return (float(np.mean(missed)) - alpha) / max(error, 1e-9)


def _stored(
    subject: Subject,
    evidence: Evidence,
    seen: Sequence[_Sorted],
    alpha: float,
    rows: list[tuple[str | int | float, ...]],
) -> list[Finding]:
    """Whether the guarantee that the model carries holds on this evidence."""
    learnt = None if subject.method is None else subject.method.learnt
    stored = [one for one in ([] if learnt is None else learnt.guarantees) if one.alpha == alpha]
    if not stored:
        return []
    threshold = stored[0].threshold
    missed = _by_group(seen, [one.missed(threshold) for one in seen])
    mean, over = float(np.mean(missed)), _standard_errors(missed, alpha)
    rows.append(
        (
            f"the guarantee in the model, from {stored[0].groups} groups",
            threshold,
            *_means(seen, threshold),
            len(seen),
        )
    )
    return [
        evidence.thresholds.judged(
            "guarantee.stored",
            over,
            f"The threshold that the model carries misses {mean:.1%} of the foreground here, where it promises {alpha:.1%}: "
            f"{over:+.1f} standard errors.",
        )
    ]


def _shifted(subject: Subject, evidence: Evidence, threshold: float) -> list[_Sorted]:
    cases = [case for case in evidence.shifted if case.labels is not None and _inside(case).any()]
    predict = subject.asked()
    some = [
        replace(case, image=with_channels(case.image, subject.channels)[0]) for case in evidence.some(cases)
    ]
    return [_sorted(case, foreground(predict(case.image))) for case in some]


def _chart(seen: Sequence[_Sorted], alpha: float, threshold: float) -> Chart:
    grid = tuple(sorted({*GRID, round(threshold, 6)}))
    points = [_means(seen, t) for t in grid]
    spread = [np.quantile([one.missed(t) for one in seen], (0.1, 0.9)) for t in grid]
    band = (tuple(float(low) for low, _ in spread), tuple(float(high) for _, high in spread))
    return Chart(
        "Missed and drawn too much (band: 8 of 10 cases)",
        "threshold on the probability of foreground",
        "share",
        (
            Curve("missed", grid, tuple(missed for missed, _ in points), band),
            Curve("drawn too much (1 - precision)", grid, tuple(1 - precision for _, precision in points)),
        ),
        {f"alpha {alpha:g}": alpha},
    )


def _pictures(case: Case, ahead: NDArray[np.float32], threshold: float) -> tuple[Picture, ...]:
    inside = _inside(case)
    at = middle_slice(case.spatial)
    place: Any = ... if at is None else int(inside.reshape(len(inside), -1).sum(1).argmax())
    picture = picture_of(case.image[place])
    truth, here = inside[place], ahead[place]
    drawn = painted(picture, here >= 0.5, BLUE, strength=0.45)
    drawn = painted(drawn, (here < 0.5) & (here >= np.float32(threshold)), ORANGE, strength=0.6)
    drawn = painted(drawn, outline_of(truth), (255, 255, 255), strength=0.9)
    return (
        Picture(
            f"{case.name}. Blue: outlined anyway. Orange: added by the threshold of {threshold:.3g}. White: outlines of truth.",
            side_by_side([picture, drawn]),
        ),
    )
