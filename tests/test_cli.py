"""The command line from end to end, and every bad input: one sentence with its remedy, status 2, nothing lost."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from commands import run
from delineate.core import Case, ClassTable, DataError
from delineate.data import read_image, read_mask, samples

TINY = ["--steps", "3", "--width", "4", "--levels", "2", "--patch", "32", "--batch", "2"]


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with the coins as data/ and a model taught for three steps as model/."""
    folder = tmp_path_factory.mktemp("work")
    samples.write(folder / "data")
    assert run("train", folder / "data" / "train", "-o", folder / "model", *TINY) == 0
    return folder


def files_under(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def refused(capsys, tmp_path):
    """Call with words and a pattern: the command must end with status 2 and one matching sentence."""

    def check(*words, says: str, keeps: Path | None = None):
        before = files_under(keeps) if keeps else {}
        capsys.readouterr()
        assert run(*words) == 2
        told = capsys.readouterr().err
        assert "Traceback" not in told
        sentences = [line for line in told.splitlines() if line.startswith("delineate: ")]
        assert len(sentences) == 1, told
        assert says in sentences[0]
        assert ":" in sentences[0].removeprefix("delineate: "), "the remedy follows a colon"
        if keeps:
            assert files_under(keeps) == before

    return check


def test_train_predict_and_score_give_what_they_promise(work, tmp_path, capsys):
    test = work / "data" / "test"
    assert run("predict", work / "model", test, "-o", tmp_path / "out", "--objects", "--probabilities") == 0
    names = sorted(p.name for p in (test / "images").iterdir())
    for name in names:
        image = read_image(test / "images" / name)
        ids = read_mask(tmp_path / "out" / name).array
        assert ids.dtype == np.uint16
        assert ids.shape == image.spatial
        labels = read_mask(tmp_path / "out" / "classes" / name)
        assert set(np.unique(labels.array)) <= {0, 1}
        assert labels.palette[1].tolist() == [255, 176, 0]
        likely = read_image(tmp_path / "out" / "probabilities" / (Path(name).stem + ".tif")).array
        assert likely.dtype == np.float32
        np.testing.assert_allclose(likely.sum(-1), 1, atol=1e-5)
        assert read_image(tmp_path / "out" / "overlays" / name).array.shape == (*image.spatial, 3)
    assert run("score", tmp_path / "out", test, "-o", tmp_path / "report") == 0
    scores = json.loads((tmp_path / "report" / "scores.json").read_text())
    assert {"mean", "median", "defined", "undefined", "missed"} <= set(
        scores["classes"]["foreground"]["dice"]
    )
    assert {"ap50", "f1", "pq"} <= set(scores["objects"])
    assert len(scores["cases"]) == len(names)
    assert isinstance(scores["warnings"], list)
    assert (tmp_path / "report" / "scores.csv").read_text().count("\n") == len(names) + 1
    assert 0 <= scores["calibration"]["foreground"]["border"]["ece"] <= 1
    assert "<html" in (tmp_path / "report" / "report.html").read_text()
    assert "Report: " in capsys.readouterr().out


def test_a_training_begins_from_a_model(work, tmp_path, capsys, refused):
    words = ("train", work / "data" / "train", "--from")
    few = ("--steps", "2", "--patch", "32", "--batch", "2")
    assert run(*words, work / "model", "-o", tmp_path / "second", *few) == 0
    told = "".join(capsys.readouterr())
    assert f"begins from {work / 'model'}: 3 steps" in " ".join(told.split())
    assert "width: 4 (as in the model that it begins from)" in told
    about = json.loads((tmp_path / "second" / "model.json").read_text())
    assert about["record"]["data"]["from"]["steps"] == 3
    refused(*words, work / "data", "-o", tmp_path / "a", *few, says="has no model.json")
    refused(
        *words,
        work / "model",
        "-o",
        tmp_path / "b",
        *few,
        "--width",
        "8",
        says="leave --width out, or --from",
    )


def test_a_prediction_goes_on_where_it_was_interrupted(work, tmp_path):
    test, out = work / "data" / "test", tmp_path / "out"
    assert run("predict", work / "model", test, "-o", out) == 0
    whole = files_under(out)
    about = json.loads((out / "prediction.json").read_text())
    name = sorted(about["files"])[0]
    (out / about["files"].pop(name)["labels"]).unlink()
    (out / "prediction.json").write_text(json.dumps(about))
    assert run("predict", work / "model", test, "-o", out, "--resume") == 0
    assert {k: v for k, v in files_under(out).items() if k != "prediction.json"} == {
        k: v for k, v in whole.items() if k != "prediction.json"
    }


def test_a_prediction_does_not_go_on_with_other_images_of_the_same_names(work, tmp_path, capsys):
    for folder in ("monday", "tuesday"):
        shutil.copytree(work / "data" / "test" / "images", tmp_path / folder)
    out = tmp_path / "out"
    assert run("predict", work / "model", tmp_path / "monday", "-o", out) == 0
    before = files_under(out)
    assert run("predict", work / "model", tmp_path / "tuesday", "-o", out, "--resume") == 2
    assert "holds the prediction of another" in capsys.readouterr().err
    assert files_under(out) == before


def test_a_class_that_is_drawn_where_there_is_none_is_counted_where_means_are_printed(tmp_path, capsys):
    held = np.zeros((8, 8), np.uint8)
    held[2:5, 2:5] = 1
    for folder, masks in (("truth", (held, 0 * held)), ("drawn", (held, held))):
        (tmp_path / folder).mkdir()
        for name, mask in zip("ab", masks, strict=True):
            Image.fromarray(mask).save(tmp_path / folder / f"{name}.png")
    assert run("score", tmp_path / "drawn", tmp_path / "truth", "-o", tmp_path / "report") == 0
    assert "dice: mean 0.500 (2 of 2 defined; 1 spurious)" in capsys.readouterr().out


def test_what_the_means_leave_out_is_said_where_they_are_printed(tmp_path, capsys):
    held = np.zeros((8, 8), np.uint8)
    held[2:5, 2:5] = 1
    truths = {"good": held, "lost": held, "silent": np.full_like(held, 255)}
    for folder, masks in (("truth", truths), ("drawn", {**truths, "lost": 0 * held, "silent": held})):
        (tmp_path / folder).mkdir()
        for name, mask in masks.items():
            Image.fromarray(mask).save(tmp_path / folder / f"{name}.png")
    words = ("--masks-are", "classes", "--unlabelled", 255, "-o", tmp_path / "report")
    assert run("score", tmp_path / "drawn", tmp_path / "truth", *words) == 1
    said = capsys.readouterr()
    assert "foreground dice: mean 0.500 (2 of 2 defined; 1 missed)" in said.out
    assert "silent is in no score: every pixel of its truth is unlabelled" in said.err
    assert "infinite in 1 of 2 images, which their means leave out" in said.err


@pytest.fixture
def two_methods(work, tmp_path):
    """The truth of the test images, moved by one and by three pixels; and what stands in their metadata."""
    truth = sorted((work / "data" / "test" / "masks").iterdir())
    for name, step in (("close", 1), ("far", 3)):
        (tmp_path / name).mkdir()
        for path in truth:
            Image.fromarray(np.roll(np.asarray(Image.open(path)), step, axis=0)).save(
                tmp_path / name / path.name
            )
    rows = [f"{path.stem},{'left' if i else 'right'}" for i, path in enumerate(truth)]
    (tmp_path / "cases.csv").write_text("name,side\n" + "\n".join(rows))
    return tmp_path


def test_two_predictions_are_compared_case_by_case_and_by_a_column(work, two_methods, capsys):
    folder, truth = two_methods, work / "data" / "test" / "masks"
    words = [
        "--by",
        "side",
        "--metadata",
        folder / "cases.csv",
        "--tolerance",
        2,
        "--sizes",
        "100,1000",
        "--objects",
    ]
    words += ["--also", "boundary_iou", "--also", "centre_line_dice"]
    assert run("score", folder / "close", folder / "far", truth, "-o", folder / "report", *words) == 0
    said = capsys.readouterr().out
    assert "close less far, foreground Dice: +0." in said
    assert "better in 3 of 3, worse in 0" in said
    assert "close: side left (2 of 3), foreground: dice 0." in said
    assert "against the others" in said
    scores = json.loads((folder / "report" / "scores.json").read_text())
    assert {"surface_dice_2", "boundary_iou", "centre_line_dice"} <= set(scores["classes"]["foreground"])
    assert set(scores["methods"]) == {"close", "far"}
    one = next(one for one in scores["paired"] if one["score"] == "hausdorff")
    assert (one["mean_difference"], one["better"], one["cases"]) == (-2.0, 3, 3)
    by_side = {(one["value"], one["score"]): one for one in scores["by"]["subgroups"]}
    assert (by_side["left", "dice"]["cases"], by_side["right", "dice"]["cases"]) == (2, 1)
    assert [one["low"] for one in scores["objects"]["by_size"]] == [0, 100, 1000]
    table = (folder / "report" / "scores.csv").read_text().splitlines()
    assert table[0].startswith("method,case,")
    assert len(table) == 1 + 2 * 3
    page = (folder / "report" / "report.html").read_text()
    for words in ("Differences case by case", "By side", "close less far", "Surface Dice at 2"):
        assert words in page


def test_what_cannot_be_asked_of_scores_is_refused_and_leaves_no_folder(work, two_methods, refused):
    folder, truth = two_methods, work / "data" / "test" / "masks"
    report = ("-o", folder / "report")
    refused(
        "score",
        folder / "far",
        truth,
        *report,
        "--by",
        "side",
        says="there is no metadata.csv in",
    )
    refused(
        "score",
        folder / "far",
        truth,
        *report,
        "--by",
        "age",
        "--metadata",
        folder / "cases.csv",
        says="no column age: it has",
    )
    refused(
        "score",
        folder / "far",
        truth,
        *report,
        "--also",
        "beauty",
        says="there is no score beauty: choose from",
    )
    refused(
        "score",
        folder / "far",
        truth,
        *report,
        "--tolerance",
        -1,
        says="the tolerance is -1.0: give a number >= 0",
    )
    refused("score", folder / "far", truth, *report, "--sizes", "9,3", "--objects", says="sizes must rise")
    refused("score", folder / "far", truth, *report, "--sizes", "9,inf", says="sizes must be finite")
    table = ("--metadata", folder / "cases.csv")
    refused("score", folder / "far", truth, *report, *table, says="say by which of its columns")
    refused(
        "score",
        folder / "far",
        folder / "far",
        truth,
        *report,
        "--probabilities",
        folder,
        says="belong to one prediction",
    )
    assert (
        run("score", folder / "far", folder / "far", truth, *report) == 2
    )  # the same twice: said by the parser
    assert run("score", truth, *report) == 2
    assert run("score", folder / "far", truth, *report, "--sizes", "small") == 2
    assert not (folder / "report").exists()


def test_a_column_that_names_no_case_is_refused_before_the_work(work, two_methods, refused, monkeypatch):
    folder, truth = two_methods, work / "data" / "test" / "masks"
    (folder / "others.csv").write_text("name,side\nsomebody,left\n")
    monkeypatch.setattr("delineate.score.score_folders", None)
    words = ("-o", folder / "report", "--by", "side", "--metadata", folder / "others.csv")
    for predicted in ([folder / "far"], [folder / "far", folder / "close"]):
        refused("score", *predicted, truth, *words, says="names none of the cases")


def test_what_was_noticed_while_scoring_is_printed(work, two_methods, capsys):
    folder, truth = two_methods, work / "data" / "test" / "masks"
    first = next((folder / "far").iterdir())
    (folder / "far" / "stranger.png").write_bytes(first.read_bytes())
    words = ("-o", folder / "report", "--sizes", "10", "--no-objects")
    assert run("score", folder / "far", truth, *words) == 0
    said = capsys.readouterr().err.splitlines()
    assert "  predictions without truth are not scored: stranger" in said
    assert "  classes of size were asked for, but no objects were scored" in said


def test_what_is_missed_and_what_has_no_prediction_is_printed(work, tmp_path, capsys):
    truth = work / "data" / "test" / "masks"
    one, *others = sorted(truth.iterdir())
    (tmp_path / "empty").mkdir()
    Image.fromarray(np.zeros_like(np.asarray(Image.open(one)))).save(tmp_path / "empty" / one.name)
    capsys.readouterr()
    assert run("score", tmp_path / "empty", truth, "-o", tmp_path / "report") == 1
    said = capsys.readouterr()
    assert "foreground hausdorff: mean infinite (1 of 1 defined; 1 missed; 1 infinite)" in said.out
    assert f"{others[0].stem}" in said.err
    assert "because it has no prediction" in said.err or "is in no score: it has no prediction" in said.err


def test_otsu_is_a_method_like_the_network(work, tmp_path, refused):
    data = work / "data"
    assert run("train", data / "train", "-o", tmp_path / "otsu", "--method", "otsu") == 0
    assert (
        run("predict", tmp_path / "otsu", data / "test", "-o", tmp_path / "out", "--objects", "--geojson")
        == 0
    )
    assert len(list((tmp_path / "out").glob("*.geojson"))) == 3
    refused(
        "predict", tmp_path / "otsu", data / "test", "-o", tmp_path / "no", "--memory", 1, "--suffix", ".ome.tif",
        says="otsu predicts whole images only: leave --memory and --suffix out",
    )  # fmt: skip
    assert run("score", tmp_path / "out", data / "test", "-o", tmp_path / "report") == 0


def test_touching_objects_are_split_where_it_is_asked_for(work, refused, tmp_path):
    data, plain = work / "data", tmp_path / "plain"
    assert run("train", data / "train", "-o", plain, "--method", "otsu") == 0
    watershed = ["predict", plain, data / "test", "--watershed", "-o"]
    refused(*watershed, tmp_path / "no", says="ask for --objects as well")
    assert run(*watershed, tmp_path / "split", "--objects") == 0
    assert run("predict", plain, data / "test", "-o", tmp_path / "pieces", "--objects") == 0
    name = "coins_y000_x000.png"
    pieces, cut = (read_mask(tmp_path / folder / name).array for folder in ("pieces", "split"))
    np.testing.assert_array_equal(cut > 0, pieces > 0)
    assert cut.max() > pieces.max()
    refused(
        "predict", work / "model", data / "test", "-o", tmp_path / "no2", "--objects", "--watershed",
        says="leave --watershed out",
    )  # fmt: skip


def test_a_contour_starts_from_masks_of_the_same_names(work, refused, tmp_path):
    data, model = work / "data", tmp_path / "contour"
    assert run("train", data / "train", "-o", model, "--method", "chan-vese") == 0
    truth = data / "test" / "masks"
    assert run("predict", model, data / "test", "-o", tmp_path / "out", "--start", truth) == 0
    nothing = copy(truth, tmp_path / "nothing")
    for path in nothing.iterdir():
        Image.fromarray(np.zeros_like(np.asarray(Image.open(path)))).save(path)
    assert run("predict", model, data / "test", "-o", tmp_path / "empty", "--start", nothing) == 0
    name = "coins_y000_x000.png"
    assert read_mask(tmp_path / "out" / name).array.max() == 1
    assert read_mask(tmp_path / "empty" / name).array.max() == 0
    (nothing / name).unlink()
    refused(
        "predict", model, data / "test", "-o", tmp_path / "no", "--start", nothing, says="coins_y000_x000"
    )
    refused(
        "predict",
        work / "model",
        data / "test",
        "-o",
        tmp_path / "no",
        "--start",
        truth,
        says="starts from nothing",
    )


def test_a_contour_starts_from_points_and_boxes_of_a_table(work, refused, tmp_path):
    from delineate.classical import start_at_points, start_in_boxes
    from delineate.flow import load

    data, model = work / "data", tmp_path / "contour"
    assert run("train", data / "train", "-o", model, "--method", "chan-vese") == 0
    names = sorted(path.stem for path in (data / "test" / "images").iterdir())
    words = ("predict", model, data / "test", "--start", tmp_path / "starts.csv")
    for kind, title, row, start in (
        ("points", "name,row,column", "40,30", lambda shape: start_at_points(shape, [(40, 30)])),
        (
            "boxes",
            "name,row,row_stop,column,column_stop",
            "10,60,5,50",
            lambda shape: start_in_boxes(shape, [(10, 5, 60, 50)]),
        ),
    ):
        (tmp_path / "starts.csv").write_text("\n".join([title, *(f"{name}.png,{row}" for name in names)]))
        assert run(*words, "-o", tmp_path / kind) == 0
        image = read_image(data / "test" / "images" / f"{names[0]}.png").array
        expected = load(model).predict_from(image, start(image.shape[:-1])).argmax(0)
        np.testing.assert_array_equal(read_mask(tmp_path / kind / f"{names[0]}.png").array, expected)
    for text, says in (
        ("name,row,column\n" + f"{names[0]},4,5", f"says nothing of {names[1]} and {names[2]} to start from"),
        ("name,row,column\n" + "\n".join(f"{name},4,here" for name in names), "holds no number"),
        ("name,row,column\n" + "\n".join(f"{name},4,9999" for name in names), "outside the picture"),
        ("name,row\n" + f"{names[0]},4", "has no column column"),
    ):
        (tmp_path / "starts.csv").write_text(text)
        refused(*words, "-o", tmp_path / f"no{len(says)}", says=says)


def test_feature_maps_are_drawn(work, tmp_path):
    image = next((work / "data" / "test" / "images").iterdir())
    assert run("features", work / "model", image, "-o", tmp_path / "maps.png") == 0
    assert read_image(tmp_path / "maps.png").array.shape[1] > 500


def test_check_says_what_is_there_and_fails_where_training_would(work, tmp_path, capsys):
    assert run("check", work / "data" / "train") == 0
    assert "6 images, 6 with masks" in capsys.readouterr().out
    broken = tmp_path / "broken"
    copy(work / "data" / "train", broken)
    mask = next((broken / "masks").iterdir())
    Image.new("L", (9, 9)).save(mask)
    assert run("check", broken) == 1
    assert "PROBLEM" in capsys.readouterr().out


def copy(source: Path, target: Path) -> Path:
    for name, content in files_under(source).items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(content)
    return target


def test_an_output_folder_that_holds_something_is_refused(work, refused, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("precious")
    data, full = work / "data", tmp_path / "full"
    refused("train", data / "train", "-o", full, *TINY, says="choose another output folder", keeps=full)
    refused("predict", work / "model", data / "test", "-o", full, says="choose another", keeps=full)
    refused("score", data / "test" / "masks", data / "test", "-o", full, says="choose another", keeps=full)


def test_an_output_folder_that_cannot_be_made_is_refused(work, refused, tmp_path):
    (tmp_path / "file").write_text("x")
    refused("train", work / "data" / "train", "-o", tmp_path / "file" / "m", *TINY, says="cannot write")
    refused(
        "predict", work / "model", work / "data" / "test", "-o", tmp_path / "file" / "m", says="cannot write"
    )


def test_zero_images_are_refused(refused, tmp_path, work):
    (tmp_path / "data" / "images").mkdir(parents=True)
    (tmp_path / "data" / "masks").mkdir()
    refused("train", tmp_path / "data", "-o", tmp_path / "m", *TINY, says="image")
    refused("predict", work / "model", tmp_path / "data", "-o", tmp_path / "o", says="image")
    refused("train", tmp_path / "nowhere", "-o", tmp_path / "m", *TINY, says="nowhere")


def test_one_image_is_enough(work, tmp_path):
    one = copy(work / "data" / "train", tmp_path / "one")
    for folder in ("images", "masks", "instances"):
        for path in sorted((one / folder).iterdir())[1:]:
            path.unlink()
    assert run("train", one, "-o", tmp_path / "m", *TINY) == 0


def test_masks_without_anything_labelled_are_refused(work, refused, tmp_path):
    data = copy(work / "data" / "train", tmp_path / "data")
    for path in (data / "masks").iterdir():
        Image.fromarray(np.zeros_like(np.asarray(Image.open(path)))).save(path)
    for path in (data / "instances").iterdir():
        path.unlink()
    (data / "instances").rmdir()
    refused("train", data, "-o", tmp_path / "m", *TINY, says="label")
    for path in (data / "masks").iterdir():
        Image.fromarray(np.full(np.asarray(Image.open(path)).shape, 255, np.uint8)).save(path)
    refused("train", data, "-o", tmp_path / "m", *TINY, "--unlabelled", "255", says="label")


def test_images_all_black_are_refused_or_trained_with_a_warning(work, tmp_path, capsys):
    data = copy(work / "data" / "train", tmp_path / "data")
    for path in (data / "images").iterdir():
        Image.fromarray(np.zeros_like(np.asarray(Image.open(path)))).save(path)
    status = run("train", data, "-o", tmp_path / "m", *TINY)
    told = capsys.readouterr().err
    assert status in (0, 2)
    assert "one value" in told or "constant" in told or "black" in told


def test_pixels_that_are_not_finite_are_refused(work, refused, tmp_path):
    import tifffile

    data = copy(work / "data" / "train", tmp_path / "data")
    path = sorted((data / "images").iterdir())[0]
    image = np.asarray(Image.open(path)).astype(np.float32)
    image[3, 4] = np.nan
    path.unlink()
    tifffile.imwrite(path.with_suffix(".tif"), image)
    refused("train", data, "-o", tmp_path / "m", *TINY, says="NaN")
    refused("predict", work / "model", path.with_suffix(".tif"), "-o", tmp_path / "o", says="NaN")


def test_a_mask_of_another_image_is_refused(work, refused, tmp_path):
    data = copy(work / "data" / "train", tmp_path / "data")
    first, second = sorted((data / "masks").iterdir())[:2]
    first.write_bytes(second.read_bytes())
    refused("train", data, "-o", tmp_path / "m", *TINY, says=" x ")


def test_a_truncated_file_is_refused_and_the_other_images_are_predicted(work, refused, tmp_path):
    data = copy(work / "data" / "train", tmp_path / "data")
    path = sorted((data / "images").iterdir())[0]
    path.write_bytes(path.read_bytes()[:300])
    refused("train", data, "-o", tmp_path / "m", *TINY, says=path.name)
    refused("predict", work / "model", data, "-o", tmp_path / "o", says=path.name)
    assert len(json.loads((tmp_path / "o" / "prediction.json").read_text())["files"]) == 5


def test_where_no_image_can_be_predicted_nothing_is_left_behind(work, refused, tmp_path):
    bad, out, empty = tmp_path / "bad", tmp_path / "out", tmp_path / "empty"
    bad.mkdir()
    empty.mkdir()
    (bad / "a.png").write_bytes(b"no picture")
    refused("predict", work / "model", bad, "-o", out, says="a.png")
    assert not out.exists()
    (bad / "b.png").write_bytes(b"no picture either")
    refused("predict", work / "model", bad, "-o", out, says="(2 of 2 images failed)")
    refused("predict", work / "model", bad, "-o", empty, says="a.png")
    assert empty.is_dir()
    assert not list(empty.iterdir()), "the user's own folder stays"


def test_what_was_predicted_before_stays_where_the_rest_fails(work, refused, tmp_path):
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    picture = next((work / "data" / "test" / "images").iterdir())
    (data / "a.png").write_bytes(picture.read_bytes())
    assert run("predict", work / "model", data, "-o", out) == 0
    (data / "a.png").write_bytes(b"no picture")
    (out / "a.png").unlink()
    refused("predict", work / "model", data, "-o", out, "--resume", says="a.png", keeps=out)


@pytest.mark.parametrize(
    "harm", ["missing weights", "missing json", "tampered weights", "tampered json", "torn json"]
)
def test_a_damaged_model_folder_is_refused(work, refused, tmp_path, harm):
    model = copy(work / "model", tmp_path / "model")
    weights, about = model / "weights.safetensors", model / "model.json"
    if harm == "missing weights":
        weights.unlink()
    elif harm == "missing json":
        about.unlink()
    elif harm == "tampered weights":
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
    elif harm == "tampered json":
        values = json.loads(about.read_text())
        values["plan"]["width"] = 5
        about.write_text(json.dumps(values))
    else:
        about.write_text(about.read_text()[:200])
    refused("predict", model, work / "data" / "test", "-o", tmp_path / "o", says="model")
    refused(
        "predict", tmp_path / "none", work / "data" / "test", "-o", tmp_path / "o", says="no model folder"
    )


def test_an_image_with_other_channels_than_the_model_is_refused(work, refused, tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)
    Image.fromarray(colours).save(tmp_path / "colour.png")
    refused(
        "predict",
        work / "model",
        tmp_path / "colour.png",
        "-o",
        tmp_path / "o",
        says="3 channels but the model was trained on 1",
    )


def test_a_model_that_learnt_other_stains_outlines_colour_images_and_names_are_checked(
    work, refused, tmp_path
):
    names = ["--robust", "stain, light"]
    assert run("train", work / "data" / "train", "-o", tmp_path / "model", *TINY, *names) == 0
    about = json.loads((tmp_path / "model" / "model.json").read_text())
    assert about["plan"]["augmentation"]["robust"] == ["stain", "light"]
    stained = np.full((60, 70, 3), 235, np.uint8)
    stained[10:30, 10:30] = 90, 60, 140
    Image.fromarray(stained).save(tmp_path / "stained.png")
    assert run("predict", tmp_path / "model", tmp_path / "stained.png", "-o", tmp_path / "out") == 0
    assert read_mask(tmp_path / "out" / "stained.png").array.shape == (60, 70)
    refused("predict", work / "model", tmp_path / "stained.png", "-o", tmp_path / "no", says="3 channels")
    refused(
        "train",
        work / "data" / "train",
        "-o",
        tmp_path / "none",
        *TINY,
        "--robust",
        "weather",
        says="choose from stain, inversion, light, motion, camera, all",
    )


def test_grey_images_stored_as_colour_are_understood(work, tmp_path):
    grey = np.asarray(Image.open(next((work / "data" / "test" / "images").iterdir())))
    Image.fromarray(np.repeat(grey[..., None], 3, -1)).save(tmp_path / "grey.png")
    assert run("predict", work / "model", tmp_path / "grey.png", "-o", tmp_path / "o") == 0


def test_unknown_names_are_refused_with_the_known_ones(work, refused, tmp_path):
    data = work / "data" / "train"
    refused("train", data, "-o", tmp_path / "m", "--method", "magic", says="choose from unet, otsu")
    refused(
        "train",
        data,
        "-o",
        tmp_path / "m2",
        *TINY,
        "--augmentation",
        "wild",
        says="choose from none, light, upright, full",
    )
    refused("train", data, "-o", tmp_path / "m3", *TINY, "--down", "average", says="choose from max")
    refused("train", data, "-o", tmp_path / "m4", *TINY, "--precision", "8-bit", says="precision")


def test_options_that_a_threshold_has_not_are_refused(work, refused, tmp_path):
    data = work / "data"
    otsu = ["train", data / "train", "-o", tmp_path / "m", "--method", "otsu"]
    refused(*otsu, "--minutes", "1", says="knows nothing of --minutes: leave those options out")
    refused(*otsu, "--robust", "stain", says="knows nothing of --robust: leave those options out")
    refused(
        *otsu, "--adversarial", "4", "--width", "8", says="knows nothing of --width and --adversarial: leave"
    )
    refused(*otsu, "--equivariant", "--dims", "3", says="knows nothing of --dims and --equivariant: leave")
    refused(
        "train",
        data / "train",
        "-o",
        work / "model",
        "--method",
        "otsu",
        "--resume",
        says="leave",
        keeps=work / "model",
    )


def test_resuming_a_prediction_in_a_folder_of_something_else_is_refused(work, refused, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.png").write_bytes(b"precious")
    images = work / "data" / "test"
    refused(
        "predict",
        work / "model",
        images,
        "-o",
        tmp_path / "mine",
        "--resume",
        says="choose",
        keeps=tmp_path / "mine",
    )


def test_minutes_and_steps_together_are_refused(work, refused, tmp_path):
    refused(
        "train",
        work / "data" / "train",
        "-o",
        tmp_path / "m",
        "--minutes",
        "1",
        *TINY,
        says="either minutes or steps",
    )


def test_help_and_import_load_nothing_heavy():
    script = "import sys, delineate, delineate.cli; print([m for m in ('torch', 'numpy', 'scipy') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


def test_scoring_loads_no_torch(work, tmp_path):
    script = (
        "import sys; from delineate import flow; "
        f"flow.score({str(work / 'data' / 'test' / 'masks')!r}, {str(work / 'data' / 'test')!r}, out={str(tmp_path / 'r')!r}); "
        "print('torch' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        == "False\n"
    )


def test_a_prediction_loads_nothing_that_only_trains(work, tmp_path):
    script = (
        "import sys; from delineate import flow; "
        f"flow.predict({str(work / 'model')!r}, {str(work / 'data' / 'test')!r}, out={str(tmp_path / 'p')!r}, engine='torch'); "
        "print({'lightning_fabric', 'torch._dynamo', 'matplotlib.pyplot'} & set(sys.modules))"
    )
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        == "set()\n"
    )


def test_python_takes_cases_and_gives_a_method_back(tmp_path):
    import delineate
    from delineate.learn import Overrides

    train, test = samples.coins()
    small = Overrides(patch=32, batch=2, width=4, levels=2)
    method = delineate.train(train, steps=2, overrides=small)
    probabilities = method.predict(test[0].image)
    assert probabilities.shape == (2, *test[0].spatial)
    method.save(tmp_path / "model")
    again = delineate.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(test[0].image), probabilities)
    with pytest.raises(DataError, match="give"):
        delineate.train([Case("bare", np.zeros((4, 4, 1)))], steps=1)
    assert again.classes == ClassTable.numbered(2)


def test_an_unknown_engine_is_refused(work, refused, tmp_path):
    refused(
        "predict",
        work / "model",
        work / "data" / "test",
        "-o",
        tmp_path / "out",
        "--engine",
        "abacus",
        says="choose from torch",
    )
    assert not (tmp_path / "out").exists()


def test_the_engine_is_said_once_and_stands_in_the_index(work, capsys, tmp_path):
    for again in range(2):
        out = tmp_path / f"out{again}"
        assert run("predict", work / "model", work / "data" / "test", "-o", out) == 0
    capsys.readouterr()
    assert run("predict", work / "model", work / "data" / "test", "-o", tmp_path / "third") == 0
    assert "engine" not in capsys.readouterr().err
    chosen = json.loads((tmp_path / "third" / "prediction.json").read_text())["settings"]["engine"]
    assert (
        run("predict", work / "model", work / "data" / "test", "-o", tmp_path / "f", "--engine", "torch") == 0
    )
    assert json.loads((tmp_path / "f" / "prediction.json").read_text())["settings"]["engine"] == "torch"
    assert chosen in ("torch", "openvino", "onnxruntime", "compiled")


def test_only_a_network_is_exported_or_made_small(work, refused, tmp_path):
    assert run("train", work / "data" / "train", "-o", tmp_path / "otsu", "--method", "otsu") == 0
    refused("export", tmp_path / "otsu", "-o", tmp_path / "a", "--onnx", says="has no network to export")
    refused("quantise", tmp_path / "otsu", work / "data" / "test", says="no weights to store in 8 bits")
    refused("export", work / "model", "-o", tmp_path / "b", says="nothing was asked for")
    refused(
        "predict",
        tmp_path / "otsu",
        work / "data" / "test",
        "-o",
        tmp_path / "c",
        "--engine",
        "torch",
        says="leave --engine out",
    )
