"""Curves go where they should, from wherever they start, and say so when they cannot."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.segmentation import morphological_chan_vese

from delineate.classical import (
    ChanVese,
    Geodesic,
    Snake,
    chan_vese,
    geodesic,
    snake,
    start_at_points,
    start_in_boxes,
)
from delineate.core import Case, DataError

GRID = np.indices((60, 60)) - 30
DISC = np.hypot(*GRID) < 18
PICTURE = np.where(DISC, 0.9, 0.2)


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


@pytest.mark.parametrize(
    "start",
    [
        start_at_points(DISC.shape, [(30, 30)]),
        start_at_points(DISC.shape, [(25, 22), (36, 40)], radius_px=3),
        start_in_boxes(DISC.shape, [(5, 5, 55, 50)]),
        np.roll(DISC, 7, axis=1),
    ],
    ids=["a point", "two points", "a box", "a mask that is wrong"],
)
def test_chan_vese_finds_the_disc_from_any_start(start):
    assert dice(chan_vese(PICTURE, start, steps=60), DISC) > 0.97


def test_chan_vese_is_that_of_scikit_image():
    noisy = PICTURE + np.random.default_rng(0).normal(0, 0.1, PICTURE.shape)
    start = start_at_points(DISC.shape, [(30, 30)])
    theirs = morphological_chan_vese(noisy, 20, init_level_set=start.astype(np.int8), smoothing=0)
    np.testing.assert_array_equal(chan_vese(noisy, start, steps=20, smoothing=0), theirs > 0)
    smoothed = morphological_chan_vese(noisy, 20, init_level_set=start.astype(np.int8), smoothing=2)
    assert dice(chan_vese(noisy, start, steps=20, smoothing=2), smoothed > 0) > 0.98


def test_the_same_call_gives_the_same_answer():
    start = start_at_points(DISC.shape, [(30, 30)])
    first = chan_vese(PICTURE, start, steps=3, smoothing=1)
    np.testing.assert_array_equal(chan_vese(PICTURE, start, steps=3, smoothing=1), first)


def test_a_geodesic_contour_grows_to_the_edge_and_leaks_through_a_gap():
    start = start_at_points(DISC.shape, [(30, 30)])
    held = geodesic(PICTURE, start, balloon=1, steps=60)
    assert dice(held, DISC) > 0.9
    ring = np.where(np.abs(np.hypot(*GRID) - 18) < 2, 1.0, 0.2)
    gap = ring.copy()
    gap[23:38, 40:] = 0.2
    closed, leaking = (geodesic(picture, start, balloon=1, steps=60) for picture in (ring, gap))
    assert not closed[0, 0]
    assert leaking[30, 59]


def test_a_geodesic_contour_shrinks_onto_the_disc():
    start = start_in_boxes(DISC.shape, [(3, 3, 57, 57)])
    assert dice(geodesic(PICTURE, start, balloon=-1, steps=60), DISC) > 0.9


@pytest.mark.parametrize("evolve", [chan_vese, geodesic])
def test_without_a_curve_or_a_picture_nothing_moves(evolve):
    for start in (np.zeros_like(DISC), np.ones_like(DISC)):
        np.testing.assert_array_equal(evolve(PICTURE, start), start)
    np.testing.assert_array_equal(evolve(np.zeros(DISC.shape), DISC), DISC)
    with pytest.raises(DataError, match="give them one shape"):
        evolve(PICTURE, DISC[1:])


def test_contours_that_start_outside_are_refused():
    with pytest.raises(DataError, match="outside the picture"):
        start_at_points((20, 20), [(5, 25)])
    with pytest.raises(DataError, match="outside the picture"):
        start_in_boxes((20, 20), [(30, 30, 40, 40)])
    with pytest.raises(DataError, match="outside the picture"):
        snake(PICTURE, np.array([[70.0, 5], [75, 5], [75, 9], [70, 9]]))
    for nothing in (lambda: start_at_points((9, 9), []), lambda: start_in_boxes((9, 9), [])):
        with pytest.raises(DataError, match="at least one"):
            nothing()
    with pytest.raises(DataError, match="at least 4 points"):
        snake(PICTURE, np.zeros((3, 2)))


@pytest.mark.parametrize("method", [Snake, ChanVese, Geodesic])
def test_a_method_starts_from_a_mask_that_it_is_given(method):
    case = Case("disc", PICTURE[..., None], labels=DISC.astype(np.uint8))
    fitted = method().fit([case])
    assert dice(fitted.predict(case.image)[1] > 0.5, DISC) > 0.9
    assert fitted.predict_from(case.image, np.zeros_like(DISC))[1].sum() == 0
    assert fitted.predict_from(case.image, DISC)[1].sum() > 0
    with pytest.raises(DataError, match="one shape"):
        fitted.predict_from(case.image, DISC[:-1])
