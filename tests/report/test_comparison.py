"""The comparison says in its first sentence whether a network is worth it, and its page needs nothing else."""

from __future__ import annotations

import csv
import io
import json
import re

import numpy as np

from delineate.core import Case, ClassTable
from delineate.data.conditions import CONDITIONS
from delineate.report.comparison import write_comparison
from delineate.report.entrants import Entrant, verdict
from delineate.score import ScoreTable, score_case

CELLS = ClassTable(("background", "<cell>"))
TRUTH = np.zeros((24, 30), np.uint8)
TRUTH[6:16, 8:20] = 1


def entrant(name, *rows_cut):
    """A method that misses as many rows of the cell in each image as is said."""
    predicted = []
    for cut in rows_cut:
        mask = TRUTH.copy()
        mask[6 : 6 + cut] = 0
        predicted.append(mask)
    scored = tuple(
        score_case(TRUTH, mask, classes=CELLS, name=f"image {i}") for i, mask in enumerate(predicted)
    )
    brittle = {"as it is": 0.9} | dict.fromkeys(CONDITIONS, 0.5)
    return Entrant(name, ScoreTable(CELLS, scored), 7.0, 0.5, 720, brittle, tuple(predicted))


def test_the_verdict_follows_the_numbers():
    good, bad = (0, 1, 0, 1, 0, 1), (6, 5, 6, 7, 5, 6)
    network = [entrant("unet", *good), entrant("otsu", *bad)]
    assert "the network earns its cost here" in verdict(network)
    assert "for outlines you do not need a network here" in verdict(
        [entrant("otsu", *good), entrant("unet", *bad)]
    )
    assert "hardly need a network" in verdict([entrant("unet", *good), entrant("otsu", *good)])
    assert "cannot be told" in verdict([entrant("unet", 0, 0, 9), entrant("otsu", 5, 6, 5)])
    assert verdict([entrant("otsu", *good)]).startswith("Best by mean Dice: otsu")


def test_page_json_and_csv_say_the_same_and_the_page_is_alone(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (*TRUTH.shape, 1), np.uint8)
    judged = [Case(f"image {i}", image, labels=TRUTH) for i in range(3)]
    refused = Entrant("snake", None, refused="it <knows> two classes only: merge classes")
    compared = write_comparison(
        [refused, entrant("otsu", 5, 10, 5), entrant("unet", 0, 1, 0)],
        judged,
        tmp_path,
        conditions=CONDITIONS,
        tried=judged[:1],
    )
    assert [one.name for one in compared.entrants] == ["unet", "otsu", "snake"]
    page = compared.page.read_text()
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert "<script" not in page
    assert "it &lt;knows&gt; two" in page
    assert "&lt;cell&gt;" not in page or "<cell>" not in page
    numbers = json.loads((tmp_path / "compare.json").read_text())["methods"]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "compare.csv").read_text())))
    assert [one["method"] for one in numbers] == [row["method"] for row in rows] == ["unet", "otsu", "snake"]
    assert numbers[1]["cases"]["image 1"] == 0
    assert numbers[1]["classes"]["<cell>"]["dice"] == float(rows[1]["dice_mean"])
    assert page.count("<img") == 3 * (1 + 2) + len(CONDITIONS)
