"""Borders half-way between the colours of strokes, and whether the colours are to be believed."""

import numpy as np
import pytest
from scipy import ndimage

from delineate.core import UNLABELLED
from delineate.learn.halfway import foretold, halfway
from delineate.learn.spread import spread
from delineate.learn.weak import FORETOLD, _grown


def blurred(*, dimmest: float = 0.7, noise: float = 0.0):
    """Six discs in two brightnesses, seen through a lens; a stroke of 3 pixels in each and one beside it."""
    truth, labels = (np.full((60, 90), value, np.uint8) for value in (0, UNLABELLED))
    light = np.zeros(truth.shape)
    rows, columns = np.indices(truth.shape)
    for n, (row, column) in enumerate([(15, 15), (15, 45), (15, 75), (45, 15), (45, 45), (45, 75)]):
        disc = np.hypot(rows - row, columns - column) <= 8
        truth[disc] = 1
        light[disc] = (1.0, dimmest)[n % 2]
        labels[row, column - 1 : column + 2] = 1
        labels[row + 13, column - 1 : column + 2] = 0
    grain = np.random.default_rng(0).normal(0, noise, truth.shape)
    return truth, labels, (ndimage.gaussian_filter(light, 1.5) + grain)[None].astype(np.float32)


def test_a_border_lies_where_a_blurred_edge_has_gone_half_the_way_however_bright_its_disc():
    truth, labels, image = blurred(dimmest=0.3)
    drawn = halfway(labels, image)
    for disc in ndimage.find_objects(ndimage.label(truth)[0]):
        here = tuple(slice(side.start - 5, side.stop + 5) for side in disc)
        assert (drawn[here] == 1).sum() == pytest.approx((truth[here] == 1).sum(), rel=0.06)


def test_one_brightness_for_all_would_have_lost_the_dim_discs():
    truth, labels, image = blurred(dimmest=0.3)
    told = halfway(labels, image) == truth
    middle = (image[0][labels == 1].mean() + image[0][labels == 0].mean()) / 2
    assert told.mean() > 0.99 > ((image[0] > middle) == truth).mean() + 0.03


def test_strokes_stay_as_they_are_though_their_colour_is_that_of_another_class():
    _, labels, image = blurred()
    labels[2, 2] = 1
    assert halfway(labels, image)[2, 2] == 1


def test_volumes_and_several_channels_are_divided_alike():
    labels = np.full((3, 4, 6), UNLABELLED, np.uint8)
    labels[1, 1, 0], labels[1, 1, 5] = 0, 1
    ramp = np.broadcast_to(np.linspace(0, 1, 6), labels.shape)
    drawn = halfway(labels, np.stack([ramp, 1 - ramp]).astype(np.float32))
    assert (drawn == (ramp > 0.5)).all()


def test_one_class_alone_tells_nothing():
    labels = np.array([[UNLABELLED, 1]], np.uint8)
    assert (halfway(labels, np.zeros((1, 1, 2))) == labels).all()
    assert foretold(labels, np.zeros((1, 1, 2))) == 0


def test_strokes_foretell_each_other_where_colours_differ_and_toss_a_coin_where_they_do_not():
    _, labels, image = blurred()
    assert foretold(labels, image) == 1
    noise = np.random.default_rng(0).normal(size=(1, 60, 90))
    assert 0.2 < foretold(labels, noise) < 0.8


def test_a_single_stroke_of_a_class_foretells_nothing():
    _, labels, image = blurred()
    labels[labels == 0] = UNLABELLED
    labels[0, :20] = 0
    assert foretold(labels, image) == 0


def test_colours_are_believed_only_where_strokes_foretell_each_other():
    _, labels, image = blurred()
    assert (_grown(labels, image) == halfway(labels, image)).all()
    _, labels, image = blurred(noise=1)
    assert foretold(labels, image) < FORETOLD
    assert (_grown(labels, image) == spread(labels, image)).all()
