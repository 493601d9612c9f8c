"""How far a model can be trusted: each audit asks one sceptical question of a model and answers with a section.

An audit is a function `(subject, evidence) -> Section`, one file (or folder) and one line in `AUDITS`. What it cannot do
for want of labels, gradients or people it says by raising DelineateError; the others still run. A finding is judged by a
threshold that the user may change, and comes with the remedy that Delineate offers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from delineate.audits.evidence import Evidence
from delineate.audits.predictions import subject_of_predictions
from delineate.audits.section import Chart, Curve, Finding, Picture, Remedy, Section, Table, Verdict, worst
from delineate.audits.subject import Subject, subject_of_method
from delineate.audits.thresholds import THRESHOLDS, Threshold, Thresholds, thresholds_in, thresholds_toml

if TYPE_CHECKING:
    from delineate.audits.modules import subject_of_module

AUDITS: dict[str, str] = {
    "calibration": "delineate.audits.calibration:calibration",
    "guarantee": "delineate.audits.guarantee:guarantee",
    "subgroups": "delineate.audits.subgroups:by_subgroups",
    "annotators": "delineate.audits.annotators:annotators",
    "conditions": "delineate.audits.conditions:conditions",
    "shift": "delineate.audits.shift:shift",
    "attack": "delineate.audits.attack.examine:attack",
    "determinism": "delineate.audits.determinism:determinism",
    "seeds": "delineate.audits.seeds:seeds",
}
"""Every audit by name, as module:function, in the order of the page."""

__all__ = [
    "AUDITS",
    "THRESHOLDS",
    "Chart",
    "Curve",
    "Evidence",
    "Finding",
    "Picture",
    "Remedy",
    "Section",
    "Subject",
    "Table",
    "Threshold",
    "Thresholds",
    "Verdict",
    "subject_of_method",
    "subject_of_module",
    "subject_of_predictions",
    "thresholds_in",
    "thresholds_toml",
    "worst",
]


def __getattr__(name: str) -> Any:
    if name == "subject_of_module":  # it alone needs torch
        from delineate.audits.modules import subject_of_module

        return subject_of_module
    raise AttributeError(f"module 'delineate.audits' has no attribute {name!r}")
