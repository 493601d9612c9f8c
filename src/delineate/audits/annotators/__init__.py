"""Whose style has the model learnt, and how far do people agree at all? The audit of several people's labels.

    hands      who drew what: people, their consensus, the model
    agreement  every two of them: Dice, Hausdorff, objects, kappa
    style      each beside the consensus: larger, shifted, smoother, blind to small objects
    standing   the model in a person's place: does it agree with the others as well as that person does?
    leaning    with whom the model sides where one person stands alone

Only masks are needed, of people and of the model; without a model, people are compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from delineate.audits.annotators.agreement import Agreement, agreement
from delineate.audits.annotators.drawing import disputed
from delineate.audits.annotators.hands import Group, Hand, by_pairs, gathered, objects_in
from delineate.audits.annotators.leaning import Leaning, leanings
from delineate.audits.annotators.standing import Standing, standing
from delineate.audits.annotators.style import Drawn, drawn, joined
from delineate.audits.evidence import Evidence
from delineate.audits.section import Chart, Curve, Finding, Remedy, Section, Table
from delineate.audits.subject import Subject
from delineate.core import UNLABELLED, DataError
from delineate.data import staple
from delineate.score import intervals
from delineate.score.interval import Interval, ratio_interval

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


@dataclass(frozen=True, eq=False)
class Habit:
    """How one hand draws, over all images, beside the consensus; shares and pixels with their intervals.

    larger_px: the median over objects, which a merged or torn one does not spoil; moved_px and wiggles_px: means.
    """

    name: str
    images: int
    larger_px: float
    larger_interval: Interval | None
    missed: float
    small_missed: float
    small_interval: Interval | None
    extra: float
    moved_px: tuple[float, float]
    wiggles_px: float
    pictures: tuple[Drawn | None, ...]


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
    habits, edges = _habits(group, hands, settings)
    names = [person.name for person in group.people]
    among = {(a, b): said[a, b] for i, a in enumerate(names) for b in names[i + 1 :]}
    findings = [_agreement_finding(among, evidence), *_habit_findings(habits, names, evidence)]
    tables = [_pairs_table(said, group), _habits_table(habits), _staple_table(group, subject)]
    charts = [_size_chart(habits, edges)] if len(edges) > 1 else []
    remedies = list(_REMEDIES)
    numbers: dict[str, Any] = {
        "people": {name: _images(hand) for name, hand in zip(names, group.people, strict=True)},
        "pairs": {f"{a} and {b}": _plain(one) for (a, b), one in said.items()},
        "habits": {one.name: _plain_habit(one) for one in habits},
    }
    sentence = f"{len(names)} people labelled {len(group.images)} images together. {findings[0].sentence}"
    if group.model:
        model = group.model.name
        with_model = {name: said[name, model].dice for name in names}
        place = standing({pair: one.dice for pair, one in among.items()}, with_model, group.groups)
        leans = leanings(group, group.model)
        closeness = {name: said[name, model].mean_dice for name in names}
        findings += _model_findings(group.model, place, leans, habits, evidence)
        tables.append(_model_table(place, leans, closeness))
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


_REMEDIES = (
    Remedy(
        "Learn from everybody: for every crop one person is drawn at random, so that the model meets all styles.",
        "delineate train DATA -o MODEL --annotators random",
    ),
    Remedy(
        "Learn the share of people who drew each pixel, which is what `random` teaches on average, in one step.",
        "delineate train DATA -o MODEL --annotators soft",
    ),
    Remedy(
        "Learn what the majority drew, whose border runs between theirs.",
        "delineate train DATA -o MODEL --annotators consensus",
    ),
)


def _habits(
    group: Group, hands: Sequence[Hand], settings: AnnotatorsSettings
) -> tuple[list[Habit], list[float]]:
    """How everybody draws, and the edges of the quarters of object size."""
    pictures: dict[str, list[Drawn | None]] = {hand.name: [] for hand in hands}
    for i, consensus in enumerate(group.consensus):
        here = {hand.name: hand for hand in hands if hand.labels[i] is not None}
        unsaid = consensus.labels == UNLABELLED
        reference = np.where(unsaid, 0, objects_in(consensus.labels, consensus.objects))
        shapes = {}
        for name, hand in here.items():
            labels, ids = hand.labels[i], hand.objects[i]
            if labels is not None:
                mine = ids if ids is not None else (labels > 0) & (labels != UNLABELLED)
                shapes[name] = np.where(unsaid, mine.dtype.type(0), mine)
        seen = drawn(reference, shapes)
        for name, own in pictures.items():
            own.append(seen.get(name))
    sizes = np.concatenate([[], *(one.sizes for one in _longest(pictures))])
    small = settings.small_px or (float(np.percentile(sizes, 25)) if len(sizes) else 0.0)
    edges = [float(x) for x in np.percentile(sizes, (0, 25, 50, 75, 100))] if len(sizes) else []
    return [_habit(name, own, small, group.groups) for name, own in pictures.items()], edges


def _longest(pictures: Mapping[str, Sequence[Drawn | None]]) -> list[Drawn]:
    """One drawing of every image, for the sizes in its consensus."""
    found = [next((one for one in several if one), None) for several in zip(*pictures.values(), strict=True)]
    return [one for one in found if one]


def _habit(name: str, pictures: Sequence[Drawn | None], small_px: float, groups: Sequence[str]) -> Habit:
    known = [(one, own) for one, own in zip(pictures, groups, strict=True) if one is not None]
    everything, names = joined([one for one, _ in known]), [own for _, own in known]
    of_each = np.repeat(names, [len(one.sizes) for one, _ in known])
    small = [one.sizes <= small_px for one, _ in known]
    missed = [float(one.missed[at].sum()) for (one, _), at in zip(known, small, strict=True)]
    return Habit(
        name,
        len(known),
        _known_median(everything.larger_px),
        intervals(everything.larger_px.tolist(), of_each.tolist()).median,
        _share(float(everything.missed.sum()), len(everything.missed)),
        _share(sum(missed), sum(int(at.sum()) for at in small)),
        ratio_interval(missed, [float(at.sum()) for at in small], names),
        _share(everything.extra, len(everything.sizes)),
        (_known_mean(everything.moved_px[:, 0]), _known_mean(everything.moved_px[:, 1])),
        _known_mean(everything.wiggles_px),
        tuple(pictures),
    )


def _agreement_finding(among: Mapping[tuple[str, str], Agreement], evidence: Evidence) -> Finding:
    known = {pair: one for pair, one in among.items() if not math.isnan(one.mean_dice)}
    if not known:
        return evidence.thresholds.judged(
            "annotators.agreement", math.nan, "No two people drew anything in the same image."
        )
    (one, other), least = min(known.items(), key=lambda item: item[1].mean_dice)
    mean = sum(each.mean_dice for each in known.values()) / len(known)
    return evidence.thresholds.judged(
        "annotators.agreement",
        least.mean_dice,
        f"People agree with each other at a mean Dice of {mean:.3f}; furthest apart are {one} and {other} "
        f"({least.mean_dice:.3f}).",
    )


def _habit_findings(habits: Sequence[Habit], people: Sequence[str], evidence: Evidence) -> list[Finding]:
    """The strongest habit among people: of the border, and of missing small objects."""
    persons = [habit for habit in habits if habit.name in people]
    border = max(persons, key=lambda one: abs(np.nan_to_num(one.larger_px)))
    blind = max(persons, key=lambda one: np.nan_to_num(one.small_missed))
    return [
        evidence.thresholds.judged(
            "annotators.border_px",
            abs(border.larger_px),
            f"{border.name} draws {_sized(border)} than the consensus.",
        ),
        evidence.thresholds.judged(
            "annotators.small_missed",
            blind.small_missed,
            f"{blind.name} leaves out {blind.small_missed:.1%} of the small objects"
            f"{_between(blind.small_interval, '.1%')}.",
        ),
    ]


def _model_findings(
    model: Hand,
    place: Standing,
    leans: Sequence[Leaning],
    habits: Sequence[Habit],
    evidence: Evidence,
) -> list[Finding]:
    """Whether the model stands among people; how it draws; whom it resembles."""
    own = next(habit for habit in habits if habit.name == model.name)
    worst = math.nan if place.interval is None else place.interval[0]
    first = leans[0]
    verb = "better than" if place.difference > 0 else "less well than"
    likeness = (
        "Nobody stands alone against the others anywhere."
        if math.isnan(first.lean)
        else f"Where {first.person} stands alone against most others, {model.name} sides with them in {first.sides:.0%} of "
        f"the pixels, {first.lean:+.0%} beside the same share for the others{_between(first.interval, '+.0%')}."
    )
    return [
        evidence.thresholds.judged(
            "annotators.model_among_people",
            worst,
            f"{model.name} agrees with people {abs(place.difference):.3f} Dice {verb} they agree with each other"
            f"{_between(place.interval, '+.3f')}.",
        ),
        evidence.thresholds.judged(
            "annotators.model_border_px",
            abs(own.larger_px),
            f"{model.name} draws {_sized(own)} than the consensus of people.",
        ),
        evidence.thresholds.judged("annotators.leaning", first.lean, likeness),
    ]


def _pairs_table(said: Mapping[tuple[str, str], Agreement], group: Group) -> Table:
    unit = group.images[0].unit
    rows = tuple(
        (
            f"{a} and {b}",
            int((~np.isnan(one.dice)).sum()),
            one.mean_dice,
            one.median_hausdorff,
            int(np.isinf(one.hausdorff).sum()),
            one.disagreement,
            one.kappa,
        )
        for (a, b), one in said.items()
    )
    header = (
        "pair",
        "images",
        "mean Dice",
        f"median Hausdorff ({unit})",
        "where one missed a class",
        "objects without partner",
        "kappa",
    )
    return Table("How far every two agree", header, rows)


def _habits_table(habits: Sequence[Habit]) -> Table:
    rows = tuple(
        (
            one.name,
            one.images,
            _with(one.larger_px, one.larger_interval, "+.2f"),
            _with(one.small_missed, one.small_interval, ".1%"),
            f"{one.missed:.1%}",
            f"{one.extra:.1%}",
            f"{one.moved_px[0]:+.2f}, {one.moved_px[1]:+.2f}",
            one.wiggles_px,
        )
        for one in habits
    )
    header = (
        "who",
        "images",
        "border outside the consensus (px)",
        "small objects left out",
        "all objects left out",
        "objects of their own",
        "moved (down, right; px)",
        "wiggles (px)",
    )
    return Table("How each draws, beside the consensus", header, rows)


def _staple_table(group: Group, subject: Subject) -> Table:
    """Sensitivity and specificity of each person as STAPLE estimates them, mean over images."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for i in range(len(group.images)):
        present = [(one.name, labels) for one in group.people if (labels := one.labels[i]) is not None]
        for label, name in enumerate(subject.classes.names[1:], start=1):
            seen = staple([labels for _, labels in present], label=label)
            for (person, _), *rates in zip(present, seen.sensitivity, seen.specificity, strict=True):
                found.setdefault((person, name), []).append((rates[0], rates[1]))
    rows = tuple(
        (person, name, _known_mean(np.array(rates)[:, 0]), _known_mean(np.array(rates)[:, 1]))
        for (person, name), rates in sorted(found.items())
    )
    return Table(
        "How good each person is, as STAPLE sees it", ("who", "class", "sensitivity", "specificity"), rows
    )


def _model_table(place: Standing, leans: Sequence[Leaning], closeness: Mapping[str, float]) -> Table:
    by_person = {one.person: one for one in leans}
    rows = tuple(
        (
            one.person,
            closeness[one.person],
            _with(by_person[one.person].sides, None, ".0%"),
            _with(by_person[one.person].lean, by_person[one.person].interval, "+.0%"),
            _with(one.difference, one.interval, "+.3f"),
            _with(one.closer, None, ".0%"),
        )
        for one in place.beside
    )
    header = (
        "who",
        "Dice of the model with them",
        "where they stand alone, the model sides with them",
        "beside the others",
        "the model in their place: Dice with the others",
        "images where it agrees at least as well",
    )
    return Table("The model among people", header, rows)


def _size_chart(habits: Sequence[Habit], edges: Sequence[float]) -> Chart:
    """Share of objects left out, by quarter of object size."""
    curves = []
    for one in habits:
        seen = joined([picture for picture in one.pictures if picture is not None])
        quarter = np.clip(np.searchsorted(edges[1:-1], seen.sizes, side="left"), 0, 3)
        shares = [
            float(seen.missed[quarter == q].mean()) if (quarter == q).any() else math.nan for q in range(4)
        ]
        curves.append(Curve(one.name, (1.0, 2.0, 3.0, 4.0), tuple(shares)))
    title = f"Objects left out, by size (quarters end at {', '.join(f'{edge:.0f}' for edge in edges[1:])} px)"
    return Chart(title, "quarter of the objects, smallest first", "share left out", tuple(curves))


def _images(hand: Hand) -> int:
    return sum(labels is not None for labels in hand.labels)


def _plain(one: Agreement) -> dict[str, Any]:
    return {
        "images": int((~np.isnan(one.dice)).sum()),
        "dice": one.mean_dice,
        "hausdorff": one.median_hausdorff,
        "disagreement": one.disagreement,
        "kappa": one.kappa,
    }


def _plain_habit(one: Habit) -> dict[str, Any]:
    return {
        "larger_px": one.larger_px,
        "larger_interval": one.larger_interval,
        "small_missed": one.small_missed,
        "small_interval": one.small_interval,
        "missed": one.missed,
        "extra": one.extra,
        "moved_px": one.moved_px,
        "wiggles_px": one.wiggles_px,
    }


def _sized(one: Habit) -> str:
    side = "larger" if one.larger_px >= 0 else "smaller"
    interval = one.larger_interval
    if interval is not None and one.larger_px < 0:
        interval = (-interval[1], -interval[0])
    return f"{abs(one.larger_px):.2f} px {side}{_between(interval, '.2f')}"


def _with(value: float, interval: Interval | None, form: str) -> str:
    return (
        ""
        if math.isnan(value)
        else f"{value:{form}}" + (f" ({interval[0]:{form}} to {interval[1]:{form}})" if interval else "")
    )


def _between(interval: Interval | None, form: str) -> str:
    return f" (95 % interval {interval[0]:{form}} to {interval[1]:{form}})" if interval else ""


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _known_median(values: Any) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else math.nan


def _known_mean(values: Any) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan
