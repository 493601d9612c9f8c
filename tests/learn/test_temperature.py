"""A temperature softens probabilities on every way out of a model, and changes neither labels nor objects."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from delineate.audits import subject_of_method
from delineate.core import Case, ClassTable, ModelError, tempered
from delineate.core import labels_of as labels_of_array
from delineate.data.large import LargeImage, box_of
from delineate.inference.engines import installed
from delineate.learn import Learnt, Overrides, Record, UNetMethod, planned
from delineate.learn.answer import answered
from delineate.learn.engine import engine_of
from delineate.learn.large import LargePrediction, identity
from delineate.learn.large_answer import labels_of
from delineate.learn.learnt import Guarantee, loaded, network, recalibrated, saved
from delineate.learn.objects import identified

T = 1.7


@pytest.fixture(scope="module")
def cold() -> Learnt:
    """A network of three classes and objects that was not taught but has opinions."""
    draw = np.random.default_rng(0)
    case = Case("a", draw.random((64, 64, 1)), labels=np.ones((64, 64), np.uint8))
    wanted = Overrides(
        width=4,
        levels=2,
        shuffle=1,
        patch=32,
        objects=True,
        precision="32-true",
        normalisation="zscore",
        dims=2,
    )
    plan = replace(planned([case], overrides=wanted), smallest_object_px=0, object_radius_px=4.0)
    net = network(plan, ClassTable.numbered(3), seed=0).eval()
    with torch.no_grad():
        net.head.weight *= 100
    return Learnt(net, plan, ClassTable.numbered(3), Record(seed=0))


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(1).gamma(2, 20, (70, 61, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def warm(cold: Learnt) -> Learnt:
    return replace(cold, temperature=T)


@pytest.mark.parametrize(
    "name", [name for name in ("torch", "torch-float32", "openvino") if installed(name)]
)  # ONNX Runtime is met below, and converts for long
def test_every_engine_softens_and_keeps_labels_and_offsets(
    cold: Learnt, warm: Learnt, picture: np.ndarray, name: str
) -> None:
    engine = engine_of(cold, name, low=False)
    before, after = (answered(replace(one, engine=engine), picture) for one in (cold, warm))
    assert np.abs(after[:3] - before[:3]).max() > 0.05, "the test means nothing where nothing changes"
    np.testing.assert_allclose(after[:3], tempered(before[:3], temperature=T), atol=1e-5)
    np.testing.assert_array_equal(after[:3].argmax(0), before[:3].argmax(0))
    np.testing.assert_array_equal(after[3:], before[3:])


def test_objects_stay_as_they_are(cold: Learnt, warm: Learnt) -> None:
    likely = np.full((3, 20, 30), 0.02, np.float32)
    for x, sure in (
        (3, 0.95),
        (12, 0.75),
        (21, 0.55),
    ):  # of objects as doubtful as the last, some are dropped
        likely[1, 5:12, x : x + 6] = sure
    likely[0] = 1 - likely[1:].sum(0)
    softer = tempered(likely, temperature=T)
    offsets = np.zeros((2, 20, 30), np.float32)
    labels = likely.argmax(0)
    before = identified(cold, np.concatenate([likely, offsets]), labels)
    assert 0 < before.max() < len(np.unique([3, 12, 21]))
    np.testing.assert_array_equal(identified(warm, np.concatenate([softer, offsets]), labels), before)
    hot = replace(warm, temperature=1.0)
    assert (identified(hot, np.concatenate([softer, offsets]), labels) != before).any(), "it would matter"


def test_what_is_predicted_in_parts_is_softened_too(
    tmp_path: Path, warm: Learnt, picture: np.ndarray
) -> None:
    prediction = LargePrediction.begin(
        tmp_path / "a.ome.zarr", warm, LargeImage.of(picture), model="", core=(1024, 1024)
    )
    box = (slice(3, 40), slice(5, 61))
    np.testing.assert_allclose(prediction.answer(box), answered(warm, picture)[:, 3:40, 5:61], atol=1e-4)


def test_an_exported_file_gives_the_same_probabilities_and_objects(
    tmp_path: Path, warm: Learnt, picture: np.ndarray
) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    from delineate.learn.export import exported
    from delineate.learn.foreign import OnnxModel

    exported(warm, tmp_path / "out", [picture])
    assert json.loads((tmp_path / "out" / "model.json").read_text())["temperature"] == T
    likely, ids = OnnxModel(tmp_path / "out" / "model.onnx").outline(picture)
    ours, our_ids = UNetMethod.of(warm).outline(picture)
    np.testing.assert_allclose(likely, ours, atol=2e-3)
    np.testing.assert_array_equal(ids, our_ids)


def test_the_logits_of_an_audit_are_those_of_its_probabilities(warm: Learnt, picture: np.ndarray) -> None:
    subject = subject_of_method(UNetMethod.of(warm))
    given = torch.from_numpy(np.moveaxis(picture, -1, 0)[None].copy())
    with torch.no_grad():
        likely = subject.differentiable()(given).softmax(1)[0].numpy()
    np.testing.assert_allclose(likely, subject.asked()(picture), atol=1e-4)


def test_it_is_kept_in_the_folder_and_a_model_from_before_has_none(tmp_path: Path, warm: Learnt) -> None:
    folder = saved(
        replace(warm, guarantees=(Guarantee(0.1, 0.25, groups=12, engine="torch"),)), tmp_path / "model"
    )
    again = loaded(folder)
    assert again.temperature == T
    assert again.guaranteed(0.1).threshold == 0.25
    with pytest.raises(ModelError, match=r"guarantees no share of 0\.05 \(it has: 0\.1\)"):
        again.guaranteed(0.05)
    about = json.loads((folder / "model.json").read_text())
    del about["calibration"]
    (folder / "model.json").write_text(json.dumps(about))
    assert loaded(folder).temperature == 1
    recalibrated(warm, folder, found={"cases": 3})
    assert loaded(folder).temperature == T
    about = json.loads((folder / "model.json").read_text())
    about["calibration"]["temperature"] = -1
    (folder / "model.json").write_text(json.dumps(about))
    with pytest.raises(ModelError, match="temperature is -1"):
        loaded(folder)


def test_more_foreground_is_labelled_alike_whole_and_in_parts(
    tmp_path: Path, warm: Learnt, picture: np.ndarray
) -> None:
    likely = UNetMethod.of(warm).predict(picture)
    plain, more = (labels_of_array(likely, foreground_above=above) for above in (None, 0.2))
    assert (plain != more).any()
    assert ((plain == more) | ((plain == 0) & (more > 0))).all(), "nothing is taken away"
    np.testing.assert_array_equal(labels_of(torch.from_numpy(likely), foreground_above=0.2), more)
    prediction = LargePrediction.begin(
        tmp_path / "a.ome.zarr",
        warm,
        LargeImage.of(picture),
        model="",
        core=(1024, 1024),
        skip_empty=False,
        foreground_above=0.2,
    )
    list(prediction.predicted(prediction.todo()))
    drawn = prediction.store.read(box_of(prediction.store.levels[0]))
    assert (drawn != more).mean() < 0.001  # a pixel on the very threshold


def test_an_interrupted_prediction_is_not_gone_on_with_at_another_temperature(
    cold: Learnt, warm: Learnt, picture: np.ndarray
) -> None:
    assert identity(cold, LargeImage.of(picture)) != identity(warm, LargeImage.of(picture))
