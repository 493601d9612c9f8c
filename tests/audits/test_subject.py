"""Whatever is audited answers in one way: a network of ours, a module of anybody's, a folder of masks."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from delineate.audits import AUDITS, Evidence, subject_of_method, subject_of_module, subject_of_predictions
from delineate.audits.modules import Plain
from delineate.audits.shift import shift
from delineate.classical import Otsu
from delineate.core import Case, ClassTable, DataError, ModelError
from delineate.data import write_labels
from delineate.inference.engines import opened
from delineate.learn import Overrides, UNetMethod

BRIGHT = ClassTable(("background", "bright"))


class Answers(nn.Module):
    """Says what a function of the image says."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, images: Tensor) -> Any:
        return self.answer(images)


def square() -> Case:
    image = np.zeros((9, 11, 1), np.uint8)
    image[2:6, 3:8] = 255
    return Case("square", image, labels=(image[..., 0] > 0).astype(np.uint8))


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: torch.cat([0.5 - x, x - 0.5], 1) * 20,
        lambda x: (torch.cat([0.5 - x, x - 0.5], 1) * 20).softmax(1),
        lambda x: (x - 0.5) * 20,
        lambda x: ((x - 0.5) * 20).sigmoid(),
        lambda x: (x.mean(), torch.cat([0.5 - x, x - 0.5], 1) * 20),
        lambda x: {"aux": x.mean(), "out": (x - 0.5) * 20},
    ],
    ids=["logits", "probabilities", "one logit", "one probability", "a tuple", "a dict"],
)
def test_a_module_may_answer_in_any_usual_way(answer: Any) -> None:
    subject = subject_of_module(Answers(answer), divisor=8)
    case = square()
    assert len(subject.classes) == 2
    assert subject.asked()(case.image).shape == (2, 9, 11)
    assert (subject.labels(case) == case.labels).all()


def test_the_channels_of_a_module_are_those_of_its_first_convolution_if_that_is_what_it_takes() -> None:
    assert subject_of_module(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1))).channels == 3
    misled = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4, 8, 1), nn.PixelShuffle(2))
    assert subject_of_module(misled).channels is None


def test_a_grey_picture_in_three_channels_is_shown_to_a_module_of_one() -> None:
    torch.manual_seed(0)  # scores of some weights could be taken for probabilities
    subject, case = subject_of_module(nn.Conv2d(1, 2, 1)), square()
    np.testing.assert_array_equal(subject.asked()(case.image.repeat(3, -1)), subject.asked()(case.image))
    coloured = np.concatenate([case.image, case.image, case.image // 2], -1)
    with pytest.raises(ModelError, match="has 3 channels but the module takes 1"):
        subject.asked()(coloured)


def test_a_module_that_cuts_its_edges_is_refused() -> None:
    with pytest.raises(ModelError, match=r"gives 1 x 1 x 48 x 48 for 1 x 1 x 64 x 64: wrap it"):
        subject_of_module(Answers(lambda x: x[..., 8:-8, 8:-8]))


@pytest.mark.parametrize(
    "answer", [lambda x: x, lambda x: {"loss": x.mean(), "logits": x}], ids=["bare", "dict"]
)
def test_scores_of_a_quarter_of_the_size_are_interpolated_as_their_users_do(answer: Any) -> None:
    module = Answers(lambda x: answer(F.avg_pool2d(torch.cat([0.5 - x, x - 0.5], 1) * 20, 4)))
    subject = subject_of_module(module, divisor=4, name="segmenter")
    assert subject.notes == (
        "segmenter answers at 1/4 of the size of an image: its scores are interpolated linearly to full size.",
        "segmenter is given images divided by 255, and its answers are read as logits.",
    )
    image = np.zeros((8, 8, 1), np.uint8)
    image[:, 4:] = (
        255  # logits of class 1 less those of class 0 are -20 to the left of the middle and 20 to the right
    )
    differences = np.array([-20, -20, -15, -5, 5, 15, 20, 20], np.float32)
    expected = np.broadcast_to(1 / (1 + np.exp(-differences)), (8, 8))
    np.testing.assert_allclose(subject.asked()(image)[1], expected, atol=1e-6)
    raw = torch.ones(1, 1, 8, 8, requires_grad=True)
    subject.differentiable()(raw)[:, 1].sum().backward()
    assert raw.grad is not None
    assert (raw.grad > 0).all()


def test_of_several_answers_the_one_at_full_size_is_taken_else_the_largest() -> None:
    small = Answers(lambda x: (x[..., ::4, ::4], x[..., ::2, ::2]))
    assert "1/2" in subject_of_module(small).notes[0]
    (read,) = subject_of_module(Answers(lambda x: (x[..., ::4, ::4], x))).notes
    assert "are read as" in read


def test_a_module_that_takes_one_size_alone_has_it_as_its_divisor() -> None:
    def answer(images: Tensor) -> Tensor:
        return torch.cat([-images, images + torch.zeros(12, 12)], 1)  # as with a position embedding

    assert subject_of_module(Answers(answer), divisor=12).asked()(square().image).shape == (2, 9, 11)


def test_other_classes_than_a_module_answers_with_are_refused() -> None:
    with pytest.raises(
        ModelError, match=r"answers with 3 classes but 2 were named \(background and bright\)"
    ):
        subject_of_module(nn.Conv2d(1, 3, 1), classes=BRIGHT)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda x: torch.cat([(9 * x - 5).sigmoid(), (9 * x - 4).sigmoid()], 1), "do not sum to 1"),
        (lambda x: torch.cat([x, x], 1) * float("nan"), "not finite"),
    ],
    ids=["several classes per pixel", "not a number"],
)
def test_answers_that_are_neither_logits_nor_probabilities_are_refused(answer: Any, said: str) -> None:
    subject = subject_of_module(Answers(answer), divisor=4)
    with pytest.raises(ModelError, match=said):
        subject.asked()(square().image)


def test_what_a_module_answers_with_is_seen_once_and_not_image_by_image() -> None:
    one_logit = subject_of_module(Answers(lambda x: 4 * x - 1), divisor=4)
    light = one_logit.asked()(
        np.full((8, 8, 1), 80, np.uint8)
    )  # a logit of 0.25 everywhere, which a probability may be
    corner = np.full((8, 8, 1), 80, np.uint8)
    corner[:2, :2] = 0
    np.testing.assert_array_equal(light[:, 4:, 4:], one_logit.asked()(corner)[:, 4:, 4:])
    assert light[1, 0, 0] == pytest.approx(1 / (1 + np.exp(-(4 * 80 / 255 - 1))), abs=1e-6)


def test_probabilities_that_interpolation_carried_beyond_one_are_still_probabilities() -> None:
    def answer(images: Tensor) -> Tensor:
        coarse = ((F.avg_pool2d(images, 4) - 0.5) * 40).sigmoid()
        return F.interpolate(coarse, scale_factor=4, mode="bicubic", align_corners=False)

    image = np.zeros((16, 16, 1), np.uint8)
    image[:, 8:] = 255
    subject = subject_of_module(Answers(answer), divisor=4)
    assert float(subject.asked()(image)[1].max()) <= 1
    assert (subject.asked()(image).argmax(0) == image[..., 0] // 255).all()


def test_what_is_no_probability_of_a_module_that_gave_such_is_refused() -> None:
    def answer(images: Tensor) -> Tensor:
        return images * 30 if images.shape[-1] == 12 else images

    subject = subject_of_module(Answers(answer), divisor=4)
    with pytest.raises(ModelError, match="say outputs='logits'"):
        subject.asked()(np.full((12, 12, 1), 255, np.uint8))
    said = subject_of_module(Answers(answer), divisor=4, outputs="logits")
    assert said.asked()(np.full((12, 12, 1), 255, np.uint8)).argmax(0).all()


def test_a_module_that_answers_with_labels_is_refused() -> None:
    with pytest.raises(ModelError, match="gives 1 x 1 x 64 x 64 whole numbers for"):
        subject_of_module(Answers(lambda x: (x > 0.5).long()))


def test_engines_take_modules_that_want_multiples_and_answer_in_dicts_at_a_fraction() -> None:
    pytest.importorskip("openvino", reason="openvino is not installed")
    net = nn.Sequential(nn.Conv2d(1, 4, 4, stride=4), nn.ReLU(), nn.Conv2d(4, 2, 1)).requires_grad_(False)
    images = torch.rand(2, 1, 32, 24)
    plain = Plain(Answers(lambda x: {"aux": x.mean(), "out": net(x)}), images, divisor=8)
    odd = torch.rand(1, 1, 19, 13)
    padded = F.pad(odd, (0, 3, 0, 5), mode="replicate")
    expected = F.interpolate(net(padded), size=(24, 16), mode="bilinear", align_corners=False)[..., :19, :13]
    torch.testing.assert_close(plain(odd), expected)
    torch.testing.assert_close(
        opened("openvino", plain, images, low=False)(odd), expected.detach(), atol=1e-5, rtol=1e-4
    )


def test_a_module_in_another_precision_is_asked_in_it() -> None:
    assert subject_of_module(nn.Conv2d(1, 2, 1).double()).asked()(square().image).dtype == np.float32


def test_a_compiled_module_tells_its_channels_as_well() -> None:
    assert subject_of_module(torch.jit.trace(nn.Conv2d(3, 2, 1), torch.zeros(1, 3, 8, 8))).channels == 3


def test_a_module_asked_with_too_many_channels_says_so() -> None:
    subject = subject_of_module(nn.Conv2d(1, 2, 1), channels=1)
    with pytest.raises(ModelError, match="3 channels but the module takes 1"):
        subject.asked()(np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3))


def test_a_module_that_fails_on_an_image_is_told_by_its_first_line() -> None:
    hidden = nn.Conv2d(3, 2, 1)
    with pytest.raises(ModelError, match="name its channels"):
        subject_of_module(Answers(lambda images: hidden(images)))


@pytest.mark.parametrize("error", [KeyError("stain"), ValueError("two\nlines"), AssertionError()])
def test_a_module_may_fail_in_any_way_and_is_told_in_one_sentence(error: Exception) -> None:
    def answer(images: Tensor) -> Tensor:
        if images.shape[-1] != 8:
            raise error
        return torch.cat([images, images], 1)

    subject = subject_of_module(Answers(answer), divisor=4)
    with pytest.raises(
        ModelError, match=f"the module fails on 1 x 1 x 4 x 4 .{type(error).__name__}"
    ) as told:
        subject.asked()(np.zeros((4, 4, 1), np.uint8))
    assert "\n" not in str(told.value)


def test_a_module_is_asked_in_evaluation_mode_and_can_be_trained_on() -> None:
    net = nn.Sequential(nn.BatchNorm2d(1), nn.Conv2d(1, 2, 1), nn.Dropout(0.5)).train()
    net[1].bias.requires_grad_(False)
    subject, mean = subject_of_module(net, channels=1, divisor=4), net[0].running_mean.clone()
    image = square().image
    first = subject.asked()(image)
    assert (first == subject.asked()(image)).all()  # no dropout
    raw = torch.ones(1, 1, 8, 8, requires_grad=True)
    subject.differentiable()(raw)[:, 1].sum().backward()
    assert raw.grad.abs().sum() > 0
    assert net[1].weight.grad is None
    assert torch.equal(net[0].running_mean, mean)
    assert all(module.training for module in net.modules())
    assert [name for name, weight in net.named_parameters() if not weight.requires_grad] == ["1.bias"]


@pytest.mark.parametrize(
    "name", ["calibration", "guarantee", "subgroups", "conditions", "shift", "attack", "determinism"]
)
def test_no_audit_breaks_on_flat_images_for_a_model_of_volumes(name: str) -> None:
    subject = subject_of_module(nn.Conv3d(1, 2, 1), channels=1, dims=3, divisor=4)
    cases = tuple(
        Case(f"square {n}", square_of(40 + n).image, labels=square_of(40 + n).labels) for n in range(12)
    )
    module, function = AUDITS[name].split(":")
    with pytest.raises(ModelError, match="spatial axes"):
        getattr(importlib.import_module(module), function)(subject, Evidence(cases))


def test_the_reach_of_a_module_tells_where_no_edge_has_a_say() -> None:
    net = nn.Conv2d(1, 2, 3, padding=1)
    case = Case("a", np.random.default_rng(0).random((40, 40, 1)))
    for reach_px, known in ((None, False), (1, True)):
        subject = subject_of_module(net, divisor=2, white=1, reach_px=reach_px)
        section = shift(subject, Evidence((case,)))
        assert (section.numbers["ways"]["in a circle"]["a"]["inside"][0] == 1) is known


def test_sizes_are_padded_to_what_the_module_takes() -> None:
    seen = []

    def answer(images: Tensor) -> Tensor:
        seen.append(tuple(images.shape[2:]))
        return torch.cat([-images, images], 1)

    subject_of_module(Answers(answer), divisor=4).asked()(np.zeros((5, 9, 1), np.uint8))
    assert seen[-1] == (8, 12)


def test_logits_of_our_network_are_those_behind_its_probabilities() -> None:
    tiny = Overrides(patch=32, batch=2, width=4, levels=2, precision="32-true", objects=True)
    method = UNetMethod(steps=1, overrides=tiny).fit([square_of(64)])
    subject = subject_of_method(method)
    image = square_of(64).image
    raw = torch.from_numpy(np.moveaxis(image, -1, 0)[None].astype(np.float32)).requires_grad_()
    logits = subject.differentiable()(raw)
    assert np.allclose(logits[0].softmax(0).detach(), subject.asked()(image), atol=1e-5)
    logits[:, 1].sum().backward()
    assert float(raw.grad.abs().sum()) > 0


def test_a_threshold_has_no_gradients_and_says_so() -> None:
    subject = subject_of_method(Otsu(classes=BRIGHT).fit([square()]))
    with pytest.raises(ModelError, match="gives no gradients"):
        subject.differentiable()


def test_a_folder_of_masks_answers_by_name_and_cannot_be_asked_again(tmp_path: Path) -> None:
    case = square()
    write_labels(tmp_path / "square.png", case.labels)
    subject = subject_of_predictions(tmp_path, [case], classes=BRIGHT)
    assert (subject.labels(case) == case.labels).all()
    with pytest.raises(ModelError, match="cannot be asked again"):
        subject.asked()
    with pytest.raises(DataError, match="no prediction for other"):
        subject.labels(Case("other", case.image))


def of_predict(folder: Path, case: Case, names: tuple[str, ...]) -> Path:
    """`folder` as `delineate predict` writes it, with the labels of `case`."""
    write_labels(folder / "square.png", case.labels)
    files = {case.name: {"labels": "square.png"}}
    content = {"format": "delineate-prediction", "version": 1, "classes": names, "files": files}
    (folder / "prediction.json").write_text(json.dumps(content))
    return folder


def test_predictions_that_name_their_classes_are_matched_by_name(tmp_path: Path) -> None:
    case, truth = square(), ClassTable(("background", "stroma", "bright"))
    subject = subject_of_predictions(of_predict(tmp_path, case, BRIGHT.names), [case], classes=truth)
    assert (subject.labels(case) == 2 * case.labels).all()


def test_predictions_of_other_classes_than_the_masks_are_refused_as_score_does(tmp_path: Path) -> None:
    folder = of_predict(tmp_path, square(), ("background", "class_1", "class_2"))
    with pytest.raises(DataError, match="the prediction has the classes background, class_1 and class_2 but"):
        subject_of_predictions(folder, [square()], classes=BRIGHT)


def test_other_names_for_as_many_classes_are_taken_in_order_and_said(tmp_path: Path) -> None:
    folder = of_predict(tmp_path, square(), ("background", "cell"))
    subject = subject_of_predictions(folder, [square()], classes=BRIGHT)
    assert subject.notes == ("classes of prediction and truth are taken in their order: cell is bright",)


def test_a_prediction_that_does_not_fit_is_left_out_and_the_others_stay(tmp_path: Path) -> None:
    cases = [replace(square(), name=name) for name in ("a", "b", "c", "d", "e", "f")]
    for case in cases:
        write_labels(tmp_path / f"{case.name}.png", case.labels)
    write_labels(tmp_path / "b.png", np.ones((4, 4), np.uint8))
    (tmp_path / "c.png").write_bytes(b"torn")
    subject = subject_of_predictions(tmp_path, cases, classes=BRIGHT)
    assert [subject.has(case) for case in cases] == [True, False, False, True, True, True]
    size, torn = subject.notes
    assert size == (
        "left out: the prediction of b is 4 x 4 but its image is 9 x 11: predict on that image again"
    )
    assert torn.startswith("left out: ")
    assert "c.png" in torn


def test_of_many_predictions_that_do_not_fit_three_are_told_and_the_others_named(tmp_path: Path) -> None:
    cases = [replace(square(), name=name) for name in ("a", "b", "c", "d", "e", "f")]
    for case in cases:
        write_labels(tmp_path / f"{case.name}.png", np.ones((4, 4), np.uint8))
    write_labels(tmp_path / "a.png", cases[0].labels)
    notes = subject_of_predictions(tmp_path, cases, classes=BRIGHT).notes
    assert len(notes) == 4
    assert notes[-1] == "left out as well, for such reasons: e and f"


def test_predictions_none_of_which_fits_are_refused(tmp_path: Path) -> None:
    write_labels(tmp_path / "square.png", np.ones((4, 4), np.uint8))
    with pytest.raises(DataError, match="is 4 x 4 but its image is 9 x 11"):
        subject_of_predictions(tmp_path, [square()], classes=BRIGHT)


def test_predictions_of_other_images_are_refused(tmp_path: Path) -> None:
    write_labels(tmp_path / "circle.png", np.ones((9, 11), np.uint8))
    with pytest.raises(DataError, match="no mask in"):
        subject_of_predictions(tmp_path, [square()], classes=BRIGHT)


def square_of(side: int) -> Case:
    image = np.zeros((side, side, 1), np.uint8)
    image[side // 4 : side // 2, side // 4 : side // 2] = 200
    return Case("square", image, labels=(image[..., 0] > 0).astype(np.uint8))


def test_a_bare_module_sees_the_range_of_its_images_and_the_page_says_so(tmp_path: Path) -> None:
    from delineate.flow import audit

    class Bright(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.cat([0.5 - images, images - 0.5], 1) * 20

    labels = np.zeros((70, 70), np.uint8)
    labels[20:50, 20:50] = 1
    for name, white in (("u8", np.uint8(255)), ("u16", np.uint16(65535)), ("float", np.float32(1))):
        case = Case("square", (labels[..., None] * white).astype(white.dtype), labels=labels)
        found = audit(Bright(), [case], out=tmp_path / name, only=["calibration"])
        assert found["calibration"].numbers["pixel_error"] == 0
        assert f"divided by {white:g}" in found.page.read_text()
    mixed = [
        Case("a", labels[..., None], labels=labels),
        Case("b", labels[..., None].astype(np.uint16), labels=labels),
    ]
    with pytest.raises(DataError, match="convert them to one type"):
        audit(Bright(), mixed, out=tmp_path / "mixed")
