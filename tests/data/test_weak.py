"""Scribbles, points and boxes beside images: what is understood, what is told, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from delineate.core import UNLABELLED, ClassTable, DataError
from delineate.data import check, load
from delineate.report.check_text import check_lines

U = UNLABELLED
REAL = Path(__file__).parents[3] / "shared" / "data"
needs_real_data = pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data is not here")

SIZE = (20, 24)
STROKES = np.full(SIZE, U, np.uint8)
STROKES[2, 2:9], STROKES[10, 10:20] = 0, 1
FULL = np.zeros(SIZE, np.uint8)
FULL[8:14, 8:22] = 255


def noise(seed: int) -> Any:
    return np.random.default_rng(seed).integers(0, 255, SIZE).astype(np.uint8)


def made(root: Path, files: Mapping[str, Any]) -> Path:
    """Write pictures (arrays) and texts under `root`."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content)
        elif path.suffix == ".tif":
            tifffile.imwrite(path, content)
        else:
            Image.fromarray(content).save(path)
    return root


THREE = {f"images/{name}.png": noise(i) for i, name in enumerate("abc")}
POINTS = "name,row,column,class\na,5,6,nucleus\na,12,15,nucleus\na,2,20,background\nb.png,7,7,nucleus\n"


def labels_of(found: Any, name: str) -> Any:
    return next(case.labels for case in found.cases if case.name == name)


def test_full_masks_and_scribbles_in_one_set_share_their_classes(tmp_path: Path) -> None:
    found = load(made(tmp_path, {**THREE, "masks/a.png": FULL, "scribbles/b.png": STROKES}))
    assert np.array_equal(labels_of(found, "a"), FULL // 255)
    assert np.array_equal(labels_of(found, "b"), STROKES)
    assert [case.name for case in found.unlabelled] == ["c"]
    assert found.unlabelled[0].labels is None
    assert "labels: masks for 1 image, scribbles for 1, none for 1" in found.notes
    assert "1 image without labels join the training" in found.notes


def test_grey_pictures_stored_as_colour_join_grey_ones(tmp_path: Path) -> None:
    stored = {
        "images/c.png": np.stack([noise(2)] * 3, -1),
        "images/d.png": np.stack([noise(2), noise(1), noise(1)], -1),
    }
    found = load(made(tmp_path, {**THREE, **stored, "scribbles/a.png": STROKES, "scribbles/b.png": STROKES}))
    assert [(case.name, case.channels) for case in found.unlabelled] == [("c", 1)]
    assert "1 image without labels stay out: another kind, too large, or not readable" in found.notes


def test_grey_pictures_join_grey_ones_that_are_stored_as_colour_and_true_colour_does_not(
    tmp_path: Path,
) -> None:
    stored = {
        "images/a.png": np.stack([noise(0)] * 3, -1),
        "images/b.png": np.stack([noise(1)] * 3, -1),
        "images/d.png": np.stack([noise(2), noise(1), noise(1)], -1),
    }
    found = load(made(tmp_path, {**THREE, **stored, "scribbles/a.png": STROKES, "scribbles/b.png": STROKES}))
    assert [(case.name, case.channels) for case in (*found.cases, *found.unlabelled)] == [
        ("a", 3),
        ("b", 3),
        ("c", 3),
    ]
    assert np.array_equal(found.unlabelled[0].image, np.stack([noise(2)] * 3, -1))
    assert "1 image without labels stay out: another kind, too large, or not readable" in found.notes


def test_grey_pictures_do_not_join_true_colour(tmp_path: Path) -> None:
    colour = {"images/a.png": np.stack([noise(0), noise(1), noise(1)], -1)}
    found = load(
        made(
            tmp_path, {**THREE, **colour, "images/b.png": colour["images/a.png"], "scribbles/a.png": STROKES}
        )
    )
    assert [case.name for case in found.unlabelled] == ["b"]


def test_images_without_a_mask_stay_out_of_a_full_set_unless_asked_for(tmp_path: Path) -> None:
    root = made(tmp_path, {**THREE, "masks/a.png": FULL, "masks/b.png": FULL})
    assert load(root).unlabelled == ()
    assert [case.name for case in load(root, all_images=True).unlabelled] == ["c"]
    assert any("without a mask left out" in note for note in load(root).notes)


def test_images_without_labels_of_another_kind_stay_out_and_it_is_said(tmp_path: Path) -> None:
    colour = np.zeros((*SIZE, 3), np.uint8) + np.arange(3, dtype=np.uint8)
    files = {"images/a.png": noise(0), "scribbles/a.png": STROKES, "images/c.png": colour}
    found = load(made(tmp_path, files))
    assert found.unlabelled == ()
    assert any("another kind" in note for note in found.notes)


def test_where_both_lie_there_masks_are_taken_unless_scribbles_are_asked_for(tmp_path: Path) -> None:
    root = made(tmp_path, {"images/a.png": noise(0), "masks/a.png": FULL, "scribbles/a.png": STROKES})
    assert np.array_equal(labels_of(load(root), "a"), FULL // 255)
    assert any("--labels scribbles takes the scribbles" in note for note in load(root).notes)
    assert np.array_equal(labels_of(load(root, labels="scribbles"), "a"), STROKES)
    with pytest.raises(DataError, match="holds no points: it has masks and scribbles"):
        load(root, labels="points")


def test_zero_unlabelled_in_scribbles_does_not_touch_the_masks_beside_them(tmp_path: Path) -> None:
    ilastik = np.where(STROKES == U, 0, STROKES + 1).astype(np.uint8)
    root = made(tmp_path, {**THREE, "masks/a.png": FULL, "scribbles/b.png": ilastik})
    with pytest.raises(DataError, match="--unlabelled 0"):
        load(root)
    found = load(root, unlabelled=0)
    assert np.array_equal(labels_of(found, "a"), FULL // 255)
    assert np.array_equal(labels_of(found, "b"), STROKES)


def test_points_become_discs_of_their_class_and_leave_the_rest_unlabelled(tmp_path: Path) -> None:
    found = load(made(tmp_path, {**THREE, "points.csv": POINTS}))
    assert found.classes.names == ("background", "nucleus")
    labels = labels_of(found, "a")
    assert [int(labels[at]) for at in ((5, 6), (12, 15), (2, 20), (19, 0))] == [1, 1, 0, U]
    assert [case.name for case in found.cases] == ["a", "b"]
    assert [case.name for case in found.unlabelled] == ["c"]
    assert "4 points on 2 images" in found.notes


CLICKS = "name,row,column,class\na,5,6,2\na,2,20,0\nb,7,7,1\n"


@pytest.mark.parametrize("beside", [False, True])
def test_a_number_in_a_table_is_a_class_as_the_legend_numbers_it(tmp_path: Path, beside: bool) -> None:
    files: dict[str, Any] = {
        "points.csv": CLICKS,
        "classes.json": '{"background": 0, "nucleus": 2, "debris": 1}',
    }
    if beside:  # a mask reads 2 as the nucleus as well
        files["masks/c.png"] = np.where(FULL > 0, 2, 0).astype(np.uint8)
    found = load(made(tmp_path, {**THREE, **files}))
    labels = labels_of(found, "a")
    assert [found.classes.names[int(labels[at])] for at in ((5, 6), (2, 20))] == ["nucleus", "background"]
    assert found.classes.names[int(labels_of(found, "b")[7, 7])] == "debris"


def test_a_number_that_the_legend_does_not_have_is_no_class(tmp_path: Path) -> None:
    legend = '{"nucleus": 1, "background": 2}'
    root = made(tmp_path, {**THREE, "points.csv": CLICKS, "classes.json": legend})
    with pytest.raises(
        DataError, match=r"is of the class 0, but the classes are background \(2\) and nucleus \(1\)"
    ):
        load(root)


def test_without_a_legend_numbers_are_values_of_the_masks_before_positions(tmp_path: Path) -> None:
    values = np.where(FULL > 0, 7, 0).astype(np.uint8)
    values[0, :4] = 3
    clicks = "name,row,column,class\na,5,6,3\na,12,15,7\na,2,20,0\n"
    found = load(made(tmp_path, {**THREE, "masks/c.png": values, "points.csv": clicks}), masks_are="classes")
    assert [int(labels_of(found, "a")[at]) for at in ((5, 6), (12, 15), (2, 20))] == [1, 2, 0]
    assert sorted(np.unique(labels_of(found, "c")).tolist()) == [0, 1, 2]


def test_numbers_that_are_no_values_of_masks_are_places_and_those_that_may_be_both_are_asked_about(
    tmp_path: Path,
) -> None:
    values = np.where(FULL > 0, 5, 0).astype(np.uint8)
    values[0, :4] = 2
    clicks = "name,row,column,class\na,5,6,{}\na,12,15,{}\na,2,20,0\n"
    files = {**THREE, "masks/c.png": values}
    places = load(made(tmp_path / "a", {**files, "points.csv": clicks.format(1, 2)}), masks_are="classes")
    assert [int(labels_of(places, "a")[at]) for at in ((5, 6), (12, 15))] == [1, 2]
    torn = made(tmp_path / "b", {**files, "points.csv": clicks.format(2, 2)})
    with pytest.raises(
        DataError, match="are of the classes 0 and 2, which may be values of the masks or places in the list"
    ):
        load(torn, masks_are="classes")
    strokes = np.where(STROKES == U, 0, STROKES + 1).astype(np.uint8)  # 1 is background, 2 the nucleus
    root = made(
        tmp_path / "c",
        {**THREE, "scribbles/b.png": strokes, "points.csv": "name,row,column,class\na,5,6,1\na,2,20,0\n"},
    )
    assert int(labels_of(load(root, unlabelled=0), "a")[5, 6]) == 1


def test_a_trained_model_reads_numbers_by_its_names(tmp_path: Path) -> None:
    root = made(tmp_path, {**THREE, "points.csv": "name,row,column,class\na,5,6,2\na,12,15,5\n"})
    with pytest.raises(
        DataError, match="may be values"
    ):  # value_2 is the first class, and class 2 the second
        load(
            made(tmp_path / "torn", {**THREE, "points.csv": "name,row,column,class\na,5,6,2\n"}),
            classes=ClassTable(("background", "value_2", "value_5")),
        )
    found = load(root, classes=ClassTable(("background", "value_2", "value_5")))
    assert [int(labels_of(found, "a")[at]) for at in ((5, 6), (12, 15))] == [1, 2]


@pytest.mark.parametrize(
    ("legend", "said", "label"),
    [
        ('{"background": 0, "nucleus": 2, "debris": 1, "big": 300}', "2", 1),
        ('{"background": "#000000", "nucleus": "#0000ff"}', "1", 1),
        ('{"Background": 0, "Nucleus": 1}', "1", 1),
    ],
)
def test_legends_of_colours_and_large_values_number_classes_too(
    tmp_path: Path, legend: str, said: str, label: int
) -> None:
    rows = f"name,row,column,class\na,5,6,{said}\na,2,20,background\n"
    classes = ClassTable(
        ("background", "nucleus", "debris", "big") if "big" in legend else ("background", "nucleus")
    )
    found = load(made(tmp_path, {**THREE, "points.csv": rows, "classes.json": legend}), classes=classes)
    assert int(labels_of(found, "a")[5, 6]) == label


def test_classes_are_known_whatever_their_capitals_and_must_be_written_alike(tmp_path: Path) -> None:
    torn = POINTS.replace("b.png,7,7,nucleus", "b.png,7,7,Nucleus")
    root = made(tmp_path, {**THREE, "points.csv": torn})
    with pytest.raises(
        DataError, match="classes Nucleus and nucleus, which differ in capital letters alone: write"
    ):
        load(root)
    named = load(made(tmp_path, {"classes.txt": "background\nnucleus\n"}))
    assert int(labels_of(named, "b")[7, 7]) == int(labels_of(named, "a")[5, 6]) == 1


@pytest.mark.parametrize("table", ["points.csv", "boxes.csv"])
def test_rows_about_images_whose_masks_won_name_images_that_are_there(tmp_path: Path, table: str) -> None:
    rows = POINTS if table == "points.csv" else "name,row,column,row_stop,column_stop\na,2,2,9,9\nb,4,4,9,9\n"
    root = made(tmp_path, {**THREE, "masks/a.png": FULL, table: rows, "scribbles/c.png": STROKES})
    assert not any("there is no image" in str(said) for said in (*load(root).notes, *check(root).problems))
    lost = made(
        tmp_path / "lost",
        {**THREE, "masks/a.png": FULL, table: rows.replace("b.png,7", "z,7").replace("b,4", "z,4")},
    )
    assert any("has rows about z, of which there is no image" in note for note in load(lost).notes)


def soft(seed: int) -> Any:
    """Two strokes of a pen with soft edges, the second of another class, as a drawing program blends them with the ground."""
    from PIL import ImageDraw

    big = Image.new("L", (192, 160), 0)
    pen = ImageDraw.Draw(big)
    pen.line([(10, 12 + 4 * seed), (170, 40)], fill=128, width=13)
    pen.line([(20, 120), (150, 90 + 3 * seed)], fill=255, width=13)
    return np.asarray(big.resize((48, 40), Image.Resampling.BOX))


def test_rows_that_are_refused_are_the_only_problem_and_rows_without_a_place_are_of_their_table(
    tmp_path: Path,
) -> None:
    outside = "name,row,column,class\na,25,6,nucleus\nb,25,3,background\n"
    found = check(made(tmp_path / "outside", {**THREE, "points.csv": outside}))
    assert {problem.fact.split(" lies ")[0] for problem in found.problems if problem.serious} == {
        "line 2 of points.csv",
        "line 3 of points.csv",
    }
    empty = "name,row,column,row_stop,column_stop\na,2,2,12,12\nb,,,,\n"
    assert check(made(tmp_path / "empty", {**THREE, "boxes.csv": empty})).kinds == (("boxes", 2), ("", 1))


def test_strokes_with_soft_edges_are_recognised_and_hard_ones_of_many_classes_are_not(tmp_path: Path) -> None:
    images = {
        f"images/{name}.png": np.kron(noise(i), np.ones((2, 2), np.uint8)) for i, name in enumerate("ab")
    }
    root = made(tmp_path / "soft", {**images, "scribbles/a.png": soft(0), "scribbles/b.png": soft(1)})
    said = r"scribble file a.png holds \d+ values, most of them only along the edges of its strokes.*: draw without anti-aliasing"
    with pytest.raises(DataError, match=said):
        load(root)
    assert not check(root).trainable
    apart = np.full((40, 48), U, np.uint8)
    for value in range(12):  # twelve thin strokes, no two side by side
        apart[3 * value + 2, 4:40] = value
    layers = np.full((40, 48), U, np.uint8)
    layers[4:14, 4:40] = (20 * np.arange(10))[:, None]  # ten of them one pixel high, each beside the next
    dots = np.full((40, 48), U, np.uint8)
    dots[10:13, 10:13] = np.arange(9).reshape(3, 3)
    for name, drawn, classes in (("apart", apart, 12), ("layers", layers, 10), ("dots", dots, 9)):
        found = load(made(tmp_path / name, {**images, "scribbles/a.png": drawn, "scribbles/b.png": drawn}))
        assert len(found.classes) == classes


def test_a_picture_with_strokes_drawn_on_it_is_no_scribble_file(tmp_path: Path) -> None:
    drawn_on = np.stack([noise(0)] * 3, -1)
    drawn_on[4, 2:20], drawn_on[12, 2:20] = (255, 0, 0), (0, 255, 0)
    with pytest.raises(DataError, match="as a picture with strokes drawn on it does: save the strokes alone"):
        load(made(tmp_path, {**THREE, "scribbles/a.png": drawn_on}))


def test_points_of_napari_are_read_as_they_are_with_strokes_of_background_beside(tmp_path: Path) -> None:
    napari = "index,axis-0,axis-1\n0.0,5.2,6.1\n1.0,12.0,15.0\n"
    background = np.where(STROKES == 0, 0, U).astype(np.uint8)
    root = made(tmp_path, {**THREE, "points/a.csv": napari, "scribbles/a.png": background})
    labels = labels_of(load(root), "a")
    assert [int(labels[at]) for at in ((5, 6), (12, 15), (2, 4), (19, 0))] == [1, 1, 0, U]


def test_points_files_in_folders_of_classes_are_of_these_classes(tmp_path: Path) -> None:
    files = {
        **THREE,
        "points/tumour/a.csv": "index,axis-0,axis-1\n0,5,6\n",
        "points/background/a.csv": "index,axis-0,axis-1\n0,12,15\n",
    }
    found = load(made(tmp_path, files))
    assert found.classes.names == ("background", "tumour")
    assert [int(labels_of(found, "a")[at]) for at in ((5, 6), (12, 15))] == [1, 0]


def test_points_of_parts_are_not_of_a_class_called_train(tmp_path: Path) -> None:
    files = {
        "img_dir/train/a.png": noise(0),
        "img_dir/val/b.png": noise(1),
        "points/train/a.csv": "index,axis-0,axis-1\n0,5,6\n",
        "points/val/b.csv": "index,axis-0,axis-1\n0,7,8\n",
        "scribbles/train/a.png": np.where(STROKES == 0, 0, U).astype(np.uint8),
    }
    found = load(made(tmp_path, files))
    assert found.classes.names == ("background", "foreground")
    assert [case.name for case in found.validation] == ["b"]
    assert found.validation[0].labels is not None
    assert found.validation[0].labels[7, 8] == 1


def test_rows_about_images_that_are_not_there_are_told(tmp_path: Path) -> None:
    root = made(tmp_path, {**THREE, "points.csv": POINTS + "z,1,1,nucleus\n"})
    assert any("rows about z, of which there is no image" in note for note in load(root).notes)
    assert any("rows about z, of which there is no image" in str(p) for p in check(root).problems)


def test_lengths_need_a_unit_in_the_title_where_images_have_a_pixel_size(tmp_path: Path) -> None:
    def with_points(text: str) -> Path:
        root = made(tmp_path, {"points.csv": text})
        (root / "images").mkdir(exist_ok=True)
        tifffile.imwrite(
            root / "images" / "a.tif", noise(0), imagej=True, resolution=(2, 2), metadata={"unit": "um"}
        )
        return root

    lengths = load(with_points("name,x_um,y_um,class\na,3,2.5,1\na,8,8,0\n"))  # 0.5 µm per pixel
    assert labels_of(lengths, "a")[5, 6] == 1
    pixels = load(with_points("name,row,column,class\na,5,6,1\na,16,16,0\n"))
    assert labels_of(pixels, "a")[5, 6] == 1
    with pytest.raises(DataError, match="may be in pixels or in µm"):
        load(with_points("name,x,y,class\na,3,2.5,1\na,8,8,0\n"))


def test_boxes_label_their_core_and_all_that_lies_outside(tmp_path: Path) -> None:
    text = "name,row,column,row_stop,column_stop,class\na,5,5,15,15,cell\nb,,,,,\n"
    found = load(made(tmp_path, {**THREE, "boxes.csv": text}))
    labels = labels_of(found, "a")
    assert [int(labels[at]) for at in ((10, 10), (6, 6), (0, 0))] == [1, U, 0]
    assert (labels_of(found, "b") == 0).all()
    assert [case.name for case in found.unlabelled] == ["c"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"points.csv": POINTS + "a,25,3,nucleus\n"}, r"line 6 of points.csv lies outside image a.png, at \(25, 3\)"),
        ({"points.csv": "row,column\n1,2\n"}, "does not say which image its rows are about"),
        ({"points.csv": "name,north,east\na,1,2\n"}, "places are not found: call them row and column"),
        ({"points.csv": "name,row,column\na,one,2\n"}, "line 2 of points.csv is no place"),
        ({"points.csv": "name,row,column\na,5,5\n"}, "no training image has a stroke or point of background"),
        ({"points.csv": "name,slice,row,column\na,1,5,5\n"}, "has 3 coordinates but image a has 2 axes"),
        ({"boxes.csv": "name,row,column\na,5,5\n"}, "has no column row_stop"),
        ({"boxes.csv": "name,row,column,row_stop,column_stop\na,9,9,5,12\n"}, "ends before it begins"),
        ({"boxes.csv": "name,row,column,row_stop,column_stop\na,9,9,9,12\n"}, "is a box that holds nothing"),
        ({"boxes.csv": "name,row,column,row_stop,column_stop\na,9,9,25,12\n"}, r"lies outside image a.png, at \(25, 12\)"),
        ({"scribbles/a.png": np.where(STROKES == 0, U, STROKES)}, "there must be a second value"),
        ({"scribbles/a.png": STROKES[:10]}, "scribbles?/?.*|mask a.png is 10 x 24 but its image a.png is 20 x 24"),
        (
            {"scribbles/a.png": STROKES, "classes.txt": "background\ncell\nfibre\n"},
            "no training image has a stroke or point of fibre",
        ),
        (
            {"scribbles/a.png": STROKES, "points.csv": "name,row,column,class\na,5,5,fibre\na,9,9,ink\n"},
            "is of the class fibre, but the classes are background and foreground",
        ),
    ],
)  # fmt: skip
def test_what_would_mislead_is_refused_in_one_sentence(
    tmp_path: Path, files: dict[str, Any], said: str
) -> None:
    root = made(tmp_path, {**THREE, **files})
    with pytest.raises(DataError, match=said):
        load(root)
    assert not check(root).trainable


def test_points_that_contradict_are_left_out_and_told(tmp_path: Path) -> None:
    text = POINTS + "a,5.3,6.2,nucleus\na,12.4,15,background\nc,2,4,nucleus\nc,0,12,nucleus\n"
    root = made(tmp_path, {**THREE, "points.csv": text, "scribbles/c.png": STROKES})
    found = load(root)
    assert labels_of(found, "a")[5, 6] == 1
    assert labels_of(found, "a")[12, 15] == U
    assert labels_of(found, "c")[2, 4] == 0
    told = "\n".join(str(problem) for problem in check(root).problems)
    assert "1 point lies in one spot with another of the class" in told
    assert "1 point lies in one spot with one of another class (line 3 of points.csv and line 7" in told
    assert "1 point lies on a stroke of another class" in told
    assert "1 point lies on the border of the image" in told
    assert check(root).trainable


def test_each_point_in_a_spot_beyond_the_first_is_counted_once(tmp_path: Path) -> None:
    root = made(tmp_path, {**THREE, "points.csv": POINTS + "a,5,6,nucleus\na,5,6,nucleus\n"})
    told = "\n".join(str(problem) for problem in check(root).problems)
    assert "2 points lie in one spot with another of the class" in told


def test_a_box_of_two_classes_says_neither_and_it_is_told(tmp_path: Path) -> None:
    rows = "a,2,2,7,7,cell\na,2,2,7,7,debris\na,10,10,15,15,debris\na,10,10,15,15,debris\nb,2,2,7,7,cell\n"
    text = "name,row,column,row_stop,column_stop,class\n" + rows
    root = made(tmp_path, {**THREE, "boxes.csv": text})
    found = labels_of(load(root), "a")
    assert (found[2:7, 2:7] == U).all()
    assert found[12, 12] == 2
    assert found[0, 0] == 0
    told = "\n".join(str(problem) for problem in check(root).problems)
    assert (
        "1 box lies where one of another class does (line 2 of boxes.csv and line 3 of boxes.csv), so that they contradict "
        "each other on 25 pixels: neither says its class there" in told
    )
    assert "1 box lies where another of the class does" in told
    assert any("contradict each other on 25 pixels" in note for note in load(root).notes)


def test_boxes_that_are_given_twice_and_mostly_of_two_classes_are_refused(tmp_path: Path) -> None:
    rows = "a,2,2,7,7,cell\na,2,2,7,7,debris\nb,2,2,7,7,cell\n"
    text = "name,row,column,row_stop,column_stop,class\n" + rows
    root = made(tmp_path, {**THREE, "boxes.csv": text})
    with pytest.raises(DataError, match=r"in image a.png, 1 box lies where one of another class does"):
        load(root)
    assert any(problem.serious and "on 25 pixels" in problem.fact for problem in check(root).problems)


def test_a_scribble_file_that_is_a_full_mask_is_recognised(tmp_path: Path) -> None:
    root = made(tmp_path, {**THREE, "scribbles/a.png": STROKES, "scribbles/b.png": FULL // 255})
    assert any("b.png labels 100% of its pixels, as full masks do" in str(p) for p in check(root).problems)
    assert any("b.png labels 100%" in note for note in load(root).notes)


def test_a_mask_of_0_and_255_among_scribbles_is_recognised_where_255_is_unlabelled(tmp_path: Path) -> None:
    mask = np.zeros_like(STROKES)
    mask[:6] = 255
    root = made(tmp_path, {**THREE, "scribbles/a.png": STROKES, "scribbles/b.png": mask})
    told = [str(p) for p in check(root).problems]
    assert any(
        "b.png holds 0 on 70% of its pixels and 255 on all others, as full masks do" in p for p in told
    )


def test_a_mask_that_labels_next_to_nothing_is_recognised(tmp_path: Path) -> None:
    root = made(tmp_path, {**THREE, "masks/a.png": STROKES, "masks/b.png": STROKES})
    told = [str(p) for p in check(root).problems]
    assert any("mask a.png labels" in p and "as scribbles do" in p for p in told)
    assert check(root).trainable


def test_a_mask_that_holds_strokes_is_recognised(tmp_path: Path) -> None:
    strokes = np.where(STROKES == U, 0, STROKES + 1).astype(np.uint8)
    root = made(tmp_path, {**THREE, "masks/a.png": strokes})
    found = check(root, masks_are="classes")
    assert any("thin strokes of several classes on 3.5% of its pixels" in str(p) for p in found.problems)


def test_check_tells_of_each_class_how_much_is_labelled_in_how_many_strokes(tmp_path: Path) -> None:
    root = made(tmp_path, {**THREE, "scribbles/a.png": STROKES, "points.csv": POINTS})
    found = check(root)
    assert found.kinds == (("points", 2), ("", 1))
    assert [(one.name, one.strokes) for one in found.classes] == [("background", 2), ("nucleus", 4)]
    total = sum(int((case.labels != U).sum()) for case in load(root).cases)
    assert sum(one.pixels for one in found.classes) == total
    lines = check_lines(found)
    assert "labels: 2 with points, 1 with none" in lines
    assert any(line.startswith("class nucleus:") and "in 4 strokes and points" in line for line in lines)
    assert not any("has no mask" in line for line in lines)


def test_strokes_in_a_stack_are_counted_slice_by_slice(tmp_path: Path) -> None:
    stack, drawn = np.stack([noise(i) for i in range(5)]), np.stack([STROKES] * 5)
    found = check(made(tmp_path, {"images/a.tif": stack, "scribbles/a.tif": drawn}))
    assert [one.strokes for one in found.classes] == [5, 5]


def test_truth_to_score_with_is_the_full_masks_alone(tmp_path: Path) -> None:
    from delineate.data import load_masks

    root = made(tmp_path, {**THREE, "masks/a.png": FULL, "scribbles/b.png": STROKES})
    assert list(load_masks(root).files) == ["a"]


def test_small_discs_in_a_folder_of_points_are_label_images(tmp_path: Path) -> None:
    root = made(tmp_path, {**THREE, "points/a.png": STROKES})
    assert np.array_equal(labels_of(load(root), "a"), STROKES)


def test_masks_that_say_little_are_weak_so_that_other_images_join(tmp_path: Path) -> None:
    ignoring = np.where(STROKES == U, 2, STROKES)
    declared = '{"labels": {"background": 0, "cell": 1, "ignore": 2}}'
    root = made(tmp_path, {**THREE, "masks/a.png": ignoring, "dataset.json": declared})
    found = load(root)
    assert np.array_equal(labels_of(found, "a"), STROKES)
    assert [case.name for case in found.unlabelled] == ["b", "c"]
    assert not any("has no mask" in str(problem) for problem in check(root).problems)


def test_strokes_of_background_alone_are_no_empty_mask(tmp_path: Path) -> None:
    background = np.where(STROKES == 0, 0, U).astype(np.uint8)
    root = made(tmp_path, {**THREE, "scribbles/a.png": STROKES, "scribbles/b.png": background})
    assert not any("is empty" in str(problem) for problem in check(root).problems)


@needs_real_data
def test_strokes_that_people_drew_are_read_beside_full_masks() -> None:
    found = load(REAL / "cardiac" / "val", labels="scribbles")
    assert len(found.cases) == 12
    assert len(found.classes) == 4
    share = np.mean([(case.labels != U).mean() for case in found.cases if case.labels is not None])
    assert 0.008 < share < 0.012


@pytest.mark.parametrize("number", ["nan", "inf"])
def test_a_place_that_is_no_number_is_refused_with_its_line(tmp_path: Path, number: str) -> None:
    root = made(tmp_path, {**THREE, "points.csv": f"{POINTS}c,{number},4,nucleus\n"})
    with pytest.raises(DataError, match=f"line 6 of points.csv is no place .{number}, 4 is not in any image"):
        load(root)
    assert not check(root).trainable


def test_a_table_without_an_image_is_told(tmp_path: Path) -> None:
    table = "row,column,class\n5,6,nucleus\n2,20,background\n"
    root = made(tmp_path, {**THREE, "points/a.csv": table, "points/I_5.csv": table})
    assert "1 table without an image left out: I_5.csv" in load(root).notes
    assert any("table I_5.csv has no image" in str(problem) for problem in check(root).problems)


def test_masks_of_people_are_not_counted_where_scribbles_are_asked_for(tmp_path: Path) -> None:
    drawn = {f"masks/{who}/a.png": FULL for who in ("anna", "bo")}
    found = check(made(tmp_path, {**THREE, **drawn, "scribbles/b.png": STROKES}), labels="scribbles")
    assert [(one.name, one.pixels) for one in found.classes] == [
        (one.name, n) for one, n in zip(found.classes, (7, 10), strict=True)
    ]
    assert not any("labelled these images" in note for note in found.notes)


DISC = np.full(SIZE, U, np.uint8)
DISC[16:18, 3:5] = 1


def swapped(strokes: Any) -> Any:
    return np.where(strokes == U, U, 1 - strokes).astype(np.uint8)


@pytest.mark.parametrize("other", ["scribbles/bo/a.png", "masks/a.png"])
def test_labels_that_contradict_each_other_nearly_everywhere_are_refused(tmp_path: Path, other: str) -> None:
    wide = STROKES.copy()
    wide[3], wide[11] = wide[2], wide[10]
    more = swapped(wide) if "scribbles" in other else np.where(wide == 1, 0, 255).astype(np.uint8)
    made(tmp_path, {"images/a.png": noise(0), "scribbles/anna/a.png": wide, other: more})
    problem = next(p for p in check(tmp_path).problems if "contradict each other on " in p.fact)
    assert problem.serious
    assert "classes are swapped" in problem.remedy
    with pytest.raises(DataError, match=r"contradict each other on .* of the .* pixels that both label"):
        load(tmp_path)


def test_strokes_of_a_second_person_that_contradict_on_a_few_pixels_are_told(tmp_path: Path) -> None:
    second = STROKES.copy()
    second[10, 12:14] = 0
    made(tmp_path, {**THREE, "scribbles/anna/a.png": STROKES, "scribbles/bo/a.png": second})
    found = load(tmp_path)
    said = (
        "anna/a.png and bo/a.png contradict each other on 2 of the 17 pixels that both label: anna/a.png is believed, "
        "so correct one of them"
    )
    assert said in found.notes
    assert said in map(str, check(tmp_path).problems)
    assert np.array_equal(labels_of(found, "a"), STROKES)


def test_strokes_that_agree_with_the_mask_beside_them_are_not_mentioned(tmp_path: Path) -> None:
    mask = np.where(STROKES == 1, 255, 0).astype(np.uint8)
    made(tmp_path, {"images/a.png": noise(0), "masks/a.png": mask, "scribbles/a.png": STROKES})
    assert not any("contradict" in str(p) for p in check(tmp_path).problems)
    assert not any("contradict" in note for note in load(tmp_path).notes)


def test_strokes_whose_zero_may_be_unlabelled_contradict_no_mask(tmp_path: Path) -> None:
    mask = np.ones(SIZE, np.uint8)
    mask[0] = 0
    files = {"masks/a.png": mask, "scribbles/a.png": (STROKES == 1).astype(np.uint8)}
    made(tmp_path, {"images/a.png": noise(0), **files, "classes.json": '{"background": 0, "cell": 1}'})
    assert not any("contradict" in str(p) for p in check(tmp_path).problems)


def test_a_mask_that_is_asked_for_is_not_compared_with_what_was_not(tmp_path: Path) -> None:
    mask = np.where(STROKES == 1, 0, 255).astype(np.uint8)
    made(tmp_path, {"images/a.png": noise(0), "masks/a.png": mask, "scribbles/a.png": STROKES})
    assert not any("contradict" in note for note in load(tmp_path, labels="masks").notes)


def test_discs_join_the_strokes_beside_them_and_pixels_of_both_classes_stay_unlabelled(
    tmp_path: Path,
) -> None:
    background = np.where(STROKES == 0, 0, U).astype(np.uint8)
    disc = DISC.copy()
    disc[2, 4] = 1
    made(tmp_path, {"images/a.png": noise(0), "scribbles/a.png": background, "points/a.png": disc})
    found = labels_of(load(tmp_path), "a")
    expected = np.where(DISC == 1, 1, background)
    expected[2, 4] = U
    assert np.array_equal(found, expected)
    seen = check(tmp_path)
    assert [(one.pixels, one.masks) for one in seen.classes] == [(7, 1), (5, 1)]
    assert any("these pixels stay unlabelled" in problem.remedy for problem in seen.problems)
    assert np.array_equal(labels_of(load(tmp_path, labels="points"), "a"), expected)
    with pytest.raises(DataError, match="no training image has a stroke or point of"):
        load(tmp_path, labels="scribbles")


@pytest.mark.parametrize("name", ["a.tif", "A", r"C:\data\images\a.png", "/home/me/A.TIF"])
def test_rows_name_their_image_in_another_suffix_letter_case_or_folder(tmp_path: Path, name: str) -> None:
    text = POINTS.replace("\na,", f"\n{name},")
    assert labels_of(load(made(tmp_path, {**THREE, "points.csv": text})), "a")[12, 15] == 1


def test_names_that_are_two_images_but_for_their_letter_case_are_taken_as_they_are(tmp_path: Path) -> None:
    root = made(tmp_path, {**THREE, "images/A.png": noise(7), "points.csv": POINTS})
    found = load(root)
    assert sorted(case.name for case in found.cases) == ["a", "b"]


def test_a_table_that_matches_no_image_is_named_as_the_only_cause(tmp_path: Path) -> None:
    text = POINTS.replace("\na,", "\nq,").replace("b.png", "r")
    root = made(tmp_path, {**THREE, "points.csv": text})
    said = (
        "points.csv has rows about q and r, of which there is no image: name images as their files are named"
    )
    assert [str(problem) for problem in check(root).problems if problem.serious] == [said]
    with pytest.raises(DataError, match=r"points.csv has rows about q and r"):
        load(root)


def test_a_table_that_cannot_be_read_is_the_only_problem(tmp_path: Path) -> None:
    root = made(tmp_path, {**THREE, "points.csv": "row,column\n3,4\n"})
    assert ["add a column called name" in str(p) for p in check(root).problems if p.serious] == [True]


def test_a_table_above_train_and_val_is_of_both(tmp_path: Path) -> None:
    text = (
        "name,row,column,class\na,5,6,cell\na,2,20,background\nb,7,7,cell\nval/c,5,5,cell\ntrain/c,9,9,cell\n"
    )
    pictures = {"train/images/a.png": noise(0), "val/images/b.png": noise(1)}
    twins = {"train/images/c.png": noise(2), "val/images/c.png": noise(3)}
    root = made(tmp_path, {**pictures, **twins, "points.csv": text})
    found = load(root)
    assert [case.name for case in found.cases] == ["a", "c"]
    assert [case.name for case in found.validation] == ["b", "val/c"]
    assert (labels_of(found, "c")[9, 9], labels_of(found, "c")[5, 5]) == (1, U)
    (root / "points.csv").write_text(text + "c,1,1,cell\n")
    assert any("about c, of which there are several images" in note for note in load(root).notes)


def test_background_is_one_class_in_any_letter_case_and_whole_numbers_have_no_decimals(
    tmp_path: Path,
) -> None:
    text = POINTS.replace("background", "Background")
    found = load(made(tmp_path, {**THREE, "points.csv": text, "scribbles/c.png": STROKES}))
    assert found.classes.names == ("background", "nucleus")
    assert labels_of(found, "a")[2, 20] == 0
    numbers = POINTS.replace("background", "0.0").replace("nucleus", "1.0")
    found = load(made(tmp_path, {"points.csv": numbers}))
    assert (len(found.classes), labels_of(found, "a")[2, 20], labels_of(found, "a")[5, 6]) == (2, 0, 1)


def test_decimal_commas_are_read_between_semicolons(tmp_path: Path) -> None:
    text = POINTS.replace(",", ";").replace("a;12;15", "a;12,25;14,75")
    assert labels_of(load(made(tmp_path, {**THREE, "points.csv": text})), "a")[12, 15] == 1


def test_a_points_file_without_a_row_says_nothing_and_stops_nothing(tmp_path: Path) -> None:
    head = "index,axis-0,axis-1\n"
    files = {"points/a.csv": head + "0,5,6\n", "points/b.csv": head, "scribbles/a.png": STROKES}
    found = load(made(tmp_path, {**THREE, **files}))
    assert [case.name for case in found.cases] == ["a"]


def test_a_table_without_a_row_is_one_sentence_about_points(tmp_path: Path) -> None:
    root = made(tmp_path, {**THREE, "points.csv": "name,row,column,class\n"})
    with pytest.raises(DataError, match=r"points.csv has no row below its header: add a row for each point"):
        load(root)
    with pytest.raises(DataError, match=r"points.csv is empty: give a header line"):
        load(made(tmp_path, {"points.csv": ""}))


@pytest.mark.parametrize("titles", ["ymin,xmin,ymax,xmax", "y1,x1,y2,x2"])
def test_boxes_may_be_given_by_their_corners(tmp_path: Path, titles: str) -> None:
    root = made(tmp_path, {**THREE, "boxes.csv": f"name,{titles},class\na,5,6,10,11,cell\n"})
    found = labels_of(load(root), "a")
    assert (found[7, 8], found[5, 6], found[4, 6]) == (1, U, 0)


def test_a_row_that_is_too_short_is_said_to_be(tmp_path: Path) -> None:
    root = made(tmp_path, {**THREE, "points.csv": POINTS + "a,3\n"})
    with pytest.raises(DataError, match=r"line 6 of points.csv has 2 fields but the header 4: give a number"):
        load(root)
