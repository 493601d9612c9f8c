"""The page of an audit: verdicts first, then each section with its figures, pictures and remedies; and all of it as JSON.

audit.html is self-contained. The template (templates/audit.html.j2) decides how the page looks.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from delineate.audits import Chart, Section, Table, Thresholds, Verdict, thresholds_toml, worst
from delineate.core import written_whole
from delineate.report.figures import curves
from delineate.report.page import picture_source, template, themes

WORDS: dict[Verdict, str] = {"pass": "passes", "warn": "warns", "fail": "fails", "open": "not judged"}


def write_audit(
    sections: Sequence[Section],
    out: Path,
    *,
    subject: str,
    thresholds: Thresholds,
    facts: Mapping[str, Any],
    notes: Sequence[str] = (),
) -> Path:
    """Write audit.html, audit.json and thresholds.toml into the folder `out`; gives the page.

    subject: what was audited. facts: plain values about it and the data, for both. notes: sentences on what was looked at,
    beneath the verdicts.
    """
    for name, text in (
        (
            "audit.json",
            audit_json(sections, subject=subject, thresholds=thresholds, facts=facts, notes=notes),
        ),
        ("thresholds.toml", thresholds_toml(thresholds)),
        ("audit.html", _html(sections, subject=subject, facts=facts, notes=notes)),
    ):
        with written_whole(out / name) as beside:
            beside.write_text(text, encoding="utf-8")
    return out / "audit.html"


def audit_json(
    sections: Sequence[Section],
    *,
    subject: str,
    thresholds: Thresholds,
    facts: Mapping[str, Any],
    notes: Sequence[str] = (),
) -> str:
    """Everything but the pixels of pictures as strict JSON; undefined is null, infinity "inf". Its keys are part of the
    interface."""
    content = {
        "subject": subject,
        "verdict": worst([section.verdict for section in sections]),
        "facts": _plain(facts),
        "notes": list(notes),
        "sections": [
            {
                "name": section.name,
                "title": section.title,
                "question": section.question,
                "verdict": section.verdict,
                "sentence": section.sentence,
                "findings": [_plain(vars(one)) for one in section.findings],
                "tables": [
                    {"title": one.title, "header": list(one.header), "rows": _plain(one.rows)}
                    for one in section.tables
                ],
                "curves": [
                    {"chart": chart.title, **_plain(vars(one))}
                    for chart in section.charts
                    for one in chart.curves
                ],
                "pictures": [one.caption for one in section.pictures],
                "remedies": [vars(one) for one in section.remedies],
                "notes": list(section.notes),
                "numbers": _plain(section.numbers),
            }
            for section in sections
        ],
        "thresholds": {name: {"warn": one.warn, "fail": one.fail} for name, one in thresholds.table.items()},
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def audit_lines(sections: Sequence[Section]) -> list[str]:
    """A line per section for a terminal, the gravest first.

    >>> audit_lines([Section("shift", "Shifts", "Does a pixel matter?", "No label changes.")])
    ['not judged  Shifts: No label changes.']
    """
    return [f"{WORDS[one.verdict]:<11} {one.title}: {one.sentence}" for one in gravest_first(sections)]


def gravest_first(sections: Sequence[Section]) -> list[Section]:
    """Failures, warnings, what could not be judged, passes; among equals in the order given."""
    order: dict[Verdict, int] = {"fail": 0, "warn": 1, "open": 2, "pass": 3}
    return sorted(sections, key=lambda one: order[one.verdict])


def headline(sections: Sequence[Section]) -> str:
    """The first sentence of the page.

    >>> headline([])
    'Nothing was audited.'
    """
    if not sections:
        return "Nothing was audited."
    named = {
        verdict: [one.title for one in sections if one.verdict == verdict]
        for verdict in ("fail", "warn", "pass", "open")
    }
    parts = [
        f"{len(titles)} {said}: {', '.join(titles)}"
        for verdict, said in (
            ("fail", "failed"),
            ("warn", "to be watched"),
            ("pass", "passed"),
            ("open", "not judged"),
        )
        if (titles := named[verdict])
    ]
    return ". ".join(parts) + "."


def _html(
    sections: Sequence[Section], *, subject: str, facts: Mapping[str, Any], notes: Sequence[str]
) -> str:
    page = template("audit.html.j2")
    return page.render(
        subject=subject,
        headline=headline(sections),
        facts=[(name, shown) for name, shown in facts.items() if isinstance(shown, (str, int, float))],
        overview=[_overview(section) for section in gravest_first(sections)],
        sections=[_shown(section) for section in gravest_first(sections)],
        words=WORDS,
        notes=notes,
    )


def _overview(section: Section) -> dict[str, Any]:
    return {
        "name": section.name,
        "title": section.title,
        "verdict": section.verdict,
        "sentence": section.sentence,
        "remedy": section.remedies[0] if section.remedies and section.verdict in ("warn", "fail") else None,
    }


def _shown(section: Section) -> dict[str, Any]:
    return {
        "name": section.name,
        "title": section.title,
        "question": section.question,
        "verdict": section.verdict,
        "sentence": section.sentence,
        "findings": section.findings,
        "tables": [_table(one) for one in section.tables],
        "charts": [(one.title, _drawn(one)) for one in section.charts],
        "pictures": [(one.caption, picture_source(one.pixels)) for one in section.pictures],
        "remedies": section.remedies,
        "notes": section.notes,
    }


def _drawn(chart: Chart) -> dict[str, str]:
    return themes(lambda theme: curves(chart, theme=theme))


def _table(table: Table) -> dict[str, Any]:
    numeric = [
        all(isinstance(row[at], (int, float)) for row in table.rows) and bool(table.rows)
        for at in range(len(table.header))
    ]
    return {
        "title": table.title,
        "header": list(zip(table.header, numeric, strict=True)),
        "rows": [[(cell_text(cell), n) for cell, n in zip(row, numeric, strict=True)] for row in table.rows],
    }


def cell_text(value: str | int | float) -> str:
    """A cell of a table as it is shown.

    >>> cell_text(0.12345), cell_text(1200), cell_text(float("nan")), cell_text("max")
    ('0.123', '1,200', '–', 'max')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return (
        f"{value:.1e}"
        if 0 < abs(value) < 0.0005
        else f"{value:,.3f}"
        if abs(value) < 1000
        else f"{value:,.0f}"
    )


def _plain(value: Any) -> Any:
    """Values that strict JSON can hold: undefined is null, infinity a string."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
