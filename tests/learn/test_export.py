"""An exported model is the model: same answers at any size, all that a program needs beside it, or no file at all."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from delineate import flow
from delineate.core import Case, ClassTable, DataError, ModelError, OutputError
from delineate.learn import Learnt, Overrides, Record, UNetMethod, planned
from delineate.learn import export as module
from delineate.learn.answer import answered
from delineate.learn.export import exported, stand_in
from delineate.learn.learnt import network
from delineate.learn.normalisation import Normalisation, normalised
from delineate.learn.portable import Portable, scaled

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")


def made(dims, *, channels=1, objects=True, normalisation="percentiles", levels=2):
    """A network that is not taught but has opinions, in a folder."""
    rng = np.random.default_rng(0)
    shape = (90, 90) if dims == 2 else (20, 40, 40)
    case = Case(
        "a", rng.random((*shape, channels)), labels=np.ones(shape, np.uint8), objects=np.ones(shape, np.int32)
    )
    wanted = Overrides(
        width=4, levels=levels, dims=dims, objects=objects, shuffle=3 - dims + 1, normalisation=normalisation
    )
    plan, classes = planned([case], overrides=wanted), ClassTable(("ground", "nucleus", "wall"))
    net = network(plan, classes, seed=0).eval()
    with torch.no_grad():
        net.head.weight[: 3 * plan.shuffle**dims] *= 5
    return Learnt(
        net, plan, classes, Record(seed=0, data={"cases": 1, "spacing": [0.5] * dims, "unit": "µm"})
    )


def pictures(dims, channels=1):
    rng = np.random.default_rng(1)
    sizes = [(61, 50), (32, 48)] if dims == 2 else [(9, 30, 33)]
    return [rng.gamma(2, 20, (*size, channels)).astype(np.uint16) for size in sizes]


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    """(learnt, folder of its export) in 2D, with objects."""
    learnt = made(2)
    folder = tmp_path_factory.mktemp("export") / "flat"
    exported(learnt, folder, pictures(2), name="flat", openvino=True)
    return learnt, folder


def test_the_sidecar_says_all_that_a_program_needs(flat):
    learnt, folder = flat
    assert sorted(path.name for path in folder.iterdir()) == [
        "model.bin",
        "model.json",
        "model.onnx",
        "model.xml",
    ]
    about = json.loads((folder / "model.json").read_text())
    assert about["classes"]["names"] == ["ground", "nucleus", "wall"]
    assert (about["halo"], about["divisor"]) == (learnt.net.halo, learnt.net.divisor)
    assert (about["spacing"], about["unit"]) == ([0.5, 0.5], "µm")
    assert about["input"]["axes"] == ["batch", "channel", "y", "x"]
    assert [output["name"] for output in about["outputs"]] == ["probabilities", "offsets"]
    assert about["normalisation"]["inside"]
    assert about["checked"]["onnx"]["furthest"] < 1e-3
    assert about["checked"]["openvino"]["sizes"] == 4


def test_onnx_runtime_alone_gives_what_delineate_gives(flat):
    learnt, folder = flat
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    assert [axis for axis in session.get_inputs()[0].shape if not isinstance(axis, int)] == [
        "batch",
        "height",
        "width",
    ]
    image = pictures(2)[0][:33, :47]
    raw = np.moveaxis(image, -1, 0)[None].astype(np.float32)
    likely, offsets = session.run(None, {"image": np.concatenate([raw, 3 * raw + 7])})
    expected = answered(learnt, image)
    for one in range(
        2
    ):  # another gain and offset of the camera changes nothing: percentiles are in the graph
        np.testing.assert_allclose(likely[one], expected[:3], atol=2e-3)
        np.testing.assert_allclose(offsets[one], expected[3:], atol=0.02 * learnt.plan.object_radius_px)


def test_openvino_alone_gives_what_delineate_gives(flat):
    openvino = pytest.importorskip("openvino")
    learnt, folder = flat
    compiled = openvino.Core().compile_model(folder / "model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    image = pictures(2)[1]
    outputs = compiled(np.moveaxis(image, -1, 0)[None].astype(np.float32))
    np.testing.assert_allclose(outputs[0][0], answered(learnt, image)[:3], atol=2e-3)


def test_a_volume_of_two_channels_is_exported_without_normalisation(tmp_path):
    learnt = made(3, channels=2, objects=False, normalisation="zscore")
    [volume] = pictures(3, channels=2)
    exported(learnt, tmp_path / "out", [volume], normalise=False)
    assert not json.loads((tmp_path / "out" / "model.json").read_text())["normalisation"]["inside"]
    session = onnxruntime.InferenceSession(tmp_path / "out" / "model.onnx")
    ready = normalised(volume, learnt.plan.normalisation)
    likely = session.run(["probabilities"], {"image": ready[None]})[0][0]
    np.testing.assert_allclose(likely, answered(learnt, volume), atol=2e-3)


def test_delineate_predicts_with_its_export_as_with_the_model(flat):
    learnt, folder = flat
    method = UNetMethod.of(learnt)
    for given in (folder, folder / "model.onnx"):
        exported_method = flow.load(given)
        assert exported_method.classes == learnt.classes
        image = pictures(2)[0]
        np.testing.assert_allclose(exported_method.predict(image), method.predict(image), atol=0.05)
        likely, ids = exported_method.outline(image)
        assert likely.shape == (3, *ids.shape)


def test_a_graph_that_differs_is_not_written(flat, tmp_path, monkeypatch):
    learnt, _ = flat
    real = module.answered
    monkeypatch.setattr(module, "answered", lambda *args, **rest: np.roll(real(*args, **rest), 1, axis=1))
    monkeypatch.setattr(module, "write_onnx", lambda net, path, **_: path)
    monkeypatch.setattr(module, "_onnx_answers", lambda path: _torch_answers(learnt))
    with pytest.raises(ModelError, match="differ from torch by"):
        exported(learnt, tmp_path / "out", pictures(2))
    assert not (tmp_path / "out").exists()


def _torch_answers(learnt):
    def run(batch):
        with torch.inference_mode():
            return [part.numpy() for part in Portable(learnt, normalise=True)(torch.from_numpy(batch))]

    return run


def test_what_openvino_is_too_small_for_is_said_and_not_tried(flat, tmp_path, monkeypatch):
    pytest.importorskip("openvino")
    learnt, folder = flat
    again = lambda net, path, **_: Path(shutil.copyfile(folder / "model.onnx", path))  # noqa: E731
    monkeypatch.setattr(module, "write_onnx", again)
    assert json.loads((folder / "model.json").read_text())["smallest_side"] == {"onnx": 1, "openvino": 3}
    thin, small = pictures(2)[0][:2], pictures(2)[0][:3, :4]
    model = UNetMethod.of(learnt).save(tmp_path / "model")
    Image.fromarray(thin[..., 0]).save(tmp_path / "thin.png")
    with pytest.raises(DataError, match=r"takes sides of 3 pixels or more.*: give larger images"):
        flow.export(model, out=tmp_path / "out", openvino=True, where=tmp_path / "thin.png")
    assert not (tmp_path / "out").exists()
    checks = exported(learnt, tmp_path / "out", [thin, small], openvino=True)
    assert (checks["onnx"].images, checks["openvino"].images) == (2, 1)


@pytest.mark.parametrize("name", ["../escaped", "a\\b"])
def test_a_package_is_not_written_outside_of_its_folder(flat, tmp_path, name):
    model = UNetMethod.of(flat[0]).save(tmp_path / "model")
    with pytest.raises(DataError, match="which is a path: give a --name without"):
        flow.export(model, out=tmp_path / "out", bioimageio=True, name=name)
    assert not (tmp_path / "out").exists()


def test_without_images_nothing_is_exported(flat, tmp_path):
    with pytest.raises(DataError, match="at least one"):
        exported(flat[0], tmp_path / "out", [])


def test_a_folder_that_holds_something_is_left_alone(flat):
    with pytest.raises(OutputError, match="exists already"):
        flow.export(UNetMethod.of(flat[0]).save(flat[1].parent / "model"), out=flat[1], onnx=True)


def test_something_has_to_be_asked_for(tmp_path):
    with pytest.raises(DataError, match="--onnx, --openvino or --bioimageio"):
        flow.export(tmp_path, out=tmp_path / "out")


@pytest.mark.parametrize(
    "kind", [Normalisation(), Normalisation("zscore", 0, 0), Normalisation("fixed", 3, 40)]
)
@pytest.mark.parametrize("size", [(30, 41), (1500, 1600), (5, 11, 13)])
def test_the_graph_normalises_as_training_did(kind, size):
    image = np.random.default_rng(2).gamma(2, 20, (*size, 2)).astype(np.float32)
    image[..., 1] = 7  # a constant channel
    image.reshape(-1, 2)[0, 1] = 8  # but for one pixel
    graph = scaled(torch.from_numpy(np.moveaxis(image, -1, 0)[None].copy()), kind)[0].numpy()
    np.testing.assert_allclose(graph, normalised(image, kind), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("dims", "channels"), [(2, 1), (2, 3), (3, 2)])
def test_where_there_are_no_images_coins_stand_in(dims, channels):
    image = stand_in(made(dims, channels=channels))
    assert (image.ndim, image.shape[-1]) == (dims + 1, channels)
    assert image.std() > 10


def test_a_scale_drops_out_of_the_sizes_that_bioimageio_computes():
    from delineate.learn.bioimageio import _cancelling

    assert 168 * 0.9 / 0.9 != 168
    for scale in (0.9, 0.8, 2.5, 1 / 3, 0.2479):
        near = _cancelling(scale)
        assert near == pytest.approx(scale, rel=1e-7)
        assert all(n * near / near == n for n in range(1, 5000))


def test_a_bioimageio_package_passes_its_own_validator_and_holds_what_torch_gives(tmp_path, monkeypatch):
    core = pytest.importorskip("bioimageio.core", reason="bioimageio.core is not installed")
    from zipfile import ZipFile

    from delineate.learn import bioimageio

    packaged, graphs, write_onnx = bioimageio.packaged, [], bioimageio.write_onnx

    def once(net, path, **how):  # the packages below are of one network
        if not graphs:
            graphs.append(write_onnx(net, path, **how).read_bytes())
        path.write_bytes(graphs[0])

    monkeypatch.setattr(bioimageio, "write_onnx", once)
    learnt = made(2, levels=1)  # the graph of a deeper one is checked above, and takes long to be written
    image = pictures(2)[0]
    verdicts, validator = [], core.test_model

    def watched(package):
        verdicts.append(validator(package))
        return verdicts[-1]

    monkeypatch.setattr(core, "test_model", watched)
    path = packaged(learnt, tmp_path / "a.zip", image, name="cell", authors=["A. Person"], licence="CC0-1.0")
    assert [verdict.status for verdict in verdicts] == ["passed"]
    text = ZipFile(path).read("rdf.yaml").decode()
    assert "scale_range" in text
    assert "unit: micrometer" in text
    assert f"halo: {learnt.net.halo}" in text
    with pytest.raises(OutputError, match="exists already"):
        packaged(learnt, path, image, name="cell")
    with pytest.raises(DataError, match="does not accept"):
        packaged(learnt, tmp_path / "b.zip", image, name="cell", licence="none of your business")
    monkeypatch.setattr(core, "test_model", lambda _: SimpleNamespace(status="failed", details=[]))
    with pytest.raises(ModelError, match="validator refuses the package"):
        packaged(learnt, tmp_path / "b.zip", image, name="cell")
    assert not (tmp_path / "b.zip").exists()
