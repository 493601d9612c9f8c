"""delineate masks: outlines of other programs become a data set like any other."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image
from roifile import ImagejRoi, roiwrite

from commands import run
from delineate import flow
from delineate.core import UNLABELLED, DataError, OutputError
from delineate.data import check, large_case, load, read_mask, samples, write_image
from delineate.flow import masking

CIRCLES = ((30, 40, 12), (70, 90, 20), (35, 48, 5))  # row, column, radius; the last lies on the first


@pytest.fixture
def pictures(tmp_path):
    """Three images of 100 x 120 pixels."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 255, (100, 120, 1), np.uint8)
        write_image(folder / f"p{number}.tif", noise)
    return folder


def shapes(*, names=("cell", "cell", "nucleus")):
    return [
        {"label": name, "shape_type": "circle", "points": [[x, y], [x, y + r]], "group_id": None}
        for (y, x, r), name in zip(CIRCLES, names, strict=True)
    ]


def labelme(folder, image, **more):
    content = {"shapes": shapes(), "imagePath": image, **more}
    (folder / image).with_suffix(".json").write_text(json.dumps(content))


def disc(y, x, r):
    rows, columns = np.ogrid[:100, :120]
    return (rows + 0.5 - y) ** 2 + (columns + 0.5 - x) ** 2 < r**2


def test_outlines_beside_images_become_masks_ids_and_names(pictures, tmp_path):
    for name in ("p0.tif", "p2.tif"):
        labelme(pictures, name)
    said = []
    made = flow.masks(pictures, out=tmp_path / "labelled", tell=said.append)
    found = load(made)
    assert found.classes.names == ("background", "cell", "nucleus")
    assert [case.name for case in found.cases] == ["p0", "p2"]
    first, second, third = (disc(*circle) for circle in CIRCLES)
    expected = np.where(third, 2, first | second)
    for case in found.cases:
        assert (case.labels != expected).mean() < 0.002  # circles have 180 corners
        assert set(np.unique(case.objects)) == {0, 1, 2, 3}
        assert (case.objects[third & ~first & ~second] == 3).all()
    assert said == [
        "outlines of cell (4) and nucleus (2)",
        "what has no outline is background (--outside unlabelled if it is not)",
        "1 image without outlines left out: p1",
    ]
    assert check(made).trainable
    with Image.open(made / "overlays" / "p0.png") as drawn:
        looked_at = np.asarray(drawn)
    assert looked_at.shape == (100, 120, 3)
    assert np.any(looked_at[..., 0] != looked_at[..., 2])  # outlines have colours, the picture has not


def test_images_are_linked_where_the_disk_links(pictures, tmp_path):
    labelme(pictures, "p0.tif")
    made = flow.masks(pictures, out=tmp_path / "labelled")
    if os.stat(pictures / "p0.tif").st_nlink == 1:
        pytest.skip("this disk has no hard links")
    assert os.path.samefile(pictures / "p0.tif", made / "images" / "p0.tif")


def test_a_coco_file_beside_the_images_folder_finds_it_and_an_empty_image_is_all_background(
    pictures, tmp_path
):
    images = [{"id": n, "file_name": f"p{n}.jpg", "height": 100, "width": 120} for n in range(2)]
    ring = [10, 10, 40, 10, 40, 30, 10, 30]
    annotations = [{"image_id": 0, "category_id": 1, "segmentation": [ring]}]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "cell"}]}
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "instances.json").write_text(json.dumps(content))
    made = flow.masks(tmp_path / "annotations" / "instances.json", out=tmp_path / "labelled", objects=False)
    assert not (made / "instances").exists()
    first, second = load(made).cases
    expected = np.zeros((100, 120), np.uint8)
    expected[10:30, 10:40] = 1
    np.testing.assert_array_equal(first.labels, expected)
    assert not second.labels.any()


def test_slices_of_a_stack_have_their_own_regions(tmp_path):
    write_image(
        tmp_path / "stack.tif", np.zeros((3, 20, 30, 1), np.uint8) + np.arange(30, dtype=np.uint8)[:, None]
    )
    corners = np.array([[2, 2], [10, 2], [10, 8], [2, 8]])
    regions = [ImagejRoi.frompoints(corners + 2 * n, name=f"cell-{n}") for n in range(2)]
    regions[0].position, regions[1].position = 2, 0  # 0: all slices
    roiwrite(tmp_path / "RoiSet.zip", regions)
    made = flow.masks(tmp_path / "RoiSet.zip", out=tmp_path / "labelled")
    (case,) = load(made).cases
    assert [int(plane.sum()) for plane in case.labels] == [48, 48 + 48 - 24, 48]
    assert case.objects is None
    assert case.labels[:, 4:10, 4:12].all()


def test_channel_files_become_one_image(tmp_path):
    folder = tmp_path / "imagesTr"
    folder.mkdir()
    for channel in range(2):
        write_image(
            folder / f"case_{channel:04d}.tif",
            np.random.default_rng(channel).integers(0, 9, (100, 120, 1), np.uint8),
        )
    labelme(tmp_path, "case.tif")
    made = flow.masks(tmp_path / "case.json", tmp_path, out=tmp_path / "labelled")
    assert load(made).cases[0].channels == 2


def test_a_large_image_gets_its_mask_in_tiles_as_a_small_one_gets_it_whole(tmp_path, monkeypatch):
    image = np.random.default_rng(0).integers(0, 255, (1300, 1100, 3), np.uint8)
    tifffile.imwrite(tmp_path / "slide.tif", image, tile=(256, 256), photometric="rgb")
    rng = np.random.default_rng(1)
    features = []
    for number in range(60):
        y, x, r = rng.uniform(0, 1300), rng.uniform(0, 1100), rng.uniform(3, 200)
        angles = np.linspace(0, 2 * np.pi, 50)
        corners = np.stack([x + r * np.cos(angles), y + r * np.sin(angles)], 1).tolist()
        geometry = {"type": "Polygon", "coordinates": [corners]}
        features.append(
            {
                "type": "Feature",
                "geometry": geometry,
                "properties": {"classification": {"name": "ab"[number % 2]}},
            }
        )
    (tmp_path / "slide.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    whole = flow.masks(tmp_path / "slide.geojson", out=tmp_path / "whole")
    monkeypatch.setattr(large_case, "LOADED", 0.0)
    monkeypatch.setattr(masking, "TILE", 256)
    said = []
    tiled = flow.masks(tmp_path / "slide.geojson", out=tmp_path / "tiled", tell=said.append)
    expected, labels = (read_mask(made / "masks" / "slide.tif") for made in (whole, tiled))
    np.testing.assert_array_equal(labels.array, expected.array)
    np.testing.assert_array_equal(labels.palette[:3], expected.palette[:3])
    assert said[-1] == "slide is too large for ids of its objects: it has masks alone"
    for made in (whole, tiled):
        with Image.open(made / "overlays" / "slide.png") as drawn:
            assert drawn.size == (1100, 1300)
    assert len(load(tiled).large) == 1


def test_a_model_learns_from_them(pictures, tmp_path, capsys):
    for name in ("p0.tif", "p1.tif", "p2.tif"):
        labelme(pictures, name, imageHeight=100, imageWidth=120)
    assert run("masks", pictures, "-o", tmp_path / "labelled", "--named", "cell") == 0
    out, err = capsys.readouterr()
    assert f"teach with: delineate train {tmp_path / 'labelled'}" in out
    assert "outlines of cell (9)" in err
    assert (
        run(
            "train",
            tmp_path / "labelled",
            "-o",
            tmp_path / "model",
            "--steps",
            "2",
            "--width",
            "4",
            "--patch",
            "32",
        )
        == 0
    )


def test_outside_is_unlabelled_where_that_is_asked_for(pictures, tmp_path):
    labelme(pictures, "p0.tif")
    assert run("masks", pictures, "-o", tmp_path / "labelled", "--outside", "unlabelled") == 0
    found = load(tmp_path / "labelled")
    assert found.classes.names == ("cell", "nucleus")
    assert set(np.unique(found.cases[0].labels)) == {0, 1, UNLABELLED}
    assert not (tmp_path / "labelled" / "instances").exists()
    assert run("masks", pictures, "-o", tmp_path / "more", "--outside", "nothing") == 2


def test_several_files_about_one_image_are_taken_together_and_told(pictures, tmp_path):
    labelme(pictures, "p0.tif")
    (pictures / "p0 (1).json").write_bytes((pictures / "p0.json").read_bytes())
    said = []
    flow.masks(pictures, out=tmp_path / "labelled", tell=said.append)
    told = "outlines of several files are taken together on p0 (p0 (1).json and p0.json): move all but one elsewhere"
    assert any(note.startswith(told) for note in said)


def test_two_images_of_one_name_are_asked_about_and_neither_overwrites_the_other(pictures, tmp_path):
    (pictures / "p0.tiff").write_bytes((pictures / "p0.tif").read_bytes())
    labelme(pictures, "p0.tif")
    with pytest.raises(DataError, match=r"two images are called p0 \(p0.tif and p0.tiff\): rename one"):
        flow.masks(pictures, out=tmp_path / "labelled")


def test_nothing_is_left_behind_where_the_second_image_fails(pictures, tmp_path):
    labelme(pictures, "p0.tif", imageHeight=100, imageWidth=120)
    labelme(pictures, "p1.tif", imageHeight=120, imageWidth=100)
    with pytest.raises(
        DataError,
        match=r"on an image of 120 x 100 but .*p1.tif is 100 x 120 \(is it turned\?\): give the image",
    ):
        flow.masks(pictures, out=tmp_path / "labelled")
    assert not (tmp_path / "labelled").exists()


def test_outlines_that_lie_beside_their_image_are_told_and_all_of_them_refused(pictures, tmp_path):
    content = {"shapes": shapes(), "imagePath": "p0.tif"}
    content["shapes"][0]["points"] = [[500, 500], [500, 510]]
    (pictures / "p0.json").write_text(json.dumps(content))
    said = []
    flow.masks(pictures, out=tmp_path / "one", tell=said.append)
    assert (
        said[-1] == "1 outline of p0.tif left out, for no pixel lies within: beside the image, or too small"
    )
    for shape in content["shapes"]:
        shape["points"] = [[500, 500], [500, 510]]
    (pictures / "p0.json").write_text(json.dumps(content))
    with pytest.raises(
        DataError, match=r"all outlines of .*p0.tif lie beside it: give the image that was drawn on"
    ):
        flow.masks(pictures, out=tmp_path / "none")


def test_an_image_whose_only_outline_is_a_slip_of_the_hand_does_not_stop_the_others(pictures, tmp_path):
    labelme(pictures, "p0.tif")
    slip = {"label": "cell", "points": [[5.6, 5.6], [5.9, 5.6], [5.9, 5.9]]}
    (pictures / "p1.json").write_text(json.dumps({"shapes": [slip], "imagePath": "p1.tif"}))
    said = []
    made = flow.masks(pictures, out=tmp_path / "labelled", tell=said.append)
    assert "1 outline of p1.tif left out, for no pixel lies within" in said[-1]
    assert not read_mask(made / "masks" / "p1.tif").array.any()


@pytest.mark.parametrize(
    ("image", "images_at", "sentence"),
    [
        ("other.tif", "images", "no image is one of those that .* speaks of .other.tif.: give the folder"),
        ("p0.tif", "missing", "missing matches no file: give an image, a folder of images"),
    ],
)
def test_images_that_are_not_there_are_named(pictures, tmp_path, image, images_at, sentence):
    (tmp_path / "drawn.json").write_text(json.dumps({"shapes": shapes(), "imagePath": image}))
    with pytest.raises(DataError, match=sentence):
        flow.masks(tmp_path / "drawn.json", tmp_path / images_at, out=tmp_path / "labelled")


def test_outlines_without_images_around_ask_for_them(tmp_path):
    (tmp_path / "drawn.json").write_text(json.dumps({"shapes": shapes(), "imagePath": "p0.tif"}))
    with pytest.raises(
        DataError, match=r"there are no images in .*: say where they are, as the second argument"
    ):
        flow.masks(tmp_path / "drawn.json", out=tmp_path / "labelled")


def test_an_image_with_nothing_but_points_is_not_taken_for_background(pictures, tmp_path):
    labelme(pictures, "p0.tif")
    point = {"label": "cell", "shape_type": "point", "points": [[5, 5]]}
    (pictures / "p1.json").write_text(json.dumps({"shapes": [point], "imagePath": "p1.tif"}))
    said = []
    made = flow.masks(pictures, out=tmp_path / "labelled", tell=said.append)
    assert [path.name for path in (made / "masks").iterdir()] == ["p0.tif"]
    assert said[-2:] == [
        "2 images without outlines left out: p1 and p2",
        "1 point left out, which has no outline",
    ]


def test_a_folder_that_holds_something_is_not_written_to(pictures, tmp_path):
    labelme(pictures, "p0.tif")
    (tmp_path / "labelled").mkdir()
    (tmp_path / "labelled" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="exists already and is not an empty folder"):
        flow.masks(pictures, out=tmp_path / "labelled")
    assert [path.name for path in (tmp_path / "labelled").iterdir()] == ["mine.txt"]


def test_train_and_check_say_how_outlines_become_masks(pictures, tmp_path):
    labelme(pictures, "p0.tif")
    which = pictures / "p0.json"
    remedy = (
        f"make masks of the outlines in {which} first, with `delineate masks {which} {tmp_path} -o labelled`"
    )
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    assert remedy in str(caught.value)
    assert any(remedy in str(problem) for problem in check(tmp_path).problems)
    command = str(caught.value).partition("`delineate ")[2].partition("`")[0].split()
    assert run(*command[:-1], tmp_path / "labelled") == 0


def test_the_real_command_ends_in_one_sentence(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "delineate.cli", "masks", "nowhere.json", "-o", "out"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") <= 2


def test_coins_drawn_as_outlines_are_the_coins(tmp_path):
    source = samples.write(tmp_path / "coins") / "train"
    name = sorted(path.name for path in (source / "masks").iterdir())[0]
    mask = read_mask(source / "masks" / name).array > 0
    from skimage.measure import find_contours

    corners = [contour[:, ::-1] + 0.5 for contour in find_contours(np.pad(mask, 1).astype(float), 0.5)]
    drawn = [{"label": "coin", "points": (c - 1).tolist(), "group_id": None} for c in corners]
    image = next(path.name for path in (source / "images").iterdir() if path.stem == name.rpartition(".")[0])
    (tmp_path / "a.json").write_text(json.dumps({"shapes": drawn, "imagePath": image}))
    made = flow.masks(tmp_path / "a.json", source / "images", out=tmp_path / "labelled")
    again = read_mask(next((made / "masks").iterdir())).array > 0
    assert 2 * (again & mask).sum() / (again.sum() + mask.sum()) > 0.995
