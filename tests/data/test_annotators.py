"""Several people's masks beside the same images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from delineate.core import Case, DataError
from delineate.data import annotator_names, check, load, load_annotators, write_annotations
from delineate.data.formats import write_image, write_labels


def drawn(name: str, *, rows: int, label: int = 1) -> Case:
    labels = np.zeros((8, 8), np.uint8)
    labels[2 : 2 + rows, 2:6] = label
    image = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)
    return Case(name, image, labels=labels, objects=(labels > 0).astype(np.int32))


def test_everybody_is_read_with_their_own_masks_and_one_image(tmp_path: Path) -> None:
    people = {"anna": [drawn("a", rows=2), drawn("b", rows=3)], "ben": [drawn("a", rows=4)]}
    root = write_annotations(tmp_path / "data", people)
    assert annotator_names(root) == ("anna", "ben")
    read = load_annotators(root)
    assert {name: [case.name for case in own] for name, own in read.people.items()} == {
        "anna": ["a", "b"],
        "ben": ["a"],
    }
    for name, own in people.items():
        for case, again in zip(own, read.people[name], strict=True):
            np.testing.assert_array_equal(again.labels, case.labels)
            np.testing.assert_array_equal(again.objects, case.objects)
    assert read.people["anna"][0].image is read.people["ben"][0].image
    assert read.notes[0] == "data: anna (2) and ben (1) labelled 2 images, 1 of them everybody"


def test_a_class_that_one_person_never_drew_keeps_its_index(tmp_path: Path) -> None:
    people = {"anna": [drawn("a", rows=2, label=2)], "ben": [drawn("a", rows=2, label=1)]}
    read = load_annotators(write_annotations(tmp_path / "data", people, instances=False))
    assert len(read.classes) == 3
    assert {name: int(own[0].labels.max()) for name, own in read.people.items()} == {"anna": 2, "ben": 1}


def test_one_person_alone_is_said(tmp_path: Path) -> None:
    root = write_annotations(tmp_path / "data", {"anna": [drawn("a", rows=2)]})
    assert annotator_names(root) == ()
    with pytest.raises(DataError, match="put each one's masks into a folder of their own, masks/NAME/"):
        load_annotators(root)


def test_a_mask_of_another_size_is_named_with_its_annotator(tmp_path: Path) -> None:
    root = write_annotations(tmp_path / "data", {"anna": [drawn("a", rows=2)], "ben": [drawn("b", rows=2)]})
    write_labels(root / "masks" / "ben" / "a.tif", np.ones((3, 8), np.uint8))
    with pytest.raises(DataError, match=r"ben/a\.tif"):
        load_annotators(root)


def test_masks_that_are_damaged_or_do_not_fit_may_be_left_out_by_name(tmp_path: Path) -> None:
    people = {name: [drawn("a", rows=2), drawn("b", rows=3), drawn("c", rows=3)] for name in ("anna", "ben")}
    root = write_annotations(tmp_path / "data", people)
    write_labels(root / "masks" / "ben" / "a.tif", np.ones((3, 8), np.uint8))
    (root / "masks" / "ben" / "b.tif").write_bytes(b"junk")
    told: list[str] = []
    read = load_annotators(root, left_out=told.append)
    assert {name: [case.name for case in own] for name, own in read.people.items()} == {
        "anna": ["a", "b", "c"],
        "ben": ["c"],
    }
    assert sorted("a.tif" in one for one in told) == [False, True]
    with pytest.raises(DataError, match=r"ben/a\.tif"):
        load_annotators(root)


def test_check_says_who_labelled_how_many_and_looks_at_all_masks(tmp_path: Path) -> None:
    people = {"anna": [drawn("a", rows=2)], "ben": [drawn("a", rows=2), drawn("b", rows=2)]}
    root = write_annotations(tmp_path / "data", people)
    found = check(root)
    assert (found.images, found.labelled, found.trainable) == (2, 2, True)
    assert any(note.startswith("anna (1) and ben (2) labelled these images") for note in found.notes)
    write_image(root / "masks" / "ben" / "a.tif", np.ones((3, 8, 1), np.uint8))
    assert [problem.where for problem in check(root).problems if problem.serious] == ["masks/ben/a.tif"]


def test_load_takes_of_each_image_the_first_who_drew_it(tmp_path: Path) -> None:
    people = {"anna": [drawn("b", rows=2)], "ben": [drawn("a", rows=4), drawn("b", rows=4)]}
    found = load(write_annotations(tmp_path / "data", people))
    assert {case.name: int((case.labels > 0).sum()) for case in found.cases} == {"a": 16, "b": 8}
