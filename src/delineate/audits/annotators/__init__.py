"""Whose style has the model learnt, and how far do people agree at all? The audit of several people's labels.

    hands      who drew what: people, their consensus, the model
    agreement  every two of them: Dice, Hausdorff, objects, kappa
    style      each beside the consensus: larger, shifted, smoother, blind to small objects
    standing   the model in a person's place: does it agree with the others as well as that person does?
    leaning    with whom the model sides where one person stands alone
    habits     how each draws, over all images
    telling    what was found, in words; tables: in figures

Only masks are needed, of people and of the model; without a model, people are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from delineate.audits.annotators.agreement import agreement
from delineate.audits.annotators.drawing import disputed
from delineate.audits.annotators.habits import habits_of
from delineate.audits.annotators.hands import Hand, by_pairs, gathered
from delineate.audits.annotators.leaning import leanings
from delineate.audits.annotators.standing import standing
from delineate.audits.annotators.tables import (
    habits_table,
    model_table,
    pairs_table,
    plain,
    plain_habit,
    size_chart,
    staple_table,
)
from delineate.audits.annotators.telling import REMEDIES, agreement_finding, habit_findings, model_findings
from delineate.audits.evidence import Evidence
from delineate.audits.section import Section
from delineate.audits.subject import Subject
from delineate.core import DataError

__all__ = ["AnnotatorsSettings", "annotators"]


@dataclass(frozen=True)
class AnnotatorsSettings:
    """most: images that are looked at, evenly chosen. small_px: objects below this size, in pixels, count as small; None:
    the smaller quarter of those in the consensus."""

    most: int = 200
    small_px: float | None = None

    def __post_init__(self) -> None:
        if self.most < 1 or (self.small_px is not None and not self.small_px > 0):
            raise DataError(
                "the audit of annotators needs at least one image, and small objects a size above 0"
            )


def annotators(
    subject: Subject, evidence: Evidence, *, settings: AnnotatorsSettings = AnnotatorsSettings()
) -> Section:
    """Compare two or more people, and the model with them; see docs/audit/annotators.md.

    Raises DataError where fewer than two people labelled images, or none that another labelled too.
    """
    group = gathered(subject, evidence, most=settings.most)
    hands = [*group.people, *([group.model] if group.model else [])]
    said = {
        pair: agreement(one, other, group.images, classes=subject.classes)
        for pair, (one, other) in by_pairs([*hands, group.agreed]).items()
    }
    habits, edges = habits_of(group, hands, small_px=settings.small_px)
    names = [person.name for person in group.people]
    among = {(a, b): said[a, b] for i, a in enumerate(names) for b in names[i + 1 :]}
    findings = [agreement_finding(among, evidence), *habit_findings(habits, names, evidence)]
    tables = [pairs_table(said, group), habits_table(habits), staple_table(group, subject)]
    charts = [size_chart(habits, edges)] if len(edges) > 1 else []
    remedies = list(REMEDIES)
    numbers: dict[str, Any] = {
        "people": {name: _images(hand) for name, hand in zip(names, group.people, strict=True)},
        "pairs": {f"{a} and {b}": plain(one) for (a, b), one in said.items()},
        "habits": {one.name: plain_habit(one) for one in habits},
    }
    sentence = f"{len(names)} people labelled {len(group.images)} images together. {findings[0].sentence}"
    if group.model:
        model = group.model.name
        with_model = {name: said[name, model].dice for name in names}
        place = standing({pair: one.dice for pair, one in among.items()}, with_model, group.groups)
        leans = leanings(group, group.model)
        closeness = {name: said[name, model].mean_dice for name in names}
        findings += model_findings(group.model, place, leans, habits, evidence)
        tables.append(model_table(place, leans, closeness))
        numbers |= {"williams_index": place.index, "williams_interval": place.index_interval}
        numbers |= {"difference": place.difference, "difference_interval": place.interval}
        numbers |= {"sides_with": {one.person: one.sides for one in leans}}
        numbers |= {"leaning": {one.person: one.lean for one in leans}}
        sentence = f"{sentence} {findings[-3].sentence} {findings[-1].sentence}"
    return Section(
        "annotators",
        "Annotators",
        "How far do people agree, how does each draw, and whose style has the model learnt?",
        sentence,
        findings=tuple(findings),
        tables=tuple(tables),
        charts=tuple(charts),
        pictures=disputed(group),
        remedies=tuple(remedies),
        notes=(
            "How anyone draws is told beside the consensus of all: where most people share a habit, it is the others who "
            "seem to differ.",
            *group.notes,
        ),
        numbers=numbers,
    )


def _images(hand: Hand) -> int:
    return sum(labels is not None for labels in hand.labels)
