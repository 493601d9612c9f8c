"""The 8-bit version of a model: made from images, judged on others, kept only where it is good."""

import json
import shutil

import numpy as np
import pytest
import torch

from delineate import flow
from delineate.core import Case, ClassTable, DataError, ModelError
from delineate.inference.engines.openvino import compiled
from delineate.learn import Overrides, UNetMethod
from delineate.learn.int8 import Cost, even_graph, opened_int8, quantised
from delineate.nets import UNet, folded

pytest.importorskip("nncf", reason="nncf is not installed")


def blob(seed):
    rng = np.random.default_rng(seed)
    labels = np.zeros((48, 48), np.uint8)
    row, column = rng.integers(4, 28, 2)
    labels[row : row + 14, column : column + 12] = 1
    grey = 60 + 120 * labels + rng.normal(0, 6, labels.shape)
    return Case(f"blob {seed}", grey.clip(0, 255).astype(np.uint8)[..., None], labels=labels)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A model folder with its 8-bit version, and what that costs."""
    folder = tmp_path_factory.mktemp("int8") / "model"
    tiny = Overrides(patch=32, batch=4, width=8, levels=2, shuffle=1, precision="32-true")
    method = UNetMethod(ClassTable(("ground", "blob")), steps=100, overrides=tiny)
    method.fit([blob(i) for i in range(4)]).save(folder)
    cost = flow.quantise(folder, [blob(i) for i in range(10, 16)])
    return folder, cost


def test_what_8_bits_cost_is_measured_and_stored(made):
    folder, cost = made
    assert cost.cases == 3  # the other three calibrated
    assert 0.8 < cost.dice_float32 <= 1
    assert abs(cost.lost) <= 0.003
    stored = json.loads((folder / "int8.json").read_text())
    assert stored["dice_int8"] == cost.dice_int8


def test_a_model_predicts_with_its_8_bits_and_says_what_they_cost(made):
    folder, cost = made
    method = UNetMethod.load(folder)
    image = blob(20).image
    plain = method.predict(image)
    said = []
    assert method.use_engine("int8", tell=said.append) == "int8"
    assert said == [str(cost)]
    low = method.predict(image)
    assert np.abs(low - plain).max() > 0
    assert (low.argmax(0) != plain.argmax(0)).mean() < 0.01
    np.testing.assert_array_equal(method.predict(image), low)


def test_a_model_without_8_bits_says_how_to_make_them(made, tmp_path):
    method = UNetMethod.load(made[0])
    method.save(tmp_path / "plain")
    with pytest.raises(ModelError, match="delineate quantise MODEL DATA"):
        UNetMethod.load(tmp_path / "plain").use_engine("int8")
    with pytest.raises(ModelError, match="delineate quantise MODEL DATA"):
        UNetMethod.of(method.learnt).use_engine("int8")


def test_8_bits_of_other_weights_or_damaged_ones_are_refused(made, tmp_path):
    folder = shutil.copytree(made[0], tmp_path / "model")
    learnt = UNetMethod.load(folder).learnt
    (folder / "int8.bin").write_bytes(b"other")
    with pytest.raises(ModelError, match="other weights"):
        opened_int8(learnt, folder)
    (folder / "int8.json").write_text("[]")
    with pytest.raises(ModelError, match="cannot be read"):
        opened_int8(learnt, folder)


def test_where_more_is_lost_than_allowed_nothing_is_kept(made, tmp_path):
    folder = UNetMethod.load(made[0]).save(tmp_path / "model")
    learnt = UNetMethod.load(folder).learnt
    verdicts = iter([0.9, 0.8])  # float32 is judged first
    with pytest.raises(ModelError, match=r"0\.003 is lost"):
        quantised(learnt, folder, [blob(0), blob(1)], judge=lambda *_: next(verdicts))
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "weights.safetensors"]


def test_one_image_is_too_few(made):
    folder, _ = made
    with pytest.raises(DataError, match="two or more"):
        quantised(UNetMethod.load(folder).learnt, folder, [blob(0)], judge=lambda *_: 1.0)


def test_a_cost_is_a_sentence():
    assert str(Cost(0.91, 0.9085, 0.002, 7)) == (
        "int8: Dice 0.9085, float32: 0.9100, on 7 images; 0.20% of the pixels change their class"
    )


@pytest.mark.parametrize("up", ["linear", "transposed"])
@pytest.mark.parametrize(("dims", "shuffle", "down"), [(2, 1, "max"), (2, 2, "blur"), (3, 1, "max")])
def test_at_multiples_of_the_divisor_the_even_graph_is_the_network(dims, shuffle, down, up):
    net = folded(UNet(1, 3, dims=dims, width=4, levels=3, shuffle=shuffle, down=down, up=up))
    with torch.no_grad():
        net.head.weight *= 20
    even = compiled(even_graph(net, torch.zeros(1, 1, *(16,) * dims)), low=False)
    batch = torch.randn(2, 1, *(16, 24, 32)[:dims])
    with torch.inference_mode():
        torch.testing.assert_close(even(batch), net(batch), atol=1e-4, rtol=1e-4)


def test_an_odd_image_in_8_bits_stays_near_the_network(made):
    method = UNetMethod.load(made[0])
    image = blob(21).image[:37, :43]
    plain = method.predict(image)
    method.use_engine("int8")
    low = method.predict(image)
    assert low.shape == plain.shape
    assert (low.argmax(0) != plain.argmax(0)).mean() < 0.01
    np.testing.assert_allclose(method.predict(image, tile=16), low, atol=1e-4)
