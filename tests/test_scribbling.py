"""delineate scribble: what it writes is a data set like any other."""

import csv
import os

import numpy as np
import pytest

from delineate import flow
from delineate.core import UNLABELLED, DataError
from delineate.data import check, load, samples


def test_strokes_are_read_back_as_they_were_drawn(tmp_path):
    source = samples.write(tmp_path / "coins") / "train"
    made = flow.scribble(source, out=tmp_path / "quick", share=0.02, seed=3)
    found, full = load(made), load(source)
    assert found.classes.names == full.classes.names
    for drawn, whole in zip(found.cases, full.cases, strict=True):
        said = drawn.labels != UNLABELLED
        assert said.mean() == pytest.approx(0.02, rel=0.1)
        assert (drawn.labels == whole.labels)[said].mean() > 0.9
        assert np.array_equal(drawn.image, whole.image)
    assert check(made).trainable


def test_clicks_and_background_strokes_are_read_back(tmp_path):
    source = samples.write(tmp_path / "coins") / "train"
    made = flow.scribble(source, out=tmp_path / "quick", points=True)
    rows = list(csv.DictReader((made / "points.csv").read_text().splitlines()))
    found = load(made)
    assert len(rows) >= len(found.cases)
    assert {row["class"] for row in rows} == {found.classes.names[1]}
    assert all(set(np.unique(case.labels)) == {0, 1, UNLABELLED} for case in found.cases)


def test_parts_stay_apart(tmp_path):
    source = samples.write(tmp_path / "coins")
    (source / "test").rename(source / "val")
    made = flow.scribble(source, out=tmp_path / "quick")
    found = load(made)
    assert (len(found.cases), len(found.validation)) == (6, 3)


def test_images_are_not_copied_where_the_disk_links(tmp_path):
    source = samples.write(tmp_path / "coins") / "train"
    made = flow.scribble(source, out=tmp_path / "quick")
    name = next(path.name for path in (made / "images").iterdir())
    if os.stat(source / "images" / name).st_nlink == 1:
        pytest.skip("this disk has no hard links")
    assert os.path.samefile(source / "images" / name, made / "images" / name)


def test_a_share_that_is_none_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(DataError, match="between 0 and 1"):
        flow.scribble(samples.write(tmp_path / "coins") / "train", out=tmp_path / "quick", share=0)
    assert not (tmp_path / "quick").exists()


def test_strokes_of_strokes_are_refused(tmp_path):
    made = flow.scribble(samples.write(tmp_path / "coins") / "train", out=tmp_path / "quick")
    with pytest.raises(DataError, match="has no full mask: strokes are simulated from full masks"):
        flow.scribble(made, out=tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"points": True, "share": 0.5}, "leave out --points or --share"),
        ({"strokes": 9}, "add --points"),
        ({"points": True, "strokes": -1}, "give 0 or more"),
        ({"seed": -1}, "the seed is -1: give a whole number from 0 on"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path, options, said):
    with pytest.raises(DataError, match=said):
        flow.scribble(tmp_path, out=tmp_path / "quick", **options)
