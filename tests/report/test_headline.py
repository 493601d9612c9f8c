from __future__ import annotations

import numpy as np

from delineate.core import ClassTable
from delineate.report.headline import findings, lead
from delineate.score import ScoreTable, score_case

CELLS = ClassTable(("background", "cell"))


def said(table: ScoreTable) -> str:
    return "\n".join(finding.text for finding in findings(table))


def test_the_lead_has_the_mean_with_its_counts(table: ScoreTable) -> None:
    assert "(10 of 11 defined; 1 missed; 1 spurious)" in lead(table)


def test_it_says_what_the_mean_hides(table: ScoreTable) -> None:
    text = said(table)
    assert "1 of 12 images has no prediction and is in no score: lost." in text
    assert "cell was not found at all in 1 of the 9 images that hold it: missed." in text
    assert "cell was predicted in 1 image without any: spurious." in text
    assert "1 of 11 images hold no cell on either side" in text
    # missed: both objects; shifted: the satellite; satellite: the satellite. 9 images with truth, 2 objects each
    assert "4 of 18 objects (22%) were missed, all completely, without a pixel predicted there" in text
    assert "the largest of these has 256 pixels and lies at row 16, column 16 in missed" in text


def test_an_error_far_away_behind_a_high_dice_is_a_headline(table: ScoreTable) -> None:
    # the satellite lies (13, 23) pixels of 0.5 µm from the square's corner: 13.2 µm, against a radius of 4.5 µm
    assert "In 1 image the Dice of cell looks fine (0.8 or more), yet an error lies far away" in said(table)
    assert "13.2 µm, is in satellite, with a Dice of 0.998" in said(table)


def test_a_class_that_is_never_predicted_is_said_so() -> None:
    held = np.ones((4, 4), np.uint8)
    cases = [score_case(held, held * 0, classes=CELLS, name=name) for name in "ab"]
    assert "cell was never predicted, though it is in 2 images." in said(ScoreTable(CELLS, tuple(cases)))


def test_a_class_that_truth_never_holds_is_said_so() -> None:
    empty = np.zeros((4, 4), np.uint8)
    table = ScoreTable(CELLS, (score_case(empty, empty, classes=CELLS),))
    assert said(table) == "Truth holds no cell at all: nothing is known about how well it is found."
    assert "cell undefined (0 of 1 defined; 0 missed)" in lead(table)


def test_a_perfect_table_hides_nothing() -> None:
    held = np.eye(4, dtype=np.uint8)
    assert findings(ScoreTable(CELLS, (score_case(held, held, classes=CELLS),))) == []


def test_the_gravest_findings_come_first(table: ScoreTable) -> None:
    grave = [finding.serious for finding in findings(table)]
    assert grave == sorted(grave, reverse=True)
