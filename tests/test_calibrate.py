"""`delineate calibrate` and `predict --guarantee`, from end to end."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from commands import run
from delineate import flow
from delineate.core import UNLABELLED, Case, ClassTable, DataError, ModelError, foreground, labels_of
from delineate.data import DataSet, read_mask
from delineate.flow.calibrating import Calibrated
from delineate.learn import Overrides
from delineate.score import Temperature
from pictures import discs

TINY = Overrides(
    patch=32, batch=4, width=4, levels=2, objects=False, precision="32-true", dims=2, learning_rate=0.01
)


def written(cases: list[Case], folder: Path) -> Path:
    for where in ("images", "masks"):
        (folder / where).mkdir(parents=True)
    for case in cases:
        Image.fromarray(case.image[..., 0]).save(folder / "images" / f"{case.name}.png")
        Image.fromarray(case.labels * 255).save(folder / "masks" / f"{case.name}.png")
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of discs, taught for a moment, and twelve cases it has not seen."""
    folder = tmp_path_factory.mktemp("calibrate")
    flow.train(discs(6, seed=0)[:4], out=folder / "model", steps=100, overrides=TINY)
    written(discs(12, seed=1), folder / "data")
    return folder


@pytest.fixture
def model(work: Path, tmp_path: Path) -> Path:
    return shutil.copytree(work / "model", tmp_path / "model")


def test_training_fits_the_temperature_on_what_it_held_out(tmp_path: Path) -> None:
    said: list[str] = []
    method = flow.train(
        discs(5, seed=0),
        out=tmp_path / "model",
        val=discs(3, seed=2),
        steps=100,
        overrides=TINY,
        tell=said.append,
    )
    about = json.loads((tmp_path / "model" / "model.json").read_text())["calibration"]
    assert about["found"]["cases"] == 3
    assert about["found"]["nll_after"] < about["found"]["nll_before"]
    assert about["temperature"] == method.learnt.temperature != 1
    assert any(line.startswith("temperature") for line in said)
    assert flow.load(tmp_path / "model").learnt.temperature == about["temperature"]


def test_without_held_out_cases_there_is_no_temperature(work: Path) -> None:
    assert flow.load(work / "model").learnt.temperature == 1


def test_probabilities_come_truer_and_labels_stay(model: Path, work: Path) -> None:
    before = flow.load(model)
    weights = (model / "weights.safetensors").read_bytes()
    found = flow.calibrate(model, work / "data")
    after = flow.load(model)
    assert found.temperature.nll_after < found.temperature.nll_before
    assert after.learnt.temperature == found.temperature.temperature != 1
    assert (model / "weights.safetensors").read_bytes() == weights
    image = discs(1, seed=5)[0].image
    np.testing.assert_array_equal(before.predict(image).argmax(0), after.predict(image).argmax(0))
    assert flow.calibrate(model, work / "data").temperature == found.temperature, "it starts anew"


def test_masks_are_read_for_the_classes_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = discs(8, seed=0)
    seconds = [replace(case, labels=(case.labels * 2).astype(np.uint8)) for case in plain]  # 0 and 2 alone
    model = tmp_path / "model"
    flow.train([*plain[:2], *seconds[2:4]], out=model, steps=30, overrides=TINY)
    assert len(flow.load(model).classes) == 3
    folder = written(plain[4:], tmp_path / "data")
    for case in seconds[4:]:
        Image.fromarray(case.labels).save(folder / "masks" / f"{case.name}.png")
    as_cases = flow.calibrate(model, seconds[4:])
    assert flow.calibrate(model, folder) == as_cases
    given: list[Case] = []
    monkeypatch.setattr("delineate.learn.int8.quantised", lambda *about, **_: given.extend(about[2]))
    flow.quantise(model, folder)
    assert [set(np.unique(case.labels)) for case in given] == [{0, 2}] * 4
    others = [replace(case, labels=(case.labels * 3).astype(np.uint8)) for case in plain[4:]]
    for verb in (flow.calibrate, flow.quantise):
        with pytest.raises(DataError, match="go up to 3 but the model tells 3 classes apart"):
            verb(model, others)


def test_a_guarantee_goes_all_the_way(model: Path, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("calibrate", model, work / "data", "--alpha", "0.1", "--alpha", "0.2") == 0
    said = capsys.readouterr().out
    assert "temperature" in said
    assert "at most 10.0% of the foreground" in said
    assert "these 12 images" in said
    out = model.parent
    assert run("predict", model, work / "data", "-o", out / "plain", "--engine", "torch-float32") == 0
    assert run("predict", model, work / "data", "-o", out / "sure", "--guarantee", "0.1") == 0
    method = flow.load(model)
    method.use_engine("torch-float32")
    threshold = method.learnt.guaranteed(0.1).threshold
    more, missed = 0, []
    for case in discs(12, seed=1):
        plain, sure = (read_mask(out / name / f"{case.name}.png").array for name in ("plain", "sure"))
        likely = method.predict(case.image)
        expected = (likely.argmax(0) > 0) | (foreground(likely) >= np.float32(threshold))
        np.testing.assert_array_equal(sure > 0, expected)
        more += int((sure != plain).sum())
        missed.append(((sure == 0) & (case.labels == 1)).sum() / (case.labels == 1).sum())
    assert more > 0
    assert (sum(missed) + 1) / 13 <= 0.1
    assert json.loads((out / "sure" / "prediction.json").read_text())["settings"]["engine"] == "torch-float32"


def test_a_guarantee_holds_for_what_is_predicted_in_parts(model: Path, work: Path, tmp_path: Path) -> None:
    flow.calibrate(model, work / "data", alphas=(0.1,))
    case = discs(1, seed=7)[0]
    tifffile.imwrite(tmp_path / "big.tif", case.image[..., 0], tile=(16, 16))
    say: list[str] = []
    [path] = flow.predict(
        model, tmp_path / "big.tif", out=tmp_path / "out", suffix=".ome.tif", guarantee=0.1, tell=say.append
    )
    assert any("pixels in one tile" in line for line in say)  # read window by window, as large ones are
    method = flow.load(model)
    method.use_engine("torch-float32")
    likely = method.predict(case.image)
    threshold = method.learnt.guaranteed(0.1).threshold
    expected = labels_of(likely, foreground_above=threshold)
    assert (expected != labels_of(likely)).any()
    np.testing.assert_array_equal(tifffile.imread(path), expected)


def test_what_cannot_be_guaranteed_is_said(
    model: Path, work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = (model / "model.json").read_bytes()

    def refused(*words: object) -> str:
        assert run(*words) == 2
        return capsys.readouterr().err

    out = ("-o", tmp_path / "out")
    assert "give 19 or more" in refused("calibrate", model, work / "data", "--alpha", "0.05")
    assert "between 0 and 1" in refused("calibrate", model, work / "data", "--alpha", "1.5")
    assert (model / "model.json").read_bytes() == state
    assert "has: none" in refused("predict", model, work / "data", *out, "--guarantee", "0.1")
    assert "--tta" in refused("predict", model, work / "data", *out, "--guarantee", "0.1", "--tta")
    assert "--objects" in refused("predict", model, work / "data", *out, "--guarantee", "0.1", "--objects")
    assert "--shifts" in refused("predict", model, work / "data", *out, "--guarantee", "0.1", "--shifts", 4)
    flow.train(discs(2, seed=0), out=tmp_path / "otsu", method="otsu")
    assert "otsu carries no guarantee" in refused(
        "predict", tmp_path / "otsu", work / "data", *out, "--guarantee", "0.1"
    )
    with pytest.raises(ModelError, match="otsu has no temperature"):
        flow.calibrate(tmp_path / "otsu", work / "data")
    with pytest.raises(DataError, match="all have masks"):
        flow.calibrate(model, [Case("bare", np.zeros((40, 40, 1), np.uint8))])


def test_no_promise_is_made_on_images_that_were_learnt_from(
    model: Path, work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learnt, others = discs(6, seed=0)[:4], discs(12, seed=1)
    state = (model / "model.json").read_bytes()
    assert run("calibrate", model, written(learnt, tmp_path / "learnt")) == 2
    assert "learnt from 4 of these 4 images" in capsys.readouterr().err
    assert (model / "model.json").read_bytes() == state
    said: list[str] = []
    renamed = [replace(case, name=f"again {case.name}") for case in learnt]
    assert flow.calibrate(model, [*renamed, *others], tell=said.append).cases == 12
    assert said == ["4 of 16 images are left out: the model has learnt from them"]
    kept_apart = DataSet(tuple(learnt), tuple(others[:5]), ClassTable.numbered(2), (), {})
    assert flow.calibrate(model, kept_apart).cases == 5


def test_trainings_with_other_seeds_are_made_once_and_gone_on_with(work: Path, tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(step: object) -> None:
        raise Stopped

    cases = discs(6, seed=0)[:4]
    with pytest.raises(Stopped):
        flow.reseeded(work / "model", cases, out=tmp_path, number=2, steps=3, watch=stop)
    said: list[str] = []
    folders = flow.reseeded(work / "model", cases, out=tmp_path, number=2, steps=3, tell=said.append)
    assert [folder.name for folder in folders] == ["seed1", "seed2"]
    assert [flow.load(folder).learnt.record.seed for folder in folders] == [1, 2]
    assert {flow.load(folder).learnt.record.steps for folder in folders} == {3}
    assert flow.load(folders[0]).learnt.plan == flow.load(work / "model").learnt.plan
    first = (folders[0] / "weights.safetensors").read_bytes()
    flow.reseeded(work / "model", cases, out=tmp_path, number=2, steps=3, tell=said.append)
    assert (folders[0] / "weights.safetensors").read_bytes() == first
    assert said[-1] == f"{folders[1]} is trained already"
    with pytest.raises(DataError, match="0 trainings are none"):
        flow.reseeded(work / "model", cases, out=tmp_path, number=0)
    three = [Case("t", cases[0].image, labels=(cases[0].labels * 2).astype(np.uint8))]
    with pytest.raises(DataError, match="trained on"):
        flow.reseeded(work / "model", three, out=tmp_path)


def test_an_audit_says_which_images_a_calibration_was_fitted_on(model: Path, work: Path) -> None:
    from delineate.audits import Subject
    from delineate.data import DataSet
    from delineate.flow.evidence import caveats

    flow.calibrate(model, work / "data")
    method = flow.load(model)
    cases = discs(12, seed=1)
    subject = Subject("discs", method.classes, method=method)
    [told] = caveats(subject, DataSet(tuple(cases), (), method.classes, (), {}))
    assert "fitted on 12 of these 12 images" in told
    fresh = tuple(discs(3, seed=9))
    assert caveats(subject, DataSet(fresh, (), method.classes, (), {})) == []
    strokes = np.full(fresh[0].spatial, UNLABELLED, np.uint8)
    strokes[2, :9], strokes[8, :9] = 0, 1
    drawn = [replace(case, labels=strokes) for case in fresh]
    [told] = caveats(subject, DataSet(tuple(drawn), (), method.classes, (), {}))
    assert told.startswith(
        "Every labelled image is labelled on fewer than half of the pixels, as with strokes: what is"
    )
    [told] = caveats(subject, DataSet((drawn[0], *fresh), (), method.classes, (), {}))
    assert told.startswith("1 of the 4 labelled images is labelled on")


def test_near_borders_is_left_out_where_there_is_no_border() -> None:
    fit = Temperature(1.5, 0.7, 0.6)
    assert "near borders 0.2000 -> 0.1000 on" in str(Calibrated(fit, 3, 3, (0.3, 0.2), (0.2, 0.1), {}))
    nowhere = str(Calibrated(fit, 1, 1, (0.3, 0.2), (math.nan, math.nan), {}))
    assert "fitted on 1 case:" in nowhere
    assert nowhere.endswith("calibration error 0.3000 -> 0.2000 on the same cases")
