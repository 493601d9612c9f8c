from __future__ import annotations

import base64
import io
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from delineate.core import ClassTable, DataError, OutputError
from delineate.report import Asked, report_html, write_score_report
from delineate.report.views import views
from delineate.score import SCORES, CaseScores, Masks, ScoreTable, score_case, scores_asked

CELLS = ClassTable(("background", "cell"))
HISTORY = [
    {"step": 10, "seconds": 5.0, "loss": 1.0, "dice": math.nan},
    {"step": 20, "seconds": 9.0, "loss": 0.4, "dice": 0.8},
]


class Page(HTMLParser):
    """Text, pictures and addresses of a page; fails where tags do not close as they opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text, self.sources, self.tags = "", [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value for key, value in attrs if key in ("src", "srcset", "href") and value]
        if tag not in ("meta", "img", "source", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data


@pytest.fixture(scope="module")
def whole(table: ScoreTable) -> str:
    return report_html(
        table, history=HISTORY, baselines={"Otsu": table}, title="Cells & more", method="U-Net"
    )


def test_a_table_without_dice_is_refused_with_what_to_add() -> None:
    cell = np.ones((2, 2), np.uint8)
    only = (SCORES["iou"],)
    table = ScoreTable(CELLS, (score_case(cell, cell, classes=CELLS, scores=only),), scores=only)
    with pytest.raises(DataError, match="tells of dice and hausdorff, of which this prediction has no score"):
        report_html(table)


def test_methods_are_compared_by_their_objects_too(whole: str) -> None:
    assert '<td>objects</td><td class="name">AP@0.5</td>' in whole


def test_the_folder_holds_three_files_and_will_not_be_overwritten(table: ScoreTable, tmp_path: Path) -> None:
    out = tmp_path / "a" / "report"
    assert write_score_report(table, out) == out / "report.html"
    assert sorted(path.name for path in out.iterdir()) == ["report.html", "scores.csv", "scores.json"]
    assert json.loads((out / "scores.json").read_text())["classes"]["cell"]["dice"]["missed"] == 1
    with pytest.raises(OutputError, match="not an empty folder"):
        write_score_report(table, out)


def test_the_page_needs_nothing_else(whole: str) -> None:
    page = Page(whole)
    assert page.sources
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert not re.search(r"https?://|@import|url\(", whole)


def test_every_picture_can_be_opened(whole: str) -> None:
    for source in Page(whole).sources:
        with Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as picture:
            picture.load()
            assert min(picture.size) > 100


def test_what_the_mean_hides_stands_before_any_table(whole: str) -> None:
    body = whole[whole.index("<body>") :]
    assert body.index("has no prediction") < body.index("<table")
    assert body.index("was not found at all") < body.index("<table")


def test_each_mean_is_shown_with_its_counts(whole: str) -> None:
    text = Page(whole).text
    assert "10 of 11 defined; 1 missed; 1 spurious" in text
    assert "mean of the 8 finite" in text


def test_names_are_escaped(whole: str) -> None:
    assert "Cells &amp; more" in whole
    assert "right &lt;0&gt;" in whole
    assert "<0>" not in whole


def test_the_worst_is_shown_first_and_no_case_twice(table: ScoreTable) -> None:
    shown = re.findall(r"<h4>(.*?)</h4>", report_html(table))
    assert shown[:4] == ["missed", "spurious", "shifted", "satellite"]
    assert len(shown) == len(set(shown)) == 8


@pytest.mark.parametrize("count", [1, 5, 8])
def test_few_cases_are_all_shown_once(table: ScoreTable, count: int) -> None:
    few = ScoreTable(table.classes, table.cases[-count:])
    assert len(re.findall(r"<h4>", report_html(few))) == count


def test_methods_stand_beside_each_other(whole: str) -> None:
    text = Page(whole).text
    assert "U-Net: Dice 0.000" in text
    assert "Otsu: Dice 0.000" in text


def test_the_learning_curve_is_there_if_training_told_of_it(table: ScoreTable, whole: str) -> None:
    assert "20 steps in 0.1 minutes; best validation Dice 0.800." in Page(whole).text
    assert "How it learnt" not in report_html(table)


def test_a_table_without_any_case_is_still_a_page(table: ScoreTable) -> None:
    empty = ScoreTable(table.classes, (), unscored=(("lost", "it has no prediction"),))
    assert "1 of 1 image has no prediction" in Page(report_html(empty)).text


def test_several_classes_and_a_class_nobody_holds_make_a_page() -> None:
    classes = ClassTable(("background", "a", "b", "c"))
    grid = np.array([[0, 1, 2], [255, 1, 2]], np.uint8)
    masks = Masks(grid, np.where(grid == 2, 1, grid))
    case = score_case(masks.truth, masks.predicted, classes=classes, reread=lambda: masks)
    text = Page(report_html(ScoreTable(classes, (case,)))).text
    assert "another class" in text
    assert "darkened: unlabelled" in text
    assert "Truth holds no c at all" in text


def test_scores_of_several_classes_stand_beneath_the_pictures_and_a_class_never_found_is_infinitely_far() -> (
    None
):
    classes = ClassTable(("background", "a", "b"))
    grid = np.array([[0, 1, 2], [0, 1, 2]], np.uint8)
    masks = Masks(grid, np.where(grid == 2, 0, grid))
    case = score_case(masks.truth, masks.predicted, classes=classes, reread=lambda: masks)
    table = ScoreTable(classes, (case,))
    assert str(table.summary("b", "hausdorff")) == "∞ (1 of 1 defined; 1 missed)"
    page = report_html(table)
    assert '<article class="case card several">' in page
    assert 'strong">∞' in re.findall(r"Hausdorff, px.*?</tr>", page, re.DOTALL)[1]


def test_a_volume_is_shown_by_its_worst_slice_with_square_pixels() -> None:
    classes = ClassTable(("background", "a"))
    truth = np.zeros((6, 40, 40), np.uint8)
    truth[1:5, 10:30, 10:30] = 1
    predicted = truth.copy()
    predicted[3, 10:20, 10:30] = 0
    case = score_case(
        truth,
        predicted,
        classes=classes,
        spacing=(8, 1, 2),
        unit="mm",
        reread=lambda: Masks(truth, predicted),
    )
    (seen,) = views([case], side=80)
    assert seen.caption == "slice 3 (of 6, counted from 0), the one with most wrong pixels"
    assert seen.plain.shape == seen.marked.shape == (40, 80, 3)


def test_a_small_structure_is_shown_near() -> None:
    classes = ClassTable(("background", "a"))
    truth = np.zeros((400, 400), np.uint8)
    truth[200:230, 100:130] = 1
    case = score_case(truth, truth, classes=classes, reread=lambda: Masks(truth, truth))
    (seen,) = views([case], side=100)
    assert seen.caption == "only the part that holds labels is shown"
    assert (seen.marked != seen.plain).any(axis=-1).mean() > 0.2


def test_an_image_that_is_gone_is_grey_beneath(tmp_path: Path) -> None:
    grid = np.eye(50, dtype=np.uint8)
    masks = Masks(grid, grid, image=tmp_path / "moved.png")
    (seen,) = views([score_case(grid, grid, classes=ClassTable(("background", "a")), reread=lambda: masks)])
    assert (seen.plain == 96).all()
    assert seen.caption == "the image moved.png cannot be shown beneath"


def volume_case(name: str, *, moved: int) -> CaseScores:
    truth = np.zeros((12, 40, 50), np.uint8)
    truth[3:9, 10:30, 10:30] = 1
    predicted = np.roll(truth, moved, axis=0)
    predicted[8, 36:39, 45:48] = 1
    masks = Masks(truth, predicted)
    return score_case(
        truth, predicted, classes=CELLS, name=name, spacing=(2, 1, 1), unit="mm", reread=lambda: masks
    )


def test_a_volume_is_seen_from_three_sides_with_an_arrow_to_the_farthest_error() -> None:
    case = volume_case("heart", moved=1)
    seen = views([case])[0]
    assert [caption for _, caption in seen.across] == [
        "across, at row 38",
        "across, at column 47",
    ]  # through the false alarm
    truth, predicted = case.farthest["cell"]
    assert (truth[1:], predicted) == ((29.0, 29.0), (8.0, 38.0, 47.0))
    for picture, _ in seen.across:
        assert (picture == 255).all(-1).any()  # the arrow is the only white
    flat = (seen.marked == 255).all(-1).any()
    assert flat == (f"slice {predicted[0]:.0f} " in seen.caption and truth[0] == predicted[0])


def test_a_volume_in_which_all_was_missed_is_seen_from_three_sides_through_the_middle_of_it() -> None:
    truth = np.zeros((12, 40, 50), np.uint8)
    truth[3:9, 10:31, 20:41] = 1
    for there, guess in ((truth, np.zeros_like(truth)), (np.zeros_like(truth), truth)):
        masks = Masks(there, guess)
        case = score_case(there, guess, classes=CELLS, spacing=(2, 1, 1), reread=lambda masks=masks: masks)
        (seen,) = views([case])
        assert [caption for _, caption in seen.across] == ["across, at row 20", "across, at column 30"]
        assert not any((picture == 255).all(-1).any() for picture, _ in seen.across)  # no arrow


def test_a_class_that_was_missed_is_shown_where_the_others_are_right() -> None:
    truth = np.zeros((6, 20, 20), np.uint8)
    truth[1:5, 2:8, 2:8], truth[1:5, 12:15, 14:17] = 1, 2
    guess = np.where(truth == 1, 1, 0).astype(np.uint8)
    classes = ClassTable(("background", "liver", "lesion"))
    case = score_case(truth, guess, classes=classes, reread=lambda: Masks(truth, guess))
    (seen,) = views([case])
    assert [caption for _, caption in seen.across] == ["across, at row 13", "across, at column 15"]


def test_the_arrow_of_a_flat_image_is_drawn_where_the_distance_is_attained() -> None:
    truth = np.zeros((40, 48), np.uint8)
    truth[8:24, 8:24], truth[36, 46] = 1, 1
    for predicted, farthest in (
        (np.where(np.arange(48) < 40, truth, 0), ((36.0, 46.0), (23.0, 23.0))),
        (np.zeros_like(truth), None),
    ):
        masks = Masks(truth, predicted)
        case = score_case(truth, predicted, classes=CELLS, reread=lambda masks=masks: masks)
        assert case.farthest["cell"] == farthest
        white = (views([case])[0].marked == 255).all(-1)  # nothing else is white
        assert bool(white.sum() > 50) is (farthest is not None)


def test_subgroups_that_lag_are_a_finding_and_a_table(table: ScoreTable) -> None:
    right = [case for case in table.cases if case.name.startswith("right")]
    wrong = [
        replace(case, name=f"wrong {i}", group=f"wrong {i}") for i, case in enumerate([table.cases[6]] * 6)
    ]
    both = ScoreTable(CELLS, (*right, *wrong))
    asked = Asked("scanner", {case.name: "old" if case in wrong else "new" for case in both.cases})
    page = Page(report_html(both, asked=asked)).text
    assert "Where scanner is old (6 images), the mean Dice of cell is" in page
    assert "Where scanner is new" not in page
    assert "By scanner" in page


def test_methods_are_compared_case_by_case(table: ScoreTable) -> None:
    page = Page(report_html(table, baselines={"Otsu": table}, method="U-Net")).text
    assert "U-Net less Otsu" in page
    assert "corrected after Holm for all 9 comparisons" in page


def test_probabilities_have_a_diagram_and_their_error() -> None:
    truth = np.zeros((8, 8), np.uint8)
    truth[2:6, 2:6] = 1
    sure = np.where(truth == 1, 0.9, 0.1)
    case = score_case(truth, truth, classes=CELLS, probabilities={"cell": sure})
    page = Page(report_html(ScoreTable(CELLS, (case,))))
    assert "Can its probabilities be believed?" in page.text
    assert "0.1000.100" in re.sub(r"\s", "", page.text)  # the error everywhere and near borders


def test_objects_are_told_by_size_with_merges_and_splits(table: ScoreTable) -> None:
    text = " ".join(Page(report_html(table, asked=Asked(sizes=[1.0]))).text.split())
    assert "below 1.00" in text.replace("1.000", "1.00")
    assert "Size classes are as asked" in text
    assert "merges: predicted ones that hold several" in text


def test_scores_that_were_asked_for_stand_beside_other_methods_that_lack_them() -> None:
    truth = np.zeros((8, 8), np.uint8)
    truth[2:6, 2:6] = 1
    asked = scores_asked(tolerance=1)
    ours = ScoreTable(CELLS, (score_case(truth, truth, classes=CELLS, scores=asked),), scores=asked)
    theirs = ScoreTable(CELLS, (score_case(truth, truth, classes=CELLS),))
    by = Asked("scanner", {"image": "old"})
    page = report_html(ours, baselines={"Otsu": theirs, "again": ours}, method="U-Net", asked=by)
    text = " ".join(Page(page).text.split())
    assert "–not scored" in text
    assert (
        "U-Net less again cell Surface Dice at 1" in text or "U-Net less againcellSurface Dice at 1" in text
    )
    assert "Surface Dice at 1less elsewhere" in text
