"""Strokes told from full masks by their form alone, and what is said of full masks in a folder of scribbles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from delineate.core import UNLABELLED, Case, DataError
from delineate.data import Hand, check, load, scribbled
from delineate.data.form import form_of


def cells(*, classes: int = 1, seed: int = 0) -> NDArray[np.uint8]:
    """Discs of several sizes on 192 x 192 pixels, dealt out to classes; none touches another."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:192, :192]
    drawn = np.zeros((192, 192), np.uint8)
    for n in range(9):
        row, column = 32 + 64 * (n // 3), 32 + 64 * (n % 3)
        away = np.hypot(rows - row, columns - column)
        drawn[away < rng.integers(14, 28)] = 1 + n % classes
    return drawn


def rings(*, seed: int = 0) -> NDArray[np.uint8]:
    """Cells of class 1 with a wall of class 2 around each, as in a heart."""
    from scipy import ndimage

    inner = cells(seed=seed)
    return np.where(inner == 0, 2 * ndimage.binary_dilation(inner, iterations=5), inner).astype(np.uint8)


def brushed(px: int, share: float, *, seed: int = 0) -> NDArray[np.uint8]:
    """Strokes of background (1) and of cells (2), where 0 says nothing."""
    labels = scribbled(
        Case(f"{seed}", np.zeros((192, 192, 1)), labels=cells(seed=seed)), share=share, hand=Hand(width_px=px)
    ).labels
    assert labels is not None
    return np.where(labels == UNLABELLED, 0, labels + 1).astype(np.uint8)


def folder(root: Path, masks: list[Any], *, where: str = "scribbles", legend: str = "") -> Path:
    for name in ("images", where):
        (root / name).mkdir()
    for i, mask in enumerate(masks):
        noise = np.random.default_rng(i).integers(0, 255, mask.shape[:2]).astype(np.uint8)
        Image.fromarray(noise).save(root / "images" / f"{i}.png")
        Image.fromarray(mask).save(root / where / f"{i}.png")
    if legend:
        (root / "classes.json").write_text(legend)
    return root


@pytest.mark.parametrize(("px", "share"), [(1, 0.01), (5, 0.05), (10, 0.1), (10, 0.24)])
def test_strokes_are_no_regions_however_wide_the_brush(px: int, share: float) -> None:
    assert not any(form_of(brushed(px, share, seed=seed)).filled for seed in range(3))


@pytest.mark.parametrize("mask", [cells(), cells(classes=2), rings(), np.stack([rings()] * 2)])
def test_full_masks_are_regions_in_pictures_and_stacks(mask: Any) -> None:
    assert form_of(mask).filled


def test_regions_that_border_on_each_other_are_told_from_those_that_do_not() -> None:
    assert form_of(rings()).tiled
    assert not form_of(cells(classes=2)).tiled


def test_a_picture_of_one_value_has_no_form() -> None:
    assert not form_of(np.zeros((5, 5), np.uint8)).filled
    assert not form_of(np.zeros((0, 5), np.uint8)).filled


@pytest.mark.parametrize("high", [1, 255])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("told", [False, True])
def test_full_masks_of_two_values_in_scribbles_are_serious(
    tmp_path: Path, high: int, turned: bool, told: bool
) -> None:
    masks = [high * (cells(seed=i) == (0 if turned else 1)).astype(np.uint8) for i in range(3)]
    root = folder(tmp_path, masks)
    with pytest.raises(DataError, match=r"scribbles/ holds full masks.*: put the files into masks/"):
        load(root, unlabelled=0 if told else None)
    found = check(root, unlabelled=0 if told else None)
    assert not found.trainable
    assert [p.remedy for p in found.problems if p.serious] == [
        "put the files into masks/, or draw strokes of background too if they are strokes"
    ]


@pytest.mark.parametrize("unlabelled", [None, 0])
def test_full_masks_of_several_classes_in_scribbles_are_serious_whatever_is_unlabelled(
    tmp_path: Path, unlabelled: int | None
) -> None:
    root = folder(tmp_path, [rings(seed=i) for i in range(3)])
    with pytest.raises(
        DataError, match=r"full masks, not strokes \(0, 1 and 2 fill whole regions in 3 of 3 files\)"
    ):
        load(root, unlabelled=unlabelled)
    assert not check(root, unlabelled=unlabelled).trainable


def test_object_ids_in_scribbles_are_full_masks_even_where_0_is_said_to_be_unlabelled(tmp_path: Path) -> None:
    small = [np.kron(np.arange(36).reshape(6, 6), np.pad(np.ones((12, 12)), 3)) for _ in range(2)]
    root = folder(tmp_path, [mask.astype(np.uint8) for mask in small])
    with pytest.raises(DataError, match="scribbles/ holds full masks"):
        load(root, unlabelled=0)


def test_partly_labelled_masks_are_taken_from_masks_with_the_same_option(tmp_path: Path) -> None:
    root = folder(tmp_path, [rings(seed=i) for i in range(3)], where="masks")
    assert load(root, unlabelled=0, masks_are="classes").classes.names == ("background", "value_2")


@pytest.mark.parametrize(("px", "share"), [(1, 0.01), (10, 0.1), (10, 0.24)])
def test_strokes_with_a_thick_brush_are_learnt_from_when_0_is_unlabelled(
    tmp_path: Path, px: int, share: float
) -> None:
    root = folder(tmp_path, [brushed(px, share, seed=i) for i in range(3)])
    found = check(root, unlabelled=0)
    assert found.trainable
    assert found.problems == ()
    with pytest.raises(DataError, match="0 lies on most pixels and may mean background or unlabelled"):
        load(root)


def test_blobs_that_do_not_touch_are_asked_about_and_then_merely_told(tmp_path: Path) -> None:
    root = folder(tmp_path, [cells(classes=2, seed=i) for i in range(2)])
    with pytest.raises(DataError, match=r"full masks.*or say --unlabelled 0 if they are strokes"):
        load(root)
    found = check(root, unlabelled=0)
    assert found.trainable
    assert all("holds whole regions rather than strokes" in str(problem) for problem in found.problems)
    assert len(found.problems) == 2


def test_dense_patches_with_255_or_a_named_value_around_are_no_mistake(tmp_path: Path) -> None:
    for name, unsaid, legend in (("a", 255, ""), ("b", 9, '{"background": 0, "cell": 1, "ignore": 9}')):
        drawn = np.full((192, 192), unsaid, np.uint8)
        drawn[20:80, 20:80] = cells()[20:80, 20:80]
        (tmp_path / name).mkdir()
        assert check(folder(tmp_path / name, [drawn], legend=legend)).trainable


def test_full_masks_whose_values_are_named_are_learnt_from_in_scribbles_too(tmp_path: Path) -> None:
    root = folder(tmp_path, [255 * cells(seed=i) for i in range(2)], legend='{"background": 0, "cell": 255}')
    found = check(root)
    assert found.trainable
    assert any("labels 100% of its pixels" in str(problem) for problem in found.problems)


@pytest.mark.parametrize("px", [5, 10])
def test_strokes_of_a_thick_brush_in_masks_are_told(tmp_path: Path, px: int) -> None:
    strokes = np.zeros((192, 192), np.uint8)
    for n in range(8):
        strokes[24 * n + 2 : 24 * n + 2 + px, 10 + 5 * n : 140 + 5 * n] = 1 + n % 2
    problems = check(folder(tmp_path, [strokes], where="masks"), masks_are="classes").problems
    assert any("holds evenly wide strokes of several classes on" in str(problem) for problem in problems)
    assert not any(problem.serious for problem in problems)


@pytest.mark.parametrize("mask", [cells(classes=2), rings()])
def test_full_masks_in_masks_are_no_strokes(tmp_path: Path, mask: Any) -> None:
    root = folder(tmp_path, [mask], where="masks")
    assert not any("strokes" in str(problem) for problem in check(root, masks_are="classes").problems)
