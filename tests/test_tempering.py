"""What a temperature is fitted on, what of it is believed, and what becomes of the guarantees that a model has."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from delineate import flow
from delineate.core import UNLABELLED, Case, DataError
from delineate.data import scribbled
from delineate.flow.nearness import Nearness
from delineate.flow.tempering import Calibrated, fitted
from delineate.learn import Overrides
from delineate.learn.learnt import Guarantee, recalibrated
from pictures import discs

TINY = Overrides(
    patch=32, batch=4, width=4, levels=2, objects=False, precision="32-true", dims=2, learning_rate=0.01
)


def test_a_model_that_has_learnt_too_little_is_told_so_whether_that_is_measured_or_expected():
    cases = discs(2, seed=0)
    little = {how: str(Nearness.of(how, [0.1, 0.3], cases)) for how in ("measured", "expected")}
    assert "Dice 0.200" in little["measured"]
    assert "a Dice of about 0.20" in little["expected"]
    assert all(
        "so little that more time or more strokes are needed first" in said for said in little.values()
    )
    assert "so little" not in str(Nearness.of("expected", [0.7, 0.8], cases))


def strokes(count: int, *, seed: int) -> list[Case]:
    return [scribbled(case, share=0.04) for case in discs(count, seed=seed)]


def had(model: Path, temperature: float, *guarantees: Guarantee) -> Path:
    """The model once it has that temperature and these guarantees."""
    learnt = flow.load(model).learnt
    recalibrated(
        replace(learnt, temperature=temperature, guarantees=guarantees, fitted_on=("an image",)),
        model,
        found={},
    )
    return model


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tempering") / "model"
    flow.train(discs(4, seed=0), out=folder, steps=100, overrides=TINY)
    return folder


@pytest.fixture
def model(taught: Path, tmp_path: Path) -> Path:
    return shutil.copytree(taught, tmp_path / "model")


def test_no_guarantee_follows_from_strokes(model: Path) -> None:
    state = (model / "model.json").read_bytes()
    with pytest.raises(DataError, match="give images with full masks, or leave --alpha out"):
        flow.calibrate(model, strokes(12, seed=1), alphas=(0.1,))
    boxes = [replace(case, labels=np.full_like(case.labels, UNLABELLED)) for case in discs(2, seed=1)]
    with pytest.raises(DataError, match="all have masks"):
        flow.calibrate(model, boxes)
    assert (model / "model.json").read_bytes() == state


@pytest.mark.parametrize("temperature", [1.0, 1.25])
def test_strokes_make_no_model_surer(
    model: Path, temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    right = [np.where(one.labels == [[[0]], [[1]]], 0.8, 0.2).astype(np.float32) for one in discs(12, seed=2)]
    monkeypatch.setattr("delineate.flow.calibrating.probabilities_of", lambda *_, **__: right)
    promise = Guarantee(0.1, 0.3, groups=12)
    had(model, temperature, promise)
    found = flow.calibrate(model, strokes(12, seed=2), tell=said.append)
    learnt = flow.load(model).learnt
    assert found.temperature.temperature == learnt.temperature == temperature
    assert any("fitted on what their strokes imply" in line for line in said)
    assert found.lines("M") == [
        "what strokes imply is too easy to say that the model is not sure enough, so probabilities stay as they are (temperature "
        f"{temperature:g})"
    ]
    assert learnt.guarantees == (promise,), "it belongs to this temperature"
    assert learnt.fitted_on == ("an image",)
    assert flow.calibrate(model, discs(12, seed=2)).temperature.temperature < 0.5, "full masks may"


def test_strokes_beside_full_masks_are_left_out(model: Path) -> None:
    said: list[str] = []
    masks = discs(10, seed=1)
    alone = flow.calibrate(model, masks, alphas=(0.1,))
    assert flow.calibrate(model, [*masks, *strokes(5, seed=2)], alphas=(0.1,), tell=said.append) == alone
    assert said == ["5 of 15 images are left out: they have no full mask"]


def answers_with_a_tail() -> tuple[np.ndarray, Case]:
    """Of 1000 pixels 990 were given 0.6 and that came true, and 10, wrong, were given 1e-7: softer is likelier but no truer."""
    truth = np.zeros((10, 100), np.uint8)
    truth[:, [column for column in range(100) if column % 5 < 3]] = 1  # borders are everywhere
    ahead = np.full(truth.shape, 0.6, np.float32)
    ahead[:, 0] = 1e-7
    return np.stack([1 - ahead, ahead]), Case("tail", ahead[..., None], labels=truth)


@pytest.mark.parametrize("temperature", [1.0, 1.1])
def test_a_temperature_that_makes_probabilities_less_true_is_not_taken(temperature: float) -> None:
    likely, case = answers_with_a_tail()
    found = fitted([likely], [case], had=temperature)
    assert found.temperature.temperature == temperature
    assert found.temperature.nll_after == pytest.approx(
        -np.mean(np.log(_powered(likely, temperature)[case.labels, *np.indices(case.spatial)])), rel=1e-5
    )
    assert "would bring probabilities further from what comes true (calibration error 0.0" in str(found)
    assert str(found).endswith(f"so probabilities stay as they are (temperature {temperature:g})")


def test_a_difference_that_is_none_does_not_keep_a_temperature() -> None:
    truth = np.zeros((10, 100), np.uint8)
    truth[:, [column for column in range(100) if column % 5 < 3]] = 1
    ahead = np.full(truth.shape, 0.6, np.float32)
    ahead[0, 0] = 0.2
    likely = np.stack([1 - ahead, ahead])
    found = fitted([likely], [Case("near", ahead[..., None], labels=truth)])
    assert found.ece[0] < found.ece[1] < found.ece[0] + 0.005
    assert not found.kept


def _powered(likely: np.ndarray, temperature: float) -> np.ndarray:
    raised = likely.astype(np.float64) ** (1 / temperature)
    return raised / raised.sum(0)


def test_of_several_classes_the_one_that_is_furthest_off_counts() -> None:
    """Foreground is plain to see and its two classes are not: softer is truer for these, and is taken."""
    truth = np.ones((10, 100), np.uint8)
    truth[:5] = 2
    likely = np.stack(
        [np.full(truth.shape, 0.0005), np.full(truth.shape, 0.95), np.full(truth.shape, 0.0495)]
    )
    found = fitted([likely.astype(np.float32)], [Case("two", truth[..., None], labels=truth)])
    assert not found.kept
    assert found.ece[0] == pytest.approx(0.45, abs=0.01)
    assert found.ece[1] < found.ece[0]


def test_guarantees_that_a_model_has_are_fitted_anew_with_its_temperature(model: Path) -> None:
    flow.calibrate(model, discs(12, seed=1), alphas=(0.1,))
    others = discs(19, seed=3)
    alone = flow.calibrate(shutil.copytree(model, model.parent / "other"), others, alphas=(0.1,))
    found = flow.calibrate(model, others)
    assert found == alone
    assert [(one.alpha, one.groups) for one in flow.load(model).learnt.guarantees] == [(0.1, 19)]
    assert flow.calibrate(model, others, alphas=(0.2,)).thresholds.keys() == {0.2, 0.1}


def test_guarantees_that_cannot_be_fitted_anew_are_gone_and_said_so(model: Path) -> None:
    few = discs(10, seed=1)
    had(model, 1.0, Guarantee(0.1, 0.3, groups=12), Guarantee(0.05, 0.2, groups=30))
    found = flow.calibrate(model, few)
    assert found.gone == (0.05,)
    assert [one.alpha for one in flow.load(model).learnt.guarantees] == [0.1]
    assert found.lines("M")[-1].startswith("alpha 0.05: the guarantee that the model had is gone")
    assert "`delineate calibrate M DATA --alpha 0.05`" in found.lines("M")[-1]
    assert json.loads((model / "model.json").read_text())["calibration"]["temperature"] != 1


def test_nothing_is_gone_where_a_model_had_nothing(model: Path) -> None:
    found = flow.calibrate(model, discs(2, seed=1))
    assert isinstance(found, Calibrated)
    assert (found.gone, found.kept, found.thresholds) == ((), "", {})
