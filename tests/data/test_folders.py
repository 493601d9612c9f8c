"""Layouts are told from names alone, so these folders hold empty files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from delineate.core import DataError
from delineate.data.beside import Folder
from delineate.data.folders import find_folder
from delineate.data.formats import stem_of

Laid = Callable[[str], Path]


@pytest.fixture
def laid(tmp_path: Path) -> Laid:
    """Makes a folder of the empty files that are named, separated by blanks."""

    def lay(files: str) -> Path:
        for name in files.split():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return lay


def pairs(folder: Folder) -> dict[str, str | None]:
    root = folder.path
    entries = (*folder.train, *folder.validation)
    return {e.name: e.labels.relative_to(root).as_posix() if e.labels else None for e in entries}


@pytest.mark.parametrize("masks", ["masks", "labels", "annotations", "Masks"])
def test_images_and_masks_are_matched_by_stem_whatever_their_suffixes(laid: Laid, masks: str) -> None:
    found = find_folder(laid(f"images/a.jpg images/b.tif {masks}/b.png {masks}/a.png"))
    assert pairs(found) == {"a": f"{masks}/a.png", "b": f"{masks}/b.png"}
    assert found.kind == "masks"


def test_a_mask_may_end_in_mask_while_its_image_does_not(laid: Laid) -> None:
    found = find_folder(laid("images/a.png images/b_img.png masks/a_mask.png masks/b_seg.png"))
    assert pairs(found) == {"a": "masks/a_mask.png", "b_img": "masks/b_seg.png"}


def test_an_equal_stem_wins_over_a_similar_one(laid: Laid) -> None:
    found = find_folder(laid("images/a.png images/a_raw.png masks/a.png masks/a_raw.png"))
    assert pairs(found) == {"a": "masks/a.png", "a_raw": "masks/a_raw.png"}


def test_double_suffixes_are_one_suffix(laid: Laid) -> None:
    found = find_folder(laid("images/p.1.nii.gz images/c.ome.tif masks/p.1.nii.gz masks/c.tif"))
    assert pairs(found) == {"c": "masks/c.tif", "p.1": "masks/p.1.nii.gz"}
    assert stem_of(Path("c.ome.tif")) == "c"


def test_instances_beside_masks_are_object_ids(laid: Laid) -> None:
    entry = find_folder(laid("images/a.png masks/a.png instances/a.tif")).train[0]
    assert (entry.labels and entry.labels.parent.name, entry.objects and entry.objects.parent.name) == (
        "masks",
        "instances",
    )


def test_instances_alone_are_the_labels(laid: Laid) -> None:
    found = find_folder(laid("images/a.png instances/a.png"))
    assert (found.kind, pairs(found)) == ("instances", {"a": "instances/a.png"})


def test_masks_are_used_where_there_are_scribbles_too_and_it_is_said(laid: Laid) -> None:
    found = find_folder(laid("images/a.png masks/a.png scribbles/a.png"))
    assert (found.kind, pairs(found)) == ("masks", {"a": "masks/a.png"})
    assert found.notes == (
        "there are masks and scribbles: where an image has several, its masks are used (--labels scribbles takes the "
        "scribbles)",
    )


def test_scribbles_alone_are_the_labels(laid: Laid) -> None:
    found = find_folder(laid("images/a.png scribbles/a.png"))
    assert (found.kind, pairs(found)) == ("scribbles", {"a": "scribbles/a.png"})


def test_of_several_annotators_the_first_who_drew_an_image_is_used_and_it_is_said(laid: Laid) -> None:
    found = find_folder(laid("images/a.png images/b.png masks/bo/a.png masks/bo/b.png masks/anna/a.png"))
    assert pairs(found) == {"a": "masks/anna/a.png", "b": "masks/bo/b.png"}
    assert found.notes[0].startswith(
        "anna (1) and bo (2) labelled these images: of each the masks of the first"
    )
    assert {name: [bool(e.labels) for e in own] for name, own in found.people.items()} == {
        "anna": [True, False],
        "bo": [True, True],
    }


def test_each_annotator_has_objects_of_their_own(laid: Laid) -> None:
    found = find_folder(laid("images/a.png masks/bo/a.png masks/cy/a.png instances/bo/a.png"))
    (bo,), (cy,) = found.people["bo"], found.people["cy"]
    assert bo.objects is not None
    assert bo.objects.parent.name == "bo"
    assert cy.objects is None


def test_annotators_of_training_and_validation_are_the_same_people(laid: Laid) -> None:
    found = find_folder(laid("train/images/a.png train/masks/bo/a.png val/images/a.png val/masks/cy/a.png"))
    assert found.people == {}  # one person each: nobody to compare
    found = find_folder(laid("train/masks/cy/a.png val/masks/bo/a.png"))
    assert [(name, [e.name for e in own if e.labels]) for name, own in found.people.items()] == [
        ("bo", ["a", "val/a"]),
        ("cy", ["a", "val/a"]),
    ]


def test_cellpose_names(laid: Laid) -> None:
    found = find_folder(laid("x.tif x_masks.tif 000_img.png 000_masks.png"))
    assert (found.kind, pairs(found)) == ("ids", {"000_img": "000_masks.png", "x": "x_masks.tif"})


def test_flat_folders_with_other_endings_are_masks_of_any_kind(laid: Laid) -> None:
    found = find_folder(laid("x.png x_label.png y.png y_label.png"))
    assert (found.kind, pairs(found)) == ("masks", {"x": "x_label.png", "y": "y_label.png"})


def test_mmsegmentation(laid: Laid) -> None:
    found = find_folder(laid("img_dir/train/a.jpg img_dir/val/b.jpg ann_dir/train/a.png ann_dir/val/b.png"))
    assert [e.name for e in found.train] == ["a"]
    assert [e.name for e in found.validation] == ["b"]
    assert pairs(found) == {"a": "ann_dir/train/a.png", "b": "ann_dir/val/b.png"}


@pytest.mark.parametrize("part", ["val", "test", "validation"])
def test_biapy(laid: Laid, part: str) -> None:
    found = find_folder(laid(f"train/x/a.tif train/y/a.tif {part}/x/b.tif {part}/y/b.tif"))
    assert [e.name for e in found.validation] == ["b"]
    assert pairs(found) == {"a": "train/y/a.tif", "b": f"{part}/y/b.tif"}
    assert f"{part} is used for validation" in found.notes


def test_images_and_masks_inside_train_and_val(laid: Laid) -> None:
    root = laid("train/images/a.png train/masks/a.png val/images/b.png val/masks/b.png extra/images/c.png")
    found = find_folder(root)
    assert pairs(found) == {"a": "train/masks/a.png", "b": "val/masks/b.png"}
    assert "extra beside train is not read" in found.notes


def test_a_second_folder_of_masks_is_not_passed_over_in_silence(laid: Laid) -> None:
    found = find_folder(laid("images/a.png masks/a.png labels/a.png Annotations/a.xml raw/a.tif"))
    assert pairs(found) == {"a": "masks/a.png"}
    assert found.notes == (
        "raw beside images is not read",
        "Annotations and labels beside masks are not read",
    )


def test_one_name_on_both_sides_stays_two_cases(laid: Laid) -> None:
    found = find_folder(laid("train/x/1.png train/y/1.png val/x/1.png val/y/1.png"))
    assert pairs(found) == {"1": "train/y/1.png", "val/1": "val/y/1.png"}


def test_nnunet_stacks_channel_files(laid: Laid) -> None:
    found = find_folder(
        laid("imagesTr/c1_0000.nii.gz imagesTr/c1_0001.nii.gz labelsTr/c1.nii.gz dataset.json")
    )
    assert [path.name for path in found.train[0].images] == ["c1_0000.nii.gz", "c1_0001.nii.gz"]
    assert pairs(found) == {"c1": "labelsTr/c1.nii.gz"}


def test_masks_without_images_and_images_without_masks_are_kept_apart(laid: Laid) -> None:
    found = find_folder(laid("images/a.png images/b.png masks/b.png masks/c.png"))
    assert pairs(found) == {"a": None, "b": "masks/b.png"}
    assert [path.name for path in found.strays] == ["c.png"]


def test_two_files_of_one_stem_are_told(laid: Laid) -> None:
    found = find_folder(laid("images/a.png images/a.tif masks/a.png"))
    assert [(one.name, two.name) for one, two in found.twins] == [("a.png", "a.tif")]


def test_hidden_files_are_no_images(laid: Laid) -> None:
    found = find_folder(laid("images/._a.png images/a.png images/Thumbs.db masks/a.png masks/._a.png"))
    assert pairs(found) == {"a": "masks/a.png"}


def test_the_folder_of_a_dicom_series_is_one_image(laid: Laid) -> None:
    root = laid("images/p1/1.dcm images/p1/2.dcm images/p2/1.dcm masks/p1.nii.gz")
    assert pairs(find_folder(root)) == {"p1": "masks/p1.nii.gz", "p2": None}


def test_images_in_folders_of_patients_are_not_said_to_be_missing(laid: Laid) -> None:
    root = laid("images/p1/a.png images/p2/b.png masks/p1/a.png masks/p2/b.png")
    with pytest.raises(
        DataError, match=r"only in folders of its own \(p1 and p2\): move the images into images/"
    ):
        find_folder(root)
    for file in [*root.glob("*/p*/*.png")]:
        file.rename(file.parent.parent / file.name)
    assert pairs(find_folder(root)) == {"a": "masks/a.png", "b": "masks/b.png"}


@pytest.mark.parametrize("files", ["", "notes.txt", "images/notes.txt masks/a.png"])
def test_a_folder_without_images_says_what_to_give(laid: Laid, files: str) -> None:
    with pytest.raises(DataError, match=r"holds no image that can be read: give a folder with images/"):
        find_folder(laid(files))


def test_a_missing_folder_and_a_file_are_told(laid: Laid) -> None:
    root = laid("a.png")
    with pytest.raises(DataError, match="does not exist"):
        find_folder(root / "b")
    with pytest.raises(DataError, match="is a file: give the folder"):
        find_folder(root / "a.png")


@pytest.mark.parametrize("masks", ["masks/1.dcm masks/2.dcm", "masks/drawn.nii.gz"])
def test_one_scan_may_lie_in_the_image_folder_itself(laid: Laid, masks: str) -> None:
    (path,) = pairs(find_folder(laid(f"images/1.dcm images/2.dcm {masks}"))).values()
    assert path == ("masks" if "dcm" in masks else masks)


def test_series_of_masks_are_no_annotators(laid: Laid) -> None:
    root = laid("images/p1/1.dcm images/p1/2.dcm masks/p1/1.dcm masks/p1/2.dcm")
    assert pairs(find_folder(root)) == {"p1": "masks/p1"}


def test_of_several_people_who_scribbled_the_first_who_drew_on_an_image_is_used_and_it_is_said(
    laid: Laid,
) -> None:
    found = find_folder(
        laid("images/a.png images/b.png scribbles/bo/a.png scribbles/bo/b.png scribbles/anna/a.png")
    )
    assert pairs(found) == {"a": "scribbles/anna/a.png", "b": "scribbles/bo/b.png"}
    assert found.notes == (
        "anna (1) and bo (2) drew on these images: of each the strokes of the first who drew on it are used",
    )


def test_discs_of_several_people_are_strokes_as_well(laid: Laid) -> None:
    found = find_folder(laid("images/a.png images/b.png points/anna/a.png points/bo/b.png points/bo/c.png"))
    assert pairs(found) == {"a": "points/anna/a.png", "b": "points/bo/b.png"}
    assert [path.name for path in found.strays] == ["c.png"]
    assert found.notes[0].startswith("anna (1) and bo (1) drew on these images")


def test_people_are_named_where_their_labels_are_used(laid: Laid) -> None:
    root = laid("images/a.png masks/anna/a.png masks/bo/a.png scribbles/cy/a.png scribbles/di/a.png")
    masks, strokes = find_folder(root, labels="masks"), find_folder(root, labels="scribbles")
    assert [note.partition(":")[0] for note in masks.notes] == ["anna (1) and bo (1) labelled these images"]
    assert [note.partition(":")[0] for note in strokes.notes] == ["cy (1) and di (1) drew on these images"]
    assert (sorted(masks.people), dict(strokes.people)) == (["anna", "bo"], {})


def test_tables_without_an_image_are_strays(laid: Laid) -> None:
    found = find_folder(laid("images/a.png points/a.csv points/I_5.csv points/cell/b.csv boxes.csv"))
    assert [path.name for path in found.strays] == ["I_5.csv", "b.csv"]


def test_tables_without_an_image_are_strays_beside_flat_images_too(laid: Laid) -> None:
    found = find_folder(laid("x.png points/x.csv points/y.csv"))
    assert [path.name for path in found.strays] == ["y.csv"]


def test_ids_to_validate_on_are_ids_where_training_has_scribbles_alone(laid: Laid) -> None:
    found = find_folder(laid("train/images/a.png train/scribbles/a.png val/images/b.png val/instances/b.png"))
    assert (found.kind, [entry.kind for entry in found.entries]) == ("instances", ["scribbles", "instances"])


def test_discs_beside_scribbles_are_used_where_nobody_scribbled(laid: Laid) -> None:
    found = find_folder(
        laid("images/a.png images/b.png scribbles/a.png points/a.png points/b.png points/a.csv")
    )
    assert pairs(found) == {"a": "scribbles/a.png", "b": "points/b.png"}
    assert [entry.discs is not None for entry in found.train] == [True, False]
    assert found.notes == ("discs in points/ join the strokes of 1 image",)
