"""ONNX files of other people: what can be read off them is, the rest is assumed and said, or refused in a sentence."""

import json

import numpy as np
import pytest
from PIL import Image

from delineate import flow
from delineate.core import DataError, ModelError
from delineate.data.samples import coins, write
from delineate.learn.foreign import OnnxModel

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
from onnx import TensorProto, helper  # noqa: E402


def graph(path, *, nodes, shape, inputs=None, outputs=("y",), kinds=None, weights=()):
    """Write an ONNX file of these nodes from `x` to `outputs`."""
    kinds = kinds or {}
    made = helper.make_graph(
        nodes,
        "net",
        inputs or [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), None) for name in outputs],
        initializer=list(weights),
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save_model(model, str(path))
    return path


def tensor(name, values):
    values = np.asarray(values)
    kind = TensorProto.FLOAT if values.dtype.kind == "f" else TensorProto.INT64
    return helper.make_tensor(name, kind, values.shape, values.ravel().tolist())


def threshold(path, *, channels=1, shape=("n", None, "h", "w"), how="logits", blur=0):
    """A network that calls bright pixels class 1: 40 (mean of the channels, blurred - 0.5), and minus that."""
    side = 2 * blur + 1
    weight = np.full(
        (1, channels, *(side,) * (len(shape) - 2)), 1.0 / channels / side ** (len(shape) - 2), np.float32
    )
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["grey"], pads=[blur] * 2 * (len(shape) - 2)),
        helper.make_node("Mul", ["grey", "scale"], ["bright"]),
    ]
    weights = [tensor("w", weight), tensor("b", np.float32([-0.5])), tensor("scale", np.float32(40))]
    if how == "one sigmoid":
        nodes.append(helper.make_node("Sigmoid", ["bright"], ["y"]))
    elif how == "one logit":
        nodes.append(helper.make_node("Identity", ["bright"], ["y"]))
    else:
        nodes += [
            helper.make_node("Neg", ["bright"], ["dark"]),
            helper.make_node("Concat", ["dark", "bright"], ["logits"], axis=1),
            {
                "logits": helper.make_node("Identity", ["logits"], ["y"]),
                "softmax": helper.make_node("Softmax", ["logits"], ["y"], axis=1),
                "two sigmoids": helper.make_node("Sigmoid", ["wide"], ["y"]),
                "labels": helper.make_node("ArgMax", ["logits"], ["y"], axis=1, keepdims=1),
            }[how],
        ]
        if how == "two sigmoids":
            nodes.insert(-1, helper.make_node("Abs", ["logits"], ["wide"]))
    filled = [channels if n is None else n for n in shape]
    kinds = {"y": TensorProto.INT64} if how == "labels" else None
    return graph(path, nodes=nodes, shape=filled, kinds=kinds, weights=weights)


def picture(*spatial, channels=1, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*spatial, channels)).astype(np.uint8)


def bright(image):
    return (image.mean(-1) / 255 > 0.5).astype(int)


@pytest.mark.parametrize("how", ["logits", "softmax", "one sigmoid", "one logit"])
def test_logits_probabilities_and_one_channel_are_told_apart(tmp_path, how):
    model = OnnxModel(threshold(tmp_path / "a.onnx", how=how))
    image = picture(45, 50)
    likely = model.predict(image)
    assert likely.shape == (2, 45, 50)
    np.testing.assert_allclose(likely.sum(0), 1, atol=1e-5)
    np.testing.assert_array_equal(likely.argmax(0), bright(image))
    assert model.classes.names == ("background", "class_1")


def test_a_volume_and_a_stack_of_slices(tmp_path):
    volume = picture(5, 20, 21)
    deep = OnnxModel(threshold(tmp_path / "deep.onnx", shape=("n", None, "d", "h", "w")))
    flat = OnnxModel(threshold(tmp_path / "flat.onnx"))
    for model in (deep, flat):
        np.testing.assert_array_equal(model.predict(volume).argmax(0), bright(volume))


@pytest.mark.parametrize("size", [(64, 64), (40, 30), (150, 201)])
def test_a_graph_of_a_fixed_size_is_given_windows_of_that_size(tmp_path, size):
    model = OnnxModel(threshold(tmp_path / "a.onnx", shape=(2, None, 64, 64)))  # and a fixed batch of two
    image = picture(*size)
    np.testing.assert_array_equal(model.predict(image).argmax(0), bright(image))


@pytest.mark.parametrize(("size", "spatial"), [((28, 28), (60, 50)), ((16, 64, 64), (20, 70, 40))])
def test_a_fixed_size_below_the_divisor_that_is_assumed_is_given_windows_of_it_too(tmp_path, size, spatial):
    model = OnnxModel(threshold(tmp_path / "a.onnx", shape=(1, None, *size)))
    image = picture(*spatial)
    np.testing.assert_array_equal(model.predict(image).argmax(0), bright(image))


def test_windows_carry_as_much_context_as_a_sidecar_asks_for(tmp_path):
    path = threshold(tmp_path / "a.onnx", blur=3, how="softmax")
    whole = OnnxModel(path).predict(picture(128, 96))
    path = threshold(tmp_path / "fixed.onnx", shape=(1, None, 32, 32), blur=3, how="softmax")
    path.with_suffix(".json").write_text('{"halo": 4, "divisor": 4}')
    windows = OnnxModel(path).predict(picture(128, 96))
    np.testing.assert_allclose(windows[:, :-4, :-4], whole[:, :-4, :-4], atol=1e-4)
    path = threshold(tmp_path / "tiles.onnx", blur=3, how="softmax")
    path.with_suffix(".json").write_text('{"halo": 4, "divisor": 4}')
    np.testing.assert_allclose(OnnxModel(path).predict(picture(128, 96), tile=32), whole, atol=1e-4)


@pytest.mark.parametrize("size", [("h", "w"), (16, 16)])
def test_windows_start_on_the_grid_of_the_network_whatever_halo_a_sidecar_names(tmp_path, size):
    nodes = [  # the mean of each block of 4 x 4, at all of its pixels
        helper.make_node("AveragePool", ["x"], ["means"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Resize", ["means", "", "scales"], ["y"], mode="nearest"),
    ]
    weights = [tensor("scales", np.float32([1, 1, 4, 4]))]
    path = graph(tmp_path / "a.onnx", nodes=nodes, shape=["n", 1, *size], weights=weights)
    path.with_suffix(".json").write_text('{"halo": 2, "divisor": 4}')
    image = picture(48, 32)
    means = image.reshape(12, 4, 8, 4).mean(axis=(1, 3)) / 255
    likely = OnnxModel(path).predict(image, tile=None if size == (16, 16) else 8)
    np.testing.assert_allclose(likely[1], means.repeat(4, axis=0).repeat(4, axis=1), atol=1e-6)


def test_a_graph_that_takes_only_multiples_is_given_padded_windows(tmp_path):
    nodes = [  # halve and double: another size than the input's where a side is odd
        helper.make_node("MaxPool", ["x"], ["half"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Resize", ["half", "", "scales"], ["y"]),
    ]
    path = graph(
        tmp_path / "a.onnx",
        nodes=nodes,
        shape=["n", 1, "h", "w"],
        weights=[tensor("scales", np.float32([1, 1, 2, 2]))],
    )
    assert OnnxModel(path).predict(picture(33, 47)).shape == (2, 33, 47)


def test_a_sidecar_names_classes_and_the_normalisation(tmp_path):
    path = threshold(tmp_path / "a.onnx")
    path.with_suffix(".json").write_text(
        json.dumps(
            {
                "classes": {"names": ["dark", "light"]},
                "normalisation": {"kind": "fixed", "low": 0, "high": 1000},
            }
        )
    )
    said = []
    model = OnnxModel(path, tell=said.append)
    assert said == []
    assert model.classes.names == ("dark", "light")
    image = (picture(20, 20).astype(np.uint16) * 4)[..., :]
    np.testing.assert_array_equal(model.predict(image).argmax(0), image[..., 0] > 500)


def test_without_a_sidecar_it_is_said_what_is_assumed(tmp_path):
    said = []
    OnnxModel(threshold(tmp_path / "a.onnx"), tell=said.append)
    assert len(said) == 1
    assert "a.onnx has no sidecar a.json" in said[0]


def test_the_command_line_predicts_with_it(tmp_path):
    write(tmp_path / "data")
    said = []
    path = threshold(tmp_path / "net.onnx", how="one sigmoid")
    written = flow.predict(path, tmp_path / "data/test", out=tmp_path / "out", objects=True, tell=said.append)
    assert len(written) == 3
    assert len(said) == 1
    labels = np.asarray(Image.open(tmp_path / "out/classes" / written[0].name))
    np.testing.assert_array_equal(labels, bright(coins()[1][0].image))


def test_workers_predict_with_it_too(tmp_path):
    distributed = pytest.importorskip("distributed")
    write(tmp_path / "data")
    path = threshold(tmp_path / "net.onnx", how="one sigmoid")
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster:
        there = {"out": tmp_path / "there", "scheduler": cluster.scheduler_address}
        written = flow.predict(path, tmp_path / "data/test", **there)
    here = flow.predict(path, tmp_path / "data/test", out=tmp_path / "here")
    assert [one.read_bytes() for one in written] == [one.read_bytes() for one in here]


def test_a_model_for_three_channels_refuses_an_image_of_four(tmp_path):
    model = OnnxModel(threshold(tmp_path / "a.onnx", channels=3))
    with pytest.raises(ModelError, match=r"has 4 channels but a\.onnx takes 3: convert the image"):
        model.predict(picture(20, 20, channels=4))


def test_a_grey_picture_in_colour_is_read_by_a_model_of_one_channel(tmp_path):
    model = OnnxModel(threshold(tmp_path / "a.onnx"))
    image = picture(20, 20)
    np.testing.assert_array_equal(model.predict(np.repeat(image, 3, axis=-1)), model.predict(image))


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        (("n", "w"), "batch x channels"),
        (("n", "h", "w", 3), "export it with channels first"),
        ((1, 64, 64, 1), "export it with channels first"),
    ],
)
def test_an_input_that_is_no_image_with_channels_first_is_refused(tmp_path, shape, sentence):
    path = graph(tmp_path / "a.onnx", nodes=[helper.make_node("Relu", ["x"], ["y"])], shape=list(shape))
    with pytest.raises(ModelError, match=sentence):
        OnnxModel(path)


def test_two_inputs_are_refused(tmp_path):
    inputs = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 1, "h", "w"]) for n in ("x", "prompt")
    ]
    nodes = [helper.make_node("Add", ["x", "prompt"], ["y"])]
    with pytest.raises(ModelError, match=r"has 2 inputs \(x, prompt\)"):
        OnnxModel(graph(tmp_path / "a.onnx", nodes=nodes, shape=[], inputs=inputs))


def test_label_numbers_and_other_sizes_are_refused(tmp_path):
    with pytest.raises(ModelError, match="one probability"):
        OnnxModel(threshold(tmp_path / "a.onnx", how="labels"))
    cut = helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[17, 17])
    with pytest.raises(ModelError, match=r"gives 1 x 1 x 48 x 48 for 1 x 1 x 64 x 64"):
        OnnxModel(graph(tmp_path / "b.onnx", nodes=[cut], shape=["n", 1, "h", "w"]))


@pytest.mark.parametrize("tile", [None, 32])
def test_logits_of_a_quarter_of_the_size_are_interpolated_whole_and_in_tiles(tmp_path, tile):
    nodes = [
        helper.make_node("AveragePool", ["x"], ["coarse"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Mul", ["coarse", "scale"], ["scaled"]),
        helper.make_node("Sub", ["scaled", "half"], ["y"]),
        helper.make_node(
            "ArgMax", ["x"], ["labels"], axis=1, keepdims=1
        ),  # integers of full size are no scores
    ]
    weights = [tensor("scale", np.float32(40)), tensor("half", np.float32(20))]
    path = graph(
        tmp_path / "a.onnx",
        nodes=nodes,
        shape=["n", 1, "h", "w"],
        outputs=("labels", "y"),
        kinds={"labels": TensorProto.INT64},
        weights=weights,
    )
    said = []
    model = OnnxModel(path, tell=said.append)
    assert (
        said[-1]
        == "a.onnx answers at 1/4 of the size of an image: its scores are interpolated linearly to full size."
    )
    image = np.zeros((64, 320, 1), np.uint8)
    image[:, 160:] = 255  # logits are -20 to the left of the middle and 20 to the right
    expected = np.repeat(np.float32([-20, -15, -5, 5, 15, 20]), [158, 1, 1, 1, 1, 158])
    np.testing.assert_allclose(
        model.predict(image, tile=tile)[1], np.broadcast_to(1 / (1 + np.exp(-expected)), (64, 320)), atol=1e-6
    )


@pytest.mark.parametrize("classes", [1, 2])
def test_probabilities_that_bicubic_interpolation_carried_beyond_one_are_still_probabilities(
    tmp_path, classes
):
    nodes = [
        helper.make_node("AveragePool", ["x"], ["coarse"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Sub", ["coarse", "half"], ["centred"]),
        helper.make_node("Mul", ["centred", "scale"], ["sharp"]),
        helper.make_node("Sigmoid", ["sharp"], ["bright"]),
        helper.make_node("Sub", ["one", "bright"], ["dark"]),
        helper.make_node("Concat", ["dark", "bright"][-classes:], ["likely"], axis=1),
        helper.make_node("Resize", ["likely", "", "scales"], ["y"], mode="cubic"),
    ]
    weights = [
        *(tensor(name, np.float32(value)) for name, value in (("half", 0.5), ("scale", 40), ("one", 1))),
        tensor("scales", np.float32([1, 1, 4, 4])),
    ]
    model = OnnxModel(graph(tmp_path / "a.onnx", nodes=nodes, shape=["n", 1, "h", "w"], weights=weights))
    image = np.zeros((64, 64, 1), np.uint8)
    image[:, 32:] = 255
    likely = model.predict(image)
    assert (likely.argmax(0) == image[..., 0] // 255).all()
    assert 0 <= likely.min() <= likely.max() <= 1
    np.testing.assert_allclose(likely.sum(0), 1, atol=1e-5)


def weak_logit(path):
    """One logit, 4 x - 1, as small as a probability in a dim image."""
    nodes = [
        helper.make_node("Mul", ["x", "scale"], ["scaled"]),
        helper.make_node("Sub", ["scaled", "one"], ["y"]),
    ]
    weights = [tensor("scale", np.float32(4)), tensor("one", np.float32(1))]
    return graph(path, nodes=nodes, shape=["n", 1, "h", "w"], weights=weights)


def test_what_a_graph_answers_with_is_seen_once_and_not_by_the_first_image(tmp_path):
    dim = np.full((32, 32, 1), 80, np.uint8)  # a logit of 0.25
    likely = OnnxModel(weak_logit(tmp_path / "a.onnx")).predict(dim)
    np.testing.assert_allclose(likely[1], 1 / (1 + np.exp(-(4 * 80 / 255 - 1))), atol=1e-6)


def test_a_sidecar_says_what_a_graph_answers_with(tmp_path):
    path = weak_logit(tmp_path / "a.onnx")
    image = np.full((32, 32, 1), 255, np.uint8)
    path.with_suffix(".json").write_text('{"outputs": "probabilities"}')
    with pytest.raises(ModelError, match=r'3 to 3 here: say "outputs": "logits" in a\.json'):
        OnnxModel(path).predict(image)
    path.with_suffix(".json").write_text('{"outputs": "logits"}')
    assert OnnxModel(path).predict(image)[1].min() > 0.9
    path.with_suffix(".json").write_text('{"outputs": "labels"}')
    with pytest.raises(ModelError, match="names the outputs labels: choose from logits, probabilities"):
        OnnxModel(path)


def test_several_classes_per_pixel_are_refused(tmp_path):
    model = OnnxModel(threshold(tmp_path / "a.onnx", how="two sigmoids"))
    with pytest.raises(ModelError, match="do not sum to 1"):
        model.predict(picture(20, 20))


def test_a_damaged_file_a_damaged_sidecar_and_a_missing_file_are_refused(tmp_path):
    (tmp_path / "damaged.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match="cannot be opened as an ONNX model"):
        flow.load(tmp_path / "damaged.onnx")
    path = threshold(tmp_path / "a.onnx")
    for text, sentence in [
        ("{", "cannot be read"),
        ('{"normalisation": {"kind": "stain"}}', "choose from type"),
    ]:
        path.with_suffix(".json").write_text(text)
        with pytest.raises(ModelError, match=sentence):
            flow.load(path)
    path.with_suffix(".json").write_text('{"classes": {"names": ["a", "b", "c"]}}')
    with pytest.raises(ModelError, match="names 3 classes but"):
        flow.load(path)
    with pytest.raises(ModelError, match="there is no model"):
        flow.load(tmp_path / "nowhere.onnx")


@pytest.mark.parametrize(
    ("about", "sentence"),
    [
        ({"normalisation": {"kind": "fixed", "low": "0", "high": 255}}, 'gives "0" as low: give a number$'),
        (
            {"normalisation": {"kind": "fixed", "low": 3, "high": 3}},
            "from 3 to 3: give a low below the high$",
        ),
        ({"normalisation": {"kind": "fixed", "low": 3}}, "from 3 to nan: give a low below the high$"),
        ({"normalisation": {"kind": "percentiles", "high": 101}}, "from 1.0 to 101: .* from 0 to 100$"),
        ({"normalisation": {"inside": "no"}}, 'gives "no" as inside: give true or false'),
        ({"halo": -1}, "gives -1 as halo: give a whole number of 0 or more"),
        ({"halo": 92.5}, r"gives 92\.5 as halo"),
        ({"divisor": 0}, "gives 0 as divisor: give a whole number of 1 or more"),
        ({"temperature": float("inf")}, "gives Infinity as temperature: give a number above 0"),
        ({"objects": {"smallest_px": True}}, "gives true as smallest_px"),
        ({"objects": {"radius_px": -1}}, "gives -1 as radius_px"),
        ({"classes": {"names": "ab"}}, 'gives "ab" as names: give a list'),
        ({"classes": {"names": ["a", "b"], "colours": [[0, 0, 0]]}}, "2 classes and 1 colour"),
    ],
)
def test_a_value_that_a_sidecar_cannot_have_is_refused(tmp_path, about, sentence):
    path = threshold(tmp_path / "a.onnx")
    path.with_suffix(".json").write_text(json.dumps(about))
    with pytest.raises(ModelError, match=sentence):
        flow.load(path)


def test_percentiles_that_a_sidecar_does_not_name_are_those_of_training(tmp_path):
    path, image = threshold(tmp_path / "a.onnx"), picture(40, 40)
    path.with_suffix(".json").write_text('{"normalisation": {"kind": "percentiles"}}')
    low, high = np.percentile(image, (1, 99.8))
    expected = (image[..., 0] - low) / (high - low) > 0.5
    np.testing.assert_array_equal(OnnxModel(path).predict(image).argmax(0), expected)


def test_a_graph_that_normalises_by_statistics_is_not_cut(tmp_path):
    path = threshold(tmp_path / "a.onnx")
    path.with_suffix(".json").write_text('{"normalisation": {"inside": true, "kind": "percentiles"}}')
    with pytest.raises(ModelError, match="--no-normalisation"):
        OnnxModel(path).predict(picture(80, 80), tile=32)


def test_engines_and_mirrors_are_for_our_own_models(tmp_path):
    write(tmp_path / "data")
    path = threshold(tmp_path / "net.onnx")
    with pytest.raises(DataError, match="leave --engine out"):
        flow.predict(path, tmp_path / "data/test", out=tmp_path / "a", engine="torch")
    with pytest.raises(DataError, match="leave --tta out"):
        flow.predict(path, tmp_path / "data/test", out=tmp_path / "b", tta=True)
