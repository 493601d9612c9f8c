from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from delineate.core import UNLABELLED, ClassTable, DataError
from delineate.data import check, load, load_masks

REAL = Path(__file__).parents[3] / "shared" / "data"
needs_real_data = pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data is not here")

NOISE = np.random.default_rng(0).integers(0, 255, (6, 8)).astype(np.uint8)
SQUARE = np.zeros((6, 8), np.uint8)
SQUARE[1:4, 2:5] = 255


def made(root: Path, files: Mapping[str, Any]) -> Path:
    """Write pictures (arrays), texts and JSON under `root`."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif path.suffix == ".json":
            path.write_text(json.dumps(content))
        elif path.suffix == ".tif":
            tifffile.imwrite(path, content)
        else:
            Image.fromarray(content).save(path)
    return root


def test_images_and_masks_become_cases_sorted_by_name(tmp_path: Path) -> None:
    root = made(
        tmp_path,
        {"images/b.png": NOISE, "images/a.png": NOISE, "masks/b.png": SQUARE, "masks/a.tif": SQUARE},
    )
    found = load(root)
    assert [case.name for case in found.cases] == ["a", "b"]
    assert found.validation == ()
    assert found.classes.names == ("background", "foreground")
    assert found.sources["b"] == root / "images" / "b.png"
    for case in found.cases:
        assert case.image.tolist() == NOISE[..., None].tolist()
        assert case.labels is not None
        assert case.labels.tolist() == (SQUARE // 255).tolist()


def test_what_was_understood_is_said_once(tmp_path: Path) -> None:
    files = {f"images/{i}.png": NOISE for i in range(3)} | {f"masks/{i}.png": SQUARE for i in range(3)}
    assert load(made(tmp_path, files)).notes == ("masks hold 0 and 255: read as background and foreground",)


def test_grey_pictures_stored_as_colour_are_grey_beside_grey_ones(tmp_path: Path) -> None:
    thrice = np.stack([NOISE[::-1]] * 3, -1)
    files = {"images/a.png": NOISE, "images/b.png": thrice, "masks/a.png": SQUARE, "masks/b.png": SQUARE}
    found = load(made(tmp_path / "mixed", files))
    assert [case.image.shape for case in found.cases] == [(6, 8, 1), (6, 8, 1)]
    assert found.cases[1].image.tolist() == NOISE[::-1, :, None].tolist()
    assert (
        found.notes[-1] == "1 colour image holds a grey picture three times: read as grey, as the others are"
    )
    alone = load(made(tmp_path / "alone", {k: v for k, v in files.items() if "b.png" in k}))
    assert alone.cases[0].channels == 3  # as the file has it: the plan says what the network is shown


def test_an_image_without_a_mask_is_left_out_with_a_note(tmp_path: Path) -> None:
    root = made(tmp_path, {"images/a.png": NOISE, "images/b.png": NOISE, "masks/b.png": SQUARE})
    found = load(root)
    assert [case.name for case in found.cases] == ["b"]
    assert "1 image without a mask left out: a" in found.notes


def test_train_and_val_folders_share_one_reading_of_the_masks(tmp_path: Path) -> None:
    few = np.where(SQUARE > 0, 30, 0).astype(np.uint8)
    many = few.copy()
    many[5] = [0, 10, 0, 10, 0, 10, 0, 10]
    many[3, 3] = many[0, 0] = 10
    many[0, 7] = 30
    root = made(
        tmp_path,
        {"train/x/1.png": NOISE, "train/y/1.png": many, "val/x/1.png": NOISE, "val/y/1.png": few},
    )
    found = load(root)
    assert [case.name for case in (*found.cases, *found.validation)] == ["1", "val/1"]
    labels = found.validation[0].labels
    assert labels is not None
    assert np.unique(labels).tolist() == [0, 2]


def test_classes_come_from_masks_and_objects_from_instances(tmp_path: Path) -> None:
    ids = np.zeros((6, 8), np.uint16)
    ids[1:4, 2:5], ids[5, 5:8] = 300, 7
    root = made(tmp_path, {"images/a.png": NOISE, "masks/a.png": SQUARE, "instances/a.tif": ids})
    found = load(root)
    case = found.cases[0]
    assert case.objects is not None
    assert case.labels is not None
    assert case.objects.tolist() == np.where(SQUARE > 0, 300, 0).tolist()
    assert any(
        note.startswith("masks and object ids contradict each other on 3 pixels (33.3%")
        for note in found.notes
    )


def test_masks_and_instances_that_agree_need_no_note(tmp_path: Path) -> None:
    root = made(tmp_path, {"images/a.png": NOISE, "masks/a.png": SQUARE, "instances/a.png": SQUARE})
    assert not any("contradict" in note for note in load(root).notes)


def specks(count: int) -> Any:
    """A mask of `count` ids, each a pixel or two, as the connected components of a noisy threshold are."""
    ids = np.zeros((64, 64), np.uint16)
    ids[::4, ::4].flat[:count] = np.arange(1, count + 1)
    ids[1::4, ::4].flat[: count // 2] = np.arange(1, count // 2 + 1)
    return ids


def test_specks_numbered_one_by_one_are_taken_for_ids_when_asked(tmp_path: Path) -> None:
    image = np.resize(NOISE, (64, 64))
    root = made(tmp_path, {"images/a.png": image, "masks/a.png": specks(200)})
    with pytest.raises(DataError, match="or say --masks-are instances if the values number objects"):
        load(root)
    objects = load(root, masks_are="instances").cases[0].objects
    assert objects is not None
    assert objects.max() == 200
    assert load_masks(root, masks_are="instances").files["a"].convention.objects
    assert check(root, masks_are="instances").trainable


def test_cellpose_pairs_give_objects(tmp_path: Path) -> None:
    ids = np.zeros((6, 8), np.uint16)
    ids[0, :3], ids[4, :3] = 1, 2
    case = load(made(tmp_path, {"x.tif": NOISE, "x_masks.tif": ids})).cases[0]
    assert case.objects is not None
    assert np.unique(case.objects).tolist() == [0, 1, 2]


def test_scribbles_leave_most_pixels_unlabelled(tmp_path: Path) -> None:
    drawn = np.full((6, 8), 255, np.uint8)
    drawn[0, :3], drawn[2, :3] = 0, 1
    case = load(made(tmp_path, {"images/a.png": NOISE, "scribbles/a.png": drawn})).cases[0]
    assert case.labels is not None
    assert np.bincount(case.labels.ravel(), minlength=256)[[0, 1, UNLABELLED]].tolist() == [3, 3, 42]


def test_nnunet_channels_spacing_names_and_ignore(tmp_path: Path) -> None:
    volume = np.random.default_rng(1).integers(0, 99, (5, 6, 8)).astype(np.uint16)
    labels = np.zeros((5, 6, 8), np.uint8)
    labels[0], labels[1], labels[2] = 1, 2, 3
    root = made(
        tmp_path,
        {
            "imagesTr/c_0000.tif": volume,
            "imagesTr/c_0001.tif": volume + 1,
            "imagesTr/c.json": {"spacing": [5, 1, 2]},
            "labelsTr/c.tif": labels,
            "dataset.json": {"labels": {"background": 0, "rim": 1, "core": 2, "ignore": 3}},
        },
    )
    found = load(root)
    case = found.cases[0]
    assert found.classes.names == ("background", "rim", "core")
    assert (case.name, case.channels, case.spacing, case.unit) == ("c", 2, (5.0, 1.0, 2.0), "mm")
    assert (case.image[..., 1] == volume + 1).all()
    assert case.labels is not None
    assert (case.labels[2] == UNLABELLED).all()


def test_names_with_a_common_patient_are_one_group(tmp_path: Path) -> None:
    names = ["patient1_a", "patient1_b", "patient2_a"]
    files = {f"images/{n}.png": NOISE for n in names} | {f"masks/{n}.png": SQUARE for n in names}
    found = load(made(tmp_path, files))
    assert [case.group for case in found.cases] == ["patient1", "patient1", "patient2"]
    assert any("2 groups such as patient1" in note for note in found.notes)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no image": ({"masks/a.png": SQUARE}, "holds no image that can be read: give"),
    "no mask": ({"images/a.png": NOISE}, "holds 1 image but no mask for any of them: put"),
    "sizes differ": (
        {"images/a.png": NOISE, "masks/a.png": SQUARE[:5]},
        r"^mask a\.png is 5 x 8 but its image a\.png is 6 x 8: crop or resample",
    ),
    "a truncated file": (
        {"images/a.png": b"\x89PNG\r\n\x1a\n0000", "masks/a.png": SQUARE},
        r"a\.png cannot be read: .*copy or export it again",
    ),
    "an empty file": ({"images/a.png": b"", "masks/a.png": SQUARE}, r"a\.png is empty"),
    "NaN": (
        {"images/a.tif": np.where(SQUARE > 0, np.nan, NOISE).astype(np.float32), "masks/a.png": SQUARE},
        r"image a\.tif holds 9 pixels that are NaN or infinite: replace them",
    ),
    "all black": (
        {"images/a.png": NOISE * 0, "masks/a.png": SQUARE},
        r"every image has one value everywhere .*: export",
    ),
    "empty masks": ({"images/a.png": NOISE, "masks/a.png": SQUARE * 0}, "every mask is empty .*: label"),
    "all unlabelled": (
        {"images/a.png": NOISE, "scribbles/a.png": SQUARE * 0 + 255},
        "every pixel of all scribbles is unlabelled .*: label",
    ),
    "a JPEG mask": (
        {
            "images/a.png": np.resize(NOISE, (48, 48)),
            "masks/a.jpg": np.kron(SQUARE, np.ones((8, 6), np.uint8)),
        },
        r"mask a\.jpg holds .* as JPEG and smooth resampling leave them: save masks as PNG",
    ),
    "object ids in JPEG": (
        {
            "images/a.png": np.resize(NOISE, (48, 48)),
            "instances/a.jpg": np.kron(SQUARE, np.ones((8, 6), np.uint8)),
        },
        r"mask a\.jpg holds .* as JPEG and smooth resampling leave them: save masks as PNG",
    ),
    "a class that never occurs": (
        {
            "images/a.png": NOISE,
            "masks/a.png": SQUARE // 255,
            "classes.json": {"background": 0, "cell": 1, "debris": 2},
        },
        "no training mask holds debris: label some",
    ),
    "channels differ": (
        {
            "images/a.png": NOISE,
            "masks/a.png": SQUARE,
            "images/b.png": np.stack([NOISE, NOISE, NOISE[::-1]], -1),
            "masks/b.png": SQUARE,
        },
        r"1 image has 1 channel but 1 has 3 \(b\): convert",
    ),
    "one stem twice": (
        {"images/a.png": NOISE, "images/a.tif": NOISE, "masks/a.png": SQUARE},
        r"a\.png and a\.tif have one name: rename",
    ),
    "channel files differ": (
        {"imagesTr/c_0000.tif": NOISE, "imagesTr/c_0001.tif": NOISE[:4], "labelsTr/c.tif": SQUARE},
        r"channel c_0001\.tif is 4 x 8 but c_0000\.tif is 6 x 8: export",
    ),
    "ids of another size": (
        {"images/a.png": NOISE, "masks/a.png": SQUARE, "instances/a.png": SQUARE[:3]},
        r"mask with object ids is 3 x 8 but its image a\.png is 6 x 8: crop",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_what_would_mislead_training_is_refused_with_a_remedy(tmp_path: Path, what: str) -> None:
    files, says = BAD[what]
    with pytest.raises(DataError, match=says):
        load(made(tmp_path, files))


def test_empty_masks_are_fine_for_a_trained_model(tmp_path: Path) -> None:
    root = made(tmp_path, {"images/a.png": NOISE, "masks/a.png": SQUARE * 0})
    assert load(root, classes=ClassTable(("background", "cell"))).classes.names == ("background", "cell")


@needs_real_data
def test_real_nuclei_load_within_seconds() -> None:
    start = time.process_time()
    found = load(REAL / "nuclei" / "train")
    spent = time.process_time() - start
    assert len(found.cases) == 130
    assert all(case.channels == 3 and case.objects is not None for case in found.cases)
    assert found.notes[0] == "masks hold 0 and 255: read as background and foreground"
    assert spent < 12  # 2.5 s on an idle core


@needs_real_data
def test_real_heart_stacks_are_grouped_by_patient() -> None:
    found = load(REAL / "cardiac")
    assert (len(found.cases), len({case.group for case in found.cases}), len(found.validation)) == (
        32,
        16,
        12,
    )
    assert len(found.classes) == 4
