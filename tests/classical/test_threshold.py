"""What the labels teach a threshold, on pictures small enough to see the answer."""

from __future__ import annotations

import json

import numpy as np
import pytest
from skimage.color import hed2rgb
from skimage.filters import threshold_otsu

from delineate.classical import Hysteresis, LocalMean, MultiOtsu, Otsu, Sauvola, Triangle
from delineate.core import Case, ClassTable, DataError, ModelError

SQUARE = np.zeros((16, 16), np.uint8)
SQUARE[5:11, 4:12] = 1


def case(image, labels=SQUARE, name="square"):
    return Case(name, image if image.ndim > labels.ndim else image[..., None], labels=labels)


def test_bright_objects_are_above_and_dark_ones_below():
    picture = np.where(SQUARE, 200, 30).astype(np.uint8)
    bright, dark = Otsu().fit([case(picture)]), Otsu().fit([case(255 - picture)])
    assert bright.settings.bright
    assert not dark.settings.bright
    np.testing.assert_array_equal(bright.predict(picture[..., None])[1], SQUARE)
    np.testing.assert_array_equal(dark.predict(255 - picture[..., None])[1], SQUARE)


def test_the_threshold_is_that_of_each_image_and_of_otsu():
    generator = np.random.default_rng(0)
    picture = np.where(SQUARE, 150, 100) + generator.integers(-30, 30, SQUARE.shape)
    method = Otsu().fit([case(np.where(SQUARE, 200, 30))])
    for brightness in (0, 1000):
        predicted = method.predict((picture + brightness)[..., None])[1]
        np.testing.assert_array_equal(predicted, picture > threshold_otsu(picture))


def test_the_channel_that_shows_the_objects_is_chosen():
    stripes = (np.indices(SQUARE.shape)[1] % 4 < 2) * 200
    image = np.stack([stripes, 20 * SQUARE, stripes // 2], axis=-1).astype(np.uint8)
    method = Otsu().fit([case(image)])
    assert method.settings.look.channels == (1,)
    np.testing.assert_array_equal(method.predict(image)[1], SQUARE)


def test_channels_that_are_constant_or_repeated_are_not_averaged():
    grey = 100 * SQUARE
    image = np.stack([grey, grey, grey, np.full_like(grey, 255)], axis=-1)  # a grey picture saved as RGBA
    assert Otsu().fit([case(image)]).settings.look.channels == (0,)


def test_the_stain_that_shows_the_objects_is_chosen():
    rng = np.random.default_rng(0)
    large = np.kron(SQUARE, np.ones((3, 3), np.uint8))
    hematoxylin = rng.uniform(0.02, 0.25, large.shape)  # beside it, in the same colours but red
    stains = np.stack([hematoxylin, 0.05 + 0.08 * large, 0 * hematoxylin], axis=-1)
    image = (255 * hed2rgb(stains)).round().astype(np.uint8)
    method = Otsu().fit([case(image, large)])
    assert method.settings.look.stain == "eosin"
    assert (method.predict(image)[1] == large).mean() > 0.98


@pytest.mark.parametrize("method", [LocalMean, Sauvola])
def test_a_local_threshold_does_not_mind_uneven_light(method):
    large = np.tile(SQUARE, (6, 6))
    light = np.linspace(30, 200, large.shape[1])
    image = (light * (1 + 0.4 * large)).clip(0, 255).astype(np.uint8)
    fitted = method().fit([case(image, large)])
    found = fitted.predict(image[..., None])[1]
    plain = Otsu().fit([case(image, large)]).predict(image[..., None])[1]
    assert (found == large).mean() > 0.97 > 0.9 > (plain == large).mean()


def test_two_thresholds_keep_what_is_connected_with_something_bright():
    image = np.full((20, 20), 20, np.uint8)
    image[3:8, 3:15] = 90
    image[4:6, 4:6] = 220
    image[14:17, 3:15] = 90  # as bright, but without a bright middle
    labels = np.zeros_like(image)
    labels[3:8, 3:15] = 1
    found = Hysteresis().fit([case(image, labels)]).predict(image[..., None])[1]
    np.testing.assert_array_equal(found, labels)


def test_levels_between_two_thresholds_can_be_the_objects():
    image = np.where(SQUARE, 120, 30).astype(np.uint8)
    image[:2] = 240
    method = MultiOtsu().fit([case(image)])
    assert method.settings.meaning[0] == method.settings.meaning[-1] == 0
    np.testing.assert_array_equal(method.predict(image[..., None])[1], SQUARE)


def test_a_correction_can_save_a_threshold_that_lies_too_low():
    noise = np.random.default_rng(3).normal(0, 12, (64, 64))
    large = np.kron(SQUARE, np.ones((4, 4), np.uint8))
    image = (60 + 120 * large + noise).clip(0, 255)
    method = Triangle().fit([case(image, large)])
    assert (method.predict(image[..., None])[1] == large).mean() > 0.98


def test_noise_calls_for_smoothing_and_a_clean_picture_does_not():
    large = np.kron(SQUARE, np.ones((6, 6), np.uint8))
    noise = np.random.default_rng(1).normal(0, 60, large.shape)
    assert Otsu().fit([case(50.0 * large + noise, large)]).settings.look.sigma_px > 0
    assert Otsu().fit([case(50.0 * large, large)]).settings.look.sigma_px == 0


def test_planes_of_a_stack_are_not_mixed():
    flickering = np.stack([SQUARE, 0 * SQUARE] * 4) * 100
    noise = np.random.default_rng(2).normal(0, 60, flickering.shape)
    labels = (flickering > 0).astype(np.uint8)
    method = Otsu().fit([case(flickering + noise, labels)])
    assert method.settings.look.sigma_px > 0
    predicted = method.predict((flickering + noise)[..., None])[1]
    assert predicted[::2].sum() > 5 * predicted[1::2].sum()


def test_unlabelled_pixels_do_not_vote():
    clean, ragged, labels = 200 * SQUARE, 200 * SQUARE, SQUARE.copy()
    clean[:4] = 200  # bright as the objects, but nobody said what it is
    labels[:4] = 255
    ragged[:, 4] = 0
    image = np.stack([clean, ragged], axis=-1)
    predicted = Otsu().fit([case(image, labels)]).predict(image)[1]
    np.testing.assert_array_equal(predicted[4:], SQUARE[4:])


@pytest.mark.parametrize("value", [0, 7, 255])
@pytest.mark.parametrize("bright", [True, False])
def test_a_constant_image_is_all_background(value, bright):
    method = Otsu().fit([case(np.where(SQUARE, *((200, 30) if bright else (30, 200))))])
    assert method.settings.bright == bright
    probabilities = method.predict(np.full((5, 7, 1), value, np.uint8))
    assert (probabilities[0] == 1).all()
    assert (probabilities[1] == 0).all()


def test_it_can_be_fitted_on_nothing_but_black_images():
    method = Otsu().fit([case(np.zeros((16, 16), np.uint8), 0 * SQUARE)])
    assert method.predict(np.zeros((4, 4, 1)))[1].sum() == 0


def test_cases_without_labels_are_passed_over():
    picture = np.where(SQUARE, 30, 200)
    unlabelled = [Case("none", picture[..., None]), case(picture, np.full_like(SQUARE, 255), "blank")]
    assert not Otsu().fit([*unlabelled, case(picture)]).settings.bright
    with pytest.raises(DataError, match="none of 2 cases has a labelled pixel"):
        Otsu().fit(unlabelled)
    with pytest.raises(DataError, match="none of 0 cases"):
        Otsu().fit([])


def test_more_than_two_classes_are_refused():
    with pytest.raises(
        DataError, match=r"two classes apart but there are 3 \(background, a, b\): train a U-Net"
    ):
        Otsu(ClassTable(("background", "a", "b")))
    with pytest.raises(DataError, match="labels of heart hold class 2"):
        Otsu().fit([case(SQUARE, 2 * SQUARE, "heart")])


def test_images_of_different_channel_counts_are_refused():
    with pytest.raises(DataError, match="image b has 3 channels but a has 1"):
        Otsu().fit([case(SQUARE, name="a"), case(np.stack([SQUARE, SQUARE, 0 * SQUARE], axis=-1), name="b")])


def test_grey_images_are_learnt_from_together_however_they_are_stored():
    in_colour = case(np.stack([SQUARE] * 3, axis=-1), name="b")
    assert Otsu().fit([case(SQUARE, name="a"), in_colour]).settings.look.in_channels == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_pixels_that_are_not_finite_are_refused(bad):
    image = np.where(SQUARE, 200.0, 30.0)[..., None]
    method = Otsu().fit([case(image)])
    image[0, 0] = bad
    with pytest.raises(DataError, match="the image has 1 pixels that are NaN or infinite"):
        method.predict(image)
    with pytest.raises(DataError, match="image square has 1 pixels"):
        Otsu().fit([case(image)])


@pytest.mark.parametrize(
    "settings",
    [
        {"look": {"channels": [5]}},
        {"look": {"channels": []}},
        {"look": {"channels": ["a"]}},
        {"look": {"sigma_px": -1}},
        {"look": {"sigma_px": None}},
        {"look": {"stain": "ink"}},
        {"bright": "yes"},
        {"surprise": 1},
    ],
)
def test_tampered_settings_are_refused(tmp_path, settings):
    Otsu().fit([case(100 * SQUARE)]).save(tmp_path)
    about = json.loads((tmp_path / "model.json").read_text())
    about["settings"]["look"] |= settings.get("look", {})
    about["settings"] |= {key: value for key, value in settings.items() if key != "look"}
    (tmp_path / "model.json").write_text(json.dumps(about))
    with pytest.raises(ModelError, match="restore it from a copy or fit again"):
        Otsu.load(tmp_path)
