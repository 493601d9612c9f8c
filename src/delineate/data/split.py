"""Training and validation kept apart: whole groups (patients, slides, plates), never single images of one.

`groups` finds the groups that file names tell of; `split` deals them out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from delineate.core import UNLABELLED, Case, DataError, checked_seed

_PREFIX = re.compile(r"(?:.*/)?([A-Za-z]+-?\d+)_")


def groups(names: Iterable[str]) -> dict[str, str]:
    """Group of each name: the part before the first underscore, where it is letters and digits in all names.

    Empty where the names tell of no groups: one of them has no such part, no two share theirs, or all do.

    >>> groups(["patient05_frame01", "patient05_frame13", "patient06_frame01"])["patient05_frame13"]
    'patient05'
    >>> groups(["cell_01", "cell_02"])
    {}
    """
    found = {name: _PREFIX.match(name) for name in names}
    prefixes = {name: match.group(1) for name, match in found.items() if match}
    if len(prefixes) < len(found) or not 1 < len(set(prefixes.values())) < len(found):
        return {}
    return prefixes


def split(cases: Sequence[Case], *, share: float, seed: int) -> tuple[list[Case], list[Case]]:
    """Training and validation cases, in the order of `cases`; the same for the same cases and seed.

    share: of the cases that validation shall have, between 0 and 1. Groups are not torn apart, so that it is
    met as nearly as whole groups allow; validation has at least one group, and so has training. Among 100
    drawn
    splits the best is taken: first every class in training, then every class in validation, then the share.
    With fewer than two groups validation is empty. Raises DataError for a share outside (0, 1) and for a negative seed.

    >>> cases = [Case(f"{i}", np.zeros((2, 2, 1)), group=f"plate{i // 2}") for i in range(8)]
    >>> train, validation = split(cases, share=0.25, seed=0)
    >>> [case.group for case in validation] in [[f"plate{i}"] * 2 for i in range(4)], len(train)
    (True, 6)
    """
    if not 0 < share < 1:
        raise DataError(f"the validation share is {share}: give a number between 0 and 1, such as 0.2")
    members: dict[str, list[int]] = {}
    for i, case in enumerate(cases):
        members.setdefault(case.group, []).append(i)
    names = sorted(members)
    if len(names) < 2:
        return list(cases), []
    holds = {name: frozenset().union(*(_classes(cases[i]) for i in members[name])) for name in names}
    every = frozenset().union(*holds.values())
    wanted = share * len(cases)
    rng = np.random.default_rng(checked_seed(seed))
    best: tuple[int, int, float] | None = None
    chosen: set[str] = set()
    for _ in range(100):
        drawn = [names[i] for i in rng.permutation(len(names))]
        sizes = np.cumsum([len(members[name]) for name in drawn[:-1]])
        cut = int(np.abs(sizes - wanted).argmin()) + 1
        inside, outside = (
            frozenset().union(*(holds[n] for n in part)) for part in (drawn[:cut], drawn[cut:])
        )
        rank = (len(every - outside), len(every - inside), abs(float(sizes[cut - 1]) - wanted))
        if best is None or rank < best:
            best, chosen = rank, set(drawn[:cut])
    train = [case for case in cases if case.group not in chosen]
    return train, [case for case in cases if case.group in chosen]


def _classes(case: Case) -> frozenset[int]:
    if case.labels is None:
        return frozenset()
    return frozenset(np.flatnonzero(np.bincount(case.labels.ravel(), minlength=256)).tolist()) - {UNLABELLED}
