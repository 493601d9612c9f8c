from __future__ import annotations

import numpy as np
import pytest

from delineate.core import UNLABELLED, Case, DataError
from delineate.data.split import groups, split


def cases(*held: tuple[str, list[int]]) -> list[Case]:
    """Cases of one pixel per class held, in the groups that are named."""
    return [
        Case(f"{i}", np.zeros((1, len(c), 1)), labels=np.array([c], np.uint8), group=group)
        for i, (group, c) in enumerate(held)
    ]


PATIENTS = cases(*((f"p{i // 3}", [0, 1]) for i in range(30)))


def test_groups_are_never_torn() -> None:
    for seed in range(20):
        train, validation = split(PATIENTS, share=0.2, seed=seed)
        assert {c.group for c in train} & {c.group for c in validation} == set()
        assert len(train) + len(validation) == 30
        assert len(validation) == 6


def test_the_same_seed_gives_the_same_split_and_another_one_another() -> None:
    def names(seed: int) -> list[str]:
        return [case.name for case in split(PATIENTS, share=0.2, seed=seed)[1]]

    assert names(3) == names(3)
    assert len({tuple(names(seed)) for seed in range(5)}) > 1


def test_the_order_of_the_cases_does_not_decide() -> None:
    first = {case.name for case in split(PATIENTS, share=0.2, seed=1)[1]}
    assert {case.name for case in split(PATIENTS[::-1], share=0.2, seed=1)[1]} == first


def test_two_groups_are_one_on_each_side_however_small_the_share() -> None:
    train, validation = split(cases(("a", [0, 1]), ("b", [0, 1])), share=0.01, seed=0)
    assert (len(train), len(validation)) == (1, 1)


def test_one_group_cannot_be_split() -> None:
    train, validation = split(cases(("a", [0, 1]), ("a", [0, 1])), share=0.5, seed=0)
    assert (len(train), validation) == (2, [])


def test_a_class_in_two_of_twenty_groups_is_on_both_sides() -> None:
    rare = cases(*((f"p{i}", [0, 2] if i in (4, 11) else [0, 1]) for i in range(20)))
    for seed in range(10):
        for side in split(rare, share=0.2, seed=seed):
            assert {0, 1, 2} == set(np.concatenate([c.labels.ravel() for c in side if c.labels is not None]))


def test_a_class_in_one_group_stays_in_training() -> None:
    rare = cases(*((f"p{i}", [0, 2, UNLABELLED] if i == 4 else [0, 1]) for i in range(6)))
    for seed in range(10):
        assert "p4" in {case.group for case in split(rare, share=0.5, seed=seed)[0]}


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5])
def test_a_share_that_leaves_one_side_empty_is_refused(share: float) -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        split(PATIENTS, share=share, seed=0)


@pytest.mark.parametrize(
    "names",
    [
        ["patient1_a", "patient2_a"],  # nobody shares
        ["plate1_a", "plate1_b"],  # everybody shares
        ["patient1_a", "patient1_b", "extra"],  # not everybody has a group
        ["0287e7_1", "0287e7_2", "11ab_1"],  # not letters, then digits
        [],
    ],
)
def test_names_that_do_not_clearly_tell_groups_tell_none(names: list[str]) -> None:
    assert groups(names) == {}


def test_groups_reach_across_train_and_validation() -> None:
    assert groups(["p1_a", "val/p1_a", "p2_a"]) == {"p1_a": "p1", "val/p1_a": "p1", "p2_a": "p2"}
