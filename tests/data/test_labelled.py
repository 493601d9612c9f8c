from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from delineate.core import ClassTable, DataError
from delineate.data import load_masks

DRAWN = np.array([[0, 1, 1], [2, 0, 2]], np.uint8)


def put(path: Path, array: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, array)


def prediction(root: Path, *, files: Any, **changes: Any) -> Path:
    content = {
        "format": "delineate-prediction",
        "version": 1,
        "classes": ["background", "rim", "core"],
        "kind": "classes",
        "files": files,
    }
    (root / "prediction.json").write_text(json.dumps(content | changes))
    return root


def test_a_folder_of_masks_is_named_by_stem(tmp_path: Path) -> None:
    put(tmp_path / "a_mask.tif", DRAWN // 2)
    put(tmp_path / "b_mask.tif", DRAWN // 2 * 0)
    found = load_masks(tmp_path)
    assert list(found.files) == ["a", "b"]
    assert found.classes.names == ("background", "foreground")
    read = found.files["a"].read()
    assert (read.labels.tolist(), read.objects, read.spacing) == ((DRAWN // 2).tolist(), None, (1.0, 1.0))
    assert (found.files["a"].path.name, found.files["a"].image) == ("a_mask.tif", None)


def test_a_single_mask_file_is_a_set_of_one(tmp_path: Path) -> None:
    put(tmp_path / "a.tif", DRAWN // 2)
    assert list(load_masks(tmp_path / "a.tif").files) == ["a"]


def test_a_data_folder_gives_its_masks_objects_and_images(tmp_path: Path) -> None:
    put(tmp_path / "images" / "a.tif", DRAWN)
    put(tmp_path / "masks" / "a.tif", DRAWN // 2)
    put(tmp_path / "instances" / "a.tif", DRAWN * 7)
    file = load_masks(tmp_path).files["a"]
    objects = file.read().objects
    assert file.image == tmp_path / "images" / "a.tif"
    assert objects is not None
    assert objects.tolist() == [[0, 0, 0], [14, 0, 14]]


def test_a_folder_called_instances_holds_ids(tmp_path: Path) -> None:
    put(tmp_path / "instances" / "a.tif", DRAWN)
    read = load_masks(tmp_path / "instances").files["a"].read()
    assert read.objects is not None
    assert (read.labels.max(), read.objects.max()) == (1, 2)


def test_names_lie_beside_the_folder_of_masks(tmp_path: Path) -> None:
    put(tmp_path / "labelsTr" / "a.tif", DRAWN)
    (tmp_path / "dataset.json").write_text('{"labels": {"background": 0, "rim": 1, "core": 2}}')
    assert load_masks(tmp_path / "labelsTr").classes.names == ("background", "rim", "core")


def test_the_classes_of_the_other_side_decide(tmp_path: Path) -> None:
    put(tmp_path / "a.tif", DRAWN)
    table = ClassTable(("background", "rim", "core", "edge"))
    assert load_masks(tmp_path, classes=table).files["a"].read().labels.tolist() == DRAWN.tolist()


def test_files_are_read_when_asked_not_before(tmp_path: Path) -> None:
    put(tmp_path / "a.tif", DRAWN // 2)
    found = load_masks(tmp_path)
    put(tmp_path / "a.tif", DRAWN)
    with pytest.raises(DataError, match=r"a\.tif holds 2, but only 0 and 1 have a meaning"):
        found.files["a"].read()


def test_a_prediction_needs_no_understanding(tmp_path: Path) -> None:
    put(tmp_path / "a.tif", DRAWN)
    put(tmp_path / "ids" / "a.tif", (DRAWN > 0) * np.uint16(400))
    put(tmp_path / "b.tif", DRAWN // 2 * 2)
    root = prediction(
        tmp_path,
        files={
            "a": {"image": "/data/a.png", "labels": "a.tif", "objects": "ids/a.tif"},
            "b": {"image": "/data/b.png", "labels": "b.tif"},
        },
    )
    found = load_masks(root)
    assert found.classes.names == ("background", "rim", "core")
    read = found.files["a"].read()
    assert read.labels.tolist() == DRAWN.tolist()
    assert read.objects is not None
    assert read.objects.max() == 400
    assert found.files["a"].image == Path("/data/a.png")
    assert found.files["b"].read().labels.tolist() == (DRAWN // 2 * 2).tolist()


def test_a_prediction_of_ids_alone_is_foreground(tmp_path: Path) -> None:
    put(tmp_path / "a.tif", DRAWN)
    root = prediction(tmp_path, files={"a": {"image": "a.png", "objects": "a.tif"}}, kind="objects")
    read = load_masks(root).files["a"].read()
    assert (read.labels.max(), read.objects is not None) == (1, True)


def test_a_prediction_with_a_class_that_it_does_not_name_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "a.tif", DRAWN + 1)
    root = prediction(tmp_path, files={"a": {"image": "a.png", "labels": "a.tif"}})
    with pytest.raises(DataError, match=r"mask .*a\.tif holds 3"):
        load_masks(root).files["a"].read()


@pytest.mark.parametrize("changes", [{"format": "other"}, {"version": 2}, {"classes": 3}, {"files": []}])
def test_a_damaged_prediction_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    root = prediction(tmp_path, **({"files": {}} | changes))
    with pytest.raises(
        DataError, match=r"prediction\.json is not what delineate predict writes: predict again"
    ):
        load_masks(root)


def test_strokes_as_truth_are_told_and_points_are_none(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (20, 24)).astype(np.uint8)
    strokes = np.full((20, 24), 255, np.uint8)
    strokes[2, 2:9], strokes[10, 10:20] = 0, 1
    for place, what in (("images/a.png", image), ("scribbles/a.png", strokes)):
        (tmp_path / place).parent.mkdir()
        Image.fromarray(what).save(tmp_path / place)
    (tmp_path / "points").mkdir()
    (tmp_path / "points" / "a.csv").write_text("row,column\n5,5\n")
    notes = load_masks(tmp_path).notes
    assert "scores on strokes are of the places where people drew, which are the easy ones" in notes[-1]
    assert "points and boxes are not scored" in notes
    (tmp_path / "scribbles" / "a.png").unlink()
    with pytest.raises(
        DataError, match="holds points or boxes but no masks, and scores are of masks: give the folder"
    ):
        load_masks(tmp_path)


def test_a_flat_folder_of_masks_may_hold_a_table_and_masks_of_a_part_say_so(tmp_path: Path) -> None:
    mask = np.full((20, 24), 255, np.uint8)
    mask[:4], mask[4:6] = 0, 1
    Image.fromarray(mask).save(tmp_path / "a.png")
    (tmp_path / "points.csv").write_text("name,row,column\na,5,5\n")
    found = load_masks(tmp_path)
    assert list(found.files) == ["a"]
    assert found.notes[0] == "points and boxes are not scored"
    assert found.notes[-1] == "30.0% of the pixels are labelled: scores are of these alone"


def test_images_beside_a_table_of_points_are_not_taken_for_masks(tmp_path: Path) -> None:
    image = 20 * np.hypot(*(np.indices((40, 48)) - 20))
    (tmp_path / "points.csv").write_text("name,row,column\na,5,5\n")
    told = (
        f"^{re.escape(str(tmp_path))} holds points or boxes but no masks, for its files look like images .*"
    )
    for name, pixels in (("a.png", image.clip(0, 255).astype(np.uint8)), ("a.tif", image.astype(np.float32))):
        Image.fromarray(pixels).save(tmp_path / name)
        with pytest.raises(DataError, match=told + "scores are of masks: give the folder of the full masks"):
            load_masks(tmp_path)
        (tmp_path / name).unlink()


def test_no_mask_at_all_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no image that can be read"):
        load_masks(tmp_path)


def test_one_damaged_file_is_told_when_it_is_read_and_not_before(tmp_path: Path) -> None:
    put(tmp_path / "a.tif", DRAWN // 2)
    (tmp_path / "b.tif").write_bytes(b"II*\0")
    found = load_masks(tmp_path)
    assert found.files["a"].read().labels.tolist() == (DRAWN // 2).tolist()
    with pytest.raises(DataError, match=r"b\.tif cannot be read"):
        found.files["b"].read()


def test_damaged_files_alone_are_refused(tmp_path: Path) -> None:
    (tmp_path / "b.tif").write_bytes(b"II*\0")
    with pytest.raises(DataError, match=r"b\.tif cannot be read"):
        load_masks(tmp_path)
