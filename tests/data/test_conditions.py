"""Other light and other dyes change what they should, and leave the image's kind and the image itself alone."""

from __future__ import annotations

import numpy as np
import pytest

from delineate.data.conditions import (
    ACQUISITION,
    CONDITIONS,
    amount_of_dye,
    another_stain,
    blur,
    coarser,
    compressed,
    contrast,
    fewer_bits,
    gamma,
    hue,
    illumination_of,
    noise,
    other_dyes,
    shot_noise,
    smeared,
    uneven_light,
    unspecific_stain,
)


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


SPECIMENS = {  # shapes with something to see, and values away from the ends of every dtype
    "grey": (24, 31, 1),
    "colour": (24, 31, 3),
    "stack of two channels": (5, 24, 31, 2),
}


def specimen(kind, dtype):
    shape = SPECIMENS[kind]
    values = np.random.default_rng(1).integers(60, 180, shape).astype(np.float64)
    values[..., 5:15, 5:20, :] *= 0.5
    return values.astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
@pytest.mark.parametrize("kind", SPECIMENS)
@pytest.mark.parametrize("name", ACQUISITION)
def test_an_acquisition_keeps_shape_and_dtype_and_changes_more_with_severity(name, kind, dtype):
    image, condition = specimen(kind, dtype), ACQUISITION[name]
    if not condition.concerns(image):
        return
    before = image.copy()
    changed = [condition.at(image, severity) for severity in (0, 1, 2, 3, 4, 5)]
    assert all((one.shape, one.dtype) == (image.shape, image.dtype) for one in changed)
    assert all(np.isfinite(one).all() for one in changed)
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(changed[0], image)
    far = [float(np.abs(one.astype(float) - image).mean()) for one in changed]
    if name != "other hues":  # a half turn can bring a colour nearer than a quarter
        assert far == sorted(far), f"{name} is not worse with severity: {far}"
    assert far[5] > 0


@pytest.mark.parametrize("name", ACQUISITION)
def test_the_neutral_amount_changes_next_to_nothing(name):
    condition = ACQUISITION[name]
    image = np.repeat(specimen("colour", np.float32)[None], 3, 0)
    if name in ("compression", "few grey levels"):  # a little is lost at best quality and at 8 bits
        image = image[..., :1]
        assert np.abs(condition.change(image, condition.neutral) - image).mean() < 1.5
    else:
        np.testing.assert_allclose(condition.change(image, condition.neutral), image, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", ACQUISITION)
def test_a_flat_image_comes_through_every_acquisition(name):
    flat = np.full((4, 9, 10, 3), 9, np.uint8)
    assert np.isfinite(ACQUISITION[name].at(flat, 5)).all()


def test_few_photons_leave_darkness_alone_and_scatter_by_their_root():
    image = np.concatenate([np.zeros(20_000), np.full(20_000, 400.0)]).reshape(200, 200, 1)
    seen = shot_noise(image, photons=25)
    assert seen[:100].std() == 0
    assert seen[100:].std() == pytest.approx(400 / 5, rel=0.03)


def test_coarse_pixels_are_means_of_fine_ones():
    image = np.arange(16.0).reshape(4, 4, 1)
    assert coarser(image, factor=4).ravel().tolist() == [7.5] * 16


def test_bits_count_grey_levels():
    image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    assert [len(np.unique(fewer_bits(image, bits=bits))) for bits in (1, 2, 3)] == [2, 4, 8]


def test_a_jpeg_of_low_quality_is_flat_in_its_blocks_and_grey_stays_grey():
    image = np.random.default_rng(0).integers(90, 110, (16, 16, 1)).astype(np.uint16)
    image[0, 0], image[15, 15] = 0, 4000
    grey = compressed(np.repeat(image, 3, -1), quality=5)
    assert (grey == grey[..., :1]).all()
    assert len(np.unique(grey[8:, :8, 0])) <= 2


def test_moving_spreads_a_point_over_its_path():
    point = np.zeros((1, 11, 1))
    point[0, 5] = 10
    assert smeared(point, length_px=5)[0, :, 0].tolist() == [0, 0, 0, 2, 2, 2, 2, 2, 0, 0, 0]


def test_contrast_of_minus_one_exchanges_the_ends():
    assert contrast(np.array([[[10], [30], [50]]], np.uint8), factor=-1).ravel().tolist() == [50, 30, 10]


def test_half_the_haematoxylin_is_half_the_density():
    from skimage.color import hed_from_rgb, rgb_from_hed

    amounts = np.array([0.6, 0.3, 0.0])  # of haematoxylin, eosin and nothing else
    colour = (10 ** -(amounts @ rgb_from_hed)).reshape(1, 1, 3)
    colour = np.concatenate([colour, np.ones((1, 1, 3))], 1)
    density = -np.log10(other_dyes(colour, haematoxylin=0.5))[0, 0]
    assert density @ hed_from_rgb == pytest.approx([0.3, 0.3, 0.0], abs=1e-6)


@pytest.mark.parametrize("name", ["pale haematoxylin", "strong eosin"])
def test_stained_images_of_twelve_bits_in_sixteen_stay_within_the_camera(name):
    eight = np.full((24, 24, 3), (236, 230, 240), np.uint8)
    eight[6:14, 6:14] = 93, 62, 155
    twelve = np.rint(eight * (4095 / 255)).astype(np.uint16)
    for severity in (1, 3, 5):
        changed = ACQUISITION[name].at(twelve, severity)
        assert changed.max() <= 4095
        expected = ACQUISITION[name].at(eight, severity) * (4095 / 255)
        np.testing.assert_allclose(changed, expected, atol=0.02 * 4095)


def test_a_third_of_the_circle_makes_red_green():
    assert hue(np.array([[[0.8, 0.0, 0.0]]]), angle_deg=120)[0, 0] == pytest.approx([0, 0.8, 0])


def test_unspecific_stain_darkens_what_is_bright_and_brightens_what_is_dark():
    dark, bright = np.eye(40)[..., None], 1 - np.eye(40)[..., None]
    assert (unspecific_stain(dark, share=0.3) >= dark).all()
    assert (unspecific_stain(bright, share=0.3) <= bright).all()


def test_dye_is_bright_whether_light_goes_through_it_or_comes_from_it():
    place = np.s_[4:12, 4:12]
    stained = np.full((30, 30, 3), 230, np.uint8)
    stained[place] = 80, 60, 150
    glowing = np.zeros((30, 30, 3), np.uint8)
    glowing[place] = 20, 30, 200
    tinted = np.clip(stained * (0.75, 0.7, 0.9), 0, 255).astype(np.uint8)  # the glass itself is violet
    for image in (stained, tinted, glowing):
        amounts = amount_of_dye(image, illumination_of(image))[..., 0]
        assert amounts[place].min() > amounts[20:, 20:].max() + 0.05
    assert illumination_of(stained).transmitted
    assert illumination_of(tinted).transmitted
    assert not illumination_of(glowing).transmitted


def test_eosin_is_not_taken_for_nuclear_dye():
    from skimage.color import rgb_from_hed

    ground = np.array([[0.0, 0.0, 0.0], [0.5, 0.0, 0.0], [0.0, 0.5, 0.0]])  # glass, haematoxylin, eosin
    image = np.repeat(10 ** -(ground @ rgb_from_hed), 200, 0).reshape(3, 200, 3)
    image = np.concatenate([image, np.ones((3, 600, 3))], 1)
    glass, nuclear, pink = amount_of_dye(image, illumination_of(image))[:, 0, 0]
    assert nuclear > 0.4
    assert glass == pytest.approx(0, abs=1e-3)
    assert pink < 0.05
