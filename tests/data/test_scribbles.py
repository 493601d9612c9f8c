"""Strokes and clicks simulated from masks."""

from unittest.mock import Mock

import numpy as np
import pytest

from delineate.core import UNLABELLED, Case, DataError
from delineate.data import Hand, pointed, scribbled
from delineate.data.scribbles import _draw, background_strokes, clicks


def discs(*, slices: int = 0, name: str = "discs") -> Case:
    """Six discs of radius 12 in two classes on 128 x 160 pixels; in a stack, on all slices but the first."""
    rows, columns = np.ogrid[:128, :160]
    labels = np.zeros((128, 160), np.uint8)
    ids = np.zeros((128, 160), np.int32)
    for n in range(6):
        inside = (rows - 32 - 60 * (n // 3)) ** 2 + (columns - 30 - 50 * (n % 3)) ** 2 < 144
        labels[inside], ids[inside] = 1 + n % 2, n + 1
    if slices:
        labels, ids = np.stack([labels] * slices), np.stack([ids] * slices)
        labels[0], ids[0] = 0, 0
    return Case(name, np.zeros((*labels.shape, 1), np.uint8), labels=labels, objects=ids)


@pytest.mark.parametrize("case", [discs(), discs(slices=3)], ids=["2D", "3D"])
def test_strokes_cover_the_share_that_was_asked_for(case):
    drawn = scribbled(case, share=0.02, seed=0).labels
    assert (drawn != UNLABELLED).mean() == pytest.approx(0.02, rel=0.02)
    assert set(np.unique(drawn)) == {0, 1, 2, UNLABELLED}


def test_half_of_the_strokes_are_background_and_classes_share_the_rest():
    drawn = scribbled(discs(), share=0.01, seed=0).labels
    pixels = 0.01 * drawn.size
    assert [int((drawn == label).sum()) for label in (0, 1, 2)] == pytest.approx(
        [pixels / 2, pixels / 4, pixels / 4], abs=1
    )


def test_every_object_is_drawn_on_before_any_gets_a_second_stroke():
    case = discs()
    drawn = scribbled(case, share=0.03, seed=0).labels
    assert set(np.unique(case.objects[(drawn != UNLABELLED) & (drawn > 0)])) >= set(range(1, 7))


def test_the_same_seed_draws_the_same_strokes_and_another_seed_others():
    one, again, other = (scribbled(discs(), seed=seed).labels for seed in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_strokes_depend_on_the_name_of_the_case_so_that_equal_images_differ():
    assert not np.array_equal(scribbled(discs()).labels, scribbled(discs(name="others")).labels)


def test_a_hand_that_sees_borders_where_they_are_stays_inside():
    case = discs()
    drawn = scribbled(case, share=0.1, hand=Hand(border_px=0)).labels
    assert (drawn == case.labels)[drawn != UNLABELLED].all()


def test_a_hand_that_sees_borders_off_draws_some_pixels_wrong_all_of_them_near_a_border():
    from scipy.ndimage import distance_transform_edt

    case = discs()
    drawn = scribbled(case, share=0.1, hand=Hand(border_px=2)).labels
    wrong = (drawn != UNLABELLED) & (drawn != case.labels)
    to_the_border = np.minimum(
        distance_transform_edt(case.labels > 0), distance_transform_edt(case.labels == 0)
    )
    assert 0 < wrong.sum() < 0.2 * (drawn != UNLABELLED).sum()
    assert to_the_border[wrong].max() < 8


def test_a_wider_pen_makes_wider_strokes():
    pixels = [
        int((background_strokes(discs(), strokes=1, hand=Hand(width_px=width)).labels == 0).sum())
        for width in (1, 2, 5)
    ]
    assert 1.4 * pixels[0] < pixels[1] < 0.6 * pixels[2]


def test_strokes_are_long_and_thin_as_those_of_people_are():
    from skimage.measure import label, regionprops

    drawn = background_strokes(discs(), strokes=1, hand=Hand(border_px=0)).labels == 0
    (stroke,) = regionprops(label(drawn, connectivity=2))
    assert 20 <= stroke.area <= 70
    assert stroke.axis_major_length > 3 * stroke.axis_minor_length


def test_one_click_falls_on_every_object_well_inside_it():
    case = discs()
    found = clicks(case, seed=0)
    places = tuple(np.array([point.place for point in found], int).T)
    assert sorted(case.objects[places]) == [1, 2, 3, 4, 5, 6]
    assert [point.label for point in found] == case.labels[places].tolist()


def test_a_speck_is_no_object_unless_it_has_an_id():
    labels = np.zeros((32, 32), np.uint8)
    labels[4:12, 4:12], labels[20, 20] = 1, 1
    case = Case("speck", np.zeros((32, 32, 1)), labels=labels)
    assert len(clicks(case)) == 1
    ids = labels.astype(np.int32)
    ids[20, 20] = 2
    assert len(clicks(Case("speck", case.image, labels=labels, objects=ids))) == 2


def test_an_object_in_a_stack_is_clicked_on_once():
    case = discs(slices=4)
    found = clicks(case)
    assert len(found) == 6
    assert all(len(point.place) == 3 and point.place[0] > 0 for point in found)


def test_points_come_with_a_few_strokes_of_background():
    drawn = pointed(discs(), strokes=2, radius_px=2).labels
    from skimage.measure import label

    assert 1 <= label(drawn == 0, connectivity=2).max() <= 2
    assert label((drawn == 1) | (drawn == 2), connectivity=2).max() == 6


def test_what_is_unlabelled_is_never_drawn_on():
    case = discs()
    labels = case.labels.copy()
    labels[:, :80] = UNLABELLED
    drawn = scribbled(Case("half", case.image, labels=labels), share=0.02, hand=Hand(border_px=0)).labels
    assert (drawn[:, :80] == UNLABELLED).all()


def test_an_image_without_objects_gets_background_strokes_alone():
    empty = Case("empty", np.zeros((64, 64, 1)), labels=np.zeros((64, 64), np.uint8))
    assert set(np.unique(scribbled(empty).labels)) == {0, UNLABELLED}
    assert set(np.unique(pointed(empty).labels)) == {0, UNLABELLED}


@pytest.mark.parametrize(
    "wrong",
    [
        {"width_px": 0},
        {"length_px": 1},
        {"wobble_deg": -1},
        {"wobble_deg": np.nan},
        {"border_px": -1},
        {"border_px": np.inf},
    ],
)
def test_a_hand_that_nobody_has_is_refused(wrong):
    with pytest.raises(DataError, match="give positive numbers"):
        Hand(**wrong)


@pytest.mark.parametrize("radius_px", [-1, np.nan, np.inf])
def test_clicks_that_nobody_makes_are_refused(radius_px):
    with pytest.raises(DataError, match="nobody clicks discs"):
        pointed(discs(), radius_px=radius_px)


def test_a_share_that_is_none_is_refused():
    with pytest.raises(DataError, match="between 0 and 1"):
        scribbled(discs(), share=1.0)
    with pytest.raises(DataError, match="has no full mask"):
        scribbled(Case("bare", np.zeros((4, 4, 1))))


@pytest.mark.parametrize("draw", [scribbled, pointed, clicks, background_strokes])
def test_a_negative_seed_is_refused_in_one_sentence(draw):
    with pytest.raises(DataError, match="the seed is -1: give a whole number from 0 on"):
        draw(discs(), seed=-1)


def test_a_stroke_may_begin_at_the_very_last_place_of_a_large_picture():
    rng = Mock(wraps=np.random.default_rng(0))
    rng.random = lambda: float(np.nextafter(1, 0))
    labels = np.zeros((1500, 1500), np.uint8)
    drawn = np.full_like(labels, UNLABELLED)
    _draw(drawn, labels, np.ones(labels.shape, np.int32), 0, 20, Hand(), rng, strokes=1)
    assert (drawn == 0).sum() == 20
