"""Strokes spread to what surely is theirs, stop at edges and at each other, and leave the rest open."""

import numpy as np

from delineate.core import UNLABELLED
from delineate.learn.spread import spread


def strokes(shape, **places):
    labels = np.full(shape, UNLABELLED, np.uint8)
    for label, spots in places.items():
        for spot in spots:
            labels[spot] = int(label[1:])
    return labels


def test_each_side_of_an_edge_goes_to_its_stroke():
    image = np.zeros((1, 20, 40), np.float32)
    image[..., 20:] = 1
    found = spread(strokes((20, 40), c0=[(10, 2)], c1=[(10, 37)]), image)
    assert (found[:, :16] == 0).all()
    assert (found[:, 24:] == 1).all()


def test_where_two_strokes_are_about_as_far_nothing_is_said():
    found = spread(strokes((9, 41), c0=[(4, 0)], c1=[(4, 40)]), np.zeros((1, 9, 41), np.float32))
    assert (found[:, 8:33] == UNLABELLED).all()
    assert found[4, 1] == 0
    assert found[4, 39] == 1


def test_all_that_a_closed_stroke_shuts_off_is_of_its_class():
    labels = strokes((30, 30), c1=[(15, 15)])
    labels[8, 8:23] = labels[22, 8:23] = labels[8:23, 8] = labels[8:23, 22] = 0
    found = spread(labels, np.random.default_rng(0).random((1, 30, 30)))
    outside = np.ones((30, 30), bool)
    outside[8:23, 8:23] = False
    assert (found[outside] == 0).all()
    assert 1 in found[9:22, 9:22]


def test_a_diagonal_line_with_a_gap_of_a_pixel_holds_as_well():
    labels = strokes((30, 30), c1=[(5, 5)])
    for i in range(30):
        labels[i, 29 - i] = 0
    labels[14, 15] = UNLABELLED
    found = spread(labels, np.random.default_rng(0).random((1, 30, 30)))
    assert (found[np.add.outer(np.arange(30), np.arange(30)) > 30] == 0).all()


def test_strokes_stay_as_they_are_and_nothing_is_written_to():
    rng = np.random.default_rng(1)
    image = rng.random((2, 16, 16)).astype(np.float32)
    labels = strokes((16, 16), c0=[(2, 3)], c2=[(12, 5), (13, 5)])
    before = labels.copy(), image.copy()
    found = spread(labels, image)
    assert np.array_equal(found[labels != UNLABELLED], labels[labels != UNLABELLED])
    assert np.array_equal(labels, before[0])
    assert np.array_equal(image, before[1])


def test_volumes_spread_across_slices():
    image = np.zeros((1, 6, 8, 16), np.float32)
    image[..., 8:] = 1
    found = spread(strokes((6, 8, 16), c0=[(2, 4, 1)], c1=[(2, 4, 14)]), image)
    assert found[5, 4, 3] == 0
    assert found[0, 4, 13] == 1


def test_one_class_alone_spreads_nowhere():
    labels = strokes((5, 5), c1=[(2, 2)])
    assert np.array_equal(spread(labels, np.zeros((1, 5, 5))), labels)
    nothing = np.full((5, 5), UNLABELLED, np.uint8)
    assert np.array_equal(spread(nothing, np.zeros((1, 5, 5))), nothing)
