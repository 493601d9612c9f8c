from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from delineate.core import DataError
from delineate.score import score_folders

DATA = Path(__file__).parents[3] / "shared" / "data"


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def square(rows: slice, columns: slice, *, value: int = 255) -> np.ndarray:
    grid = np.zeros((20, 24), np.uint8)
    grid[rows, columns] = value
    return grid


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Predicted and true 0/255 masks of four images: right, shifted by one row, missed, and of nothing."""
    predicted, truth = tmp_path / "predicted", tmp_path / "truth"
    for name, there, guess in (
        ("a", square(slice(2, 8), slice(3, 9)), square(slice(2, 8), slice(3, 9))),
        ("b", square(slice(2, 8), slice(3, 9)), square(slice(3, 9), slice(3, 9))),
        ("c", square(slice(2, 8), slice(3, 9)), square(slice(0, 0), slice(0, 0))),
        ("d", square(slice(0, 0), slice(0, 0)), square(slice(0, 0), slice(0, 0))),
    ):
        save(truth / f"{name}.png", there)
        save(predicted / f"{name}.png", guess)
    return predicted, truth


def test_masks_are_matched_by_name_and_scored(folders: tuple[Path, Path]) -> None:
    table = score_folders(*folders)
    assert table.names == ("foreground",)
    values = dict(zip("abcd", table.values("foreground", "dice"), strict=True))
    assert (values["a"], values["b"], values["c"]) == (1.0, 60 / 72, 0.0)
    assert math.isnan(values["d"])
    assert table.values("foreground", "hausdorff")[:3] == [0.0, 1.0, math.inf]
    assert str(table.summary("foreground", "dice")) == "0.611 (3 of 4 defined; 1 missed)"
    assert table.objects is None
    assert not table.unscored


def test_a_missing_prediction_is_named_and_in_no_mean(folders: tuple[Path, Path]) -> None:
    (folders[0] / "c.png").unlink()
    table = score_folders(*folders)
    assert table.unscored == (("c", "it has no prediction"),)
    assert "c is in no score: it has no prediction" in table.warnings
    assert table.summary("foreground", "dice").defined == 2


def test_many_missing_predictions_are_one_warning(folders: tuple[Path, Path]) -> None:
    (folders[0] / "b.png").unlink()
    (folders[0] / "c.png").unlink()
    assert (
        "2 images are in no score (b and c), each because it has no prediction"
        in score_folders(*folders).warnings
    )


def test_a_prediction_without_truth_is_named(folders: tuple[Path, Path]) -> None:
    save(folders[0] / "z.png", square(slice(0, 3), slice(0, 3)))
    assert "predictions without truth are not scored: z" in score_folders(*folders).warnings


def test_a_prediction_of_another_size_is_named_with_both_sizes(folders: tuple[Path, Path]) -> None:
    save(folders[0] / "b.png", square(slice(2, 8), slice(3, 9))[:-1])
    table = score_folders(*folders)
    ((name, reason),) = table.unscored
    assert name == "b"
    assert reason.startswith("its prediction is 19 x 24 but truth is 20 x 24: ")


def test_probabilities_with_their_classes_first_are_named_with_where_classes_belong(tmp_path: Path) -> None:
    held = np.eye(6, dtype=np.uint8)
    for folder, array in (("truth", held), ("guess", held), ("likely", np.stack([1.0 - held, held]))):
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / "a.tif", array, photometric="minisblack")
    table = score_folders(tmp_path / "guess", tmp_path / "truth", probabilities=tmp_path / "likely")
    assert table.left_out == (
        "a is in no score: its probabilities are 2 x 6 x 6 but truth is 6 x 6: give one value per pixel and class, "
        "classes on the last axis",
    )


def test_names_that_never_match_are_refused(folders: tuple[Path, Path]) -> None:
    for path in sorted(folders[0].iterdir()):
        path.rename(path.with_name(f"other_{path.name}"))
    with pytest.raises(
        DataError, match=r"no prediction in .* has the name of a mask in .*: give the folders"
    ):
        score_folders(*folders)


def test_one_file_against_one_file_needs_no_common_name(folders: tuple[Path, Path]) -> None:
    table = score_folders(folders[0] / "b.png", folders[1] / "a.png")
    assert table.values("foreground", "dice") == [60 / 72]


def test_folders_of_one_file_each_of_another_name_are_paired_with_a_word_about_it(tmp_path: Path) -> None:
    save(tmp_path / "truth" / "a.png", square(slice(2, 8), slice(3, 9)))
    save(tmp_path / "predicted" / "b.png", square(slice(2, 8), slice(3, 9)))
    table = score_folders(tmp_path / "predicted", tmp_path / "truth")
    assert "the only prediction, b, is scored against the only truth, a, of another name" in table.notes
    (tmp_path / "predicted" / "b.png").rename(tmp_path / "predicted" / "a.png")
    assert not any(
        "of another name" in note for note in score_folders(tmp_path / "predicted", tmp_path / "truth").notes
    )


def test_groups_that_names_tell_of_are_stated(tmp_path: Path) -> None:
    for name in ("patient05_1", "patient05_2", "patient06_1"):
        save(tmp_path / "truth" / f"{name}.png", square(slice(2, 8), slice(3, 9)))
    table = score_folders(tmp_path / "truth", tmp_path / "truth")
    assert [case.group for case in table.cases] == ["patient05", "patient05", "patient06"]
    assert (
        "images are grouped by the start of their names (patient05_…): 2 groups of 3 images; intervals are over groups"
        in table.notes
    )


@pytest.mark.parametrize("value", [1, 255])
def test_predictions_may_be_0_1_or_0_255(folders: tuple[Path, Path], value: int) -> None:
    for path in sorted(folders[0].iterdir()):
        save(path, (np.asarray(Image.open(path)) > 0).astype(np.uint8) * np.uint8(value))
    assert score_folders(*folders).values("foreground", "dice")[:3] == [1.0, 60 / 72, 0.0]


def two_touching(tmp_path: Path) -> Path:
    truth = tmp_path / "data"
    save(truth / "images" / "a.png", square(slice(0, 20), slice(0, 12)))
    save(truth / "masks" / "a.png", square(slice(4, 10), slice(2, 12)))
    ids = np.zeros((20, 24), np.uint16)
    ids[4:10, 2:7], ids[4:10, 7:12] = 5, 900
    save(truth / "instances" / "a.png", ids)
    return truth


def test_objects_are_scored_where_truth_has_ids(tmp_path: Path) -> None:
    truth = two_touching(tmp_path)
    table = score_folders(truth / "instances", truth)
    assert table.objects is not None
    assert (table.objects.tp, table.objects.fp, table.objects.fn) == (2, 0, 0)
    assert table.values("foreground", "dice") == [1.0]


def test_components_stand_in_for_ids_with_a_word_about_it(tmp_path: Path) -> None:
    truth = two_touching(tmp_path)
    save(tmp_path / "guess" / "a.png", square(slice(4, 10), slice(2, 12)))
    table = score_folders(tmp_path / "guess", truth)
    assert table.objects is not None
    assert (table.objects.tp, table.objects.fp, table.objects.fn) == (1, 0, 1)
    assert any("the prediction has no object ids" in note for note in table.warnings)


def test_objects_can_be_asked_for_and_declined(folders: tuple[Path, Path], tmp_path: Path) -> None:
    asked = score_folders(*folders, objects=True)
    assert asked.objects is not None
    assert (asked.objects.tp, asked.objects.fn) == (2, 1)
    assert any(note.startswith("truth has no object ids") for note in asked.warnings)
    truth = two_touching(tmp_path)
    assert score_folders(truth / "instances", truth, objects=False).objects is None


def prediction(folder: Path, labels: np.ndarray, names: list[str]) -> Path:
    save(folder / "a.png", labels)
    files = {"a": {"labels": "a.png", "objects": None, "image": None}}
    content = {"format": "delineate-prediction", "version": 1, "classes": names, "files": files}
    (folder / "prediction.json").write_text(json.dumps(content))
    return folder


def test_classes_of_a_prediction_are_matched_by_name(tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    save(truth / "a.png", np.array([[0, 1, 1, 2]], np.uint8))
    (truth / "classes.json").write_text('{"background": 0, "cell": 1, "vessel": 2}')
    guess = prediction(tmp_path / "p", np.array([[0, 2, 2, 1]], np.uint8), ["background", "vessel", "cell"])
    table = score_folders(guess, truth)
    assert table.values("cell", "dice") == table.values("vessel", "dice") == [1.0]


def test_classes_without_names_in_common_are_taken_in_order_with_a_word_about_it(tmp_path: Path) -> None:
    save(tmp_path / "truth" / "a.png", np.array([[0, 255]], np.uint8))
    guess = prediction(tmp_path / "p", np.array([[0, 1]], np.uint8), ["background", "nucleus"])
    table = score_folders(guess, tmp_path / "truth")
    assert table.values("foreground", "dice") == [1.0]
    assert any("nucleus is foreground" in note for note in table.warnings)


def test_classes_that_cannot_be_matched_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "truth" / "a.png", np.array([[0, 255]], np.uint8))
    guess = prediction(tmp_path / "p", np.array([[0, 1]], np.uint8), ["background", "nucleus", "debris"])
    with pytest.raises(
        DataError, match="classes background, nucleus and debris but truth has background and foreground"
    ):
        score_folders(guess, tmp_path / "truth")


def test_a_damaged_file_of_another_program_is_named_and_the_others_are_scored(
    folders: tuple[Path, Path],
) -> None:
    (folders[0] / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n0000")
    table = score_folders(*folders)
    ((name, reason),) = table.unscored
    assert name == "b"
    assert "cannot be read" in reason
    assert len(table.cases) == 3


def test_a_damaged_prediction_is_named_and_the_others_are_scored(tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    for name in "ab":
        save(truth / f"{name}.png", np.array([[0, 255]], np.uint8))
    guess = prediction(tmp_path / "p", np.array([[0, 1]], np.uint8), ["background", "foreground"])
    content = json.loads((guess / "prediction.json").read_text())
    content["files"]["b"] = {"labels": "b.png", "objects": None, "image": None}
    (guess / "prediction.json").write_text(json.dumps(content))
    (guess / "b.png").write_bytes((guess / "a.png").read_bytes()[:40])
    table = score_folders(guess, truth)
    assert [case.name for case in table.cases] == ["a"]
    assert table.unscored[0][0] == "b"


def test_distances_are_in_the_unit_of_the_files(tmp_path: Path) -> None:
    volume = np.zeros((4, 10, 10), np.uint8)
    volume[1, 5, 5] = 1
    for name, array in (("truth", volume), ("guess", np.roll(volume, 1, axis=0))):
        (tmp_path / name).mkdir()
        tifffile.imwrite(
            tmp_path / name / "a.tif",
            array,
            imagej=True,
            resolution=(2, 2),
            metadata={"axes": "ZYX", "spacing": 3.0, "unit": "um"},
        )
    table = score_folders(tmp_path / "guess", tmp_path / "truth")
    assert table.values(table.names[0], "hausdorff") == [3.0]
    assert table.unit in ("um", "µm")


def test_progress_counts_to_the_end(folders: tuple[Path, Path]) -> None:
    told: list[tuple[int, int]] = []
    score_folders(*folders, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_masks_are_read_again_for_pictures(tmp_path: Path) -> None:
    truth = two_touching(tmp_path)
    (case,) = score_folders(truth / "instances", truth).cases
    assert case.reread is not None
    masks = case.reread()
    assert masks.image == truth / "images" / "a.png"
    assert masks.predicted_objects is not None
    assert np.unique(masks.predicted_objects).tolist() == [0, 5, 900]


def test_numbers_that_may_be_ids_are_read_as_asked_and_binary_truth_stays_binary(
    folders: tuple[Path, Path],
) -> None:
    for path in sorted(folders[0].iterdir()):
        grid = np.asarray(Image.open(path)).copy()
        grid[grid > 0] = 1
        grid[15:18, 15:20] = 2
        save(path, grid)
    table = score_folders(*folders, masks_are="instances", objects=True)
    assert table.names == ("foreground",)
    assert table.objects is not None
    # truth: one square in a, b and c, by its component; predicted: the squares of a and b, and object 2 everywhere
    assert (table.objects.tp, table.objects.fp, table.objects.fn) == (2, 4, 1)


def volume(
    path: Path,
    *,
    spacing: tuple[float, ...] = (1, 1, 2),
    origin: tuple[float, ...] = (0, 0, 0),
    turned: float = 0,
    size: int = 6,
) -> None:
    import SimpleITK

    labels = np.zeros((4, size, 5), np.uint8)
    labels[1:3, 2:4, 1:4] = 1
    image = SimpleITK.GetImageFromArray(labels)
    image.SetSpacing([float(s) for s in spacing])
    image.SetOrigin([float(x) for x in origin])
    cos, sin = math.cos(math.radians(turned)), math.sin(math.radians(turned))
    image.SetDirection([cos, -sin, 0, sin, cos, 0, 0, 0, 1])
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(image, str(path))


def test_another_spacing_or_place_is_named_with_both_and_the_others_are_scored(tmp_path: Path) -> None:
    for name, told in (
        ("same", {}),
        ("coarser", {"spacing": (1, 1, 3)}),
        ("moved", {"origin": (10, 0, 0)}),
    ):
        volume(tmp_path / "truth" / f"{name}.nii.gz")
        volume(tmp_path / "predicted" / f"{name}.nii.gz", **told)
    table = score_folders(tmp_path / "predicted", tmp_path / "truth")
    assert [case.name for case in table.cases] == ["same"]
    why = dict(table.unscored)
    assert "a spacing of 3 x 1 x 1 mm but truth one of 2 x 1 x 1 mm" in why["coarser"]
    assert "elsewhere in space than truth: first voxel at (10, 0, 0)" in why["moved"]
    assert "against first voxel at (0, 0, 0)" in why["moved"]


def test_a_prediction_that_is_turned_is_named_even_if_no_entry_of_its_header_differs_much(
    tmp_path: Path,
) -> None:
    for name, told in (
        ("same", {"origin": (0.2, 0, 0)}),
        ("turned", {"turned": 5}),
        ("wider", {"spacing": (1, 1.008, 2)}),
    ):
        volume(tmp_path / "truth" / f"{name}.nii.gz", size=100)
        volume(tmp_path / "predicted" / f"{name}.nii.gz", size=100, **told)
    table = score_folders(tmp_path / "predicted", tmp_path / "truth")
    assert [case.name for case in table.cases] == ["same"]
    why = dict(table.unscored)
    # the far corner, 99 and 4 mm away: sqrt(99² + 4²) * 2 sin(2.5°)
    assert "elsewhere in space than truth" in why["turned"]
    assert "up to 8.64 mm apart" in why["turned"]
    assert "a spacing of 2 x 1.008 x 1 mm but truth one of 2 x 1 x 1 mm" in why["wider"]


def test_an_image_of_which_nothing_is_labelled_is_in_no_score_and_named(tmp_path: Path) -> None:
    for name, value in (("a", 1), ("b", 255)):
        save(
            tmp_path / "truth" / f"{name}.png",
            np.pad(np.full((4, 4), value, np.uint8), (2 if value == 1 else 0)),
        )
        save(
            tmp_path / "predicted" / f"{name}.png",
            np.pad(np.ones((4, 4), np.uint8), (2 if value == 1 else 0)),
        )
    table = score_folders(tmp_path / "predicted", tmp_path / "truth", unlabelled=255)
    assert [case.name for case in table.cases] == ["a"]
    assert table.unscored == (
        ("b", "every pixel of its truth is unlabelled: label some of them, or leave it out"),
    )


def test_one_mask_of_nothing_but_255_among_zeros_and_ones_is_named_and_the_others_are_scored(
    folders: tuple[Path, Path],
) -> None:
    for name in "abcd":
        save(folders[1] / f"{name}.png", square(slice(2, 8), slice(3, 9), value=1))
    save(folders[1] / "b.png", np.full((20, 24), 255, np.uint8))
    table = score_folders(*folders)
    assert [case.name for case in table.cases] == ["a", "c", "d"]
    assert "b.png holds 255, but only 0 and 1" in dict(table.unscored)["b"]
    assert "--unlabelled 255" in dict(table.unscored)["b"]
    for name in "ad":
        save(folders[1] / f"{name}.png", np.full((20, 24), 255, np.uint8))
    with pytest.raises(DataError, match="truth: some masks hold 0 and 1 and others 255"):
        score_folders(*folders)


def test_a_prediction_with_negative_labels_is_named_and_in_no_score(folders: tuple[Path, Path]) -> None:
    (folders[0] / "b.png").unlink()
    tifffile.imwrite(folders[0] / "b.tif", square(slice(2, 8), slice(3, 9), value=3).astype(np.int16) * -1)
    table = score_folders(*folders)
    assert [case.name for case in table.cases] == ["a", "c", "d"]
    assert dict(table.unscored)["b"].startswith("its prediction holds -3 where truth is labelled")


def test_a_negative_value_of_a_prediction_where_truth_is_unlabelled_too_does_no_harm(tmp_path: Path) -> None:
    for folder in ("truth", "predicted"):
        (tmp_path / folder).mkdir()
        mask = square(slice(2, 8), slice(3, 9), value=1).astype(np.int16)
        mask[15:] = -1
        tifffile.imwrite(tmp_path / folder / "a.tif", mask)
    table = score_folders(tmp_path / "predicted", tmp_path / "truth")
    assert table.values("foreground", "dice") == [1.0]


def test_what_cannot_be_understood_is_said_with_its_side(folders: tuple[Path, Path]) -> None:
    for name in "abcd":
        save(folders[0] / f"{name}.png", square(slice(2, 8), slice(3, 9), value=7) + 2)
    with pytest.raises(DataError, match="prediction: masks hold 2 and 9"):
        score_folders(*folders)


def test_processes_give_what_one_gives(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    (folders[0] / "b.png").write_bytes(b"no picture")
    alone = score_folders(*folders)
    monkeypatch.setattr(
        "delineate.score.processes.every.__kwdefaults__", {"workers": 1, "patience_s": -1.0, "progress": None}
    )
    shared = score_folders(*folders, workers=2)
    assert [case.name for case in shared.cases] == [case.name for case in alone.cases] == ["a", "c", "d"]
    assert shared.unscored == alone.unscored
    assert [case.values["foreground"]["dice"] for case in shared.cases][:2] == [1.0, 0.0]
    assert shared.cases[0].reread is not None
    assert shared.cases[0].reread().truth.shape == (20, 24)


def test_a_label_that_truth_has_no_class_for_is_named_and_the_others_are_scored(
    folders: tuple[Path, Path],
) -> None:
    for name in "acd":
        save(folders[0] / f"{name}.png", np.asarray(Image.open(folders[0] / f"{name}.png")) // 255)
    save(folders[0] / "b.png", square(slice(2, 8), slice(3, 9), value=7))
    table = score_folders(*folders)
    assert [case.name for case in table.cases] == ["a", "c", "d"]
    assert "holds 7, but only 0 and 1 have a meaning here" in dict(table.unscored)["b"]


def test_a_label_beyond_the_classes_of_truth_leaves_its_case_out_on_either_side(
    folders: tuple[Path, Path],
) -> None:
    for folder in folders:
        for path in sorted(folder.iterdir()):
            save(path, np.asarray(Image.open(path)) // 255)
    (folders[1] / "classes.json").write_text('{"background": 0, "cell": 1}')
    save(folders[1] / "b.png", square(slice(2, 8), slice(3, 9), value=7))
    table = score_folders(*folders)
    assert table.names == ("cell",)
    assert [case.name for case in table.cases] == ["a", "c", "d"]
    assert "holds 7" in dict(table.unscored)["b"]
    save(folders[1] / "b.png", square(slice(2, 8), slice(3, 9), value=1))
    save(folders[0] / "b.png", square(slice(2, 8), slice(3, 9), value=7))
    table = score_folders(*folders, masks_are="classes")
    assert [case.name for case in table.cases] == ["a", "c", "d"]
    assert "holds 7" in dict(table.unscored)["b"]


def test_a_blurred_mask_is_named_and_the_others_are_scored(folders: tuple[Path, Path]) -> None:
    soft = np.array(
        Image.fromarray(square(slice(4, 16), slice(5, 19))).resize((60, 50), Image.Resampling.BICUBIC)
    )
    for side in folders:
        kept = (side / "b.png").read_bytes()
        save(side / "b.png", soft)
        table = score_folders(*folders)
        assert [case.name for case in table.cases] == ["a", "c", "d"]
        assert "as JPEG and smooth resampling leave them" in dict(table.unscored)["b"]
        (side / "b.png").write_bytes(kept)
    for name in "ab":
        save(folders[0] / f"{name}.png", soft)
    with pytest.raises(DataError, match="smooth resampling"):
        score_folders(*folders)


def test_probabilities_beside_the_masks_are_judged(folders: tuple[Path, Path], tmp_path: Path) -> None:
    for name in "abcd":
        likely = np.full((20, 24), 0.25, np.float32)
        tifffile.imwrite(tmp_path / f"{name}.tif", likely)
    (tmp_path / "likely").mkdir()
    for name in "abc":
        (tmp_path / f"{name}.tif").rename(tmp_path / "likely" / f"{name}.tif")
    table = score_folders(*folders, probabilities=tmp_path / "likely")
    found = table.calibration("foreground")
    assert found is not None
    assert found.everywhere.pixels.sum() == 3 * 20 * 24
    assert found.everywhere.ece == pytest.approx(0.25 - 36 / 480)
    assert 0 < found.border.pixels.sum() < found.everywhere.pixels.sum()
    assert "no probabilities are there for d" in table.notes


def test_probabilities_that_are_none_leave_their_case_out(folders: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "likely").mkdir()
    for name, value in (("a", 0.5), ("b", math.nan), ("c", 7.0)):
        tifffile.imwrite(tmp_path / "likely" / f"{name}.tif", np.full((20, 24), value, np.float32))
    tifffile.imwrite(tmp_path / "likely" / "d.tif", np.zeros((20, 24, 3), np.float32), photometric="rgb")
    table = score_folders(*folders, probabilities=tmp_path / "likely")
    assert [case.name for case in table.cases] == ["a"]
    why = dict(table.unscored)
    assert "480 of 480 probabilities are not finite" in why["b"]
    assert "run from 0 to 7: apply softmax" in why["c"]
    assert "3 channels for 2 classes" in why["d"]
    save(tmp_path / "others" / "x.png", square(slice(2, 8), slice(3, 9)))
    with pytest.raises(DataError, match="has the name of a prediction"):
        score_folders(*folders, probabilities=tmp_path / "others")


def test_scoring_loads_no_torch() -> None:
    import subprocess

    code = "import sys, delineate.score; sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(not (DATA / "nuclei" / "val").is_dir(), reason="needs the nuclei of ../shared/data")
def test_true_nuclei_against_themselves_are_perfect() -> None:
    table = score_folders(DATA / "nuclei" / "val" / "instances", DATA / "nuclei" / "val")
    assert table.summary("foreground", "dice").mean == 1.0
    assert table.objects is not None
    assert (table.objects.pq, table.objects.fn) == (1.0, 0)
