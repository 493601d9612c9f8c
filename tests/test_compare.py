"""`delineate compare` from files to the page: every method, interrupted and continued, and what cannot be compared."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

import delineate
from delineate import cli, flow
from delineate.core import Case, ClassTable, DataError
from delineate.data import DataSet, samples, scribbled
from delineate.learn import Overrides

TINY = Overrides(patch=32, batch=2, width=4, levels=2)


def discs(seed):
    """A small noisy picture with two bright discs and their ids."""
    rng = np.random.default_rng(seed)
    grid = np.indices((36, 40))
    ids = np.zeros((36, 40), np.int32)
    for number, (row, column) in enumerate(((10, 10), (24, 28)), 1):
        ids[np.hypot(grid[0] - row, grid[1] - column - rng.integers(3)) < 7] = number
    image = (50 + 120 * (ids > 0) + rng.normal(0, 12, ids.shape)).clip(0, 255).astype(np.uint8)
    return Case(f"discs {seed}", image[..., None], labels=(ids > 0).astype(np.uint8), objects=ids)


LEARN_FROM, HELD_OUT = [discs(0), discs(1)], [discs(2)]


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Every method, the U-Net for two steps."""
    out = tmp_path_factory.mktemp("compared") / "out"
    return out, delineate.compare(LEARN_FROM, val=HELD_OUT, out=out, steps=2, overrides=TINY)


def test_every_method_is_compared_and_can_be_used_afterwards(compared):
    out, comparison = compared
    assert {one.name for one in comparison.entrants} == set(flow.METHODS)
    assert [one.refused for one in comparison.entrants if one.table is None] == []
    for one in comparison.entrants:
        assert one.fit_seconds > 0
        assert one.seconds_per_megapixel > 0
        assert one.table.objects is not None
        assert flow.load(out / "methods" / one.name / "model").name == one.name
    assert comparison["watershed"].dice > 0.5


def test_an_interrupted_comparison_goes_on_where_it_stopped(compared):
    out, first = compared
    (out / "methods" / "li" / "result.json").unlink()
    (out / "compare.html").unlink()
    told = []
    again = delineate.compare(
        LEARN_FROM, val=HELD_OUT, out=out, steps=2, overrides=TINY, resume=True, tell=told.append
    )
    assert [sentence for sentence in told if sentence.endswith("...")] == ["li ..."]
    assert {one.name: one.dice for one in again.entrants} == {one.name: one.dice for one in first.entrants}
    assert again.page.is_file()


@pytest.mark.parametrize("name", ["result.json", "answers.npz"])
def test_a_damaged_result_is_named_with_what_to_do(tmp_path, name):
    about = {"val": HELD_OUT, "out": tmp_path / "out", "methods": ["otsu"]}
    delineate.compare(LEARN_FROM, **about)
    damaged = tmp_path / "out" / "methods" / "otsu" / name
    damaged.write_bytes(damaged.read_bytes()[:20])
    again = delineate.compare(LEARN_FROM, **about, resume=True)
    assert f"the result in {damaged.parent} cannot be read" in again["otsu"].refused


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"fit_seconds": 1.0, "brittle": {}}, "(it lacks seconds_per_megapixel and labelled_pixels)"),
        (7, "(argument of type 'int' is not iterable)"),
    ],
)
def test_a_result_that_lacks_something_is_named_with_what_to_do(tmp_path, content, says):
    about = {"val": HELD_OUT, "out": tmp_path / "out", "methods": ["otsu"]}
    delineate.compare(LEARN_FROM, **about)
    home = tmp_path / "out" / "methods" / "otsu"
    (home / "result.json").write_text(json.dumps(content))
    refused = delineate.compare(LEARN_FROM, **about, resume=True)["otsu"].refused
    assert f"the result in {home} cannot be read {says}: remove that folder" in refused


def test_answers_that_lack_an_image_are_named_with_what_to_do(tmp_path):
    about = {"val": HELD_OUT, "out": tmp_path / "out", "methods": ["otsu"]}
    delineate.compare(LEARN_FROM, **about)
    home = tmp_path / "out" / "methods" / "otsu"
    np.savez(home / "answers.npz", ids0=HELD_OUT[0].objects)
    refused = delineate.compare(LEARN_FROM, **about, resume=True)["otsu"].refused
    assert f"the result in {home} cannot be read (it lacks labels0): remove that folder" in refused


def test_the_command_line_writes_the_page(tmp_path, monkeypatch, capsys):
    data = samples.write(tmp_path / "data")
    words = [
        "delineate",
        "compare",
        data / "train",
        "--val",
        data / "test",
        "-o",
        tmp_path / "out",
        "--methods",
        "otsu, li",
    ]
    monkeypatch.setattr(sys, "argv", [str(word) for word in words])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert not left.value.code
    said = capsys.readouterr().out
    assert "otsu            Dice 0." in said
    assert "Page: " in said
    numbers = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert {one["method"] for one in numbers["methods"]} == {"otsu", "li"}


def test_methods_for_two_classes_step_aside_where_there_are_three(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.zeros((40, 40), np.uint8)
    labels[4:16, 4:16], labels[20:36, 20:36] = 1, 2
    cases = [
        Case(
            str(i),
            (labels * 90 + rng.integers(0, 30, labels.shape)).astype(np.uint8)[..., None],
            labels=labels,
        )
        for i in range(4)
    ]
    data = DataSet(tuple(cases), (), ClassTable(("nothing", "small", "large")), (), {})
    comparison = delineate.compare(
        data, out=tmp_path / "out", methods=["otsu", "multi-otsu", "texture-forest"]
    )
    assert "two classes apart" in comparison["otsu"].refused
    assert comparison["multi-otsu"].dice > 0.9
    assert comparison["texture-forest"].dice > 0.9


def test_what_cannot_be_compared_is_said(tmp_path):
    learn_from, _ = samples.coins()
    with pytest.raises(DataError, match="choose from unet, otsu"):
        delineate.compare(learn_from, out=tmp_path / "a", methods=["magic"])
    with pytest.raises(DataError, match="judge on"):
        delineate.compare(learn_from[:1], out=tmp_path / "b", methods=["otsu"])


def test_a_network_that_was_finished_but_not_judged_is_not_taught_again(tmp_path, monkeypatch):
    def compared_again(resume):
        return delineate.compare(
            LEARN_FROM,
            val=HELD_OUT,
            out=tmp_path / "out",
            methods=["unet"],
            steps=1,
            overrides=TINY,
            resume=resume,
        )["unet"]

    first = compared_again(False)
    (tmp_path / "out" / "methods" / "unet" / "result.json").unlink()
    monkeypatch.setattr("delineate.learn.Training", lambda *a, **k: pytest.fail("taught again"))
    again = compared_again(True)
    assert again.dice == first.dice
    assert again.fit_seconds > 0.01  # of the training, not of loading


def test_a_comparison_is_gone_on_with_on_the_same_images_and_labels_only(tmp_path):
    def compared_on(learn_from, judged, **how):
        return delineate.compare(learn_from, val=judged, out=tmp_path / "out", overrides=TINY, **how)

    first = compared_on(LEARN_FROM, HELD_OUT, methods=["otsu"])
    for learn_from, judged in (
        (LEARN_FROM, [discs(3)]),
        (LEARN_FROM[:1], HELD_OUT),
        (LEARN_FROM, [replace(HELD_OUT[0], labels=1 - HELD_OUT[0].labels)]),
    ):
        with pytest.raises(DataError, match="begun with other images, labels"):
            compared_on(learn_from, judged, methods=["otsu"], resume=True)
    both = compared_on(LEARN_FROM, HELD_OUT, methods=["otsu", "unet"], steps=1, resume=True)
    assert both["otsu"].dice == first["otsu"].dice
    with pytest.raises(DataError, match="begun with other minutes, steps"):
        compared_on(LEARN_FROM, HELD_OUT, methods=["unet"], steps=2, resume=True)


def test_images_without_labels_teach_the_network_where_labels_are_weak(tmp_path):
    drawn = tuple(scribbled(case, share=0.05) for case in LEARN_FROM)
    mute = (replace(discs(5), labels=None, objects=None),)
    data = DataSet(drawn, (), ClassTable.numbered(2), (), {}, unlabelled=mute)
    delineate.compare(data, val=HELD_OUT, out=tmp_path / "out", methods=["unet"], steps=1, overrides=TINY)
    learnt = flow.load(tmp_path / "out" / "methods" / "unet" / "model").learnt
    assert learnt.record.data["unlabelled"] == 1


def test_strokes_are_nothing_to_judge_on(tmp_path):
    drawn = [scribbled(discs(seed), share=0.05) for seed in range(4)]
    with pytest.raises(
        DataError, match="scores on strokes tell nothing of borders: give images with full masks, with"
    ):
        delineate.compare(drawn, out=tmp_path / "a", methods=["otsu"])
    assert not (tmp_path / "a").exists()
    told = []
    found = delineate.compare(
        LEARN_FROM, val=[*drawn, *HELD_OUT], out=tmp_path / "b", methods=["otsu"], tell=told.append
    )
    assert [case.name for case in found["otsu"].table.cases] == ["discs 2"]
    assert any(line.startswith("4 of 5 images to judge on are labelled on less than half") for line in told)
