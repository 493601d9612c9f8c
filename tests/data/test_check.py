from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from delineate.core import DataError
from delineate.data import Check, check, load

REAL = Path(__file__).parents[3] / "shared" / "data"
needs_real_data = pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data is not here")

SQUARE = np.zeros((6, 8), np.uint8)
SQUARE[1:4, 2:5] = 255


def picture(seed: int) -> Any:
    return np.random.default_rng(seed).integers(0, 255, (6, 8)).astype(np.uint8)


def made(root: Path, files: Mapping[str, Any]) -> Path:
    """Write pictures (arrays), JSON and bytes under `root`."""
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


GOOD: dict[str, Any] = {f"images/{i}.png": picture(i) for i in range(3)} | {
    f"masks/{i}.png": SQUARE for i in range(3)
}


def facts(found: Check) -> list[str]:
    return [problem.fact for problem in found.problems]


def test_a_clean_set_is_described_without_problems(tmp_path: Path) -> None:
    small = {"images/0.png": np.array([[0, 9], [250, 3]], np.uint8), "masks/0.png": SQUARE[:2, 1:3]}
    found = check(made(tmp_path, GOOD | small))
    assert found.problems == ()
    assert found.trainable
    assert (found.images, found.labelled, found.validation) == (3, 3, 0)
    assert found.sizes == (((6, 8), 2), ((2, 2), 1))
    assert found.channels == ((1, 3),)
    assert found.spacings == ((((1.0, 1.0), "px"), 3),)
    assert (found.dtypes[0].dtype, found.dtypes[0].low, found.dtypes[0].count) == ("uint8", 0.0, 3)
    # 2 x 9 foreground pixels of 48 each, and the 2 x 2 cut has its lower right pixel inside the square
    assert [(c.name, c.pixels, c.masks) for c in found.classes] == [
        ("background", 81, 3),
        ("foreground", 19, 3),
    ]
    assert found.classes[1].share == pytest.approx(0.19)
    assert found.unlabelled == 0
    assert found.notes == ("masks hold 0 and 255: read as background and foreground",)


def test_grey_pictures_stored_as_colour_are_no_problem_beside_grey_ones(tmp_path: Path) -> None:
    found = check(made(tmp_path, GOOD | {"images/1.png": np.stack([picture(2)] * 3, -1)}))
    assert found.trainable
    assert found.channels == ((1, 2), (3, 1))
    assert (
        found.notes[-1] == "1 colour image holds a grey picture three times: read as grey, as the others are"
    )
    assert facts(found) == ["images/1.png and images/2.png are the same image"]  # however they are stored


def test_images_without_labels_have_no_say_in_what_is_grey(tmp_path: Path) -> None:
    thrice = np.stack([picture(5)] * 3, -1)
    stored = {f"images/{i}.png": np.stack([picture(i)] * 3, -1) for i in range(3)}
    alone = check(made(tmp_path / "one", GOOD | stored | {"images/x.png": picture(5)}))
    assert alone.trainable
    assert not any("read as grey" in note for note in alone.notes)
    coloured = {
        "images/1.png": np.stack([picture(1)] * 3, -1),
        "images/x.png": np.stack([*thrice.T[:2], picture(6).T]).T,
    }
    mixed = check(made(tmp_path / "two", GOOD | coloured))
    assert mixed.trainable
    assert "1 colour image holds a grey picture three times: read as grey, as the others are" in mixed.notes


PLANTED: dict[str, tuple[dict[str, Any], str, bool]] = {
    "image without mask": ({"images/x.png": picture(9)}, "image x.png has no mask", False),
    "mask without image": ({"masks/x.png": SQUARE}, "mask x.png has no image", False),
    "sizes differ": ({"masks/1.png": SQUARE[:5]}, "mask 1.png is 5 x 8 but its image 1.png is 6 x 8", True),
    "truncated image": ({"images/1.png": b"\x89PNG\r\n\x1a\n00"}, "cannot be read", True),
    "not a picture": ({"masks/1.png": b"hello"}, "cannot be read", True),
    "empty file": ({"images/1.png": b""}, "is empty", True),
    "fringes": (
        {"masks/1.png": np.asarray(Image.fromarray(SQUARE).resize((8, 6), 2, (0.3, 0.3, 7, 5)))},
        "most of them only along edges",
        True,
    ),
    "unknown value": (
        {
            "classes.json": {"background": 0, "cell": 255, "dirt": 9},
            "masks/1.png": SQUARE + SQUARE // 255 * 8,
        },
        "masks hold 7 (in 1.png), which classes.json does not name",
        True,
    ),
    "one unknown value": (
        {"masks/1.png": np.where(np.eye(6, 8) * SQUARE > 0, 77, SQUARE).astype(np.uint8)},
        "masks hold 0, 77 and 255, and 255 may be a class or mean unlabelled",
        True,
    ),
    "ambiguous values": ({"masks/1.png": SQUARE // 255}, "some masks hold 0 and 1 and others 255", True),
    "empty mask": ({"masks/1.png": SQUARE * 0}, "mask 1.png is empty", False),
    "constant image": ({"images/1.png": SQUARE * 0}, "image 1.png is 0 everywhere", False),
    "NaN": (
        {"images/x.tif": np.where(SQUARE > 0, np.nan, 1).astype(np.float32), "masks/x.png": SQUARE},
        "image x.tif holds 9 pixels that are NaN or infinite",
        True,
    ),
    "same image twice": (
        {"images/1.png": picture(0)},
        "images/0.png and images/1.png are the same image",
        False,
    ),
    "channels differ": (
        {"images/1.png": np.stack([picture(1), picture(2), picture(3)], -1)},
        "2 images have 1 channel but 1 has 3 (1.png)",
        True,
    ),
    "one name twice": ({"images/1.tif": picture(7)}, "1.png and 1.tif have one name", True),
    "ids that are not those of the mask": (
        {"instances/1.png": np.roll(SQUARE, 1, 1) // 255 * 7},
        # of 3 x 9 pixels of foreground in three masks, 3 have no id and 3 ids have no mask; in the one with ids
        "masks and object ids contradict each other on 6 pixels (22.2% of the foreground), most of them in 1.png",
        False,
    ),
    "unreadable ids": ({"instances/1.png": b"hello"}, "cannot be read", True),
}


@pytest.mark.parametrize("what", PLANTED)
def test_every_planted_fault_is_found_with_its_remedy(tmp_path: Path, what: str) -> None:
    files, fact, serious = PLANTED[what]
    found = check(made(tmp_path, GOOD | files))
    told = [problem for problem in found.problems if fact in problem.fact]
    assert len(told) == 1, facts(found)
    assert told[0].serious is serious
    assert told[0].remedy
    assert found.trainable is not serious


def test_the_file_of_an_unknown_value_is_named(tmp_path: Path) -> None:
    (problem,) = check(made(tmp_path, GOOD | PLANTED["one unknown value"][0])).problems
    assert problem.remedy.endswith(", or correct 77 (in 1.png) if that is a slip")


@pytest.mark.parametrize("what", PLANTED)
def test_load_refuses_exactly_what_check_calls_serious(tmp_path: Path, what: str) -> None:
    files, _, serious = PLANTED[what]
    root = made(tmp_path, GOOD | files)
    if serious:
        with pytest.raises(DataError):
            load(root)
    else:
        load(root)


def test_pages_that_are_no_slices_are_told_what_to_do_about_them(tmp_path: Path) -> None:
    pages, mask = np.stack([picture(7), picture(8)]).repeat(2, 1).repeat(2, 2), np.kron(SQUARE, [[1, 1]] * 2)
    wrong = made(tmp_path, {"images/x.tif": pages, "masks/x.png": mask.astype(np.uint8)})
    (problem,) = check(wrong).problems
    assert problem.fact == "mask x.png is 12 x 16 but its image x.tif is 2 x 12 x 16"
    assert problem.remedy == (
        "if the pages of the image are channels, save it as OME-TIFF with its axes named, or with channels last; if they "
        "are slices, give a mask of as many in the same kind of file"
    )
    tifffile.imwrite(tmp_path / "images/x.tif", pages, ome=True, metadata={"axes": "CYX"})
    assert check(wrong).trainable
    tifffile.imwrite(tmp_path / "images/x.tif", np.moveaxis(pages, 0, -1))
    assert check(wrong).trainable
    tifffile.imwrite(tmp_path / "images/x.tif", pages)
    (tmp_path / "masks/x.png").unlink()
    tifffile.imwrite(tmp_path / "masks/x.tif", np.stack([mask.astype(np.uint8)] * 2))
    assert check(wrong).trainable


def test_a_stack_of_masks_for_a_flat_image_is_told_what_to_do_about_it(tmp_path: Path) -> None:
    (problem,) = check(
        made(tmp_path, {"images/x.png": picture(0), "masks/x.tif": np.stack([SQUARE] * 2)})
    ).problems
    assert problem.fact == "mask x.tif is 2 x 6 x 8 but its image x.png is 6 x 8"
    assert problem.remedy == "save the mask as one page, or give the image as the stack that it belongs to"


def test_several_faults_are_told_at_once_the_serious_first(tmp_path: Path) -> None:
    found = check(
        made(tmp_path, GOOD | {"images/0.png": b"x", "masks/1.png": SQUARE * 0, "masks/2.png": SQUARE[:3]})
    )
    assert [problem.serious for problem in found.problems] == [True, True, False]
    assert (found.images, sum(count for _, count in found.sizes)) == (3, 2)


def test_a_mask_without_any_label_is_told(tmp_path: Path) -> None:
    drawn = np.full((6, 8), 255, np.uint8)
    lines = drawn.copy()
    lines[0], lines[3] = 0, 1
    files = {
        "images/0.png": picture(0),
        "images/1.png": picture(1),
        "scribbles/0.png": lines,
        "scribbles/1.png": drawn,
    }
    found = check(made(tmp_path, files))
    assert facts(found) == ["mask 1.png is unlabelled everywhere"]
    assert found.unlabelled == pytest.approx(80 / 96)


def test_an_image_in_training_and_in_validation_is_told(tmp_path: Path) -> None:
    train, other = tmp_path / "train", tmp_path / "other"
    made(train, GOOD)
    made(other, {"images/2.png": picture(2), "masks/2.png": SQUARE})
    found = check(train, val=other)
    assert "images/2.png in training and images/2.png in validation are the same image" in facts(found)
    assert (found.images, found.validation) == (4, 1)


def test_problems_of_the_other_folder_of_validation_data_name_it(tmp_path: Path) -> None:
    train, other = tmp_path / "train", tmp_path / "other"
    made(train, GOOD)
    same = picture(8)
    files = {
        "images/0.png": picture(7),
        "masks/0.png": SQUARE[:4],
        "images/1.png": same,
        "masks/1.png": 0 * SQUARE,
        "images/2.png": same,
        "images/3.png": np.stack([picture(i) for i in range(4)], axis=-1),
        "masks/3.png": SQUARE,
    }
    found = check(train, val=made(other, files))
    told = facts(found)
    assert f"in {other}, mask 0.png is 4 x 8 but its image 0.png is 6 x 8" in told
    assert f"in {other}, mask 1.png is empty (background everywhere)" in told
    assert f"in {other}, image 2.png has no mask" in told
    assert "images/1.png and images/2.png in validation are the same image" in told
    assert f"6 images have 1 channel but 1 has 4 ({other / '3.png'})" in told
    where = {problem.fact: problem.where for problem in found.problems}
    assert where[f"in {other}, image 2.png has no mask"] == str(other / "images" / "2.png")
    assert not any(str(other) in fact for fact in facts(check(other)))


def test_a_patient_in_training_and_in_validation_is_told(tmp_path: Path) -> None:
    files: dict[str, Any] = {}
    for i, name in enumerate(["train/x/p1_a", "train/x/p2_a", "val/x/p1_b"]):
        files |= {f"{name}.png": picture(i), f"{name.replace('/x/', '/y/')}.png": SQUARE}
    assert "images of p1 are in training and in validation" in facts(check(made(tmp_path, files)))


def test_validation_is_read_with_the_classes_of_training(tmp_path: Path) -> None:
    drawn = np.indices((6, 8)).sum(0) % 3 * 10
    made(tmp_path / "a", {"images/0.png": picture(0), "masks/0.png": drawn.astype(np.uint8)})
    made(tmp_path / "b", {"images/1.png": picture(1), "masks/1.png": (drawn // 20 * 20).astype(np.uint8)})
    found = check(tmp_path / "a", val=tmp_path / "b")
    assert found.problems == ()
    assert [c.masks for c in found.classes] == [2, 1, 2]


def test_images_without_any_mask_are_told(tmp_path: Path) -> None:
    found = check(made(tmp_path, {"a.png": picture(0), "b.png": picture(1)}))
    assert facts(found) == ["none of the 2 images has a mask"]
    assert not found.trainable


def test_all_black_images_and_all_empty_masks_are_serious(tmp_path: Path) -> None:
    found = check(made(tmp_path, {"images/a.png": SQUARE * 0, "masks/a.png": SQUARE * 0}))
    serious = [problem.fact for problem in found.problems if problem.serious]
    assert serious == ["every mask is empty (background everywhere)", "every image has one value everywhere"]


def test_a_mask_elsewhere_in_space_is_told(tmp_path: Path) -> None:
    volume = np.arange(240, dtype=np.uint16).reshape(5, 6, 8)
    for name, spacing, array in (("images", 2, volume), ("masks", 3, (volume > 30).astype(np.uint8))):
        made(tmp_path, {f"{name}/a.tif": array, f"{name}/a.json": {"spacing": [spacing, 1, 1]}})
    found = check(tmp_path)
    assert facts(found) == [
        "mask a.tif lies elsewhere in space than its image, by the spacing or orientation of the files"
    ]


def test_progress_counts_images_and_nothing_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    steps: list[tuple[int, int]] = []
    check(
        made(tmp_path, GOOD | {"images/1.png": b"x"}),
        progress=lambda done, total: steps.append((done, total)),
    )
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert capfd.readouterr() == ("", "")


def test_looking_at_data_loads_no_torch() -> None:
    code = "import sys, delineate.data; print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "False\n"


@needs_real_data
@pytest.mark.parametrize("folder", ["nuclei/brightfield", "nuclei/histology", "membranes"])
def test_real_data_has_no_problems(folder: str) -> None:
    assert check(REAL / folder).problems == ()
