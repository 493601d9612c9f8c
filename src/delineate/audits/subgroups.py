"""Is the model as good for every scanner, site and stain, and for objects of every size? Scores by any column of facts.

Each value of a column is set beside all other cases; the difference has an interval over groups of cases (patients), and a p
that is corrected for all the comparisons of the audit. The size of the objects in a case is a column that is always known.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from delineate.audits.evidence import Evidence
from delineate.audits.section import Chart, Curve, Remedy, Section, Table
from delineate.audits.subject import Subject
from delineate.core import UNLABELLED, Case, DataError
from delineate.data.problem import counted, listed
from delineate.score import SCORES, ScoreTable, Subgroup, components, pool_objects, score_case, subgroups
from delineate.score.chance import BEYOND, corrected
from delineate.score.subgroups import NOT_STATED

SIZE = "typical object (px)"
_SCORES = tuple(SCORES[name] for name in ("dice", "hausdorff95"))


@dataclass(frozen=True)
class SubgroupsSettings:
    """most: cases that are scored, evenly chosen. least: cases that a value needs to be judged."""

    most: int = 200
    least: int = 3

    def __post_init__(self) -> None:
        if self.most < 1 or self.least < 1:
            raise DataError("subgroups need at least one case: give positive numbers")


def by_subgroups(
    subject: Subject, evidence: Evidence, *, settings: SubgroupsSettings = SubgroupsSettings()
) -> Section:
    """Dice and HD95 by every column of `evidence.facts`, and by the size of objects; see docs/audit/subgroups.md.

    Raises DataError where no case is labelled, or the subject has no prediction of those that are.
    """
    cases, notes = _cases(subject, evidence, settings)
    table = _scored(subject, evidence, cases)
    columns = {SIZE: _typical_sizes(cases), **evidence.facts}
    found = {title: subgroups(table, column) for title, column in columns.items()}
    notes += [
        f"{title} is not stated for {sum(case.name not in column for case in cases)} of {len(cases)} cases."
        for title, column in evidence.facts.items()
        if any(case.name not in column for case in cases)
    ]
    judged = [
        (title, one)
        for title, several in found.items()
        for one in several
        if one.score == "dice"
        and one.value != NOT_STATED
        and one.cases >= settings.least
        and one.difference_interval
    ]
    notes += [
        f"{title} is not judged: none of what it says is of {settings.least} cases with others beside them. Only a column "
        "in which all that is stated are numbers is cut into ranges."
        for title in evidence.facts
        if title not in {one for one, _ in judged}
    ]
    chances = corrected(table, [one for _, one in judged])
    p = {id(one): chance.p for (_, one), chance in zip(judged, chances, strict=True)}
    telling = [
        (title, one, chance)
        for (title, one), chance in zip(judged, chances, strict=True)
        if chance.p < BEYOND and one.difference < 0
    ]
    if judged:
        notes.append(
            f"{len(judged)} subgroups were compared, by permutation tests whose p are corrected after Holm for all of them: "
            "where nothing differs, at most one audit in twenty finds any worse."
        )
    weakest = SIZE
    if not judged:
        sentence, gap = "No subgroup has enough cases on either side to be compared.", math.nan
    elif telling:
        weakest, one, chance = min(telling, key=lambda item: item[1].difference)
        low, high = one.difference_interval or (math.nan, math.nan)
        gap = -one.difference
        sentence = (
            f"Where {weakest} is {one.value} ({one.cases} cases), Dice of {one.name} is {gap:.3f} lower than elsewhere "
            f"(95 % interval {-high:.3f} to {-low:.3f}; corrected p {chance.p:.3f})."
        )
    elif min(chance.least for chance in chances) > BEYOND:
        sentence = f"{counted(len(cases), 'case')} are too few to tell a worse subgroup from chance, by {listed(found)}."
        gap = math.nan
    else:
        sentence, gap = f"No subgroup is worse beyond chance, by {listed(found)}.", 0.0
    finding = evidence.thresholds.judged("subgroups.gap", gap, sentence)
    return Section(
        "subgroups",
        "Subgroups",
        "Is the model as good for every scanner, site and stain, and for objects of every size?",
        sentence,
        findings=(finding,),
        tables=(*(_table(title, several, p) for title, several in found.items()), _objects_table(table)),
        charts=(_chart(SIZE, found[SIZE]),),
        remedies=(_remedy(weakest),) if telling else (),
        notes=tuple(notes),
        numbers={title: [_plain(one, p) for one in several] for title, several in found.items()},
    )


def _remedy(title: str) -> Remedy:
    """What to do where some value of this column is weak; of objects of some size nobody can say beforehand."""
    if title == SIZE:
        return Remedy(
            "Label more images with objects of that size, and learn from them too.",
            "delineate train DATA -o MODEL",
        )
    return Remedy(
        "Label some images of the weakest subgroup, and learn from every subgroup alike. Measured: beside 130 fluorescent "
        "images, 4 stained ones alone did nothing for others like them (Dice 0.20), and balanced gave 0.82. "
        "Where the table is not DATA/metadata.csv, name it with --metadata.",
        f"delineate train DATA -o MODEL --balance {shlex.quote(title)}",
    )


def _cases(
    subject: Subject, evidence: Evidence, settings: SubgroupsSettings
) -> tuple[tuple[Case, ...], list[str]]:
    """The labelled cases that the subject can say something about, at most so many."""
    labelled = evidence.labelled()
    known = [case for case in labelled if subject.has(case)]
    if not known:
        raise DataError(f"{subject.name} has no prediction of any labelled image: outline them first")
    count = min(len(known), settings.most)
    notes = []
    if len(known) < len(labelled):
        notes.append(
            f"Left out, for no prediction fits: {counted(len(labelled) - len(known), 'labelled image')}."
        )
    if count < len(known):
        notes.append(f"{count} of {len(known)} cases are scored, evenly chosen.")
    return tuple(known[i * len(known) // count] for i in range(count)), notes


def _scored(subject: Subject, evidence: Evidence, cases: tuple[Case, ...]) -> ScoreTable:
    scored = []
    for number, case in enumerate(cases, start=1):
        evidence.tell(f"subgroups: case {number} of {len(cases)}")
        predicted = subject.labels(case)
        truth = case.labels
        if truth is None:
            continue
        scored.append(
            score_case(
                truth,
                predicted,
                classes=subject.classes,
                name=case.name,
                spacing=case.spacing,
                unit=case.unit,
                group=case.group,
                truth_objects=components((truth > 0) & (truth != UNLABELLED)),
                predicted_objects=components((predicted > 0) & (predicted != UNLABELLED)),
                scores=_SCORES,
            )
        )
    return ScoreTable(subject.classes, tuple(scored), scores=_SCORES)


def _typical_sizes(cases: tuple[Case, ...]) -> Mapping[str, str]:
    """Median size of the objects of each case that has any, in pixels."""
    sizes = {}
    for case in cases:
        if case.labels is None:
            continue
        foreground = (case.labels > 0) & (case.labels != UNLABELLED)
        ids = np.where(foreground, case.objects, 0) if case.objects is not None else components(foreground)
        counts = np.unique(ids[ids > 0], return_counts=True)[1]
        if len(counts):
            sizes[case.name] = f"{np.median(counts):.0f}"
    return sizes


def _table(title: str, several: tuple[Subgroup, ...], p: Mapping[int, float]) -> Table:
    rows = tuple(
        (
            one.value,
            one.name,
            one.score,
            one.cases,
            one.summary.mean,
            _range(one.interval),
            one.difference,
            _range(one.difference_interval),
            f"{p[id(one)]:.3f}" if id(one) in p else "",
        )
        for one in several
    )
    header = (
        title,
        "class",
        "score",
        "cases",
        "mean",
        "95 % interval",
        "less all others",
        "95 % interval",
        "p",
    )
    return Table(f"Scores by {title}", header, rows)


def _objects_table(table: ScoreTable) -> Table:
    """Objects found by their own size; pieces of the foreground on both sides."""
    pooled = pool_objects(case.objects for case in table.cases if case.objects)
    rows = tuple(
        (
            f"{one.low:g} {'and more' if math.isinf(one.high) else f'to {one.high:g}'}",
            one.true,
            one.recall,
            one.true - one.touched,
            one.precision,
        )
        for one in pooled.by_size()
    )
    unit = table.cases[0].unit
    power = "²" if len(table.cases[0].shape) == 2 else "³"
    header = (f"size ({unit}{power})", "true objects", "share found", "missed altogether", "precision")
    return Table("Objects by their size (connected pieces)", header, rows)


def _chart(title: str, several: tuple[Subgroup, ...]) -> Chart:
    """Mean Dice over the ranges of a column, with intervals."""
    curves = []
    for name in dict.fromkeys(one.name for one in several):
        shown = [
            one for one in several if one.name == name and one.score == "dice" and one.value != NOT_STATED
        ]
        y = tuple(one.summary.mean for one in shown)
        ends = [one.interval or (one.summary.mean,) * 2 for one in shown]
        band = (tuple(low for low, _ in ends), tuple(high for _, high in ends))
        curves.append(Curve(name, tuple(float(i + 1) for i in range(len(shown))), y, band))
    return Chart(f"Dice by {title}", "range of the column, smallest first", "mean Dice", tuple(curves))


def _range(interval: tuple[float, float] | None) -> str:
    return f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else ""


def _plain(one: Subgroup, p: Mapping[int, float]) -> dict[str, Any]:
    return {
        "value": one.value,
        "class": one.name,
        "score": one.score,
        "cases": one.cases,
        "mean": one.summary.mean,
        "interval": one.interval,
        "difference": one.difference,
        "difference_interval": one.difference_interval,
        "p": p.get(id(one)),
    }
