"""A learnt network answers the same however it is asked, and refuses what it cannot read."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from delineate.core import Case, ClassTable, ModelError
from delineate.learn import Learnt, Overrides, Record, UNetMethod, planned
from delineate.learn.answer import answered, feature_maps, ready
from delineate.learn.learnt import network
from delineate.learn.machine import native_bfloat16


@pytest.fixture(scope="module")
def learnt():
    """An untrained network with batch norms that hold statistics of their own, float32."""
    rng = np.random.default_rng(0)
    case = Case(
        "a", rng.random((90, 90, 1)), labels=np.ones((90, 90), np.uint8), objects=np.ones((90, 90), np.int32)
    )
    classes = ClassTable.numbered(3)
    plan = planned([case], overrides=Overrides(width=4, levels=3, precision="32-true"))
    net = network(plan, classes, seed=0).eval()
    generator = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.copy_(torch.rand(module.running_mean.shape, generator=generator) - 0.5)
            module.running_var.copy_(torch.rand(module.running_var.shape, generator=generator) + 0.5)
    return Learnt(net, plan, classes, Record(seed=0))


def test_of_a_tile_only_what_is_kept_is_asked_for_and_of_a_whole_image_all(learnt):
    class Parts:
        def __init__(self):
            self.asked, self.inner = [], learnt.net

        def __call__(self, batch):
            self.asked.append("all")
            return self.inner(batch).detach()

        def part(self, batch, keep):
            self.asked.append("part")
            return self.inner.part(batch, keep).detach()

    image = np.random.default_rng(2).random((101, 143, 1))
    engine = Parts()
    whole = answered(replace(learnt, engine=engine), image)
    cut = answered(replace(learnt, engine=engine), image, tile=64)
    assert engine.asked == ["all"] + 6 * ["part"]
    np.testing.assert_allclose(cut, whole, atol=1e-4)


@pytest.mark.parametrize("size", [(101, 143), (64, 64), (37, 200)])
def test_tiles_of_any_size_give_the_whole_image(learnt, size):
    image = np.random.default_rng(1).random((*size, 1))
    whole = answered(learnt, image)
    assert whole.shape == (5, *size)
    for tile in (16, 50, 128):
        np.testing.assert_allclose(answered(learnt, image, tile=tile), whole, atol=1e-4)


def test_probabilities_sum_to_one_and_offsets_are_told_in_pixels(learnt):
    answer = answered(learnt, np.random.default_rng(2).random((33, 35, 1)))
    np.testing.assert_allclose(answer[:3].sum(0), 1, atol=1e-5)
    assert answer.shape[0] == 5
    twice = replace(learnt, plan=replace(learnt.plan, object_radius_px=2 * learnt.plan.object_radius_px))
    np.testing.assert_allclose(
        answered(twice, np.random.default_rng(2).random((33, 35, 1)))[3:], 2 * answer[3:], atol=1e-5
    )


def test_averaged_over_flips_a_mirrored_image_gets_the_mirrored_answer(learnt):
    image = np.random.default_rng(3).random((40, 44, 1))
    there = answered(learnt, image, flips=True)
    back = answered(learnt, image[::-1, ::-1], flips=True)[:, ::-1, ::-1]
    back[3:] *= -1  # offsets point the other way in a mirror
    np.testing.assert_allclose(back, there, atol=1e-5)
    assert np.abs(answered(learnt, image[::-1])[:, ::-1] - answered(learnt, image)).max() > 1e-3


def test_a_stack_is_answered_slice_by_slice(learnt):
    stack = np.random.default_rng(4).random((3, 30, 31, 1))
    assert answered(learnt, stack).shape == (5, 3, 30, 31)


def test_the_image_is_not_changed(learnt):
    image = np.random.default_rng(5).random((20, 21, 1)).astype(np.float32)
    before = image.copy()
    answered(learnt, image, flips=True)
    np.testing.assert_array_equal(image, before)


def test_bfloat16_stays_near_float32(learnt):
    image = np.random.default_rng(6).random((64, 64, 1))
    if not native_bfloat16():
        pytest.skip("this machine has no bfloat16")
    low = answered(replace(learnt, plan=replace(learnt.plan, precision="bf16-mixed")), image)
    error = np.abs(low - answered(learnt, image))
    assert 0 < error[:3].max() < 0.05
    assert error[3:].max() < 0.05 * learnt.plan.object_radius_px


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [((20, 20, 2), "2 channels"), ((20, 20), "2 spatial axes"), ((0, 20, 1), "has shape")],
)
def test_an_image_that_does_not_fit_is_refused(learnt, shape, sentence):
    with pytest.raises(ModelError, match=sentence):
        answered(learnt, np.zeros(shape))


def test_tiles_without_pixels_are_refused(learnt):
    with pytest.raises(ModelError, match="tiles of 0 pixels"):
        answered(learnt, np.zeros((20, 20, 1)), tile=0)


def test_colour_is_read_by_its_dye_where_other_stains_were_learnt(learnt):
    stained = np.full((40, 44, 3), 235, np.uint8)
    stained[10:30, 10:30] = 90, 60, 140
    with pytest.raises(ModelError, match="3 channels but the model was trained on 1"):
        answered(learnt, stained)
    plan = replace(learnt.plan, augmentation=replace(learnt.plan.augmentation, robust=("stain",)))
    assert answered(replace(learnt, plan=plan), stained).shape == (5, 40, 44)
    shown = ready(plan, stained)
    assert shown.shape == (1, 40, 44)
    assert shown[0, 20, 20] > shown[0, 0, 0]  # dark violet nuclei become bright ones
    grey = np.repeat(stained[..., :1], 3, -1)
    assert torch.equal(ready(plan, grey), ready(plan, grey[..., :1]))


def test_feature_maps_are_named_by_their_blocks(learnt):
    maps = feature_maps(learnt, np.zeros((40, 40, 1)))
    assert list(maps) == ["encoder 0", "encoder 1", "encoder 2", "decoder 1", "decoder 0"]
    assert maps["encoder 2"].shape == (16, 5, 5)


def test_a_saved_model_answers_as_before(learnt, tmp_path):
    image = np.random.default_rng(7).random((30, 30, 1))
    method = UNetMethod.of(learnt)
    method.save(tmp_path / "m")
    np.testing.assert_array_equal(UNetMethod.load(tmp_path / "m").predict(image), method.predict(image))


def test_touching_objects_of_two_classes_are_two_objects(learnt, monkeypatch):
    likely = np.zeros((5, 20, 20), np.float32)
    likely[1, 5:15, 4:10] = likely[2, 5:15, 10:16] = 1
    likely[0] = 1 - likely[1] - likely[2]
    likely[3], likely[4] = 10 - np.indices((20, 20))  # all aim at one place
    monkeypatch.setattr("delineate.learn.unet.answered", lambda *_, **__: likely)
    every_size = replace(learnt, plan=replace(learnt.plan, smallest_object_px=0))
    _, ids = UNetMethod.of(every_size).outline(np.zeros((20, 20, 1)))
    assert np.unique(ids).tolist() == [0, 1, 2]
    assert ids[10, 6] != ids[10, 13]
