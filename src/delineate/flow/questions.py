"""Whether a section that an earlier audit wrote answers the question that is asked now: the question as plain values.

Models, images and files that settings name are known by what they hold, not by their names alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delineate.data.fingerprint import fingerprint, fingerprint_of

if TYPE_CHECKING:
    from delineate.audits import Subject


def asked_of(subject: Subject, evidence: Any) -> dict[str, Any]:
    """What makes two sections answers to one question, as plain values."""
    return {
        "subject": [subject.name, _identity(subject)],
        "cases": fingerprint(evidence.cases),
        "shifted": fingerprint(evidence.shifted),
        "annotators": {name: fingerprint(cases) for name, cases in evidence.annotators.items()},
        "facts": evidence.facts,
        "thresholds": {name: [one.warn, one.fail] for name, one in evidence.thresholds.table.items()},
        "most": evidence.most,
        "seed": evidence.seed,
    }


def plain(settings: Any) -> dict[str, str] | None:
    """Settings as plain values, to tell whether two questions are the same."""
    if settings is None:
        return None
    return {one.name: _told(getattr(settings, one.name)) for one in fields(settings)}


def _told(value: Any) -> str:
    """A setting in words; where it names files, with what lies there."""
    if isinstance(value, tuple):
        return ", ".join(map(_told, value))
    source = value if isinstance(value, (str, Path)) else getattr(value, "source", None)
    return repr(value) if source is None else f"{source} {fingerprint_of(Path(source))}"


def _identity(subject: Subject) -> str | None:
    """What changes where the model does: its files, else its weights; None where nothing tells."""
    if subject.source is not None:
        return fingerprint_of(subject.source)
    if subject.network is None:
        return None
    learnt = getattr(subject.method, "learnt", None)
    about = "" if learnt is None else f"{learnt.temperature} {learnt.guarantees} {learnt.plan.to_json()}"
    digest = hashlib.sha256(f"{subject.divisor} {subject.classes.names} {about}".encode())
    for name, weights in subject.network.state_dict().items():
        digest.update(f"{name}{tuple(weights.shape)}{weights.dtype}".encode())
        digest.update(weights.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()
