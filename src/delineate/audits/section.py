"""What an audit finds, as data: a section of the page, with findings that are judged, tables, curves and pictures.

An audit measures and says; it draws no page and prints nothing. `delineate.report` turns sections into HTML and JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["pass", "warn", "fail", "open"]
"""Of a finding or a section; open: nothing could be judged, and a sentence says why."""

_GRAVITY: dict[Verdict, int] = {"pass": 0, "open": 1, "warn": 2, "fail": 3}


@dataclass(frozen=True)
class Finding:
    """One number that is judged. name: its key among the thresholds, "shift.agreement".

    sentence: the fact in plain words, with the figure. rule: the threshold that it was judged by, in words.
    """

    name: str
    value: float
    sentence: str
    verdict: Verdict
    rule: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of text or numbers under a header; numbers are shown with three decimals unless they are whole."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]


@dataclass(frozen=True)
class Curve:
    """A line through points. band: lower and upper ends of an interval around y, or None."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    band: tuple[tuple[float, ...], tuple[float, ...]] | None = None


@dataclass(frozen=True)
class Chart:
    """Curves over one axis. marks: values of y with the name of the dashed line drawn there."""

    title: str
    x: str
    y: str
    curves: tuple[Curve, ...]
    marks: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Picture:
    """An RGB picture (height, width, 3) uint8 and what it shows."""

    caption: str
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Remedy:
    """What Delineate offers against a fault: a sentence, and the command that applies it."""

    sentence: str
    command: str


@dataclass(frozen=True, eq=False)
class Section:
    """The answer of one audit. question: what a sceptic would ask. sentence: the answer in plain words.

    The verdict is that of the worst finding; open where there is none. numbers: everything else for audit.json, plain
    values only.
    """

    name: str
    title: str
    question: str
    sentence: str
    findings: tuple[Finding, ...] = ()
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()
    pictures: tuple[Picture, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    notes: tuple[str, ...] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """That of the worst finding."""
        return worst([finding.verdict for finding in self.findings])


def with_gravest(sentence: str, findings: Sequence[Finding]) -> str:
    """A sentence, and after it what warns or fails most, unless that is said already.

    >>> with_gravest("All is well.", [Finding("a", 1, "It rolls dice.", "fail"), Finding("b", 1, "It is slow.", "warn")])
    'All is well. It rolls dice.'
    """
    verdict = worst([one.verdict for one in findings])
    gravest = next((one.sentence for one in findings if one.verdict == verdict), "")
    said = verdict not in ("warn", "fail") or any(
        one.sentence in sentence and one.verdict == verdict for one in findings
    )
    return sentence if said else f"{sentence} {gravest}"


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The gravest of several; open without any.

    >>> worst(["pass", "fail", "warn"]), worst([])
    ('fail', 'open')
    """
    return max(verdicts, key=_GRAVITY.__getitem__, default="open")
