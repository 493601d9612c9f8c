"""What a model keeps of the data that it learnt from: enough to tell them again, none of their pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from delineate.core import Case
from delineate.data.balance import by_digest
from delineate.data.fingerprint import digest_of, fingerprint
from delineate.data.large_case import LargeCase


def provenance(
    cases: Sequence[Case],
    *,
    dims: int,
    validation: Sequence[Case] = (),
    large: Sequence[LargeCase] = (),
    unlabelled: Sequence[Case] = (),
    labels: str | None = None,
    times: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """How many there were, their digests, and the typical spacing of the last `dims` axes with its unit.

    unlabelled: those without labels that joined. labels: the kind of labels that was asked for. times: name -> how often a
    case was drawn for once that others were. What is empty is left out.

    >>> kept = provenance([Case("a", np.zeros((4, 4, 1)), spacing=(0.5, 0.5), unit="mm")], dims=2)
    >>> sorted(kept), kept["cases"], kept["spacing"], kept["unit"]
    (['cases', 'fingerprint', 'learnt', 'spacing', 'unit', 'validation'], 1, [0.5, 0.5], 'mm')
    """
    looks = [look for one in large for look in one.looks]
    learnt = [*cases, *looks]
    kept: dict[str, Any] = {
        "cases": len(cases) + len(large),
        "validation": len(validation),
        "fingerprint": fingerprint([*learnt, *validation, *unlabelled]),
        "learnt": list(dict.fromkeys(digest_of(case) for case in [*learnt, *unlabelled])),
        "spacing": [float(s) for s in np.median([case.spacing[-dims:] for case in learnt], axis=0)],
        "unit": learnt[0].unit,
    }
    if unlabelled:
        kept["unlabelled"] = len(unlabelled)
    if labels:
        kept["labels"] = labels
    if times:
        kept["times"] = by_digest(times, [*cases, *validation], large)
    return kept
