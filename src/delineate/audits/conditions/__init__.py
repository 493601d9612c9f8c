"""Acquisition conditions: what does the model make of the same specimen under another lamp, camera, dye or hand?

Every condition of `delineate.data.conditions` is tried in severities 1 to 5 on the same cases; what counts is the severity
at which mean Dice has fallen by `fall`. A second data set tells what no simulation can. Read `conditions`, then `measured`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from delineate.audits.conditions.measured import Course, courses, scored, under
from delineate.audits.conditions.pictures import LEGEND, side_by_side
from delineate.audits.conditions.shifted import Shift, or_why_not, shift
from delineate.audits.conditions.told import (
    HELPS,
    charts,
    numbers,
    of_family,
    ranking,
    remedies_for,
    shift_finding,
    shift_remedy,
    shift_table,
    unconcerned,
    worst_said,
)
from delineate.audits.evidence import Evidence
from delineate.audits.section import Picture, Section
from delineate.audits.subject import Subject
from delineate.core import Case, DataError
from delineate.data.conditions import ACQUISITION, contrast

FAMILIES = tuple(dict.fromkeys(condition.family for condition in ACQUISITION.values()))
"""light, camera, stain, inversion, motion: the names of `train --robust`."""


@dataclass(frozen=True)
class ConditionsSettings:
    """fall: of mean Dice, that counts as broken. families: those that are tried. shown: conditions in charts and pictures,
    the worst ones. most_px: pixels of all cases together; larger cases are left out first, one stays.
    """

    fall: float = 0.05
    families: tuple[str, ...] = FAMILIES
    shown: int = 3
    most_px: float = 2e6


def conditions(
    subject: Subject, evidence: Evidence, *, settings: ConditionsSettings = ConditionsSettings()
) -> Section:
    """The section; raises ModelError for a folder of predictions, DataError where nothing is labelled or a family unknown."""
    subject.asked()
    if unknown := [family for family in settings.families if family not in FAMILIES]:
        raise DataError(f"there is no family {unknown[0]}: choose from {', '.join(FAMILIES)}")
    cases = _affordable(evidence.some(evidence.labelled()), settings.most_px)
    chosen = {name: one for name, one in ACQUISITION.items() if one.family in settings.families}
    measured = []
    for course in courses(subject, cases, chosen, fall=settings.fall):
        evidence.tell(
            f"{course.condition.name}: Dice {course.dice[0]:.3f}, at severity 5 {course.dice[-1]:.3f}"
        )
        measured.append(course)
    ranked = sorted(measured, key=_gravity)
    second, notes = or_why_not(lambda: _second(subject, evidence), without=None)
    findings = [of_family(family, ranked, evidence) for family in FAMILIES if family in settings.families]
    judged = [one for one in findings if one is not None]
    pictures = [
        _broken(subject, course) for course in ranked[: settings.shown] if not math.isnan(course.breaks)
    ]
    tables, remedies = [ranking(ranked, settings.fall)], remedies_for(judged)
    if second is not None:
        judged.insert(0, shift_finding(second, evidence))
        tables.insert(0, shift_table(second))
        pictures.insert(0, _there(second))
        notes += [f"On the second data set {second.converted}."] if second.converted else []
        if judged[0].verdict in ("warn", "fail"):
            first = shift_remedy(second)
            remedies = [first, *(one for one in remedies if one.command != first.command)]
    notes += unconcerned(cases, chosen)
    left_out = len(evidence.labelled()) - len(cases)
    if left_out:
        notes.append(f"{len(cases)} of {len(cases) + left_out} labelled images were looked at.")
    return Section(
        name="conditions",
        title="Acquisition conditions",
        question="What if the light, the camera, the stain or the specimen's rest are not what they were in training?",
        sentence=" ".join(
            [*([judged[0].sentence] if second is not None else []), worst_said(ranked, settings.fall)]
        ),
        findings=tuple(judged),
        tables=tuple(tables),
        charts=charts(ranked, fall=settings.fall, most=2 * settings.shown),
        pictures=tuple(pictures),
        remedies=tuple(remedies),
        notes=tuple(notes),
        numbers=numbers(ranked, second),
    )


def _affordable(cases: Sequence[Case], most_px: float) -> tuple[Case, ...]:
    kept = list(cases)
    while len(kept) > 1 and sum(case.image[..., 0].size for case in kept) > most_px:
        kept.remove(max(kept, key=lambda case: case.image[..., 0].size))
    return tuple(kept)


def _gravity(course: Course) -> tuple[float, float]:
    """Worst first: what breaks soonest, then what has lost most in the end."""
    breaks = course.breaks
    lost = course.dice[0] - course.dice[-1]
    return (math.inf if math.isnan(breaks) else breaks, math.inf if math.isnan(lost) else -lost)


def _second(subject: Subject, evidence: Evidence) -> Shift | None:
    """The second data set measured, where there is one."""
    if not evidence.shifted:
        return None
    here = evidence.labelled()
    scores = [scored(case, subject.labels(case), classes=subject.classes) for case in here]
    return shift(subject, here, scores, evidence.shifted)


def _broken(subject: Subject, course: Course) -> Picture:
    """The case that suffers most, as it is and where the condition breaks the model."""
    severity = math.ceil(course.breaks)
    case, one = course.cases[course.hardest], course.condition
    truth = case.labels
    if truth is None:
        raise DataError(f"{case.name} has no labels")
    panels = (
        (case.image, truth, subject.labels(case)),
        (one.at(case.image, severity), truth, under(subject, case, one, severity)),
    )
    caption = (
        f"{case.name} as it is, and under {one.name} at severity {severity} ({one.said(severity)}): Dice "
        f"{course.scored[0][course.hardest].dice:.2f} and {course.scored[severity][course.hardest].dice:.2f}. {LEGEND}"
    )
    return Picture(caption, side_by_side(panels))


def _there(second: Shift) -> Picture:
    """The case of the second data set whose Dice is the median; with bright and dark exchanged too, where that helps."""
    at = second.typical
    case, predicted, turned = second.cases[at], second.predicted[at], second.turned[at]
    truth = case.labels
    if truth is None:
        raise DataError(f"{case.name} has no labels")
    panels = [(case.image, truth, predicted)]
    caption = f"{case.name} of the second data set, whose Dice of {second.there[at].dice:.2f} is the median"
    if second.exchanged > second.dice[1] + HELPS:
        panels.append((contrast(case.image, factor=-1), truth, turned))
        caption += ", and the same with bright and dark exchanged"
    return Picture(f"{caption}. {LEGEND}", side_by_side(panels))


__all__ = ["FAMILIES", "ConditionsSettings", "conditions"]
