"""Which region next: uncertain ones that stand for others."""

import csv
import json

import numpy as np
import pytest

from delineate import flow
from delineate.core import UNLABELLED, Case, DataError, ModelError
from delineate.data import samples
from delineate.learn import UNetMethod
from delineate.learn.answer import ready
from delineate.learn.suggest import places, ranked, regions, regions_with_labels, survey, uncertainty_of

CASES, HELD_OUT = samples.coins()
LEARNT = UNetMethod(steps=1).fit(CASES).learnt


def test_uncertainty_is_highest_where_all_classes_are_alike():
    thirds = np.full((3, 1, 2), 1 / 3, np.float32)
    thirds[:, 0, 1] = (1, 0, 0)
    assert uncertainty_of(thirds) == pytest.approx(np.array([[1.0, 0.0]]))


def test_what_looks_like_what_was_chosen_waits():
    look = np.array([(1, 0), (1, 0.01), (0, 1)])
    assert ranked(np.array([0.9, 0.8, 0.5]), look, count=2) == [0, 2]


def test_what_looks_like_what_is_labelled_waits():
    look = np.array([(1, 0), (0, 1)])
    assert ranked(np.array([0.9, 0.5]), look, count=1, known=np.array([(1, 0)])) == [1]


def test_of_things_that_look_alike_the_most_uncertain_comes_first():
    assert ranked(np.array([0.1, 0.7, 0.3]), np.ones((3, 2)), count=3)[0] == 1


def test_what_most_things_look_like_comes_before_a_lone_one():
    look = np.array([(9.0,), (0.0,), (0.1,), (0.2,)])
    assert ranked(np.full(4, 0.5), look, count=1) == [2]


def test_a_large_image_wants_no_more_than_a_small_one():
    look = np.array([(0.0,)] * 6 + [(5.0,), (5.0,)])
    unsure = np.full(8, 0.5)
    assert ranked(unsure, look, count=1)[0] < 6
    assert ranked(unsure, look, count=1, weight=np.array([1 / 6] * 6 + [1, 1]))[0] >= 6


def test_a_number_counts_the_same_in_any_unit_and_position():
    look, features = np.random.default_rng(0).normal(size=(2, 20, 2))
    there = places(look, features)
    np.testing.assert_allclose(places(look * (1000, 0.001) + 7, features * 30 - 2), there, atol=1e-9)


def test_half_of_a_usual_distance_comes_from_looks_and_half_from_features():
    look, features = np.random.default_rng(0).normal(size=(2, 200, 5))
    there = places(look, features)
    for half in (there[:, :5], there[:, 5:]):
        squares = ((half[:, None] - half) ** 2).sum(-1)[np.triu_indices(200, 1)]
        assert np.median(squares) == pytest.approx(0.5)


def test_regions_that_differ_in_nothing_are_one_place():
    assert not places(np.full((3, 2), 5.0), np.full((3, 4), 0.5)).any()
    assert places(np.ones((1, 2)), np.ones((1, 4))).shape == (1, 6)


def test_no_more_is_asked_for_than_there_is():
    assert sorted(ranked(np.array([0.5, 0.6]), np.array([(1, 0), (0, 1)]), count=9)) == [0, 1]
    assert ranked(np.zeros(0), np.zeros((0, 3)), count=2) == []


def test_regions_part_an_image_without_gap_or_overlap():
    seen = np.zeros((300, 210), int)
    for (top, bottom), (left, right) in regions(seen.shape, 100):
        seen[top:bottom, left:right] += 1
    assert (seen == 1).all()


def test_a_region_of_a_stack_lies_on_one_slice():
    assert regions((2, 60, 60), 64) == [((0, 1), (0, 60), (0, 60)), ((1, 2), (0, 60), (0, 60))]


def test_a_look_is_brightness_contrast_and_grain_of_each_channel():
    stripes = np.zeros((40, 80, 3), np.uint8)
    stripes[:, :40, 1] = 200  # plain
    stripes[::2, 40:, 1] = 200  # changes from row to row, never along one
    learnt = UNetMethod(steps=1).fit([Case("a", stripes, labels=stripes[..., 1] // 200)]).learnt
    found = survey(learnt, stripes, region_px=40)
    seen = ready(learnt.plan, stripes).numpy()
    low, high = float(seen[1].min()), float(seen[1].max())
    plain, striped = found.look[:, [1, 4, 7]]
    assert plain == pytest.approx([high, 0, 0], abs=1e-5)
    assert striped == pytest.approx([(low + high) / 2, (high - low) / 2, (high - low) / 2], rel=1e-4)
    assert found.look[:, [3, 5, 6, 8]] == pytest.approx(np.zeros((2, 4)), abs=1e-5)  # red and blue have none


def test_regions_that_are_alike_have_features_that_are_alike():
    half = CASES[0].image[:, : 16 * (CASES[0].image.shape[1] // 32)]
    blank = np.full_like(half, 10)
    found = survey(LEARNT, np.concatenate([blank, half, half[:, ::-1]], axis=1), region_px=half.shape[1])
    alike = found.features @ found.features.T
    assert len(alike) == 3
    assert alike[1, 2] > alike[0, 1]


def test_an_image_wider_than_a_window_has_features_everywhere(monkeypatch):
    monkeypatch.setattr("delineate.learn.suggest.WINDOW", 64)
    found = survey(LEARNT, CASES[0].image, region_px=32)
    assert np.isfinite(found.features).all()
    assert np.linalg.norm(found.features, axis=1) == pytest.approx(1, abs=1e-4)


def test_a_region_of_one_pixel_has_a_look():
    found = survey(LEARNT, CASES[0].image[:1, :9], region_px=1)
    assert found.look.shape == (9, 3)
    assert np.isfinite(found.look).all()


def test_labelled_regions_are_those_with_any_label():
    found = survey(LEARNT, CASES[0].image, region_px=64)
    labels = np.full(CASES[0].image.shape[:2], UNLABELLED, np.uint8)
    assert regions_with_labels(found, labels).sum() == 0
    labels[0, 0] = 0
    assert regions_with_labels(found, labels).tolist().index(True) == 0
    assert regions_with_labels(found, labels).sum() == 1


def test_lists_and_pictures_name_the_same_regions(tmp_path):
    data = samples.write(tmp_path / "data")
    method = UNetMethod.of(LEARNT)
    found, images = flow.suggest(method, data / "test", out=tmp_path / "next", count=3, region_px=48)
    rows = list(csv.DictReader((tmp_path / "next" / "next.csv").read_text().splitlines()))
    content = json.loads((tmp_path / "next" / "next.json").read_text())
    assert [row["name"] for row in rows] == [one.image for one in found]
    assert [region["image"] for region in content["regions"]] == [one.image for one in found]
    assert [one.rank for one in images] == [1, 2, 3]
    drawn = {path.stem for path in (tmp_path / "next" / "overlays").iterdir()}
    assert drawn == {one.image for one in found}


def test_each_slice_of_a_stack_with_regions_has_its_picture(tmp_path):
    import tifffile

    (tmp_path / "stacks").mkdir()
    flat = CASES[0].image[..., 0]
    stack = np.stack([flat, flat[:, ::-1], flat[::-1]])
    tifffile.imwrite(tmp_path / "stacks" / "a.tif", stack, photometric="minisblack")
    found, _ = flow.suggest(
        UNetMethod.of(LEARNT), tmp_path / "stacks", out=tmp_path / "next", count=6, region_px=64
    )
    slices = {one.start[0] for one in found}
    assert len(slices) > 1
    drawn = {path.stem for path in (tmp_path / "next" / "overlays").iterdir()}
    assert drawn == {f"a_slice{z:03d}" for z in slices}


def test_labelled_images_are_not_asked_for_again(tmp_path):
    data = samples.write(tmp_path / "data")
    method = UNetMethod.of(LEARNT)
    with pytest.raises(
        DataError, match=r"holds no unlabelled image.*, or a --region smaller than 128 px, in which nobody"
    ):
        flow.suggest(method, data / "test", out=tmp_path / "next", labelled=data / "test")
    assert not (tmp_path / "next").exists()


def test_images_are_known_by_their_pixels_and_not_by_their_names(tmp_path):
    from PIL import Image

    data, said = samples.write(tmp_path / "data"), []
    labelled = sorted((data / "test" / "images").iterdir())
    asked = tmp_path / "asked"
    asked.mkdir()
    (asked / "another.png").write_bytes(labelled[0].read_bytes())
    pixels = np.asarray(Image.open(labelled[1]))
    Image.fromarray(np.ascontiguousarray(pixels[::-1])).save(asked / labelled[1].name)
    regions, images = flow.suggest(
        UNetMethod.of(LEARNT), asked, out=tmp_path / "next", labelled=data / "test", tell=said.append
    )
    assert {one.image for one in regions} == {one.image for one in images} == {labelled[1].stem}
    assert "1 of 2 images is left out, being labelled already" in said


def test_a_labelled_image_that_is_stored_in_colour_is_known(tmp_path):
    from PIL import Image

    data = samples.write(tmp_path / "data")
    asked = tmp_path / "asked"
    asked.mkdir()
    for file in (data / "test" / "images").iterdir():
        Image.open(file).convert("RGB").save(asked / file.name)
    with pytest.raises(DataError, match="holds no unlabelled image"):
        flow.suggest(UNetMethod.of(LEARNT), asked, out=tmp_path / "next", labelled=data / "test")


def test_regions_without_labels_of_a_labelled_image_are_asked_for(tmp_path):
    from PIL import Image

    data, said = tmp_path / "data", []
    for name in ("images", "scribbles"):
        (data / name).mkdir(parents=True)
    strokes = np.full((85, 170), UNLABELLED, np.uint8)
    strokes[10:20, 5:50], strokes[50:60, 5:50] = 0, 1
    strokes[40, 160] = 1  # hardly anything
    Image.fromarray(CASES[0].image[..., 0]).save(data / "images" / "a.png")
    Image.fromarray(strokes).save(data / "scribbles" / "a.png")
    regions, images = flow.suggest(
        UNetMethod.of(LEARNT),
        data / "images",
        out=tmp_path / "next",
        labelled=data,
        region_px=64,
        tell=said.append,
    )
    assert sorted(one.start for one in regions) == [(0, 57), (0, 113)]
    assert images[0].stop == (85, 170)
    assert "1 of 1 image is labelled in part: only other regions are ranked" in said


def test_a_threshold_does_not_say_how_unsure_it_is(tmp_path):
    data = samples.write(tmp_path / "data")
    method = flow.train(CASES, method="otsu")
    with pytest.raises(ModelError, match="otsu does not say how unsure"):
        flow.suggest(method, data / "test", out=tmp_path / "next")


def test_images_that_do_not_fit_are_left_out_with_the_reason(tmp_path):
    from PIL import Image

    places = samples.write(tmp_path / "data") / "test" / "images"
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (40, 40, 3), np.uint8)).save(tmp_path / "colour.png")
    said = []
    (tmp_path / "colour.png").rename(places / "colour.png")
    flow.suggest(UNetMethod.of(LEARNT), places, out=tmp_path / "next", count=1, tell=said.append)
    assert any("colour is left out: the image has 3 channels" in sentence for sentence in said)
    with pytest.raises(DataError, match=r"fits .colour is left out: the image has 3 channels"):
        flow.suggest(UNetMethod.of(LEARNT), places / "colour.png", out=tmp_path / "none")
