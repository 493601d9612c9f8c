"""Images larger than memory, from the command line: killed and gone on, spread over workers, refused in one sentence."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from commands import run
from delineate import flow
from delineate.core import DataError, ModelError
from delineate.data import read_image, read_mask, write_image
from delineate.data.samples import coins
from delineate.learn import Overrides
from delineate.streaming import Streamed, middle_of

TINY = Overrides(patch=32, batch=2, width=4, levels=2, objects=False, precision="32-true")


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """A tiny model of grey images, and a tiled picture with a pyramid and a pixel size."""
    folder = tmp_path_factory.mktemp("large")
    flow.train(coins()[0], out=folder / "model", steps=40, overrides=TINY)
    rng = np.random.default_rng(0)
    array = (
        np.kron(rng.integers(0, 200, (52, 65)), np.ones((40, 40))) + rng.integers(0, 50, (2080, 2600))
    ).astype(np.uint8)
    with tifffile.TiffWriter(folder / "big.ome.tif") as file:
        for number in range(2):
            file.write(
                array[:: 4**number, :: 4**number],
                tile=(256, 256),
                compression="zlib",
                subifds=None if number else 1,
                metadata=None if number else {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5},
            )
    return folder


def refused(capsys, *words) -> str:
    """The one sentence with which the command ends, status 2."""
    capsys.readouterr()
    assert run(*words) == 2
    told = capsys.readouterr().err
    assert "Traceback" not in told
    return told.strip().splitlines()[-1]


def predict(work, out, *words) -> list[str]:
    return ["predict", str(work / "model"), str(work / "big.ome.tif"), "-o", str(out), *map(str, words)]


@pytest.fixture(scope="module")
def whole(work, tmp_path_factory) -> Path:
    """What an undisturbed run in tiles of 512 writes."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert run(*predict(work, out, "--tile", 512, "--suffix", ".ome.tif")) == 0
    return out


def test_parts_give_what_the_whole_image_gives(work, whole, tmp_path):
    assert run(*predict(work, tmp_path / "at_once")) == 0
    np.testing.assert_array_equal(
        read_mask(whole / "big.ome.tif").array, read_mask(tmp_path / "at_once" / "big.tif").array
    )
    assert (whole / "overlays" / "big.png").is_file()


def test_killed_and_started_again_it_goes_on_and_the_file_is_the_same(work, whole, tmp_path):
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "delineate.cli",
        *predict(work, out, "--tile", 512, "--suffix", ".ome.tif"),
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    chunks = out / ".unfinished" / "big.ome.zarr" / "0" / "c"

    def finished() -> int:
        return len([path for path in chunks.glob("*/*") if path.suffix != ".partial"])

    until = time.monotonic() + 60
    while finished() < 3 and time.monotonic() < until:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = finished()
    assert 3 <= done < 30, "it was killed in the middle"
    told = subprocess.run([*command, "--resume"], capture_output=True, text=True, check=True).stderr
    assert f"{done} of 30 tiles are done already" in told
    assert "million pixels per second" in told
    assert (out / "big.ome.tif").read_bytes() == (whole / "big.ome.tif").read_bytes()


def test_three_workers_one_of_them_killed_write_the_same_file(work, whole, tmp_path):
    """Takes seconds, for processes have to start."""
    distributed = pytest.importorskip("distributed")
    killed: list[int] = []

    def watch(now: Streamed) -> None:
        if now.done and not killed:
            pids = distributed.default_client().run(os.getpid)
            killed.append(next(iter(pids.values())))
            os.kill(killed[0], signal.SIGKILL)

    flow.predict(
        work / "model",
        work / "big.ome.tif",
        out=tmp_path / "out",
        tile=512,
        suffix=".ome.tif",
        workers=3,
        watch=watch,
    )
    assert killed
    assert (tmp_path / "out" / "big.ome.tif").read_bytes() == (whole / "big.ome.tif").read_bytes()


def test_a_scheduler_that_is_there_is_used_and_one_that_is_not_is_told(work, whole, tmp_path, capsys):
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster:
        words = predict(work, tmp_path / "out", "--tile", 512, "--suffix", ".ome.zarr")
        assert run(*words, "--scheduler", cluster.scheduler_address) == 0
    np.testing.assert_array_equal(
        read_mask(tmp_path / "out" / "big.ome.zarr").array, read_mask(whole / "big.ome.tif").array
    )


def test_many_images_are_shared_among_workers_and_one_bad_one_stops_none(work, tmp_path, capsys):
    distributed = pytest.importorskip("distributed")
    (tmp_path / "in").mkdir()
    for name, case in zip("abc", coins()[0], strict=False):
        Image.fromarray(case.image[..., 0]).save(tmp_path / "in" / f"{name}.png")
    (tmp_path / "in" / "bad.png").write_bytes(b"no picture")
    words = ["predict", work / "model", tmp_path / "in", "--objects", "--geojson"]
    assert run(*words, "-o", tmp_path / "here") == 2
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster:
        said = refused(capsys, *words, "-o", tmp_path / "there", "--scheduler", cluster.scheduler_address)
    assert "bad.png" in said
    assert "1 of 4 images failed" in said
    for name in ("a.png", "b.png", "classes/c.png", "overlays/a.png", "a.geojson"):
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()
    assert set(json.loads((tmp_path / "there" / "prediction.json").read_text())["files"]) == {"a", "b", "c"}


def test_no_scheduler_is_one_sentence(work, tmp_path, capsys, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("delineate.inference.cluster._ANSWER_SECONDS", 0.2)
    said = refused(capsys, *predict(work, tmp_path / "out", "--scheduler", "tcp://127.0.0.1:9"))
    assert "no scheduler answers at tcp://127.0.0.1:9: start one" in said


def broken(work, path, *, level: int, tile: int) -> Path:
    """A copy of the picture with one damaged tile."""
    with tifffile.TiffFile(work / "big.ome.tif") as file:
        offset = file.series[0].levels[level].pages[0].dataoffsets[tile]
    data = (work / "big.ome.tif").read_bytes()
    path.write_bytes(data[:offset] + b"\xff" * 64 + data[offset + 64 :])
    return path


def test_a_broken_tile_is_told_and_what_was_written_stays(work, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("delineate.data.large.sample.WHOLE", 1000)
    monkeypatch.setattr("delineate.data.large.sample.LATTICE", {2: (2, 64)})
    out, image = tmp_path / "out", broken(work, tmp_path / "image.ome.tif", level=0, tile=71)
    words = ["predict", work / "model", image, "-o", out, "--tile", 512, "--suffix", ".ome.zarr"]
    said = refused(capsys, *words)
    assert "image.ome.tif cannot be read at" in said
    assert "copy the file again" in said
    assert len(list((out / ".unfinished" / "image.ome.zarr" / "0" / "c").glob("*/*"))) > 10


def test_a_broken_coarse_level_stops_nothing(work, whole, tmp_path):
    image = broken(work, tmp_path / "big.ome.tif", level=1, tile=0)
    assert (
        run("predict", work / "model", image, "-o", tmp_path / "out", "--tile", 512, "--suffix", ".ome.tif")
        == 0
    )
    np.testing.assert_array_equal(
        read_mask(tmp_path / "out" / "big.ome.tif").array, read_mask(whole / "big.ome.tif").array
    )


def test_a_slide_of_four_channels_is_refused_before_anything_is_computed(work, tmp_path, capsys):
    four = np.random.default_rng(0).integers(0, 200, (600, 600, 4)).astype(np.uint8)
    tifffile.imwrite(
        tmp_path / "four.tif", four, photometric="rgb", extrasamples=["unspecified"], tile=(256, 256)
    )
    said = refused(
        capsys,
        "predict",
        work / "model",
        tmp_path / "four.tif",
        "-o",
        tmp_path / "out",
        "--suffix",
        ".ome.tif",
    )
    assert "has 4 channels but the model was trained on 1: convert the image" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--memory", "0.01"], "too little"),
        (["--suffix", ".nii"], "no NIfTI file"),
        (["--suffix", ".png"], "choose from .ome.tif"),
        (["--memory", "1", "--probabilities"], "without --probabilities"),
        (["--workers", "0"], "give at least 1"),
        (["--workers", "1", "--scheduler", "tcp://127.0.0.1:9"], "give one of them"),
        (["--tile", "0"], "tiles of 0 pixels cannot be cut"),
    ],
)
def test_what_cannot_be_is_one_sentence(work, tmp_path, capsys, words, says):
    assert says in refused(capsys, *predict(work, tmp_path / "out", *words))


def test_more_memory_may_be_given_with_the_same_folder_as_the_refusal_says(work, tmp_path, capsys):
    out = tmp_path / "out"
    assert "give --memory" in refused(capsys, *predict(work, out, "--memory", "0.01"))
    assert not out.exists()
    assert run(*predict(work, out, "--memory", "1")) == 0


def test_objects_and_polygons_of_a_model_without_objects_are_connected_pieces(work, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.tile(coins()[0][0].image[..., 0], (3, 2)), tile=(256, 256))
    common = [work / "model", tmp_path / "a.tif", "--objects"]
    assert run("predict", *common, "-o", tmp_path / "parts", "--geojson", "--tile", 256) == 0
    assert run("predict", *common, "-o", tmp_path / "at_once") == 0
    parts, whole = (
        read_mask(tmp_path / folder / name).array.astype(np.int64)
        for folder, name in (("parts", "a.ome.tif"), ("at_once", "a.tif"))
    )
    pairs = np.unique(np.stack([parts.ravel(), whole.ravel()]), axis=1)
    assert pairs.shape[1] == parts.max() + 1 == whole.max() + 1 > 2
    features = json.loads((tmp_path / "parts" / "a.geojson").read_text())["features"]
    assert len(features) == parts.max()
    assert features[0]["properties"]["objectType"] == "annotation"
    assert (tmp_path / "parts" / "classes" / "a.ome.tif").is_file()


def test_polygons_of_a_stack_are_refused_before_anything_is_predicted(work, tmp_path, capsys):
    stack = np.zeros((5, 64, 64), np.uint8)
    tifffile.imwrite(
        tmp_path / "a.tif", stack, tile=(32, 32), photometric="minisblack", metadata={"axes": "ZYX"}
    )
    words = ["predict", work / "model", tmp_path / "a.tif", "-o", tmp_path / "out", "--geojson"]
    assert "GeoJSON has no place" in refused(capsys, *words)
    assert not list((tmp_path / "out").glob(".unfinished/*"))


def test_an_ome_zarr_of_labels_is_shipped_without_scratch_and_finds_its_image(tmp_path):
    """With a model that separates objects, whose tiles keep what they own beside the labels until the end."""
    flow.train(coins()[0], out=tmp_path / "model", steps=1, overrides=replace(TINY, objects=True))
    tifffile.imwrite(tmp_path / "a.tif", coins()[0][0].image[..., 0], tile=(256, 256))
    words = ["predict", tmp_path / "model", tmp_path / "a.tif", "-o", tmp_path / "out", "--objects"]
    assert run(*words, "--suffix", ".ome.zarr") == 0
    for folder in (tmp_path / "out", tmp_path / "out" / "classes"):
        store = folder / "a.ome.zarr"
        assert {path.name for path in store.iterdir()} == {"zarr.json", "0"}
        about = json.loads((store / "zarr.json").read_text())["attributes"]["ome"]
        assert (store / about["image-label"]["source"]["image"]).resolve() == tmp_path / "a.tif"
        assert about["multiscales"][0]["name"] == "a"


def test_after_a_resume_the_empty_share_is_that_of_the_run(work, tmp_path):
    """The first of two tiles is done before; the second is all empty."""
    array = np.zeros((512, 1024), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", array, tile=(256, 256))
    told: list[str] = []
    options = {"out": tmp_path / "out", "tile": 512, "suffix": ".ome.zarr", "tell": told.append}

    def stop(now: Streamed) -> None:
        if now.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        flow.predict(work / "model", tmp_path / "a.tif", watch=stop, **options)
    flow.predict(work / "model", tmp_path / "a.tif", resume=True, **options)
    assert any("100% of what this run did is empty background" in line for line in told)


def test_a_resume_takes_smaller_tiles_and_tells_what_it_cannot_take(work, tmp_path, capsys):
    out = tmp_path / "out"

    def stop(now: Streamed) -> None:
        if now.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        flow.predict(work / "model", work / "big.ome.tif", out=out, tile=1024, suffix=".ome.tif", watch=stop)
    words = [*predict(work, out, "--suffix", ".ome.tif", "--resume")]
    assert "begun with skipping empty background" in refused(capsys, *words, "--no-skip-empty")
    assert "too little" in refused(capsys, *words, "--memory", "0.01")
    assert run(*words, "--tile", 512) == 0
    told = capsys.readouterr().err
    assert "of 30 tiles are done already" in told
    assert "in tiles of 512 x 512" in told


def test_what_was_begun_in_parts_goes_on_in_parts_however_much_memory_is_free_by_then(
    work, whole, tmp_path, monkeypatch
):
    out = tmp_path / "out"

    def stop(now: Streamed) -> None:
        if now.done:
            raise KeyboardInterrupt

    with monkeypatch.context() as little:
        little.setattr("delineate.streaming.wishes.available_bytes", lambda: 50e6)
        with pytest.raises(KeyboardInterrupt):
            flow.predict(work / "model", work / "big.ome.tif", out=out, tile=512, watch=stop)
    told: list[str] = []
    flow.predict(work / "model", work / "big.ome.tif", out=out, tile=512, resume=True, tell=told.append)
    assert any("of 30 tiles are done already" in line for line in told)
    assert {path.name for path in out.iterdir()} == {"big.ome.tif", "overlays", "prediction.json"}
    assert (out / "big.ome.tif").read_bytes() == (whole / "big.ome.tif").read_bytes()


def test_polygons_of_what_is_read_at_once_only_are_those_of_its_objects(work, tmp_path):
    image = read_image(work / "big.ome.tif").array[:200, :230, 0]
    Image.fromarray(image).save(tmp_path / "a.png")
    common = ["predict", work / "model", tmp_path / "a.png", "--geojson"]
    assert run(*common, "--objects", "-o", tmp_path / "out") == 0
    ids = read_mask(tmp_path / "out" / "a.png").array
    assert ids.max() > 0
    made = flow.masks(tmp_path / "out" / "a.geojson", tmp_path / "a.png", out=tmp_path / "again")
    again = read_mask(made / "instances" / "a.png").array
    pairs = np.unique(np.stack([ids.ravel(), again.ravel()]), axis=1)
    assert (
        len(pairs.T) == len(np.unique(ids)) == len(np.unique(again))
    )  # the same objects, numbered otherwise
    assert run(*common, "-o", tmp_path / "bare") == 0
    assert sorted(path.name for path in (tmp_path / "bare").iterdir()) == [
        "a.geojson",
        "a.png",
        "overlays",
        "prediction.json",
    ]
    assert (tmp_path / "bare" / "a.geojson").read_bytes() == (tmp_path / "out" / "a.geojson").read_bytes()


def test_polygons_of_a_stack_are_refused_however_it_is_read(work, tmp_path, capsys):
    write_image(tmp_path / "a.nrrd", np.zeros((3, 20, 30, 1), np.uint8))
    said = refused(
        capsys, "predict", work / "model", tmp_path / "a.nrrd", "-o", tmp_path / "out", "--geojson"
    )
    assert "a stack, and GeoJSON has no place for its polygons: leave --geojson out" in said


def test_speed_and_time_left_are_those_of_this_run():
    now = Streamed("a", done=30, total=90, skipped=0, seconds=2.0, before=10)
    assert (now.per_second, now.remaining) == (10.0, 6.0)
    assert Streamed("a", 0, 90, 0, 0.0).remaining == float("inf")


def test_a_worker_that_lives_long_takes_no_other_store_that_lay_there(work, tmp_path):
    from delineate.data.large import open_large
    from delineate.learn.large import LargePrediction
    from delineate.streaming.tiles import predicted_tile, state_of

    learnt = flow.load(work / "model").learnt
    for core in (512, 1024):
        with open_large(work / "big.ome.tif") as image:
            begun = LargePrediction.begin(
                tmp_path / "store", learnt, image, model=str(work / "model"), core=(core, core)
            )
            for tile in begun.tiles:
                corners = tuple((side.start, side.stop) for side in tile)
                predicted_tile(str(tmp_path / "store"), state_of(tmp_path / "store"), corners)
            assert begun.todo() == []
        shutil.rmtree(tmp_path / "store")


def test_a_run_goes_on_with_the_engine_that_it_was_begun_with(work, tmp_path):
    out = tmp_path / "out"
    assert run(*predict(work, out, "--engine", "torch-float32")) == 0
    before = {path.name: path.read_bytes() for path in out.rglob("*.ome.tif")}
    about = json.loads((out / "prediction.json").read_text())
    about["files"] = {}
    (out / "prediction.json").write_text(json.dumps(about))
    for path in out.rglob("*.ome.tif"):
        path.unlink()
    assert run(*predict(work, out, "--resume")) == 0
    assert json.loads((out / "prediction.json").read_text())["settings"]["engine"] == "torch-float32"
    assert {path.name: path.read_bytes() for path in out.rglob("*.ome.tif")} == before


def test_a_scheduler_without_workers_is_one_sentence(work, tmp_path, capsys, monkeypatch):
    from distributed import LocalCluster

    monkeypatch.setattr("delineate.inference.cluster._ANSWER_SECONDS", 1)
    with LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster:
        said = refused(capsys, *predict(work, tmp_path / "out", "--scheduler", cluster.scheduler_address))
    assert "has no workers: start some with `dask worker" in said
    assert not (tmp_path / "out").exists()


def test_a_scheduler_that_dies_is_told_in_our_sentence_and_not_in_its_own():
    from distributed import LocalCluster

    from delineate.inference.cluster import crew

    with (
        LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster,
        crew(scheduler=cluster.scheduler_address),
    ):
        names = [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]
        assert "distributed.client" in names
        assert not [name for name in names if logging.getLogger(name).isEnabledFor(logging.ERROR)]


@pytest.mark.parametrize(
    ("refusing", "words"), [(".unfinished", ["--suffix", ".ome.tif"]), ("classes", ["--objects"])]
)
def test_a_disk_without_room_for_a_folder_is_one_sentence(
    work, tmp_path, capsys, monkeypatch, refusing, words
):
    made = Path.mkdir

    def mkdir(self, *args, **rest):
        if self.name == refusing:
            raise OSError(28, "No space left on device")
        made(self, *args, **rest)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    said = refused(capsys, *predict(work, tmp_path / "out", "--engine", "torch", *words))
    assert said.endswith(f"{refusing}: No space left on device; free space or choose another folder")


def test_an_array_in_memory_is_no_work_for_workers(work, tmp_path):
    with pytest.raises((DataError, ModelError), match="save it and give its folder"):
        flow.predict(flow.load(work / "model"), work / "big.ome.tif", out=tmp_path / "out", workers=1)


@pytest.mark.parametrize(
    ("dims", "seen"), [(3, (64, 64, 64, 1)), (2, (1, 80, 512, 1))], ids=["volume", "stack"]
)
def test_engines_are_tried_on_no_more_than_they_need(tmp_path, dims, seen):
    volume = np.zeros((70, 80, 600), np.uint8)
    volume[35] = 7
    tifffile.imwrite(tmp_path / "a.tif", volume, photometric="minisblack", metadata={"axes": "ZYX"})
    middle = middle_of(tmp_path / "a.tif", dims=dims)
    assert middle.shape == seen
    assert (middle[seen[0] // 2] == 7).all()


def test_of_what_is_complete_nothing_unfinished_is_left(whole):
    assert {path.name for path in whole.iterdir()} == {"big.ome.tif", "overlays", "prediction.json"}


def test_a_folder_that_holds_a_prediction_is_left_alone_and_resume_named(work, whole, tmp_path, capsys):
    said = refused(capsys, *predict(work, whole))
    assert said.endswith(
        "holds a prediction already: go on with it by --resume, choose another folder, or remove it"
    )


def test_a_volume_that_loses_its_place_in_the_body_is_told(work, tmp_path, capsys):
    sitk = pytest.importorskip("SimpleITK")
    volume = sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 200, (3, 40, 50)).astype(np.int16))
    volume.SetOrigin((5.0, -7.0, 11.0))
    sitk.WriteImage(volume, str(tmp_path / "a.nii"))
    words = ["predict", work / "model", tmp_path / "a.nii", "--memory", 1]
    assert run(*words, "-o", tmp_path / "zarr", "--suffix", ".ome.zarr") == 0
    assert ".ome.zarr does not hold where the volume lies in the body" in capsys.readouterr().err
    assert run(*words, "-o", tmp_path / "nii") == 0
    assert "in the body" not in capsys.readouterr().err
    assert sitk.ReadImage(str(tmp_path / "nii" / "a.nii")).GetOrigin() == (5.0, -7.0, 11.0)


def test_nan_in_a_volume_is_refused_in_parts_as_in_one_piece(work, tmp_path, capsys):
    nibabel = pytest.importorskip("nibabel")
    array = np.random.default_rng(0).random((64, 64), np.float32)
    array[5, 6] = np.nan
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / "a.nii")
    for way in ((), ("--memory", "2")):
        out = tmp_path / f"out{len(way)}"
        told = refused(capsys, "predict", work / "model", tmp_path / "a.nii", "-o", out, *way)
        assert "pixels that are NaN or infinite: replace them" in told


def test_a_small_image_goes_in_one_tile(work, tmp_path, capsys):
    tifffile.imwrite(tmp_path / "a.tif", np.arange(3000, dtype=np.uint8).reshape(50, 60))
    assert run("predict", work / "model", tmp_path / "a.tif", "-o", tmp_path / "out", "--memory", 1) == 0
    said = capsys.readouterr().err
    assert "a: 50 x 60 pixels in one tile, in at most" in said
    assert "100% of 0.003 million pixels" in said


def test_a_prediction_of_parts_is_indexed_like_any_other(whole):
    about = json.loads((whole / "prediction.json").read_text())
    assert about["files"]["big"]["labels"] == "big.ome.tif"
