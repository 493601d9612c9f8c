"""Planted habits are found, and people who draw alike pass."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from delineate.audits import Evidence, Subject
from delineate.audits.annotators import AnnotatorsSettings, annotators
from delineate.audits.annotators.style import drawn
from delineate.core import Case, ClassTable, DataError
from delineate.data import Style, simulated

CELLS = ClassTable(("background", "cell"))


def discs(seed: int, *, small: bool = True) -> Case:
    """A picture of 25 discs: 16 of them large, and nine small ones where asked for."""
    rng = np.random.default_rng(seed)
    ids = np.zeros((160, 160), np.int32)
    rows, columns = np.indices(ids.shape)
    for i, (row, column) in enumerate(itertools.product(range(5), repeat=2)):
        is_small = row + column < 4 and (row, column) != (0, 0)
        radius = rng.uniform(3.5, 4.5) if is_small else rng.uniform(7, 9)
        middle = np.array([row, column]) * 32 + 16 + rng.uniform(-2, 2, 2)
        if small or not is_small:
            ids[np.hypot(rows - middle[0], columns - middle[1]) <= radius] = i + 1
    image = ((ids > 0) * 200 + rng.integers(0, 20, ids.shape)).astype(np.uint8)
    return Case(f"p{seed}", image[..., None], labels=(ids > 0).astype(np.uint8), objects=ids)


CASES = [discs(seed) for seed in range(6)]


def people(**styles: Style) -> dict[str, list[Case]]:
    return {
        name: [simulated(case, style, seed=i) for case in CASES]
        for i, (name, style) in enumerate(styles.items())
    }


def masks(style: Style, *, seed: int = 99) -> dict[str, NDArray[np.uint8]]:
    return {case.name: simulated(case, style, seed=seed).labels for case in CASES}  # type: ignore[misc]


def subject(style: Style) -> Subject:
    return Subject("the model", CELLS, masks=masks(style))


def evidence(drawn_by: dict[str, list[Case]]) -> Evidence:
    return Evidence(tuple(CASES), annotators=drawn_by)


PLANTED = people(
    anna=Style(),
    ben=Style(larger_px=2),
    cy=Style(larger_px=-2),
    dee=Style(misses=0.4, small_px=90),
    eve=Style(moved_px=(1, -1)),
)


def test_planted_habits_are_recovered() -> None:
    section = annotators(subject(Style(larger_px=2)), evidence(PLANTED))
    habits = section.numbers["habits"]
    for name, larger in {"anna": 0, "ben": 2, "cy": -2, "dee": 0, "eve": 0}.items():
        assert habits[name]["larger_px"] == pytest.approx(larger, abs=0.3)
    kept = sum(len(np.unique(case.objects)) - 1 for case in PLANTED["dee"])
    assert habits["dee"]["missed"] == pytest.approx(1 - kept / (25 * len(CASES)))
    assert habits["anna"]["missed"] == 0
    np.testing.assert_allclose(habits["eve"]["moved_px"], (1, -1), atol=0.15)
    verdicts = {one.name: one.verdict for one in section.findings}
    assert verdicts["annotators.border_px"] == "fail"
    assert verdicts["annotators.small_missed"] == "fail"
    assert verdicts["annotators.leaning"] == "fail"
    assert verdicts["annotators.model_border_px"] in ("warn", "fail")
    assert max(section.numbers["leaning"], key=section.numbers["leaning"].get) == "ben"
    assert section.numbers["sides_with"]["ben"] > 0.9
    assert section.findings[-1].sentence.startswith(
        "Where ben stands alone against most others, the model sides"
    )


def test_of_two_people_the_consensus_leans_towards_neither() -> None:
    two = {name: PLANTED[name] for name in ("ben", "cy")}
    between = annotators(subject(Style()), evidence(two)).numbers["leaning"]
    assert max(map(abs, between.values())) < 0.25
    as_ben = annotators(subject(Style(larger_px=2)), evidence(two)).numbers["leaning"]
    assert as_ben["ben"] > 0.9
    assert as_ben["cy"] < -0.9


def test_people_who_draw_alike_and_a_model_among_them_pass() -> None:
    alike = people(**{name: Style(unsteady_px=0.3) for name in ("anna", "ben", "cy")})
    section = annotators(subject(Style(unsteady_px=0.3)), evidence(alike))
    assert section.verdict == "pass"
    assert section.numbers["williams_index"] == pytest.approx(1, abs=0.01)


def test_a_model_that_is_worse_than_any_person_stands_apart() -> None:
    alike = people(**{name: Style(unsteady_px=0.3) for name in ("anna", "ben", "cy")})
    section = annotators(subject(Style(moved_px=(3, 3))), evidence(alike))
    found = {one.name: one for one in section.findings}["annotators.model_among_people"]
    assert found.verdict == "fail"
    assert "less well than they agree with each other" in found.sentence


@pytest.mark.parametrize(("count", "verdict"), [(2, "open"), (4, "open"), (5, "pass")])
def test_by_few_images_the_place_of_the_model_is_not_proven(count: int, verdict: str) -> None:
    alike = people(**{name: Style(unsteady_px=0.3) for name in ("anna", "ben", "cy")})
    few = {name: own[:count] for name, own in alike.items()}
    section = annotators(subject(Style(unsteady_px=0.3)), evidence(few))
    found = {one.name: one for one in section.findings}["annotators.model_among_people"]
    assert found.verdict == verdict
    assert ("Nothing is proven by so few images: it takes 5 of different groups." in found.sentence) == (
        verdict == "open"
    )


@pytest.mark.parametrize("with_ids", [True, False])
def test_who_left_half_of_each_image_unlabelled_has_left_out_nothing(with_ids: bool) -> None:
    def by_halves(case: Case) -> Case:
        assert case.labels is not None
        labels = case.labels.copy()
        labels[:, 72:] = 255
        return replace(case, labels=labels, objects=case.objects if with_ids else None)

    anna = PLANTED["anna"] if with_ids else [replace(case, objects=None) for case in PLANTED["anna"]]
    ben = [by_halves(case) for case in PLANTED["ben"]]
    for mine, larger in ((anna, 0), (ben, 1)):
        two = {"anna": anna, "ben": [by_halves(case) for case in mine] if mine is anna else mine}
        section = annotators(Subject("the model", CELLS, masks={}), evidence(two))
        his = section.numbers["habits"]["ben"]
        assert his["missed"] == his["small_missed"] == his["extra"] == 0
        assert his["larger_px"] == pytest.approx(larger, abs=0.3)
        good = {row[0]: row[2] for row in section.tables[-1].rows}
        assert good["ben"] > 0.99


def test_without_a_mask_of_the_model_people_are_compared() -> None:
    section = annotators(Subject("the model", CELLS, masks={}), evidence(PLANTED))
    assert "annotators.model_among_people" not in {one.name for one in section.findings}
    assert any("people are compared without it" in note for note in section.notes)


def test_a_model_that_draws_nothing_is_told_in_words() -> None:
    nothing = {case.name: np.zeros_like(case.labels) for case in CASES}
    section = annotators(Subject("the model", CELLS, masks=nothing), evidence(PLANTED))
    assert any("the model drew no object of the consensus" in one.sentence for one in section.findings)
    shown = [cell for table in section.tables for row in table.rows for cell in row if isinstance(cell, str)]
    assert not any("nan" in cell for cell in [*shown, *(one.sentence for one in section.findings)])


def test_people_may_have_labelled_different_images() -> None:
    parts = {"anna": PLANTED["anna"][:4], "ben": PLANTED["ben"][2:]}
    section = annotators(subject(Style()), evidence(parts))
    assert section.numbers["pairs"]["anna and ben"]["images"] == 2
    assert section.numbers["habits"]["ben"]["larger_px"] == pytest.approx(1, abs=0.3)  # half-way is agreed on


@pytest.mark.parametrize(
    ("drawn_by", "sentence"),
    [
        ({}, "no two people labelled these images"),
        ({"anna": CASES}, "anna alone labelled these images"),
        ({"anna": CASES[:2], "ben": CASES[2:]}, "no image was labelled by two people"),
    ],
)
def test_who_cannot_be_compared_is_told_so(drawn_by: dict[str, list[Case]], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        annotators(subject(Style()), evidence(drawn_by))


def test_small_objects_are_those_below_the_size_that_is_asked_for() -> None:
    section = annotators(subject(Style()), evidence(PLANTED), settings=AnnotatorsSettings(small_px=90))
    of_small = sum(int(np.bincount(case.objects.ravel())[1:].__le__(90).sum()) for case in CASES)  # type: ignore[union-attr]
    kept = sum(len(np.unique(case.objects)) - 1 for case in PLANTED["dee"])
    missed = (25 * len(CASES) - kept) / of_small
    assert section.numbers["habits"]["dee"]["small_missed"] == pytest.approx(missed, abs=0.02)


def test_three_dimensions_are_looked_at_slice_by_slice() -> None:
    stacks = {
        name: [
            Case(
                "stack",
                np.stack([one.image for one in own]),
                labels=np.stack([one.labels for one in own]),  # type: ignore[misc]
                objects=np.stack([one.objects for one in own]),  # type: ignore[misc]
                spacing=(3, 1, 1),
            )
        ]
        for name, own in PLANTED.items()
    }
    section = annotators(Subject("the model", CELLS, dims=3, masks={}), evidence(stacks))
    assert section.numbers["habits"]["ben"]["larger_px"] == pytest.approx(2, abs=0.3)


def test_the_border_of_a_disc_is_placed_whatever_its_size() -> None:
    rng = np.random.default_rng(0)
    rows, columns = np.indices((64, 64))
    for radius, by in itertools.product((4, 8, 16), (-2, -1, 0.5, 2)):
        found = []
        for _ in range(40):
            away = np.hypot(*(grid - 32 - rng.uniform(-0.5, 0.5) for grid in (rows, columns)))
            seen = drawn((away <= radius).astype(np.int32), {"anna": (away <= radius + by).astype(np.int32)})
            found.append(float(seen["anna"].larger_px[0]))
        assert np.mean(found) == pytest.approx(by, abs=0.1), (radius, by)


def test_a_mask_without_ids_is_divided_between_neighbours() -> None:
    reference = np.zeros((30, 60), np.int32)
    reference[10:20, 10:25], reference[10:20, 30:45] = 1, 2
    reference[10:20, 25:28] = 1  # a gap of two pixels to the other
    joined_up = ndimage.distance_transform_edt(reference == 0) <= 2  # closes it
    seen = drawn(reference, {"anna": joined_up})["anna"]
    assert not seen.missed.any()
    np.testing.assert_allclose(seen.larger_px, 2, atol=0.3)


def test_nothing_drawn_is_missed_and_not_measured() -> None:
    seen = drawn(CASES[0].objects, {"anna": np.zeros((160, 160), np.int32)})["anna"]  # type: ignore[arg-type]
    assert seen.missed.all()
    assert math.isnan(float(seen.larger_px[0]))


def test_masks_alone_load_no_torch() -> None:
    code = "import sys; import delineate.audits.annotators; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
