"""Strokes from end to end: `train` recognises them, says so, and takes images without labels along."""

from dataclasses import replace

import numpy as np

from delineate import flow
from delineate.core import Case, ClassTable
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
