from __future__ import annotations

import csv
import io
import json
import math

from delineate.report import scores_csv, scores_json
from delineate.score import SCORES, ScoreTable


def test_the_json_has_the_keys_that_others_read(table: ScoreTable) -> None:
    scores = json.loads(scores_json({"unet": table}))
    assert set(scores["classes"]["cell"]) == set(SCORES) >= {"dice", "iou", "hausdorff"}
    assert set(scores["classes"]["cell"]["dice"]) >= {"mean", "median", "defined", "undefined", "missed"}
    assert set(scores["objects"]) >= {"ap50", "f1", "pq", "tp", "fp", "fn"}
    assert set(scores["cases"][0]) == {"name", "group", "spacing", "unit", "scores", "farthest", "objects"}
    assert scores["pooled"] == {"cell": {"dice": table.pooled_dice("cell")}}
    assert scores["unscored"] == [{"name": "lost", "reason": "it has no prediction"}]
    assert scores["warnings"][0] == "said on the way"
    assert "background" not in scores["classes"]


def test_undefined_is_null_and_infinity_is_a_string(table: ScoreTable) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    scores = json.loads(scores_json({"unet": table}), parse_constant=refuse)
    by_name = {case["name"]: case["scores"]["cell"] for case in scores["cases"]}
    assert by_name["nothing"] == dict.fromkeys(SCORES) | {"specificity": 1.0}
    assert by_name["missed"] == {
        name: "inf" if score.is_distance else score.when_missed for name, score in SCORES.items()
    }
    assert scores["policy"]["values"]["hausdorff"]["when_missed"] == "inf"


def test_counts_in_the_json_are_those_of_the_cases(table: ScoreTable) -> None:
    one = json.loads(scores_json({"unet": table}))["classes"]["cell"]["hausdorff"]
    counts = (one["defined"], one["undefined"], one["missed"], one["spurious"], one["infinite"])
    assert counts == (10, 1, 1, 1, 2)


def test_a_missed_object_is_listed_with_its_size_and_centre(table: ScoreTable) -> None:
    cases = {case["name"]: case for case in json.loads(scores_json({"unet": table}))["cases"]}
    assert cases["satellite"]["objects"]["missed"] == [
        {"id": 2, "pixels": 1, "size": 0.25, "centroid": [36.0, 46.0], "covered": 0.0}
    ]


def test_without_objects_the_json_says_null(table: ScoreTable) -> None:
    assert json.loads(scores_json({"": ScoreTable(table.classes, ())}))["objects"] is None


def test_the_csv_has_one_row_per_case_and_class(table: ScoreTable) -> None:
    rows = list(csv.DictReader(io.StringIO(scores_csv({"unet": table}))))
    assert [row["case"] for row in rows] == [case.name for case in table.cases]
    by_name = {row["case"]: row for row in rows}
    assert float(by_name["satellite"]["dice"]) == 2 * 256 / (257 + 256)
    assert by_name["nothing"]["dice"] == ""
    assert math.isinf(float(by_name["missed"]["hausdorff"]))
    assert (by_name["satellite"]["objects_missed"], by_name["satellite"]["spacing"]) == ("1", "0.5 0.5")
