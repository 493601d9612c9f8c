"""Planted weaknesses are found at the severity where they must be, and a model that has none passes."""

import math

import numpy as np
import pytest
import torch

from delineate.audits import AUDITS, Evidence, Subject, subject_of_method
from delineate.audits.conditions import FAMILIES, ConditionsSettings, conditions
from delineate.audits.conditions.measured import Course, Scored, broken_at, median
from delineate.audits.conditions.pictures import side_by_side
from delineate.core import Case, ClassTable, DataError, ModelError
from delineate.data.conditions import ACQUISITION
from delineate.data.robust import FAMILIES as TRAINED
from delineate.learn import Overrides, UNetMethod

CELLS = ClassTable(("background", "cell"))


def case(name="a", *, channels=1, seed=0, shape=(48, 56)):
    """Bright cells (200) on a dark ground (40) with a little texture."""
    truth = np.zeros(shape, np.uint8)
    truth[..., 8:24, 10:30] = truth[..., 30:42, 36:50] = 1
    grey = np.where(truth == 1, 200, 40) + np.random.default_rng(seed).integers(0, 8, truth.shape)
    return Case(name, np.repeat(grey[..., None], channels, -1).astype(np.uint8), labels=truth)


def oracle(cases):
    """A model that knows the truth by heart, whatever it is shown: no condition can break it."""
    truths = {one.spatial: one.labels for one in cases}

    def predict(image):
        truth = truths[image.shape[:-1]]
        return np.stack([truth == 0, truth == 1]).astype(np.float32)

    return Subject("an oracle", CELLS, channels=1, predict=predict)


def above(limit, *, channels=1):
    """A threshold on raw intensities: it cannot bear another exposure, nor another contrast."""

    def predict(image):
        if image.shape[-1] != channels:
            raise ModelError(f"the image has {image.shape[-1]} channels but the model takes {channels}")
        cell = image.mean(-1) > limit
        return np.stack([~cell, cell]).astype(np.float32)

    return Subject("a threshold", CELLS, channels=channels, predict=predict)


@pytest.fixture(scope="module")
def cases():
    return [case("a"), case("b", seed=1)]


def test_what_no_condition_breaks_passes(cases):
    section = conditions(oracle(cases), Evidence(tuple(cases)))
    assert section.verdict == "pass"
    assert not section.remedies
    assert not section.pictures
    assert (
        section.sentence
        == "Dice is 1.00 as it is; no condition takes more than 0.05 of Dice up to severity 5."
    )
    assert {one.name for one in section.findings} == {f"conditions.{family}" for family in FAMILIES}


def test_a_model_that_finds_nothing_is_not_said_to_bear_everything(cases):
    section = conditions(above(255), Evidence(tuple(cases)), settings=ConditionsSettings(families=("light",)))
    assert section.verdict == "open"
    assert "has nothing to lose" in section.findings[0].sentence
    assert section.sentence.startswith("Dice is 0.00 as it is")


def test_a_threshold_on_raw_intensities_breaks_where_the_light_crosses_it(cases):
    # Cells are 200 to 207. Below 100 they go: at brightness x 0.48 to 0.5, beyond severity 2 (0.5), far before 3 (0.3).
    light = ConditionsSettings(families=("light",))
    section = conditions(above(100), Evidence(tuple(cases)), settings=light)
    breaks = section.numbers["conditions"]["dimmer light"]["breaks"]
    assert 1 < breaks < 2.2
    assert section.numbers["conditions"]["dimmer light"]["dice"][3] == 0
    assert section.numbers["conditions"]["dimmer light"]["missed"][3] == 2
    (finding,) = section.findings
    assert (finding.name, finding.verdict) == ("conditions.light", "warn")
    assert section.remedies[0].command == "delineate train DATA -o MODEL --robust light"
    assert section.pictures[0].pixels.dtype == np.uint8
    assert "severity" in section.pictures[0].caption


def test_conditions_are_ranked_worst_first(cases):
    section = conditions(above(100), Evidence(tuple(cases)))
    (table,) = section.tables
    breaks = [math.inf if row[2] == "never" else float(row[2]) for row in table.rows]
    assert breaks == sorted(breaks)
    names = [row[0] for row in table.rows]
    assert names.index("dimmer light") < names.index("compression")
    assert table.rows[0][0] in section.sentence


def test_only_colour_images_come_under_dyes_and_only_volumes_lose_slices():
    colour = Case("c", np.random.default_rng(0).integers(0, 255, (20, 20, 3)).astype(np.uint8))
    names = {name for name, one in ACQUISITION.items() if not one.concerns(case().image)}
    assert names == {"pale haematoxylin", "strong eosin", "other hues", "missing slices"}
    assert {name for name, one in ACQUISITION.items() if not one.concerns(colour.image)} == {"missing slices"}


def test_dyes_are_no_condition_of_fluorescence_in_colour_and_the_section_says_so(cases):
    glow = np.repeat(cases[0].image // 40, 3, -1)  # a dark ground
    glow[cases[0].labels > 0] = 20, 40, 190
    glowing = Case("g", glow, labels=cases[0].labels)
    section = conditions(
        above(30, channels=3), Evidence((glowing,)), settings=ConditionsSettings(families=("stain",))
    )
    assert set(section.numbers["conditions"]) == {"unspecific stain", "other hues"}
    assert section.notes == (
        "Tried on colour images in transmitted light alone, which 0 of 1 images are: pale haematoxylin and strong eosin.",
    )


def test_lost_slices_of_a_volume_are_found_to_be_lost():
    volume = case(shape=(12, 48, 56))
    only = ConditionsSettings(families=("motion",))
    section = conditions(above(100), Evidence((volume,)), settings=only)
    lost = section.numbers["conditions"]["missing slices"]
    # 0.02, 0.05, 0.1, 0.2, 0.4 of 12 slices are 0, 1, 1, 2, 5: Dice is 2 kept / (12 + kept)
    assert lost["dice"] == pytest.approx([1, 1, 22 / 23, 22 / 23, 20 / 22, 14 / 19])
    assert lost["breaks"] == pytest.approx(3 + (0.05 - 1 / 23) / (1 / 11 - 1 / 23))
    assert section.pictures, "a slice of a volume is drawn too"


def test_a_second_data_set_is_set_beside_the_first_with_intervals(cases):
    dark = [
        Case(f"d{i}", (240 - one.image).astype(np.uint8), labels=one.labels)
        for i, one in enumerate([*cases, case("c", seed=2)])
    ]
    only = ConditionsSettings(families=("camera",))
    section = conditions(above(100), Evidence(tuple(cases), shifted=tuple(dark)), settings=only)
    found = section.findings[0]
    assert (found.name, found.verdict) == ("conditions.shifted", "fail")
    numbers = section.numbers["shifted"]
    assert (numbers["dice_here"], numbers["exchanged"]) == (1.0, 1.0)
    assert found.value == pytest.approx(1 - numbers["dice_there"])
    assert numbers["fall_interval"][0] > 0.5
    assert "contrast is in the way" in found.sentence
    assert section.remedies[0].command.endswith("--robust stain")


def test_colour_is_shown_to_a_grey_model_as_its_brightness_and_the_section_says_so(cases):
    colour = Case(
        "c", np.concatenate([cases[0].image, cases[0].image, cases[0].image // 2], -1), labels=cases[0].labels
    )
    only = ConditionsSettings(families=("inversion",))
    section = conditions(above(100), Evidence(tuple(cases), shifted=(colour,)), settings=only)
    assert section.numbers["shifted"]["dice_there"] == 1.0
    assert "On the second data set colour was shown to the model as its brightness." in section.notes


def test_channels_that_mean_nothing_to_the_model_are_said_and_the_rest_still_runs(cases):
    five = Case("five", np.zeros((20, 20, 5)), labels=np.zeros((20, 20), np.uint8))
    only = ConditionsSettings(families=("inversion",))
    section = conditions(above(100), Evidence(tuple(cases), shifted=(five,)), settings=only)
    assert "the image has 5 channels but the model takes 1" in section.notes[0]
    assert [one.name for one in section.findings] == ["conditions.inversion"]
    unlabelled = Case("bare", cases[0].image)
    section = conditions(above(100), Evidence(tuple(cases), shifted=(unlabelled,)), settings=only)
    assert "no image of the second data set has a mask" in section.notes[0]


def test_what_cannot_be_done_is_one_sentence(cases):
    with pytest.raises(ModelError, match="cannot be asked again"):
        conditions(Subject("masks", CELLS, masks={}), Evidence(tuple(cases)))
    with pytest.raises(DataError, match="no image has a mask"):
        conditions(oracle(cases), Evidence((Case("bare", cases[0].image),)))
    with pytest.raises(DataError, match="there is no family weather"):
        conditions(oracle(cases), Evidence(tuple(cases)), settings=ConditionsSettings(families=("weather",)))


def test_a_case_without_any_object_is_undefined_and_stops_nothing():
    empty = Case("empty", np.full((20, 20, 1), 7, np.uint8), labels=np.zeros((20, 20), np.uint8))
    only = ConditionsSettings(families=("light",))
    section = conditions(above(100), Evidence((empty,)), settings=only)
    assert section.verdict == "open"


def test_large_cases_are_left_out_first_and_one_stays():
    small, large = case("small"), case("large", shape=(480, 560))
    only = ConditionsSettings(families=("inversion",), most_px=10_000)
    section = conditions(above(100), Evidence((large, small)), settings=only)
    assert section.numbers["conditions"]["contrast inversion"]["images"] == 1
    assert section.notes == ("1 of 2 labelled images were looked at.",)


def test_severities_are_interpolated_between_their_neighbours():
    assert broken_at([0.9, 0.9, 0.8], fall=0.05) == pytest.approx(1.5)
    assert math.isnan(broken_at([math.nan] * 6, fall=0.05))
    blur = ACQUISITION["blur"]
    assert (blur.amount(0), blur.amount(0.5), blur.amount(5)) == (0, 0.25, 5)


def test_the_median_of_distances_keeps_misses():
    assert median([1.0, math.inf, math.inf]) == math.inf
    assert median([1.0, math.inf]) == 1.0
    rows = tuple((Scored(1.0 - 0.1 * s, math.inf if s == 5 else 1.0),) for s in range(6))
    course = Course(ACQUISITION["blur"], (case(),), rows, 0.05)
    assert (course.breaks, course.missed) == (pytest.approx(0.5), (0, 0, 0, 0, 0, 1))


def test_gradients_of_a_colour_image_go_through_the_dye_that_is_predicted_from():
    grey = case()
    wanted = Overrides(width=4, levels=2, patch=32, batch=2, precision="32-true", robust=("stain",))
    method = UNetMethod(steps=2, overrides=wanted).fit([grey])
    subject = subject_of_method(method)
    stained = np.full((48, 56, 3), 230.0, np.float32)
    stained[8:24, 10:30] = 90, 60, 140
    for image in (stained, 255 - stained, np.repeat(grey.image, 3, -1).astype(np.float32)):
        raw = torch.from_numpy(image).movedim(-1, 0)[None].requires_grad_()
        logits = subject.logits(raw)
        np.testing.assert_allclose(logits.softmax(1)[0].detach().numpy(), subject.predict(image), atol=1e-4)
        (slope,) = torch.autograd.grad(logits[:, 1].sum(), raw)
        assert slope.isfinite().all()
        assert slope.abs().max() > 0


def test_families_have_the_names_that_training_knows():
    assert set(FAMILIES) == set(TRAINED)
    assert "conditions" in AUDITS


def test_outlines_of_truth_and_prediction_are_told_apart():
    truth, predicted = np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.uint8)
    truth[5:15, 5:15] = predicted[20:30, 20:30] = 1
    drawn = side_by_side([(np.zeros((40, 40, 1)), truth, predicted)])
    assert drawn.shape == (440, 440, 3)
    assert drawn[55, 55].tolist() == [86, 180, 233]
    assert drawn[220, 220].tolist() == [255, 159, 0]
    assert drawn[110, 110].tolist() == [0, 0, 0]
