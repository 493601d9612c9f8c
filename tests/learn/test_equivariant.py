"""An equivariant model is taught, kept and used like any other, and says what it cannot do."""

import json

import numpy as np
import pytest
import torch

from delineate import flow
from delineate.core import Case, DataError, ModelError
from delineate.data.samples import coins, write
from delineate.learn import Overrides, UNetMethod
from delineate.learn.bioimageio import packaged
from delineate.learn.export import exported
from delineate.learn.int8 import quantised
from delineate.learn.large import LargePrediction
from delineate.learn.plan import Plan

CASES, HELD_OUT = coins()
IMAGE = CASES[0].image[:80, :160]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    overrides = Overrides(equivariant=True, width=8, batch=2, patch=64, levels=3)
    path = tmp_path_factory.mktemp("equivariant") / "model"
    flow.train(CASES, out=path, steps=3, overrides=overrides)
    return path


def test_a_taught_model_keeps_every_label_when_its_image_moves_in_a_circle(folder):
    method = UNetMethod.load(folder)
    assert method.fitted().plan.equivariant
    still = method.predict(IMAGE)
    for shift in ((1, 0), (0, 1), (3, 5), (8, 7)):
        back = np.roll(method.predict(np.roll(IMAGE, shift, (0, 1))), [-by for by in shift], (1, 2))
        np.testing.assert_array_equal(back, still)


def test_it_is_predicted_whole_however_large(folder, monkeypatch):
    method = UNetMethod.load(folder)
    whole = method.predict(HELD_OUT[0].image)
    monkeypatch.setattr("delineate.learn.answer.WHOLE", {2: 32, 3: 16})
    monkeypatch.setattr("delineate.learn.answer.CORE", {2: 32, 3: 16})
    np.testing.assert_array_equal(method.predict(HELD_OUT[0].image), whole)
    with pytest.raises(ModelError, match="leave --tile out"):
        method.predict(HELD_OUT[0].image, tile=64)


def test_what_needs_a_graph_or_tiles_is_refused(folder, tmp_path, monkeypatch):
    method = UNetMethod.load(folder)
    learnt = method.fitted()
    with pytest.raises(ModelError, match="--down blur"):
        exported(learnt, tmp_path / "onnx", [IMAGE])
    with pytest.raises(ModelError, match="--down blur"):
        packaged(learnt, tmp_path / "package.zip", IMAGE, name="coins", authors=["A"], licence=None)
    with pytest.raises(ModelError, match="rounding"):
        quantised(learnt, folder, CASES[:2], judge=lambda *_: 1.0)
    with pytest.raises(ModelError, match="choose from torch"):
        method.use_engine("openvino")
    monkeypatch.setattr("delineate.learn.large.fits", lambda *_: None)
    with pytest.raises(ModelError, match="crop the image"):
        LargePrediction.begin(
            tmp_path / "large", learnt, type("Image", (), {"path": "slide.tif"})(), model="", core=(64, 64)
        )
    assert not (tmp_path / "onnx").exists()


def test_the_engine_that_is_chosen_runs_the_network_itself(folder):
    assert UNetMethod.load(folder).use_engine(image=IMAGE) in ("torch", "torch-float32")


def test_models_from_before_there_was_the_choice_are_read(folder):
    about = json.loads((folder / "model.json").read_text())["plan"]
    del about["equivariant"]
    assert not Plan.from_json(about).equivariant


def test_averaging_over_shifts_keeps_classes_objects_and_mirrors(tmp_path):
    method = flow.train(
        CASES, out=tmp_path / "model", steps=2, overrides=Overrides(width=8, batch=2, patch=64)
    )
    once, averaged = method.predict(IMAGE), method.predict(IMAGE, shifts=2)
    assert averaged.shape == once.shape
    np.testing.assert_allclose(averaged.sum(0), 1, rtol=1e-5)
    assert not np.array_equal(averaged, once)
    moved = method.predict(np.pad(IMAGE, ((9, 0), (0, 0), (0, 0)), mode="symmetric"))[:, 9:]
    inner = (slice(None), slice(20, -20), slice(20, -20))
    assert np.abs(averaged - (once + moved) / 2)[inner].max() < 0.02  # brightness is that of another picture
    data = write(tmp_path / "data") / "test"
    written = flow.predict(
        tmp_path / "model", data, out=tmp_path / "out", objects=True, tta=True, shifts=2, engine="torch"
    )
    assert len(written) == 3
    with pytest.raises(DataError, match="positive number"):
        flow.predict(tmp_path / "model", data, out=tmp_path / "none", shifts=0)
    otsu = flow.train(CASES, method="otsu")
    with pytest.raises(DataError, match="leave --shifts out"):
        flow.predict(otsu, data, out=tmp_path / "old", shifts=4)


def test_volumes_are_taught_and_kept_in_every_label():
    rng = np.random.default_rng(0)
    labels = np.zeros((16, 16, 24), np.uint8)
    labels[4:11, 3:9, 6:17] = 1
    case = Case("box", (labels + rng.random(labels.shape))[..., None].astype(np.float32), labels=labels)
    overrides = Overrides(dims=3, equivariant=True, width=4, levels=2, batch=1, patch=16)
    method = UNetMethod(steps=2, overrides=overrides).fit([case])
    still = method.predict(case.image)
    for shift in ((1, 0, 0), (0, 3, 2), (5, 1, 7)):
        moved = method.predict(np.roll(case.image, shift, (0, 1, 2)))
        np.testing.assert_array_equal(np.roll(moved, [-by for by in shift], (1, 2, 3)), still)


def test_training_is_the_same_again(folder, tmp_path):
    overrides = Overrides(equivariant=True, width=8, batch=2, patch=64, levels=3)
    again = flow.train(CASES, out=tmp_path / "again", steps=3, overrides=overrides).fitted().net
    first = UNetMethod.load(folder).fitted().net
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
