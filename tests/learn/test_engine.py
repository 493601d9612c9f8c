"""Which engine is chosen, what is said of it, and that it is remembered."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from delineate.core import Case, ClassTable, ModelError
from delineate.inference.engines import installed
from delineate.learn import Learnt, Overrides, Record, UNetMethod, planned
from delineate.learn import engine as module
from delineate.learn.answer import answered, ready
from delineate.learn.engine import chosen, engine_of, weights_print
from delineate.learn.learnt import network
from delineate.learn.machine import native_bfloat16


def made(*, dims=2, objects=True, seed=0, precision="32-true"):
    """A network that is sure of most pixels, as a taught one is."""
    rng = np.random.default_rng(0)
    shape = (90, 90) if dims == 2 else (20, 40, 40)
    case = Case(
        "a", rng.random((*shape, 1)), labels=np.ones(shape, np.uint8), objects=np.ones(shape, np.int32)
    )
    wanted = Overrides(width=4, levels=2, precision=precision, dims=dims, objects=objects, shuffle=2)
    plan, classes = planned([case], overrides=wanted), ClassTable.numbered(2)
    net = network(plan, classes, seed=seed).eval()
    with torch.no_grad():
        net.head.weight[: 2 * 2**dims] *= 10
    return Learnt(net, plan, classes, Record(seed=0))


@pytest.fixture
def learnt():
    return made()


def picture(learnt, *spatial):
    return ready(learnt.plan, np.random.default_rng(3).random((*spatial, 1)))


def test_the_choice_is_said_once_and_remembered(learnt, tmp_path):
    said = []
    first = chosen(learnt, picture(learnt, 60, 70), tell=said.append, cache=tmp_path)
    assert len(said) == 1
    assert first.name in said[0]
    assert "pixels change their class against torch in float32" in said[0]
    again = chosen(learnt, picture(learnt, 80, 70), tell=said.append, cache=tmp_path)
    assert len(said) == 1
    assert (again.name, again.low) == (first.name, first.low)
    window = torch.rand(1, 1, 20, 22)
    assert torch.equal(again.engine(window), first.engine(window))


def test_another_network_is_tried_anew(learnt, tmp_path):
    said = []
    for one in (learnt, made(seed=1)):
        chosen(one, picture(one, 40, 40), tell=said.append, cache=tmp_path)
    assert len(said) == 2
    assert len(list(tmp_path.glob("*.json"))) == 2
    assert weights_print(learnt) != weights_print(made(seed=1))


def test_a_damaged_memory_is_made_anew(learnt, tmp_path):
    chosen(learnt, picture(learnt, 40, 40), cache=tmp_path)
    [path] = tmp_path.glob("*.json")
    for text in ("[]", '{"engine": "abacus", "low": false}'):
        path.write_text(text)
        said = []
        chosen(learnt, picture(learnt, 40, 40), tell=said.append, cache=tmp_path)
        assert len(said) == 1
        assert json.loads(path.read_text())["trials"]


@pytest.mark.parametrize("name", ["openvino"])
def test_a_conversion_is_kept_and_a_damaged_one_made_again(learnt, tmp_path, monkeypatch, name):
    if not installed(name):
        pytest.skip(f"{name} is not installed")
    window = torch.rand(1, 1, 20, 22)
    first = engine_of(learnt, name, keep=tmp_path / "a.json")(window)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", "a.xml"]
    with monkeypatch.context() as patched:
        patched.setattr(f"delineate.inference.engines.{name}.graph", None)  # not converted again
        assert torch.equal(engine_of(learnt, name, keep=tmp_path / "a.json")(window), first)
    (tmp_path / "a.xml").write_text("<net")
    assert torch.equal(engine_of(learnt, name, keep=tmp_path / "a.json")(window), first)


def test_a_home_that_cannot_be_written_to_does_no_harm(learnt, tmp_path):
    (tmp_path / "file").write_text("")
    assert chosen(learnt, picture(learnt, 40, 40), cache=tmp_path / "file" / "folder").name


def test_where_no_engine_agrees_torch_in_float32_is_taken(learnt, tmp_path, monkeypatch):
    real = module.engine_of

    def wrong(learnt, name="torch", *, low=None, keep=None):
        engine = real(learnt, name, low=low)
        return engine if name == "torch-float32" else lambda batch: -engine(batch)

    monkeypatch.setattr(module, "engine_of", wrong)
    monkeypatch.setattr(module, "low_precision", lambda _: True)
    said = []
    found = chosen(learnt, picture(learnt, 40, 40), tell=said.append, cache=tmp_path)
    assert (found.name, found.low) == ("torch-float32", False)
    assert said[-1] == "no engine agrees with torch in float32, so that is taken"
    assert all(sentence.startswith("not taken: ") for sentence in said[:-1])


def test_whatever_is_chosen_the_answer_stays_that_of_torch_in_float32(tmp_path):
    low = made(precision="bf16-mixed") if native_bfloat16() else made()
    image = np.random.default_rng(5).random((90, 101, 1))
    found = chosen(low, ready(low.plan, image), cache=tmp_path)
    expected = answered(replace(low, plan=replace(low.plan, precision="32-true")), image)
    answer = answered(replace(low, engine=found.engine), image)
    assert (answer[:2].argmax(0) != expected[:2].argmax(0)).mean() < 0.005
    np.testing.assert_allclose(answer[:2], expected[:2], atol=0.1)


@pytest.mark.parametrize("name", ["torch", "openvino"])
def test_tiles_give_the_whole_image_on_every_engine(learnt, name):
    if not installed(name):
        pytest.skip(f"{name} is not installed")
    image = np.random.default_rng(6).random((101, 143, 1))
    learnt = replace(learnt, engine=engine_of(learnt, name))
    whole = answered(learnt, image)
    np.testing.assert_allclose(answered(learnt, image, tile=32), whole, atol=1e-4)


def test_a_stack_read_slice_by_slice_and_a_volume_are_tried_on_their_middle(tmp_path):
    flat, deep = made(), made(dims=3)
    assert chosen(flat, picture(flat, 3, 40, 40), cache=tmp_path).name
    assert chosen(deep, picture(deep, 9, 30, 31), cache=tmp_path).name


def test_a_method_predicts_with_the_engine_that_it_was_told_to_use(learnt):
    method = UNetMethod.of(learnt)
    image = np.random.default_rng(7).random((33, 35, 1))
    before = method.predict(image)
    if installed("openvino"):
        assert method.use_engine("openvino") == "openvino"
        np.testing.assert_allclose(method.predict(image), before, atol=1e-4)
    with pytest.raises(ModelError, match="no engine abacus"):
        method.use_engine("abacus")
