"""Strokes from end to end: `train` recognises them, says so, and takes images without labels along."""

from dataclasses import replace

import numpy as np
import pytest

from delineate import flow
from delineate.core import Case, ClassTable, DataError
from delineate.data import DataSet, scribbled
from delineate.learn import Overrides

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


def test_a_temperature_is_fitted_on_full_masks_alone():
    told: list[str] = []
    method = flow.train(strokes(6), steps=2, overrides=SMALL, tell=told.append)
    assert method.learnt.temperature == 1
    assert sum("no image held out has a full mask" in line for line in told) == 1
    assert not any(line.startswith("temperature") for line in told)
    told.clear()
    val = [strokes(1).cases[0], square(20), square(21)]
    flow.train(strokes(4), val=val, steps=2, overrides=SMALL, tell=told.append)
    assert any("fitted on 2 cases" in line for line in told)


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
