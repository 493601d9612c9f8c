"""What would it take to miss little? Conformal risk control on the evidence: the threshold, whether it holds, its price.

The threshold is chosen on all groups of cases but one and judged on that one, for each in turn: what is missed then is what
a user with so many cases would have missed on a new one. Where a second data set is given, the promise is put to the test
that it does not claim to pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from delineate.audits.conditions.shifted import answered, or_why_not
from delineate.audits.evidence import Evidence
from delineate.audits.guarantee.prices import (
    Ordered,
    by_group,
    inside_of,
    means,
    ordered,
    price_of,
    standard_errors,
    threshold_of,
)
from delineate.audits.guarantee.showing import chart, pictures
from delineate.audits.section import Finding, Remedy, Section, Table
from delineate.audits.subject import Subject
from delineate.core import DataError, foreground
from delineate.data.problem import counted
from delineate.score import check_alpha, least_alpha

__all__ = ["GuaranteeSettings", "guarantee"]

MOST_CASES = 200
ALSO = (0.05, 0.1, 0.2)  # shares whose price is told beside that of the one that is asked for


@dataclass(frozen=True)
class GuaranteeSettings:
    """alpha: share of missed foreground that the threshold keeps, on average."""

    alpha: float = 0.1


def guarantee(
    subject: Subject, evidence: Evidence, *, settings: GuaranteeSettings = GuaranteeSettings()
) -> Section:
    """The threshold that keeps the expected share of missed foreground below alpha, what it misses and what it costs.

    Raises ModelError for a folder of predictions, DataError without truth or with fewer cases than alpha needs.
    """
    predict, alpha = subject.asked(), settings.alpha
    held = [case for case in evidence.labelled() if inside_of(case).any()]
    cases = [held[i * len(held) // n] for n in [min(len(held), MOST_CASES)] for i in range(n)]
    groups = len({case.group for case in cases})
    check_alpha(alpha, groups=groups)
    seen = []
    evidence.tell(f"guarantee: {len(cases)} cases in {groups} groups")
    for case in cases:
        seen.append(ordered(case, foreground(predict(case.image))))
    threshold = threshold_of(seen, alpha)
    plain = means(seen, 0.5)
    findings: list[Finding] = []
    rows: list[tuple[str | int | float, ...]] = [
        ("what is more likely foreground than not", 0.5, *plain, len(seen))
    ]

    prices = {one: price_of(seen, one) for one in sorted({*ALSO, alpha}) if one >= least_alpha(groups)}
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
        over = standard_errors(left, alpha)
        kept = f"{np.mean(left):.1%} (standard error {error:.1%}) were missed in groups that had no part in choosing it"
        findings.append(
            evidence.thresholds.judged(
                "guarantee.excess",
                over,
                f"Under a threshold chosen on the other groups {np.mean(left):.1%} of the foreground is missed on average, "
                f"where {alpha:.1%} was promised: {_in_errors(over)}.",
            )
        )
    reserve = 1 / (groups + 1)
    few = reserve > alpha / 2
    dear = evidence.thresholds.judged(
        "guarantee.precision",
        precision,
        f"The price: {precision:.0%} of what is outlined then is foreground, {plain[1]:.0%} without the promise."
        + (
            f" That says more of the evidence than of the model: of {counted(groups, 'group')} {100 * reserve:.1f} of the "
            f"{100 * alpha:g} points stay in reserve."
            if few
            else ""
        ),
    )
    findings.append(replace(dear, verdict="open") if few and dear.verdict != "pass" else dear)
    findings += _stored(subject, evidence, seen, alpha, rows)
    nothing: tuple[list[Ordered], str] = ([], "")
    (moved, converted), told = or_why_not(lambda: _shifted(subject, evidence), without=nothing)
    if moved:
        rows.append(
            ("the same threshold on the second data set", threshold, *means(moved, threshold), len(moved))
        )
    shown = max(cases, key=lambda case: {one.name: one for one in seen}[case.name].missed(0.5))
    source = subject.taught or "FOLDER"
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
        charts=(chart(seen, alpha, threshold),),
        pictures=pictures(shown, foreground(predict(shown.image)), threshold),
        remedies=(
            *((_more(alpha, groups),) if few else ()),
            Remedy(
                f"Keep the threshold in the model, and outline what is above it: on average at most {alpha:.0%} of the "
                "foreground of a new image is missed."
                + (
                    ""
                    if subject.taught
                    else " A U-Net of Delineate carries it; elsewhere apply the threshold yourself."
                ),
                f"delineate calibrate {source} DATA --alpha {alpha:g} && "
                f"delineate predict {source} IMAGES -o OUT --guarantee {alpha:g}",
            ),
        ),
        notes=(
            *told,
            *((f"On the second data set {converted}.",) if converted else ()),
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


def _stored(
    subject: Subject,
    evidence: Evidence,
    seen: Sequence[Ordered],
    alpha: float,
    rows: list[tuple[str | int | float, ...]],
) -> list[Finding]:
    """Whether the guarantee that the model carries holds on this evidence."""
    learnt = None if subject.method is None else subject.method.learnt
    stored = [one for one in ([] if learnt is None else learnt.guarantees) if one.alpha == alpha]
    if not stored:
        return []
    threshold = stored[0].threshold
    missed = by_group(seen, [one.missed(threshold) for one in seen])
    mean, over = float(np.mean(missed)), standard_errors(missed, alpha)
    rows.append(
        (
            f"the guarantee in the model, from {stored[0].groups} groups",
            threshold,
            *means(seen, threshold),
            len(seen),
        )
    )
    return [
        evidence.thresholds.judged(
            "guarantee.stored",
            over,
            f"The threshold that the model carries misses {mean:.1%} of the foreground here, where it promises {alpha:.1%}: "
            f"{_in_errors(over)}.",
        )
    ]


def _in_errors(over: float) -> str:
    """How far off in standard errors, which are no measure where hardly anything varies.

    >>> _in_errors(1.25), _in_errors(-2320.5)
    ('+1.2 standard errors', 'more than 10 standard errors below')
    """
    if abs(over) > 10:
        return f"more than 10 standard errors {'above' if over > 0 else 'below'}"
    return f"{over:+.1f} standard errors"


def _more(alpha: float, groups: int) -> Remedy:
    """What keeps the reserve small."""
    enough = math.ceil(10 / alpha) - 1
    return Remedy(
        f"Label more: of {counted(enough, 'group')} of images a tenth of alpha is kept in reserve, of these {groups} "
        f"{1 / (groups + 1) / alpha:.0%}.",
        f"delineate audit MODEL MORE_DATA -o DIR --only guarantee --alpha {alpha:g}",
    )


def _shifted(subject: Subject, evidence: Evidence) -> tuple[list[Ordered], str]:
    """The second data set, where there is one, and what was done to its channels; raises DataError where it shows nothing."""
    cases = [case for case in evidence.shifted if case.labels is not None and inside_of(case).any()]
    if evidence.shifted and not cases:
        raise DataError(
            "no image of the second data set has a mask with foreground: give masks, or leave --shifted out"
        )
    some = evidence.some(cases)
    answers = [answered(subject, case.image) for case in some]
    moved = [ordered(case, foreground(likely)) for case, (likely, _) in zip(some, answers, strict=True)]
    return moved, next((done for _, done in answers if done), "")
