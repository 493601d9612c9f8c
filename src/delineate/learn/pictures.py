"""What a training cuts its crops from: images in memory, large ones window by window, and where labels are weak, their strokes
spread.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from delineate.core import Case
from delineate.data.large_case import LargeCase
from delineate.data.sample import Sample, WindowedSample
from delineate.learn.large_samples import large_samples
from delineate.learn.plan import Plan
from delineate.learn.prepare import samples
from delineate.learn.weak import prepared

BY_CROP = ("random", "soft")  # ways to learn from several annotators that need all of their labels


def pictures(
    cases: Sequence[Case],
    *,
    plan: Plan,
    seed: int = 0,
    large: Sequence[LargeCase] = (),
    unlabelled: Sequence[Case] = (),
    times: Mapping[str, int] | None = None,
) -> list[Sample | WindowedSample]:
    """Everything that crops of a training are cut from; each picture as often as crops are to be drawn from it.

    cases: with a plan that learns from several annotators, those of one name are one picture. unlabelled: for weak trainings.
    times: name -> how often a picture is drawn for once that others are.
    """
    often, weak = times or {}, plan.weak is not None
    people = by_image(cases) if plan.annotators in BY_CROP else [[case] for case in cases]
    found: list[Sample | WindowedSample] = []
    for case, *others in (*people, *([case] for case in unlabelled)):
        found += often.get(case.name, 1) * samples(
            case,
            others=others,
            dims=plan.dims,
            normalisation=plan.normalisation,
            grey=plan.grey,
            objects=plan.objects,
            seed=seed,
            silent=weak,
        )
    for one in large:
        found += often.get(one.name, 1) * large_samples(
            one,
            dims=plan.dims,
            normalisation=plan.normalisation,
            grey=plan.grey,
            objects=plan.objects,
            margin=math.ceil(4 * plan.object_radius_px),
        )
    return found if plan.weak is None else prepared(found, plan.weak)


def by_image(cases: Sequence[Case]) -> list[list[Case]]:
    """The cases of one name together: one image, as each of several people labelled it.

    >>> import numpy as np
    >>> one, other = Case("a", np.zeros((2, 2, 1))), Case("b", np.zeros((2, 2, 1)))
    >>> [len(people) for people in by_image([one, other, one])]
    [2, 1]
    """
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(case.name, []).append(case)
    return list(found.values())
