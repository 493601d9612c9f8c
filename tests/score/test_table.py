from __future__ import annotations

import math

import numpy as np
import pytest

from delineate.core import ClassTable, DataError
from delineate.score import SCORES, ScoreTable, score_case

CLASSES = ClassTable(("background", "cell"))
CELL = np.array([[0, 1, 1, 0, 0, 0]], np.uint8)
NONE = np.zeros_like(CELL)
SHIFTED = np.array([[0, 0, 1, 1, 0, 0]], np.uint8)


def table() -> ScoreTable:
    """Right, shifted, missed, spurious, and nothing anywhere."""
    pairs = {
        "right": (CELL, CELL),
        "shifted": (CELL, SHIFTED),
        "missed": (CELL, NONE),
        "spurious": (NONE, CELL),
    }
    pairs["nothing"] = (NONE, NONE)
    return ScoreTable(
        CLASSES, tuple(score_case(*pair, classes=CLASSES, name=name) for name, pair in pairs.items())
    )


def test_missed_and_spurious_cases_enter_the_mean_of_dice_as_zero() -> None:
    dice = table().summary("cell", "dice")
    assert dice.mean == (1 + 0.5 + 0 + 0) / 4
    assert dice.median == 0.25
    assert (dice.defined, dice.undefined, dice.missed, dice.spurious, dice.infinite) == (4, 1, 1, 1, 0)
    assert str(dice) == "0.375 (4 of 5 defined; 1 missed; 1 spurious)"


def test_the_mean_of_hausdorff_is_over_finite_values_and_a_warning_names_the_rest() -> None:
    distance = table().summary("cell", "hausdorff")
    assert distance.mean == (0 + 1) / 2
    assert math.isinf(distance.median)
    assert (distance.defined, distance.undefined, distance.missed, distance.infinite) == (4, 1, 1, 2)
    assert str(distance) == "0.500 (4 of 5 defined; 1 missed; 1 spurious; mean of the 2 finite)"
    assert table().warnings == (
        "Hausdorff and other distances of cell are infinite in 2 of 5 images, which their means leave out, because "
        "only one side holds the class: missed and spurious",
    )


def test_a_class_that_nobody_holds_has_no_mean() -> None:
    empty = ScoreTable(CLASSES, (score_case(NONE, NONE, classes=CLASSES),)).summary("cell", "dice")
    assert math.isnan(empty.mean)
    assert str(empty) == "undefined (0 of 1 defined; 0 missed)"


def test_pooled_dice_counts_pixels_of_all_cases() -> None:
    # 6 pixels of truth, 6 predicted, 3 shared
    assert table().pooled_dice("cell") == 0.5


def test_background_is_in_no_score() -> None:
    assert table().names == ("cell",)
    assert set(table().cases[0].values) == {"cell"}


def test_the_worst_case_comes_first_and_an_undefined_one_last() -> None:
    assert [case.name for case in table().worst_first] == [
        "missed",
        "spurious",
        "shifted",
        "right",
        "nothing",
    ]


def test_a_table_without_dice_and_hausdorff_is_a_table() -> None:
    scores = (SCORES["iou"], SCORES["average_surface_distance"])
    cases = tuple(
        score_case(CELL, guess, classes=CLASSES, name=name, scores=scores)
        for name, guess in (("b", CELL), ("a", NONE))
    )
    bare = ScoreTable(CLASSES, cases, scores=scores)
    assert math.isnan(cases[0].mean_dice)
    assert [case.name for case in bare.worst_first] == ["a", "b"]
    assert bare.warnings[0].startswith(
        "Average surface distance and other distances of cell are infinite in 1 of 2"
    )
    only = ScoreTable(
        CLASSES, (score_case(CELL, NONE, classes=CLASSES, scores=scores[:1]),), scores=scores[:1]
    )
    assert only.warnings == ()


def test_units_that_differ_are_said() -> None:
    cases = (
        score_case(CELL, CELL, classes=CLASSES, unit="mm"),
        score_case(CELL, CELL, classes=CLASSES, unit="um"),
    )
    mixed = ScoreTable(CLASSES, cases)
    assert mixed.unit == "mixed units"
    assert "several units, mm (1 images), um (1 images)" in mixed.warnings[0]


def test_objects_are_pooled_over_the_cases_that_have_them() -> None:
    with_ids = score_case(CELL, CELL, classes=CLASSES, truth_objects=CELL, predicted_objects=CELL)
    assert ScoreTable(CLASSES, (score_case(CELL, CELL, classes=CLASSES),)).objects is None
    pooled = ScoreTable(CLASSES, (with_ids, with_ids)).objects
    assert pooled is not None
    assert (pooled.tp, pooled.fp, pooled.fn, pooled.ap50) == (2, 0, 0, 1.0)


def test_unlabelled_pixels_enter_no_count() -> None:
    truth = np.array([[255, 1, 1, 255, 0, 0]], np.uint8)
    predicted = np.ones_like(truth)
    counts = score_case(truth, predicted, classes=CLASSES).counts["cell"]
    assert (counts.truth, counts.predicted, counts.both) == (2, 4, 2)


@pytest.mark.parametrize("spacing", [(2.0,), 2.0, (1.0, float("nan"))])
def test_a_spacing_that_does_not_fit_is_refused_whatever_is_scored(spacing) -> None:
    with pytest.raises(DataError, match="give one positive number per axis"):
        score_case(CELL, CELL, classes=CLASSES, spacing=spacing, scores=[SCORES["dice"]])
