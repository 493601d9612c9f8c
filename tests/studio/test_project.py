"""A project: what the page draws into is a data folder that everything else reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from delineate import data as files
from delineate import flow
from delineate.core import UNLABELLED, DataError, OutputError
from delineate.data.formats import read_mask, write_image, write_labels
from delineate.studio import Project, begun
from delineate.studio.project import KEEP

NAMES = ("background", "cell")


def picture(path: Path, shape: tuple[int, int] = (6, 8), value: int = 90) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.full(shape, value, np.uint8)
    grey[::2] += 40
    Image.fromarray(grey).save(path)
    return path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    picture(tmp_path / "seen" / "a.png")
    picture(tmp_path / "seen" / "b.png", value=50)
    return begun(tmp_path / "seen", out=tmp_path / "project", names=NAMES)


def test_strokes_are_a_label_file_that_training_reads(project: Project) -> None:
    project.draw("a", np.array([[0, 1], [UNLABELLED, 1]], np.uint8), at=(0, 2, 3))
    project.draw("b", np.array([[1]], np.uint8), at=(0, 5, 7))
    project.draw("b", np.array([[0]], np.uint8), at=(0, 0, 0))
    found = files.load(project.folder)
    assert found.classes.names == NAMES
    assert {case.name for case in found.cases} == {"a", "b"}
    expected = np.full((6, 8), UNLABELLED)
    expected[2, 3], expected[2, 4], expected[3, 4] = 0, 1, 1
    assert (found.cases[0].labels == expected).all()
    assert project.counts == {"a": [1, 2], "b": [1, 1]}


def test_strokes_are_there_when_the_project_is_opened_again(project: Project) -> None:
    project.draw("a", np.array([[1, 1]], np.uint8), at=(0, 1, 1))
    again = Project(project.folder)
    assert again.counts == {"a": [0, 2]}
    assert (again.labels("a") == project.labels("a")).all()


def test_a_stroke_leaves_what_another_page_drew_beside_it(project: Project) -> None:
    project.draw("a", np.array([[1, 1]], np.uint8), at=(0, 0, 0))
    project.draw("a", np.array([[KEEP, 0], [KEEP, UNLABELLED]], np.uint8), at=(0, 0, 0))
    assert project.labels("a")[:2, :2].tolist() == [[1, 0], [UNLABELLED, UNLABELLED]]


def test_erasing_the_last_stroke_takes_the_label_file_away(project: Project) -> None:
    project.draw("a", np.array([[1]], np.uint8), at=(0, 0, 0))
    assert (project.folder / "scribbles" / "a.png").exists()
    project.draw("a", np.array([[UNLABELLED]], np.uint8), at=(0, 0, 0))
    assert not (project.folder / "scribbles" / "a.png").exists()
    assert project.counts == {}


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [
        ((0, 6, 0), 1, "leave a"),
        ((0, 0, 8), 1, "leave a"),
        ((1, 0, 0), 1, "leave a"),
        ((0, -1, 0), 1, "leave a"),
        ((0, 0, 0), 2, "no class 2"),
    ],
)
def test_a_stroke_outside_the_image_or_of_no_class_is_refused(
    project: Project, at: tuple[int, int, int], value: int, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        project.draw("a", np.array([[value]], np.uint8), at=at)
    assert project.counts == {}


def test_images_are_neither_copied_nor_changed(project: Project, tmp_path: Path) -> None:
    before = (tmp_path / "seen" / "a.png").read_bytes()
    project.draw("a", np.array([[1]], np.uint8), at=(0, 0, 0))
    assert (project.folder / "images" / "a.png").samefile(tmp_path / "seen" / "a.png")
    assert (tmp_path / "seen" / "a.png").read_bytes() == before
    assert sorted(path.name for path in (tmp_path / "seen").iterdir()) == ["a.png", "b.png"]


def test_a_stack_is_drawn_on_slice_by_slice_and_keeps_its_spacing(tmp_path: Path) -> None:
    like = files.read_image(_stack(tmp_path / "seen" / "brain.nii.gz"))
    project = begun(tmp_path / "seen", out=tmp_path / "project", names=NAMES)
    project.draw("brain", np.array([[1, 0]], np.uint8), at=(2, 1, 1))
    written = read_mask(project.folder / "scribbles" / "brain.nii.gz")
    assert written.array[2, 1, 1:3].tolist() == [1, 0]
    assert (written.array != UNLABELLED).sum() == 2
    assert written.spacing == like.spacing == (5.0, 1.0, 1.0)


def _stack(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    volume = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6, 1)
    like = files.Picture(volume, (5.0, 1.0, 1.0), "mm", None, ".nii.gz", ())
    return write_image(path, volume, like=like)


def test_full_masks_and_ids_come_along_and_are_not_drawn_on(tmp_path: Path) -> None:
    picture(tmp_path / "data" / "images" / "a.png")
    picture(tmp_path / "data" / "images" / "b.png")
    ids = np.zeros((6, 8), np.uint16)
    ids[1:3, 1:3], ids[3:5, 3:7] = 1, 2
    for kind, labels in (("masks", np.where(ids > 0, 255, 0).astype(np.uint8)), ("instances", ids)):
        (tmp_path / "data" / kind).mkdir()
        write_labels(tmp_path / "data" / kind / "a.png", labels)
    told: list[str] = []
    project = begun(tmp_path / "data", out=tmp_path / "project", tell=told.append)
    assert any("1 full mask came along" in sentence for sentence in told)
    assert project.masked == {"a"}
    assert (project.labels("a") == (ids > 0)).all()
    with pytest.raises(DataError, match="a has a full mask, which is left as it is"):
        project.draw("a", np.array([[1]], np.uint8), at=(0, 0, 0))
    found = files.load(project.folder)
    assert found.cases[0].objects is not None
    assert found.cases[0].objects.max() == 2


def test_a_mask_that_is_taken_away_while_the_page_is_open_makes_room_for_strokes(tmp_path: Path) -> None:
    picture(tmp_path / "data" / "images" / "a.png")
    (tmp_path / "data" / "masks").mkdir()
    write_labels(tmp_path / "data" / "masks" / "a.png", np.eye(6, 8, dtype=np.uint8))
    project = begun(tmp_path / "data", out=tmp_path / "project")
    assert project.labels("a")[5, 5] == 1
    (project.folder / "masks" / "a.png").unlink()
    project.draw("a", np.array([[1]], np.uint8), at=(0, 0, 0))
    assert project.counts == {"a": [0, 1]}
    assert project.labels("a")[5, 5] == UNLABELLED


def test_a_project_that_is_open_twice_loses_no_stroke(project: Project) -> None:
    twin = Project(project.folder)
    for name in ("a", "b"):
        project.labels(name), twin.labels(name)
    for column, one in enumerate((project, twin, project, twin)):
        one.draw("a", np.array([[1]], np.uint8), at=(0, 0, column))
    project.draw("b", np.array([[1]], np.uint8), at=(0, 0, 0))
    twin.draw("b", np.array([[UNLABELLED]], np.uint8), at=(0, 0, 0))
    project.labels("a"), project.labels("b")  # as the page does when it shows an image
    assert Project(project.folder).counts == project.counts == {"a": [0, 4]}


def test_strokes_of_another_convention_come_along(tmp_path: Path) -> None:
    picture(tmp_path / "data" / "images" / "a.png")
    (tmp_path / "data" / "scribbles").mkdir()
    strokes = np.zeros((6, 8), np.uint8)  # 0 is unlabelled, as in ilastik
    strokes[0, :4], strokes[4, 2:5] = 1, 2
    Image.fromarray(strokes).save(tmp_path / "data" / "scribbles" / "a.png")
    project = begun(tmp_path / "data", out=tmp_path / "project", names=NAMES, unlabelled=0)
    assert project.counts == {"a": [4, 3]}
    assert project.labels("a")[4, 2] == 1


def test_strokes_beside_full_masks_come_along_where_they_are_asked_for(tmp_path: Path) -> None:
    picture(tmp_path / "data" / "images" / "a.png")
    full = np.zeros((6, 8), np.uint8)
    full[2:4] = 1
    strokes = np.full((6, 8), UNLABELLED, np.uint8)
    strokes[0, :3], strokes[3, :2] = 0, 1
    for kind, labels in (("masks", full), ("scribbles", strokes)):
        (tmp_path / "data" / kind).mkdir()
        Image.fromarray(labels).save(tmp_path / "data" / kind / "a.png")
    assert begun(tmp_path / "data", out=tmp_path / "one").masked == {"a"}
    assert begun(tmp_path / "data", out=tmp_path / "other", labels="scribbles").counts == {"a": [3, 2]}


def test_beginning_again_adds_the_images_that_are_new(project: Project, tmp_path: Path) -> None:
    project.draw("a", np.array([[1]], np.uint8), at=(0, 0, 0))
    picture(tmp_path / "seen" / "c.png")
    told: list[str] = []
    again = begun(tmp_path / "seen", out=project.folder, tell=told.append)
    assert list(again.entries) == ["a", "b", "c"]
    assert again.counts == {"a": [0, 1]}
    assert told == [f"1 new image joins the 2 of {project.folder}"]


def test_labels_beside_images_that_are_added_come_along(project: Project, tmp_path: Path) -> None:
    picture(tmp_path / "more" / "images" / "c.png")
    (tmp_path / "more" / "masks").mkdir()
    write_labels(tmp_path / "more" / "masks" / "c.png", np.eye(6, 8, dtype=np.uint8))
    told: list[str] = []
    again = begun(tmp_path / "more", out=project.folder, tell=told.append)
    assert again.masked == {"c"}
    assert (again.labels("c") == np.eye(6, 8)).all()
    assert any("1 full mask came along" in sentence for sentence in told)


def test_labels_of_other_classes_do_not_come_along_and_that_is_said(project: Project, tmp_path: Path) -> None:
    picture(tmp_path / "more" / "images" / "c.png")
    (tmp_path / "more" / "masks").mkdir()
    write_labels(
        tmp_path / "more" / "masks" / "c.png", 2 * np.eye(6, 8, dtype=np.uint8) + np.eye(6, 8, 2, np.uint8)
    )
    told: list[str] = []
    again = begun(tmp_path / "more", out=project.folder, masks_are="classes", tell=told.append)
    assert again.masked == set()
    assert "stay out" in told[-1]


def test_another_image_of_a_name_that_is_there_is_left_out_and_that_is_said(
    project: Project, tmp_path: Path
) -> None:
    picture(tmp_path / "more" / "a.png", value=10)
    told: list[str] = []
    assert list(begun(tmp_path / "more", out=project.folder, tell=told.append).entries) == ["a", "b"]
    assert told == [
        "the project has other images of these names, so they are left out: a; rename them to add them"
    ]


def test_labels_of_which_none_has_the_name_of_an_image_are_named(tmp_path: Path) -> None:
    picture(tmp_path / "data" / "images" / "a.png")
    picture(tmp_path / "data" / "masks" / "other.png")
    told: list[str] = []
    assert begun(tmp_path / "data", out=tmp_path / "project", tell=told.append).masked == set()
    assert told == [
        "labels stay out, as none has the name of an image: other.png; call them as their images are called"
    ]


def test_outlines_of_other_programs_stay_out_and_it_is_said_how_they_come_in(tmp_path: Path) -> None:
    picture(tmp_path / "seen" / "a.png")
    drawn = {"label": "cell", "points": [[1, 1], [5, 1], [5, 4], [1, 4]]}
    (tmp_path / "seen" / "a.json").write_text(json.dumps({"shapes": [drawn], "imagePath": "a.png"}))
    told: list[str] = []
    begun(tmp_path / "seen", out=tmp_path / "project", tell=told.append)
    assert f"make masks of them first, with `delineate masks {tmp_path / 'seen' / 'a.json'}" in told[0]
    made = flow.masks(tmp_path / "seen", out=tmp_path / "labelled")
    project = begun(made, out=tmp_path / "another")
    assert project.classes.names == ("background", "cell")


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    picture(tmp_path / "seen" / "a.png")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("all of it")
    with pytest.raises(OutputError, match="not an empty folder"):
        begun(tmp_path / "seen", out=tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def test_a_beginning_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    picture(tmp_path / "data" / "images" / "a.png")
    (tmp_path / "data" / "masks").mkdir()
    picture(tmp_path / "data" / "masks" / "a.png", shape=(3, 3))
    with pytest.raises(DataError):
        begun(tmp_path / "data", out=tmp_path / "project", unlabelled=255, masks_are="classes")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_a_project_begins_in_the_folder_one_stands_in_and_behind_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(tmp_path / "seen" / "a.png")
    (tmp_path / "here").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far", target_is_directory=True)
    (tmp_path / "far").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for out in (".", "../link"):
        assert list(begun("../seen", out=out).entries) == ["a"]
    for folder in ("here", "far"):
        assert sorted(path.name for path in (tmp_path / folder).iterdir()) == [
            "classes.json",
            "images",
            "studio.json",
        ]


def test_without_a_folder_to_keep_it_in_a_project_is_asked_for(tmp_path: Path) -> None:
    picture(tmp_path / "seen" / "a.png")
    with pytest.raises(DataError, match="say with -o"):
        begun(tmp_path / "seen")


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "seen" / "a.png")
    picture(tmp_path / "seen" / "a.bmp")
    with pytest.raises(DataError, match="two images are called a"):
        begun(tmp_path / "seen", out=tmp_path / "project")


@pytest.mark.parametrize(
    "names", [["background", ""], ["background", "ignore"], ["x", "x"], ["x"], ["0", "1"]]
)
def test_names_that_would_be_misread_are_refused(project: Project, names: list[str]) -> None:
    with pytest.raises(DataError):
        project.name_classes(names)
    assert project.classes.names == NAMES


def test_classes_are_renamed_and_added_but_not_taken_away_while_drawn(project: Project) -> None:
    project.name_classes(["table", "nucleus", "debris"])
    project.draw("a", np.array([[2]], np.uint8), at=(0, 0, 0))
    with pytest.raises(DataError, match="debris is drawn"):
        project.name_classes(["table", "nucleus"])
    project.draw("a", np.array([[UNLABELLED]], np.uint8), at=(0, 0, 0))
    project.name_classes(["table", "nucleus"])
    assert Project(project.folder).classes.names == ("table", "nucleus")


def test_a_class_that_is_added_after_the_first_strokes_is_trained_with_them(project: Project) -> None:
    first, second = list(project.entries)[:2]
    project.name_classes(["background", "coin", "rust"])
    project.draw(first, np.array([[0, 1, 2]], np.uint8), at=(0, 4, 4))
    project.name_classes(["background", "coin", "rust", "hole"])
    project.draw(second, np.array([[0, 1, 3]], np.uint8), at=(0, 4, 4))
    cases = files.load(project.folder).cases
    assert {case.name: np.unique(case.labels).tolist() for case in cases} == {
        first: [0, 1, 2, UNLABELLED],
        second: [0, 1, 3, UNLABELLED],
    }


def test_strokes_of_one_project_in_other_palettes_are_the_same_strokes(project: Project) -> None:
    first, second = list(project.entries)[:2]
    for name, colours in ((first, ((0, 0, 0), (9, 9, 9))), (second, ((0, 0, 0), (5, 5, 5)))):
        project.draw(name, np.array([[0, 1]], np.uint8), at=(0, 4, 4))
        path = project.folder / "scribbles" / f"{name}.png"
        write_labels(path, project.labels(name), colours=colours)
    again = Project(project.folder)
    assert [np.unique(case.labels).tolist() for case in files.load(again.folder).cases] == [[0, 1, 255]] * 2
    assert again.counts == {first: [1, 1], second: [1, 1]}


def test_a_damaged_project_says_so(project: Project) -> None:
    (project.folder / "studio.json").write_text("{")
    with pytest.raises(DataError, match="damaged"):
        Project(project.folder)


def test_a_picture_too_large_for_a_page_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("delineate.studio.project.MOST_PIXELS", 40)
    picture(tmp_path / "seen" / "a.png")
    project = begun(tmp_path / "seen", out=tmp_path / "project")
    with pytest.raises(DataError, match="more than a page shows at once"):
        project.picture("a")
