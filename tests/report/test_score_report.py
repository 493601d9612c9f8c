from __future__ import annotations

import base64
import io
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from delineate.core import ClassTable, OutputError
from delineate.report import report_html, write_score_report
from delineate.report.views import views
from delineate.score import Masks, ScoreTable, score_case

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
    assert seen.caption == "slice 4 of 6, the one with most wrong pixels"
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
