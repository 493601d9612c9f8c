"""Other light and other dyes change what they should, and leave the image's kind and the image itself alone."""

from __future__ import annotations

import numpy as np
import pytest

from delineate.data.conditions import CONDITIONS, another_stain, blur, gamma, noise, uneven_light


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(12, 15, 1), (12, 15, 3), (4, 12, 15, 2)])
@pytest.mark.parametrize("name", CONDITIONS)
def test_an_image_stays_of_its_kind_and_changes(name, shape, dtype):
    image = np.random.default_rng(0).integers(20, 200, shape).astype(dtype)
    before = image.copy()
    changed = CONDITIONS[name](image)
    assert (changed.shape, changed.dtype) == (image.shape, image.dtype)
    np.testing.assert_array_equal(image, before)
    assert (changed != image).any()


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_flat_image_is_no_reason_to_stop(name):
    assert np.isfinite(CONDITIONS[name](np.full((6, 7, 3), 9, np.uint8))).all()


def test_light_falls_off_by_the_factor_that_is_said():
    lit = uneven_light(np.full((5, 7, 1), 100.0), darkest=0.2)
    assert lit[0, 0, 0] == pytest.approx(100)
    assert lit[-1, -1, 0] == pytest.approx(20)


def test_gamma_keeps_the_ends():
    image = np.array([10, 60, 110], np.uint8).reshape(1, 3, 1)
    assert gamma(image, exponent=0.5).ravel().tolist() == [10, 81, 110]


def test_noise_has_the_strength_that_is_said_and_grey_stays_grey():
    image = np.repeat(np.linspace(0, 1, 40_000).reshape(200, 200, 1), 3, -1)
    added = noise(image, share=0.1) - image
    assert added.std() == pytest.approx(0.098, abs=0.003)
    assert (added == added[..., :1]).all()


def test_blur_stays_within_its_plane():
    stack = np.zeros((3, 9, 9, 1))
    stack[1, 4, 4] = 1
    assert blur(stack)[[0, 2]].max() == 0


def test_another_stain_turns_grey_round_and_colours_over():
    assert another_stain(np.array([[[3], [5]]], np.uint8)).ravel().tolist() == [5, 3]
    assert another_stain(np.array([[[1, 2, 3]]], np.uint8)).ravel().tolist() == [3, 1, 2]
