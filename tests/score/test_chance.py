"""Subgroups and chance: nothing is found where nothing differs, and what differs is found."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import permutation_test

from delineate.core import ClassTable
from delineate.score import SCORES, CaseScores, ScoreTable, Subgroup, subgroups, summarise
from delineate.score.chance import BEYOND, chance, corrected
from delineate.score.overlap import Counts

CELLS = ClassTable(("background", "cell"))


def table(dice: NDArray[np.float64]) -> ScoreTable:
    cases = [
        CaseScores(
            f"c{i}", (1, 1), (1.0, 1.0), "px", {"cell": {"dice": float(x)}}, {"cell": Counts(1, 1, 1, 1)}, group=f"c{i}"
        )
        for i, x in enumerate(dice)
    ]  # fmt: skip
    return ScoreTable(CELLS, tuple(cases), scores=(SCORES["dice"],))


def of_column(dice: NDArray[np.float64], column: list[str]) -> list[Subgroup]:
    """Its subgroups of at least three cases, without the intervals, which take long."""
    found = []
    for value in sorted(set(column)):
        inside = np.array(column) == value
        if 2 < inside.sum() < len(inside) - 1:
            gap = float(dice[inside].mean() - dice[~inside].mean())
            summary = summarise(dice[inside].tolist())
            cases = int(inside.sum())
            found.append(
                Subgroup(value, "cell", "dice", cases, summary, None, gap, None, tuple(inside.tolist()))
            )
    return found


def worse(dice: NDArray[np.float64], columns: list[list[str]]) -> list[Subgroup]:
    """The subgroups that are worse beyond chance."""
    found = [one for column in columns for one in of_column(dice, column)]
    chances = corrected(table(dice), found)
    return [one for one, its in zip(found, chances, strict=True) if its.p < BEYOND and one.difference < 0]


def irrelevant(rng: np.random.Generator, count: int) -> list[list[str]]:
    quarters = [str(i * 4 // count) for i in rng.permutation(count).tolist()]
    return [quarters, *(["abc"[i] for i in rng.integers(0, 3, count)] for _ in range(2))]


@pytest.mark.parametrize("failures", [0.0, 0.1])
def test_where_nothing_differs_at_most_one_audit_in_twenty_finds_any(failures: float) -> None:
    rng, audits = np.random.default_rng(0), 300
    found = 0
    for _ in range(audits):
        dice = np.where(rng.random(16) < failures, 0.1, rng.normal(0.8, 0.1, 16))
        found += bool(worse(dice, irrelevant(rng, 16)))
    assert found / audits <= 0.05


def test_a_subgroup_that_is_worse_is_found_among_those_that_are_not() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        scanner = ["old"] * 6 + ["new"] * 24
        dice = rng.normal(0.85, 0.06, 30) - 0.25 * (np.arange(30) < 6)
        found = worse(dice, [scanner, *irrelevant(rng, 30)])
        assert "old" in {one.value for one in found}


def test_three_bad_images_among_many_are_no_chance() -> None:
    dice = np.random.default_rng(1).normal(0.85, 0.05, 45)
    dice[:3] = 0.3, 0.1, 0.5
    site = ["A"] * 3 + ["B"] * 20 + ["C"] * 22
    assert [one.value for one in worse(dice, [site, *irrelevant(np.random.default_rng(2), 45)])] == ["A"]


def test_p_is_that_of_all_permutations() -> None:
    values = [0.3, 0.55, 0.6, 0.62, 0.7, 0.85, 0.9, 0.95]
    exact = permutation_test(
        (values[:3], values[3:]), lambda a, b, axis: a.mean(axis) - b.mean(axis), vectorized=True
    )
    found = chance(values, [True] * 3 + [False] * 5, "abcdefgh")
    assert found.p == pytest.approx(exact.pvalue, abs=0.01)
    assert found.least == 2 / math.comb(8, 3)


def test_the_images_of_one_patient_are_one_witness() -> None:
    values, inside = [0.5] * 6 + [0.8] * 6, [True] * 6 + [False] * 6
    assert chance(values, inside, "abcdefghijkl").p < 0.01
    assert chance(values, inside, "aaabbbcccddd").p > 0.3
    assert math.isnan(chance(values, inside, "aaaaaabbbbbb").p)


def test_the_two_values_of_a_column_and_the_same_column_again_are_one_question() -> None:
    scored = table(np.array([0.5, 0.6, 0.55, 0.52, 0.8, 0.9, 0.85, 0.82]))
    column = {f"c{i}": "old" if i < 4 else "new" for i in range(8)}
    found = [*subgroups(scored, column), *subgroups(scored, column)]
    assert {its.p for its in corrected(scored, found)} == {chance(
        scored.values("cell", "dice"), found[0].inside, "abcdefgh"
    ).p}  # fmt: skip
