"""What is predicted on, told from names alone: these folders hold empty files."""

from __future__ import annotations

from pathlib import Path

import pytest

from delineate.core import DataError
from delineate.data.inputs import images


def lay(root: Path, files: str) -> Path:
    """Make the empty files that are named, separated by blanks."""
    for name in files.split():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def found(root: Path, path: str = "") -> dict[str, str]:
    """Name of each image -> its files, relative to `root`."""
    given = str(root / path)
    return {e.name: " ".join(p.relative_to(root).as_posix() for p in e.images) for e in images(given)}


def test_a_file_a_folder_and_a_glob(tmp_path: Path) -> None:
    root = lay(tmp_path, "new/b.png new/a.tif new/a_masks.tif new/read.me new/.hidden.png")
    assert found(root, "new/b.png") == {"b": "new/b.png"}
    assert found(root, "new") == {"a": "new/a.tif", "b": "new/b.png"}
    assert found(root, "new/*.png") == {"b": "new/b.png"}


@pytest.mark.parametrize(
    ("path", "says"),
    [("new/*.jpg", "matches no file"), ("empty", "holds no image"), ("none", "matches no file")],
)
def test_where_there_is_no_image_it_says_what_to_give(tmp_path: Path, path: str, says: str) -> None:
    lay(tmp_path, "new/b.png empty/read.me")
    with pytest.raises(DataError, match=f"{says}.*: give an image, a folder of images or a pattern"):
        images(tmp_path / path)


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ("images/c.png masks/c.png", ["c"]),
        ("train/images/a.png train/masks/a.png val/images/b.png test/images/c.png", ["a", "b", "c"]),
        ("train/x/a.png train/y/a.png val/x/a.png", ["a", "val/a"]),
        ("img_dir/train/a.png img_dir/val/b.png ann_dir/train/a.png", ["a", "b"]),
        ("test/a.png", ["a"]),
        ("images/site1/a.png images/site2/b.png", ["a", "b"]),
    ],
)
def test_a_data_folder_gives_the_images_of_all_its_parts(
    tmp_path: Path, files: str, names: list[str]
) -> None:
    assert sorted(found(lay(tmp_path, files))) == names


def test_names_are_those_that_the_masks_of_the_same_folder_have(tmp_path: Path) -> None:
    from delineate.data.folders import find_folder

    root = lay(tmp_path, "train/x/a.png train/y/a.png val/x/a.png val/y/a.png val/x/b.png")
    folder = find_folder(root)
    assert sorted(found(root)) == sorted(e.name for e in (*folder.train, *folder.validation))


def test_nnunet_channel_files_are_one_image_named_by_its_case(tmp_path: Path) -> None:
    files = (
        "imagesTs/p_1_0000.nii.gz imagesTs/p_1_0001.nii.gz imagesTs/p_2_0000.nii.gz imagesTs/p_2_0001.nii.gz"
    )
    root = lay(tmp_path, files)
    first, second, *_ = files.split()
    assert found(root)["p_1"] == found(root, "imagesTs")["p_1"] == f"{first} {second}"
    assert sorted(found(root, "imagesTs")) == ["p_1", "p_2"]
    assert found(root, second) == {"p_1": f"{first} {second}"}
    assert found(root, "imagesTs/p_1*") == {"p_1": f"{first} {second}"}


def test_numbered_files_elsewhere_stay_images_of_their_own(tmp_path: Path) -> None:
    assert sorted(found(lay(tmp_path, "film_0000.png film_0001.png"))) == ["film_0000", "film_0001"]


def test_an_nnunet_data_set_gives_training_and_test_images(tmp_path: Path) -> None:
    root = lay(tmp_path, "imagesTr/a_0000.tif imagesTs/b_0000.tif labelsTr/a.tif")
    assert found(root) == {"a": "imagesTr/a_0000.tif", "b": "imagesTs/b_0000.tif"}


def test_the_folder_of_a_dicom_series_is_one_image(tmp_path: Path) -> None:
    root = lay(tmp_path, "images/p1/1.dcm images/p1/2.dcm images/p2/1.dcm masks/p1.nii.gz")
    assert found(root, "images/p1") == {"p1": "images/p1"}
    assert found(root) == {"p1": "images/p1", "p2": "images/p2"}


def test_an_image_folder_that_is_a_series_itself_is_one_image(tmp_path: Path) -> None:
    assert found(lay(tmp_path, "images/1.dcm images/2.dcm masks/1.dcm")) == {"images": "images"}


def test_a_series_in_the_folder_one_stands_in_is_named_after_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(lay(tmp_path, "scan/1.dcm scan/2.dcm") / "scan")
    assert [entry.name for entry in images(".")] == ["scan"]
