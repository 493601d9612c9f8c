"""Does the answer depend on where the picture begins? A network that keeps every second pixel lays a grid over it.

Moves images by 0 to `divisor` pixels, in a circle and by cutting the frame elsewhere, and compares the answers pixel by pixel
(Azulay & Weiss 2019, arXiv:1805.12177; Zhang 2019, arXiv:1904.11486). `moves` measures, `picture` draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from delineate.audits.evidence import Evidence
from delineate.audits.section import Chart, Curve, Finding, Remedy, Section, Table, with_gravest
from delineate.audits.shift.moves import Moves, Shift, circled, framed, shifts_of
from delineate.audits.shift.picture import tremble_picture
from delineate.audits.subject import Subject
from delineate.core import Case, DataError, ModelError
from delineate.data.problem import counted

PERIOD = 16  # of a network of unknown make: most halve four times


@dataclass(frozen=True)
class ShiftSettings:
    """every: all shifts from 0 to the divisor of the network along all axes, in place of a spread of them."""

    every: bool = False


def shift(subject: Subject, evidence: Evidence, *, settings: ShiftSettings = ShiftSettings()) -> Section:
    """What becomes of the answers when images move by a few pixels; raises ModelError for a folder of predictions,
    and where an image has fewer axes than the model works on.

    Raises DataError where no image is more than twice as wide as the largest shift.
    """
    predict = subject.asked()
    period = subject.divisor if subject.divisor > 1 else PERIOD
    for case in evidence.cases:
        if len(case.spatial) < subject.dims:
            raise ModelError(
                f"{case.name} has {len(case.spatial)} spatial axes but {subject.name} works on {subject.dims}: give volumes, or "
                "another model"
            )
    shifts = shifts_of(period, dims=subject.dims, every=settings.every)
    wide = [case for case in evidence.cases if min(case.spatial[-subject.dims :]) > 2 * period]
    if not wide:
        raise DataError(
            f"no image is wider than {2 * period} pixels, which shifts of up to {period} need: give larger images"
        )
    cases = evidence.some(wide)
    frames, circles = [], []
    for number, case in enumerate(cases):
        evidence.tell(f"shift: {case.name}, {number + 1} of {len(cases)}, {2 * len(shifts) + 2} answers")
        frames.append(framed(predict, case, shifts, reach_px=subject.reach_px))
        circles.append(circled(predict, case, shifts, divisor=period, reach_px=subject.reach_px))
    ways = {"cut elsewhere": frames, "in a circle": circles}
    findings = _findings(frames, circles, evidence, period)
    steady = all(finding.verdict == "pass" for finding in findings)
    inside = [move.inside for moves in frames for move in moves.moves if not math.isnan(move.inside)]
    at_edges = bool(inside) and min(inside) == 1
    worst = min(frames, key=lambda moves: min(move.agreement for move in moves.moves))
    return Section(
        "shift",
        "Shift",
        "Does the answer change when the picture begins a few pixels further on?",
        with_gravest(findings[0].sentence, findings)
        + (
            f" All of it lies within {subject.reach_px} px of where the frame cuts: away from edges no label changes."
            if at_edges and not steady
            else ""
        ),
        findings=findings,
        tables=(_by_way(ways), _by_shift(ways, shifts)),
        charts=(_chart(ways, shifts),),
        pictures=(tremble_picture(worst),),
        remedies=() if steady else _margin(subject) if at_edges else _remedies(subject),
        notes=_notes(cases, evidence.cases, subject, period),
        numbers={
            "period_px": period,
            "reach_px": subject.reach_px,
            "shifts": [list(one) for one in shifts],
            "ways": {
                way: {
                    moves.case: {
                        "dice": _plain(moves.dice),
                        "agreement": [move.agreement for move in moves.moves],
                        "inside": [_plain(move.inside) for move in moves.moves],
                        "furthest": [move.furthest for move in moves.moves],
                        "dice_moved": [_plain(move.dice) for move in moves.moves],
                    }
                    for moves in answers
                }
                for way, answers in ways.items()
            },
        },
    )


def _findings(
    frames: Sequence[Moves], circles: Sequence[Moves], evidence: Evidence, period: int
) -> tuple[Finding, ...]:
    judged = evidence.thresholds.judged
    agreement, circular = _mean(frames, _agreement), _mean(circles, _agreement)
    furthest = max(move.furthest for moves in frames for move in moves.moves)
    findings = [
        judged(
            "shift.agreement",
            agreement,
            f"When the frame begins up to {period} pixels further on, {_percent(agreement)} of the pixels keep their label.",
        ),
        judged(
            "shift.circular",
            circular,
            f"When the image moves in a circle, {_percent(circular)} of the pixels keep their label.",
        ),
        judged(
            "shift.probability",
            furthest,
            f"The probability of a pixel changes by up to {furthest:.2f} with the frame.",
        ),
    ]
    ranges = [moves.wobble[0] for moves in frames if not math.isnan(moves.dice)]
    if ranges:
        spread = float(np.mean([moves.wobble[1] for moves in frames if not math.isnan(moves.dice)]))
        wobble = float(np.mean(ranges))
        findings.append(
            judged(
                "shift.dice",
                wobble,
                f"The Dice of one and the same image varies by {wobble:.4f} with the frame (standard deviation {spread:.4f}; "
                f"{counted(len(ranges), 'image')} with truth).",
            )
        )
    return tuple(findings)


def _by_way(ways: Mapping[str, Sequence[Moves]]) -> Table:
    rows = []
    for way, answers in ways.items():
        moves = [move for one in answers for move in one.moves]
        inside = [move.inside for move in moves if not math.isnan(move.inside)]
        wobbles = [one.wobble for one in answers if not math.isnan(one.dice)]
        rows.append(
            (
                way,
                _percent(_mean(answers, _agreement)),
                _percent(min(move.agreement for move in moves)),
                f"{_percent(float(np.mean(inside)))} ({len(inside)} of {len(moves)})"
                if inside
                else "no such pixels",
                f"{max(move.furthest for move in moves):.3f}",
                f"{np.mean([w[0] for w in wobbles]):.4f}" if wobbles else "no truth",
                f"{np.mean([w[1] for w in wobbles]):.4f}" if wobbles else "no truth",
            )
        )
    header = (
        "moved",
        "labels kept, mean",
        "labels kept, worst",
        "away from edges (shifts that leave such pixels)",
        "largest change of a probability",
        "range of Dice, mean",
        "standard deviation of Dice, mean",
    )
    return Table("Images that move", header, tuple(rows))


def _by_shift(ways: Mapping[str, Sequence[Moves]], shifts: Sequence[Shift]) -> Table:
    rows = []
    for number, one in enumerate(shifts):
        kept = [np.mean([moves.moves[number].agreement for moves in answers]) for answers in ways.values()]
        rows.append((" x ".join(map(str, one)), *(_percent(float(value)) for value in kept)))
    return Table("Labels kept, by shift in pixels", ("shift", *ways), tuple(rows))


def _chart(ways: Mapping[str, Sequence[Moves]], shifts: Sequence[Shift]) -> Chart:
    """Along the diagonal: a comb, where the grid comes round again after 2, 4, 8 ... pixels."""
    along = [i for i, one in enumerate(shifts) if len(set(one)) == 1]
    curves = tuple(
        Curve(
            way,
            (0.0, *(float(shifts[i][0]) for i in along)),
            (1.0, *(float(np.mean([moves.moves[i].agreement for moves in answers])) for i in along)),
        )
        for way, answers in ways.items()
    )
    return Chart(
        "Labels kept, along the diagonal", "shift (pixels along each axis)", "share of pixels", curves
    )


def _margin(subject: Subject) -> tuple[Remedy, ...]:
    """Where only what the frame cuts off matters."""
    return (
        Remedy(
            f"No sampling is at fault: what lies beyond the frame is missing. Take images with a margin of {subject.reach_px} px "
            "around what is to be measured, and leave the margin out.",
            f"delineate predict {subject.source or 'MODEL'} IMAGES_WITH_MARGIN -o OUT",
        ),
    )


def _remedies(subject: Subject) -> tuple[Remedy, ...]:
    model = subject.source or "MODEL"
    averaged = Remedy(
        "Average over shifts: needs no training, takes as many times longer. Nuclei, cut elsewhere: of 4 shifts 99.87 % of the "
        "labels stay, of one 99.76 %.",
        f"delineate predict {model} IMAGES -o OUT --shifts 4",
    )
    plan = None if subject.method is None else subject.method.fitted().plan
    if plan is not None and plan.equivariant:
        return (averaged,)
    return (
        Remedy(
            "Train a network that samples on grids which move with the image: no shift in a circle changes its answer. Nuclei: "
            "100 % of the labels stay in a circle, of max pooling 99.72 %; cut elsewhere 99.80 and 99.79 %; Dice 0.906 both.",
            "delineate train DATA -o MODEL --equivariant",
        ),
        Remedy(
            "Train with blur pooling, which keeps out what aliases. Nuclei, a small network, cut elsewhere: 99.59 % of the "
            "labels stay, of max pooling 99.58 %.",
            "delineate train DATA -o MODEL --down blur",
        ),
        averaged,
    )


def _notes(used: Sequence[Case], given: Sequence[Case], subject: Subject, period: int) -> tuple[str, ...]:
    reach = (
        "How far its receptive field reaches is not known, so that nothing is said of pixels away from edges; "
        "`subject_of_module(reach_px=...)` tells."
        if subject.reach_px is None
        else f"Away from edges: further than the {subject.reach_px} pixels from which anything can reach a pixel."
    )
    return (f"{len(used)} of {counted(len(given), 'image')}, shifts of up to {period} pixels.", reach)


def _agreement(moves: Moves) -> float:
    return float(np.mean([move.agreement for move in moves.moves]))


def _mean(answers: Sequence[Moves], of: Callable[[Moves], float]) -> float:
    return float(np.mean([of(moves) for moves in answers]))


def _percent(share: float) -> str:
    """100 % only where it is."""
    return (
        "100 %"
        if share == 1
        else f"{min(100 * share, 99.9999):.4f} %"
        if share > 0.9999
        else f"{100 * share:.2f} %"
    )


def _plain(value: float) -> Any:
    """None for nan, which JSON has no word for."""
    return None if math.isnan(value) else value
