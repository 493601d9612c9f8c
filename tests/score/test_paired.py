from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import wilcoxon

from delineate.core import ClassTable, DataError
from delineate.score import CaseScores, ScoreTable, holm, paired, score_case, scores_asked, subgroups

CELLS = ClassTable(("background", "cell"))
TRUTH = np.zeros((1, 20), np.uint8)
TRUTH[0, 2:12] = 1


def case(name: str, found: int, *, group: str = "") -> CaseScores:
    """Truth has ten pixels; the first `found` of them are predicted."""
    predicted = np.zeros_like(TRUTH)
    predicted[0, 2 : 2 + found] = 1
    return score_case(TRUTH, predicted, classes=CELLS, name=name, group=group)


def table(*found: int, groups: str = "") -> ScoreTable:
    named = zip(found, groups or "-" * len(found), strict=True)
    return ScoreTable(
        CELLS, tuple(case(f"{i}", n, group="" if g == "-" else g) for i, (n, g) in enumerate(named))
    )


def dice_of(*tables: ScoreTable) -> object:
    return next(one for one in paired({f"{i}": t for i, t in enumerate(tables)}) if one.score == "dice")


def test_the_difference_is_taken_within_each_case() -> None:
    one = dice_of(table(10, 6, 10), table(6, 3, 10))
    values = [1 - 0.75, 0.75 - 6 / 13, 0]
    assert (one.cases, one.better, one.worse) == (3, 2, 0)
    assert one.mean == pytest.approx(np.mean(values))


def test_for_distances_less_is_better() -> None:
    found = {one.score: one for one in paired({"a": table(9, 8, 7), "b": table(8, 7, 6)})}
    assert (found["hausdorff"].better, found["hausdorff"].worse) == (3, 0)
    assert found["hausdorff"].mean == -1.0


def test_the_p_value_is_that_of_scipy_and_is_corrected_for_all_that_was_asked() -> None:
    first, second = (9, 8, 7, 9, 5, 6, 9, 10), (8, 6, 8, 5, 4, 1, 7, 3)
    found = paired({"a": table(*first), "b": table(*second)})
    dice = [np.array([2 * n / (n + 10) for n in side]) for side in (first, second)]
    one = next(one for one in found if one.score == "dice")
    assert one.p == pytest.approx(wilcoxon(dice[0] - dice[1]).pvalue)
    assert [one.holm for one in found] == holm([one.p for one in found])
    assert one.holm >= one.p


def test_cases_of_one_patient_are_one_witness() -> None:
    alone = dice_of(table(*[9] * 8), table(*[5] * 8))
    together = dice_of(table(*[9] * 8, groups="aaaabbbb"), table(*[5] * 8, groups="aaaabbbb"))
    assert alone.p == pytest.approx(2 / 2**8)
    assert together.p == pytest.approx(2 / 2**2)


def test_methods_that_answer_alike_do_not_differ() -> None:
    same = dice_of(table(9, 5, 7), table(9, 5, 7))
    assert (same.mean, same.p, same.better, same.worse) == (0.0, 1.0, 0, 0)


def test_a_miss_of_one_method_counts_as_the_worst_difference_and_stays_out_of_the_mean_of_distances() -> None:
    found = {one.score: one for one in paired({"a": table(9, 9, 9), "b": table(8, 8, 0)})}
    assert found["hausdorff"].mean == -1.0
    assert (found["hausdorff"].cases, found["hausdorff"].better) == (3, 3)
    assert found["dice"].mean == pytest.approx((2 * (18 / 19 - 16 / 18) + 18 / 19) / 3)


def test_cases_in_which_only_one_is_defined_are_counted_apart() -> None:
    empty = np.zeros_like(TRUTH)
    right = ScoreTable(CELLS, (score_case(empty, empty, classes=CELLS, name="x"), case("y", 9)))
    wrong = ScoreTable(CELLS, (score_case(empty, TRUTH, classes=CELLS, name="x"), case("y", 9)))
    one = dice_of(right, wrong)
    assert (one.cases, one.one_sided) == (1, 1)
    assert math.isnan(dice_of(ScoreTable(CELLS, ()), ScoreTable(CELLS, ())).p)


def test_three_methods_make_three_comparisons() -> None:
    found = paired({"a": table(9), "b": table(8), "c": table(7)})
    assert {(one.first, one.second) for one in found} == {("a", "b"), ("a", "c"), ("b", "c")}


def test_one_table_or_tables_of_other_classes_cannot_be_compared() -> None:
    with pytest.raises(DataError, match="give two or more"):
        paired({"a": table(1)})
    with pytest.raises(DataError, match="different classes"):
        paired({"a": table(1), "b": ScoreTable(ClassTable(("background", "nucleus")), ())})


def test_correction_never_lowers_and_keeps_the_order() -> None:
    values = [0.5, 0.001, math.nan, 0.02, 0.02]
    corrected = holm(values)
    assert corrected[:2] == [0.5, 0.004]
    assert math.isnan(corrected[2])
    assert corrected[3] == corrected[4] == 0.06


def test_a_subgroup_is_set_beside_all_others() -> None:
    of = {f"{i}": "old" if i < 4 else "new" for i in range(8)}
    found = [one for one in subgroups(table(5, 6, 5, 6, 9, 10, 9, 10), of) if one.score == "dice"]
    assert [(one.value, one.cases) for one in found] == [("new", 4), ("old", 4)]
    new, old = found
    assert new.difference == -old.difference > 0.2
    assert new.difference_interval is not None
    assert new.difference_interval[0] > 0.15


def test_cases_that_the_column_does_not_name_are_a_group_of_their_own_and_come_last() -> None:
    found = subgroups(table(5, 6, 7), {"0": "zeiss", "1": " "})
    assert [one.value for one in found if one.score == "dice"] == ["zeiss", "not stated"]
    assert [one.cases for one in found if one.score == "dice"] == [1, 2]


def test_many_numbers_are_cut_into_four_ranges() -> None:
    ages = {f"{i}": str(20 + i) for i in range(12)}
    found = [one for one in subgroups(table(*[5] * 12), ages) if one.score == "dice"]
    assert [one.value for one in found] == ["20 to 23", "23 to 26", "26 to 28", "28 to 31"]
    assert [one.cases for one in found] == [3, 3, 2, 4]


def test_few_cases_give_a_difference_without_an_interval() -> None:
    one = subgroups(table(5, 9), {"0": "a", "1": "b"})[0]
    assert one.difference < 0
    assert one.difference_interval is None


def test_scores_that_were_asked_for_are_compared_and_told_by_subgroup() -> None:
    asked = scores_asked(also=["boundary_iou"], tolerance=1)
    cases = [score_case(TRUTH, TRUTH, classes=CELLS, name=f"{i}", scores=asked) for i in range(3)]
    whole = ScoreTable(CELLS, tuple(cases), scores=asked)
    names = {"dice", "hausdorff", "hausdorff95", "average_surface_distance", "boundary_iou", "surface_dice_1"}
    assert {one.score for one in paired({"a": whole, "b": whole})} == names
    assert {one.score for one in subgroups(whole, {"0": "old"})} == names
    assert {one.score for one in paired({"a": whole, "b": table(5, 6, 7)})} == names - {
        "boundary_iou",
        "surface_dice_1",
    }


def with_objects(*predicted: str) -> ScoreTable:
    """Truth holds two objects of five pixels with a gap between; what is predicted is drawn, a digit per pixel."""
    truth = np.array([[int(x) for x in "011111022222000"]])
    cases = []
    for i, drawn in enumerate(predicted):
        ids = np.array([[int(x) for x in drawn]])
        cases.append(
            score_case(
                np.minimum(truth, 1), np.minimum(ids, 1), classes=CELLS, name=f"{i}",
                truth_objects=truth, predicted_objects=ids,
            )
        )  # fmt: skip
    return ScoreTable(CELLS, tuple(cases))


def test_objects_are_compared_image_by_image() -> None:
    both, one, extra = "011111022222000", "011111000000000", "011111022222030"
    found = {
        one.score: one
        for one in paired({"a": with_objects(both, both, extra), "b": with_objects(one, both, both)})
        if one.name == "objects"
    }
    assert list(found) == ["ap50", "f1", "pq", "missed", "spurious"]
    assert found["missed"].mean == pytest.approx(-1 / 3)  # one object more, in one of three images
    assert (found["missed"].better, found["missed"].worse) == (1, 0)
    assert found["spurious"].mean == pytest.approx(1 / 3)
    assert (found["spurious"].better, found["spurious"].worse) == (0, 1)
    assert found["ap50"].mean == pytest.approx((1 / 2 + 0 - 1 / 3) / 3)
    assert found["f1"].mean == pytest.approx((1 / 3 + 0 - 1 / 5) / 3)
    assert found["pq"].mean == pytest.approx(found["f1"].mean)  # what is found coincides


def test_objects_are_compared_only_where_both_have_them() -> None:
    found = paired({"a": with_objects("011111022222000"), "b": table(5)})
    assert "objects" not in {one.name for one in found}
    nothing = ScoreTable(CELLS, (case("x", 5), *with_objects("011111022222000", "011111022222000").cases), ())
    found = paired({"a": nothing, "b": nothing})
    assert {one.cases for one in found if one.name == "objects"} == {2}


def test_ranges_of_large_numbers_are_told_apart() -> None:
    days = {f"{i}": str(20230101 + i) for i in range(12)}
    found = [one for one in subgroups(table(*[5] * 12), days) if one.score == "dice"]
    assert [one.value for one in found] == [
        "20230101 to 20230104", "20230104 to 20230107", "20230107 to 20230109", "20230109 to 20230112",
    ]  # fmt: skip


def test_na_is_not_stated_and_does_not_make_words_of_numbers() -> None:
    ages = {f"{i}": str(20 + i) for i in range(12)} | {"12": "NA", "13": "nan", "14": "n/a", "15": ""}
    found = [one for one in subgroups(table(*[5] * 16), ages) if one.score == "dice"]
    assert [(one.value, one.cases) for one in found][-2:] == [("28 to 31", 4), ("not stated", 4)]


@pytest.mark.parametrize("blank", ["unknown", "-", "Missing", "?"])
def test_decimal_commas_are_numbers_and_words_for_nothing_are_not_stated(blank: str) -> None:
    ages = {f"{i}": f"{20 + i},5" for i in range(12)} | {"12": blank}
    found = [one for one in subgroups(table(*[5] * 13), ages) if one.score == "dice"]
    assert [one.value for one in found] == [
        "20,5 to 23,5", "23,5 to 26,5", "26,5 to 28,5", "28,5 to 31,5", "not stated",
    ]  # fmt: skip


def test_a_score_that_a_third_method_lacks_is_still_compared_between_the_two_that_have_it() -> None:
    asked = scores_asked(also=["boundary_iou"])
    cases = tuple(score_case(TRUTH, TRUTH, classes=CELLS, name=f"{i}", scores=asked) for i in range(3))
    whole = ScoreTable(CELLS, cases, scores=asked)
    found = paired({"a": whole, "b": whole, "c": table(5, 6, 7)})
    assert [(one.first, one.second) for one in found if one.score == "boundary_iou"] == [("a", "b")]
