"""Points and boxes as labels."""

import numpy as np

from delineate.core import UNLABELLED
from delineate.data.marks import Box, Point, disc_radius, with_boxes, with_points

U = UNLABELLED


def test_a_point_labels_a_disc_and_nothing_else():
    found = with_points(np.full((5, 5), U, np.uint8), [Point((2, 2), 3)], radius_px=1.5)
    assert np.array_equal(np.argwhere(found == 3), [[r, c] for r in (1, 2, 3) for c in (1, 2, 3)])
    assert (found == U).sum() == 16


def test_a_disc_at_the_edge_is_cut_and_does_not_come_in_again_at_the_other_side():
    found = with_points(np.full((4, 4), U, np.uint8), [Point((0, 0), 1)], radius_px=1)
    assert found.tolist() == [[1, 1, U, U], [1, U, U, U], [U, U, U, U], [U, U, U, U]]


def test_between_two_points_each_pixel_goes_to_the_nearer_one():
    found = with_points(np.full((1, 4), U, np.uint8), [Point((0, 0), 1), Point((0, 3), 2)], radius_px=3)
    assert found.tolist() == [[1, 1, 2, 2]]


def test_a_stroke_is_not_painted_over():
    labels = np.array([[0, U, U]], np.uint8)
    assert with_points(labels, [Point((0, 1), 1)], radius_px=1).tolist() == [[0, 1, 1]]
    assert labels.tolist() == [[0, U, U]]


def test_a_point_in_a_stack_labels_its_slice_alone():
    found = with_points(np.full((3, 3, 3), U, np.uint8), [Point((1, 1, 1), 1)], radius_px=1)
    assert (found == 1).sum(axis=(1, 2)).tolist() == [0, 5, 0]


def test_the_radius_follows_from_how_near_points_lie():
    row = [Point((0, 10 * i), 1) for i in range(5)]
    assert disc_radius([row]) == 1.5
    assert disc_radius([[Point((0, 100 * i), 1) for i in range(5)]]) == 3.0
    assert disc_radius([[Point((0, 0), 1)], []]) == 1.0


def test_outside_boxes_is_background_and_inside_only_a_core_is_labelled():
    found = with_boxes(np.full((12, 12), U, np.uint8), [Box((1, 1), (11, 11), 1)])
    assert found[0].tolist() == [0] * 12
    core = np.argwhere(found == 1)
    assert core.min(axis=0).tolist() == [4, 4]
    assert core.max(axis=0).tolist() == [7, 7]  # 4.5 pixels across: a fifth of the area
    assert (found == U).sum() == 100 - 16


def test_the_smaller_of_two_boxes_lies_in_front():
    found = with_boxes(np.full((1, 20), U, np.uint8), [Box((0, 8), (1, 12), 2), Box((0, 0), (1, 20), 1)])
    assert found[0, 7:13].tolist() == [U, 1, 2, 1, 1, U]


def test_a_box_of_one_pixel_still_has_a_core():
    assert with_boxes(np.full((3, 3), U, np.uint8), [Box((1, 1), (2, 2), 1)])[1, 1] == 1
