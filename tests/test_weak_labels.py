"""Strokes from end to end: `train` recognises them, says so, and takes images without labels along."""

import json
from dataclasses import replace

import numpy as np
import pytest

from delineate import flow
from delineate.core import UNLABELLED, Case, ClassTable, DataError
from delineate.data import DataSet, scribbled
from delineate.flow.nearness import nearness
from delineate.learn import Overrides
from delineate.score import expected_dice, mean_dice

CLASSES = ClassTable(("background", "square"))
SMALL = Overrides(patch=32, batch=2, width=4, levels=2, shuffle=1)


def square(seed: int) -> Case:
    rng = np.random.default_rng(seed)
    labels = np.zeros((40, 40), np.uint8)
    y, x = rng.integers(4, 18, 2)
    labels[y : y + 18, x : x + 18] = 1
    image = rng.normal(100, 10, (40, 40, 1)) + 60 * labels[..., None]
    return Case(f"square{seed}", image.astype(np.uint16), labels=labels)


def strokes(count: int, *, without: int = 0) -> DataSet:
    cases = tuple(scribbled(square(seed), share=0.04) for seed in range(count))
    mute = tuple(replace(square(count + i), labels=None) for i in range(without))
    return DataSet(cases, (), CLASSES, (), {}, unlabelled=mute)


def test_training_on_strokes_is_said_and_judged_by_held_out_strokes(tmp_path):
    told: list[str] = []
    steps = []
    method = flow.train(
        strokes(6, without=2),
        out=tmp_path / "model",
        steps=2,
        overrides=SMALL,
        tell=told.append,
        watch=steps.append,
    )
    assert "1 of 6 cases are held out for validation" in told
    assert any(line.startswith("weak: yes (5 of 5 images are labelled on less than half") for line in told)
    assert any("validation is on the held-out strokes" in line for line in told)
    assert steps[-1].dice is not None
    assert method.learnt.record.data["unlabelled"] == 2
    assert flow.load(tmp_path / "model").learnt.plan.weak == method.learnt.plan.weak


def test_full_masks_hear_nothing_of_it():
    told: list[str] = []
    cases = tuple(square(seed) for seed in range(2))
    flow.train(DataSet(cases, (), CLASSES, (), {}), steps=1, overrides=SMALL, tell=told.append)
    assert not any("weak" in line or "stroke" in line for line in told)


def near(told: list[str]) -> str:
    (line,) = [line for line in told if line.startswith("how near full masks")]
    return line


@pytest.fixture
def answered(monkeypatch):
    """Called with a number, the model answers of the first squares with so much for the class that a shifted mask has."""

    def answer(surely: float, *, shift: int) -> None:
        def likely(seed: int) -> np.ndarray:
            labels = np.roll(square(seed).labels, shift, axis=0)
            return np.where(labels == [[[0]], [[1]]], surely, 1 - surely).astype(np.float32)

        monkeypatch.setattr(
            "delineate.flow.nearness.probabilities_of",
            lambda _, cases: [likely(i) for i in range(len(cases))],
        )

    return answer


def test_without_full_masks_held_out_the_model_says_what_it_expects_of_itself(answered, tmp_path):
    told: list[str] = []
    answered(0.9999, shift=4)
    method = flow.train(
        strokes(4), out=tmp_path / "model", val=strokes(3).cases, steps=1, overrides=SMALL, tell=told.append
    )
    assert sum("no image held out has a full mask" in line for line in told) == 1
    assert any(line.startswith("temperature") and "fitted on 3 cases" in line for line in told)
    about = json.loads((tmp_path / "model" / "model.json").read_text())["calibration"]
    assert about["temperature"] == method.learnt.temperature > 1.5
    found = about["found"]["nearness"]
    assert (found["how"], found["cases"]) == ("expected", 3)
    assert 0.5 < found["dice"] < 0.99
    assert f"expects a Dice of about {found['dice']:.2f} of itself" in near(told)


def test_full_masks_held_out_measure_how_near_strokes_come(tmp_path):
    told: list[str] = []
    val = [strokes(1).cases[0], square(20), square(21)]
    method = flow.train(
        strokes(4), out=tmp_path / "model", val=val, steps=2, overrides=SMALL, tell=told.append
    )
    assert any("fitted on 2 cases" in line for line in told)
    dice = np.mean(
        [mean_dice(case.labels, method.predict(case.image).argmax(0), classes=2) for case in val[1:]]
    )
    assert f"Dice {dice:.3f}" in near(told)
    assert "on the full masks of 2 images held out" in near(told)
    found = json.loads((tmp_path / "model" / "model.json").read_text())["calibration"]["found"]["nearness"]
    assert (found["how"], found["dice"]) == ("measured", pytest.approx(dice))


def test_boxes_held_out_say_neither():
    told: list[str] = []
    boxes = np.zeros((40, 40), np.uint8)
    boxes[12:28, 12:28] = UNLABELLED
    boxes[17:23, 17:23] = 1
    val = [replace(square(0), labels=boxes)]
    method = flow.train(strokes(4), val=val, steps=2, overrides=SMALL, tell=told.append)
    assert method.learnt.temperature == 1
    assert sum("no image held out has a mask or strokes" in line for line in told) == 1
    assert not any(line.startswith("how near") for line in told)


def test_what_strokes_imply_makes_no_model_surer(answered, tmp_path):
    told: list[str] = []
    answered(0.7, shift=0)  # right throughout, yet unsure
    method = flow.train(
        strokes(4), out=tmp_path / "model", val=strokes(1).cases, steps=1, overrides=SMALL, tell=told.append
    )
    assert method.learnt.temperature == 1
    assert any("too easy to say" in line for line in told)
    assert "expects a Dice of about" in near(told)
    found = json.loads((tmp_path / "model" / "model.json").read_text())["calibration"]["found"]
    assert found["temperature"] == 1
    assert found["nll_before"] == found["nll_after"]
    before = found["nearness"]
    flow.calibrate(tmp_path / "model", [square(20), square(21)])
    assert (
        json.loads((tmp_path / "model" / "model.json").read_text())["calibration"]["found"]["nearness"]
        == before
    )


def test_of_images_of_background_alone_nobody_can_tell_how_near():
    empty = replace(square(9), labels=np.zeros((40, 40), np.uint8), image=np.zeros((40, 40, 1), np.uint16))
    likely = np.stack([np.full((40, 40), 1.0), np.zeros((40, 40))]).astype(np.float32)
    for measured in (True, False):
        found = nearness([likely], [empty], temperature=1, measured=measured)
        assert np.isnan(found.dice)
        assert "nobody can tell" in str(found)


def test_images_without_labels_join_full_masks_where_they_are_given():
    told: list[str] = []
    cases = [square(0), square(1), replace(square(2), labels=None)]
    method = flow.train(cases, steps=1, overrides=SMALL, tell=told.append)
    assert "weak: yes (1 image has no labels)" in told
    assert not any("spread" in line for line in told)
    assert method.learnt.record.data["unlabelled"] == 1


def test_without_weak_learning_images_without_labels_stay_out_and_nothing_else_is_said():
    told: list[str] = []
    found = replace(strokes(2, without=2), notes=("2 images without labels join the training", "a note"))
    only = replace(SMALL, weak=False)
    method = flow.train(found, steps=1, overrides=only, tell=told.append)
    assert "unlabelled" not in method.learnt.record.data
    assert "weak: no (as you asked)" in told
    assert "a note" in told
    assert not any("join" in line for line in told)
    with pytest.raises(DataError, match="leave --all-images out"):
        flow.train(found, steps=1, overrides=only, all_images=True)


def test_a_class_that_is_absent_is_not_expected_and_one_that_is_drawn_but_not_found_counts_as_missed():
    likely = np.full((3, 512, 512), 1e-5, np.float32)
    likely[0] = 1 - 2e-5
    likely[:, 100:200, 100:200] = np.array([0.02, 0.98, 1e-5], np.float32)[:, None, None]
    assert expected_dice(likely) == pytest.approx(0.99, abs=0.01)
    assert expected_dice(likely, present=(0, 1, 2, UNLABELLED)) == pytest.approx(0.495, abs=0.01)
    assert np.isnan(expected_dice(likely[:, :50]))
