"""What every method promises, be it a threshold or a network: `core.Method`, held by examples."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch

from delineate import flow
from delineate.classical import (
    ChanVese,
    Geodesic,
    Hysteresis,
    Li,
    LocalMean,
    MultiOtsu,
    Otsu,
    RandomWalker,
    Sauvola,
    Snake,
    TextureBoosting,
    TextureForest,
    Triangle,
    Watershed,
)
from delineate.core import Case, ClassTable, DataError, Method, ModelError, NotFittedError
from delineate.learn import Overrides, UNetMethod


def small_unet(classes: ClassTable | None = None) -> UNetMethod:
    """A U-Net that is taught in a second or two."""
    tiny = Overrides(patch=32, batch=4, width=8, levels=2, shuffle=1, precision="32-true")
    return UNetMethod(classes, steps=60, overrides=tiny)


METHODS = [
    small_unet,
    Otsu,
    MultiOtsu,
    Li,
    Triangle,
    LocalMean,
    Sauvola,
    Hysteresis,
    Watershed,
    Snake,
    ChanVese,
    Geodesic,
    TextureForest,
    TextureBoosting,
    RandomWalker,
]
"""Factories: called with a class table, each gives a method that is not fitted."""

CLASSES = ClassTable(("background", "blob"), ((0, 0, 0), (1, 2, 3)))


@pytest.fixture(params=METHODS, ids=lambda factory: factory.__name__)
def factory(request):
    return request.param


@cache
def fitted(factory: Callable[..., Method], kind: str) -> Method:
    """A method that learnt from CASES[kind] once for all tests, none of which fits it again."""
    return factory(CLASSES).fit(CASES[kind])


def blobs(*spatial, channels=1, seed=0, dtype=np.uint8):
    """A noisy picture with two bright boxes, its labels, and a corner about which nobody said anything."""
    generator = np.random.default_rng(seed)
    labels = np.zeros(spatial, np.uint8)
    labels[(..., slice(3, 12), slice(4, 11))] = 1
    labels[(..., slice(-9, -2), slice(-8, -1))] = 1
    grey = 60 + 120 * labels + generator.normal(0, 6, spatial)
    image = np.repeat(grey[..., None], channels, axis=-1).clip(0, 255).astype(dtype)
    labels[..., :2, :2] = 255
    return Case(f"blobs {seed}", image, labels=labels)


def made():
    """What there is to learn from, by kind; the same at each call."""
    return {
        "2D": [blobs(32, 32), blobs(40, 30, seed=1)],
        "RGB": [blobs(32, 32, channels=3), blobs(40, 30, channels=3, seed=1)],
        "3D": [blobs(8, 24, 24), blobs(6, 32, 24, seed=1)],
        "16-bit": [blobs(32, 32, dtype=np.uint16)],
        "float": [blobs(32, 32, dtype=np.float32)],
    }


CASES = made()


@pytest.fixture(params=CASES)
def kind(request):
    return request.param


@pytest.fixture
def cases(kind):
    return CASES[kind]


def test_every_method_that_has_a_name_is_held_to_this():
    assert {factory.name for factory in METHODS if factory is not small_unet} | {"unet"} == set(flow.METHODS)


def test_it_is_a_method(factory):
    assert isinstance(factory(CLASSES), Method)


def test_it_learns_to_tell_bright_boxes_from_the_ground(factory, kind, cases):
    new = blobs(*cases[0].spatial, channels=cases[0].channels, seed=9, dtype=cases[0].image.dtype)
    predicted = fitted(factory, kind).predict(new.image).argmax(0)
    said = new.labels != 255
    assert (predicted == new.labels)[said].mean() > 0.95


def test_an_image_of_booleans_is_an_image(factory):
    grey = blobs(32, 32)
    case = Case("bits", grey.image > 120, labels=grey.labels)
    predicted = factory(CLASSES).fit([case]).predict(case.image).argmax(0)
    assert (predicted == case.labels)[case.labels != 255].mean() > 0.9


def test_it_gives_float32_probabilities_that_sum_to_one_and_keeps_odd_sizes(factory, kind, cases):
    method = fitted(factory, kind)
    odd = (*cases[0].spatial[:-2], 37, 29)
    probabilities = method.predict(blobs(*odd, channels=cases[0].channels, seed=3).image)
    assert probabilities.dtype == np.float32
    assert probabilities.shape == (2, *odd)
    assert probabilities.min() >= 0
    np.testing.assert_allclose(probabilities.sum(0), 1, atol=1e-5)


def test_fitted_twice_it_is_the_same(factory, kind, cases):
    image = blobs(*cases[0].spatial, channels=cases[0].channels, seed=4).image
    first = fitted(factory, kind).predict(image)
    np.testing.assert_array_equal(copy.deepcopy(fitted(factory, kind)).fit(cases).predict(image), first)
    np.testing.assert_array_equal(factory(CLASSES).fit(cases).predict(image), first)


def test_what_it_learnt_before_does_not_linger(factory):
    inverted = [Case("dark", 255 - case.image, labels=case.labels) for case in CASES["2D"]]
    image = blobs(33, 31, seed=5).image
    method = factory(CLASSES).fit(inverted).fit(CASES["2D"])
    np.testing.assert_array_equal(method.predict(image), fitted(factory, "2D").predict(image))


def test_it_leaves_images_and_labels_alone(factory, kind, cases):
    image = cases[0].image.copy()
    image.flags.writeable = False
    fitted(factory, kind).predict(image)
    for case, same in zip(cases, made()[kind], strict=True):
        np.testing.assert_array_equal(case.image, same.image)
        np.testing.assert_array_equal(case.labels, same.labels)


def test_before_fit_it_neither_predicts_nor_saves(factory, tmp_path):
    with pytest.raises(NotFittedError, match=r"call fit\(cases\) first"):
        factory(CLASSES).predict(CASES["2D"][0].image)
    with pytest.raises(NotFittedError, match=r"call fit\(cases\) first"):
        factory(CLASSES).save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_saved_and_loaded_it_predicts_the_same_classes(factory, kind, cases, tmp_path):
    image = blobs(*cases[0].spatial, channels=cases[0].channels, seed=6).image
    method = fitted(factory, kind)
    method.save(tmp_path / "new" / "model")
    loaded = type(method).load(tmp_path / "new" / "model")
    np.testing.assert_array_equal(loaded.predict(image), method.predict(image))
    assert loaded.classes == CLASSES
    assert loaded.name == method.name


def test_a_missing_or_damaged_model_is_refused(factory, tmp_path):
    method = fitted(factory, "2D")
    folder = tmp_path / "model"
    with pytest.raises(ModelError):
        type(method).load(folder)
    method.save(folder)
    text = (folder / "model.json").read_text()
    newer = re.sub(r'"version": \d+', '"version": 99', text, count=1)
    for damaged in ("", text[: len(text) // 2], "[]", "{}", newer):
        (folder / "model.json").write_text(damaged)
        with pytest.raises(ModelError, match=r"model\.json"):
            type(method).load(folder)


def test_an_image_with_another_channel_count_is_refused(factory):
    method = fitted(factory, "RGB")
    with pytest.raises(ModelError, match="channels"):
        method.predict(blobs(32, 32, channels=2).image)


@pytest.mark.parametrize(
    ("odd", "remedy"),
    [
        (lambda image: image.tolist(), "give a NumPy array"),
        (torch.from_numpy, "give a NumPy array"),
        (lambda image: image.astype(complex), r"give real numbers, such as np\.abs"),
        (lambda image: np.ma.masked_less(image, 100), "fill what is masked"),
    ],
    ids=["list", "tensor", "complex", "masked"],
)
def test_what_is_no_array_of_real_numbers_is_refused_with_a_remedy(factory, odd, remedy):
    with pytest.raises(DataError, match=remedy):
        fitted(factory, "2D").predict(odd(blobs(32, 32).image))


@pytest.mark.parametrize("shape", [(), (32, 32), (0, 32, 1)])
def test_an_image_without_a_channel_axis_or_without_pixels_is_refused(factory, shape):
    with pytest.raises(ModelError, match="has shape"):
        fitted(factory, "2D").predict(np.ones(shape))


def test_a_grey_image_that_is_stored_in_colour_is_a_grey_image(factory):
    method, grey = fitted(factory, "2D"), blobs(32, 32, seed=5).image
    np.testing.assert_array_equal(method.predict(grey.repeat(3, axis=-1)), method.predict(grey))


def test_what_learnt_from_grey_images_stored_in_colour_takes_grey_ones(factory):
    method, grey = fitted(factory, "RGB"), blobs(32, 32, seed=5).image
    np.testing.assert_array_equal(method.predict(grey), method.predict(grey.repeat(3, axis=-1)))


def test_cases_may_come_one_after_the_other_and_one_alone_is_told_to_come_in_a_list():
    assert flow.train((blobs(32, 32, seed=seed) for seed in range(2)), method="otsu").name == "otsu"
    with pytest.raises(DataError, match=r"give \[case\]"):
        flow.train(blobs(32, 32), method="otsu")
