"""The plan follows from the data and the time, says why, and gives way to whoever knows better."""

import json

import numpy as np
import pytest

from delineate.core import Case, DataError
from delineate.learn import Overrides, Plan, decisions, planned
from delineate.learn import planning as module


def case(shape, *, channels=1, dtype=np.uint8, spacing=(), grey=False, objects=None, name="a"):
    rng = np.random.default_rng(len(shape))
    image = rng.integers(0, 200, (*shape, 1 if grey else channels)).astype(dtype)
    image = np.repeat(image, channels, -1) if grey else image
    return Case(name, image, labels=np.ones(shape, np.uint8), spacing=spacing, objects=objects)


def test_crops_are_as_large_as_the_typical_image_up_to_256():
    assert planned([case((100, 90))]).patch == (96, 96)
    assert planned([case((1000, 700))]).patch == (256, 256)
    assert planned([case((20, 20))]).patch == (64, 64)


def test_slices_far_apart_are_learnt_as_pictures_and_others_as_volumes():
    assert planned([case((20, 40, 40), spacing=(10, 1.5, 1.5))]).dims == 2
    assert planned([case((9, 40, 40))]).dims == 2
    volumes = planned([case((40, 60, 50), spacing=(1.2, 1, 1))])
    assert (volumes.dims, volumes.patch) == (3, (48, 64, 64))
    assert "about as far apart" in volumes.reasons["dims"]


def test_volumes_whose_thick_side_is_not_between_slices_are_not_said_to_have_even_voxels():
    plan = planned([case((40, 60, 20), spacing=(1.25, 1.25, 8))])
    assert plan.dims == 3
    assert plan.reasons["dims"].startswith("40 slices of voxels whose longest side is 6.4 times the shortest")


def test_grey_pictures_stored_as_colour_count_as_grey_only_if_all_are():
    assert planned([case((64, 64), channels=3, grey=True)]).channels == 1
    mixed = planned([case((64, 64), channels=3, grey=True), case((64, 64), channels=3)])
    assert (mixed.grey, mixed.channels) == (False, 3)
    assert mixed.normalisation.kind == "percentiles"
    assert "grey and colour images together" in mixed.reasons["normalisation"]


def test_colour_keeps_its_balance_and_everything_else_is_scaled_by_percentiles():
    assert planned([case((64, 64), channels=3)]).normalisation.kind == "fixed"
    blank = Case("blank", np.full((64, 64, 3), 255, np.uint8), labels=np.zeros((64, 64), np.uint8))
    assert planned([case((64, 64), channels=3), blank]).normalisation.kind == "fixed"
    assert planned([case((64, 64), dtype=np.uint16)]).normalisation.kind == "percentiles"


def test_objects_are_learnt_where_ids_are_given_or_when_asked_for():
    ids = np.zeros((64, 64), np.int32)
    ids[4:14, 5:15] = 9
    with_ids = planned([case((64, 64), objects=ids)])
    assert with_ids.objects
    assert with_ids.smallest_object_px == 50
    assert not planned([case((64, 64))]).objects
    assert planned([case((64, 64))], overrides=Overrides(objects=True)).objects


@pytest.mark.parametrize(
    ("minutes", "native", "width", "why"),
    [
        (10, True, 32, "keeps a step short"),
        (10, False, 24, "in 10 minutes on a processor without fast bfloat16 a narrow network learns more"),
        (1, False, 24, "in 1 minute on"),
        (15.5, False, 32, "keeps a step short"),
        (None, False, 32, "keeps a step short"),
        (60, False, 48, "60 minutes on a CPU are enough"),
    ],
)
def test_a_network_is_as_wide_as_the_time_can_teach(monkeypatch, minutes, native, width, why):
    monkeypatch.setattr(decisions.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(decisions, "native_bfloat16", lambda: native)
    plan = planned([case((256, 256))], minutes=minutes)
    assert plan.width == width
    assert why in plan.reasons["width"]


def test_little_memory_means_smaller_batches_and_says_so(monkeypatch):
    free = planned([case((256, 256))])
    monkeypatch.setattr(module, "memory_bytes", lambda: 3 * 3 * 128 * 128 * free.width * 300)
    tight = planned([case((256, 256))])
    assert tight.batch == 3 < free.batch
    assert "third of the memory" in tight.reasons["batch"]


def test_every_item_can_be_overridden_and_says_so():
    wanted = Overrides(
        patch=64,
        batch=3,
        width=5,
        levels=2,
        shuffle=1,
        down="blur",
        up="nearest",
        dims=2,
        normalisation="zscore",
        augmentation="light",
        precision="32-true",
        learning_rate=0.1,
    )
    plan = planned([case((300, 300))], overrides=wanted)
    assert (plan.patch, plan.batch, plan.width, plan.levels, plan.shuffle) == ((64, 64), 3, 5, 2, 1)
    assert (plan.down, plan.up, plan.dims) == ("blur", "nearest", 2)
    assert (plan.normalisation.kind, plan.precision, plan.learning_rate) == ("zscore", "32-true", 0.1)
    assert plan.augmentation == module.AUGMENTATIONS["light"]
    assert plan.reasons["width"] == "as you asked"


def test_a_plan_survives_its_json():
    plan = planned([case((300, 300))], minutes=3)
    assert Plan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize("item", ["down", "up", "normalisation", "augmentation", "precision"])
def test_an_unknown_name_is_refused_with_the_known_ones(item):
    with pytest.raises(DataError, match=f"there is no {item} wild: choose from "):
        planned([case((64, 64))], overrides=Overrides(**{item: "wild"}))


def test_images_with_different_numbers_of_channels_are_refused():
    with pytest.raises(DataError, match="one has 1, two has 2"):
        planned([case((64, 64), name="one"), case((64, 64), channels=2, name="two")])


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"patch": -8}, "patch is -8: give a positive whole number"),
        ({"patch": (16, 64, 64)}, r"patch is \(16, 64, 64\): give a positive whole number"),
        ({"batch": 0}, "batch is 0: give a positive whole number"),
        ({"width": 4.5}, "width is 4.5: give a positive whole number"),
        ({"learning_rate": "fast"}, "learning rate is fast: give a positive number"),
        ({"width": -1}, "width is -1"),
        ({"levels": 0}, "levels is 0"),
        ({"shuffle": 0}, "shuffle is 0"),
        ({"learning_rate": 0.0}, "learning rate is 0.0"),
        ({"dims": 4}, "dims is 4: give 2"),
        ({"dims": 3}, "some images are flat"),
        ({"patch": 16, "levels": 4}, "fewer levels or a larger patch"),
    ],
)
def test_numbers_that_make_no_network_are_refused(wanted, sentence):
    with pytest.raises(DataError, match=sentence):
        planned([case((64, 64))], overrides=Overrides(**wanted))


def test_families_of_conditions_are_kept_with_the_plan_and_older_plans_have_none():
    plan = planned([case((64, 64))], overrides=Overrides(robust=("light", "stain")))
    assert (plan.robust, plan.takes_colour) == (("stain", "light"), True)
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    old = planned([case((64, 64))]).to_json()
    del old["augmentation"]["robust"]
    assert Plan.from_json(old).robust == ()
    with pytest.raises(DataError, match="choose from"):
        planned([case((64, 64))], overrides=Overrides(robust=("weather",)))
