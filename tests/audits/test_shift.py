"""The shift audit finds a grid that was planted, and passes a model that has none."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from torch import nn

from delineate.audits import Evidence, Subject, Threshold, Thresholds, subject_of_module, thresholds_in
from delineate.audits.shift import ShiftSettings, shift
from delineate.audits.shift.moves import circled, framed, shifts_of
from delineate.core import Case, ClassTable, DataError, ModelError
from delineate.nets import UNet

CLASSES = ClassTable.numbered(2)


def blobs(name="blobs", *, sides=(48, 40), seed=0):
    """A bright rectangle on noise, and its mask."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(sides, np.uint8)
    labels[tuple(slice(n // 4, n // 2 + 3) for n in sides)] = 1
    image = (labels + 0.6 * rng.random(sides))[..., None].astype(np.float32)
    return Case(name, image, labels=labels)


def two_classes(likely):
    """Probabilities of background and foreground."""
    return np.stack([1 - likely, likely]).astype(np.float32)


def pixelwise(image):
    """Each pixel by itself: nothing that moves with the image can tremble."""
    return two_classes(np.clip(image[..., 0] - 0.3, 0, 1))


def on_a_grid(image):
    """The planted fault: each block of 4 x 4 pixels answers as its first pixel does."""
    likely = np.clip(image[..., 0] - 0.3, 0, 1)
    for axis in (0, 1):
        firsts = np.arange(likely.shape[axis]) // 4 * 4
        likely = likely.take(firsts, axis)
    return two_classes(likely)


def subject_of(predict, **more):
    return Subject("toy", CLASSES, predict=predict, **{"divisor": 4, "reach_px": 4} | more)


def finding(section, name):
    return next(one for one in section.findings if one.name == name)


def test_what_fails_is_said_at_the_top():
    lenient, strict = Threshold(0.2, 0.1, "lenient"), Threshold(0.0, 0.01, "strict")
    table = {"shift.agreement": lenient, "shift.circular": lenient, "shift.probability": strict}
    thresholds = Thresholds(thresholds_in(None).table | table)
    section = shift(subject_of(on_a_grid), Evidence((blobs(),), thresholds=thresholds))
    assert finding(section, "shift.agreement").verdict == "pass"
    assert section.sentence == " ".join(
        finding(section, f"shift.{name}").sentence for name in ("agreement", "probability")
    )


def test_a_pixelwise_model_passes_without_a_single_changed_label():
    section = shift(subject_of(pixelwise), Evidence((blobs(),)))
    assert section.verdict == "pass"
    assert finding(section, "shift.agreement").value == finding(section, "shift.circular").value == 1
    assert finding(section, "shift.dice").value == 0
    assert not section.remedies


def test_a_planted_grid_fails_with_its_remedies():
    section = shift(subject_of(on_a_grid), Evidence((blobs(), blobs("again", seed=1))))
    assert section.verdict == "fail"
    assert finding(section, "shift.agreement").value < 0.98
    assert finding(section, "shift.dice").value > 0.01
    commands = [remedy.command for remedy in section.remedies]
    assert any("--equivariant" in one for one in commands)
    assert any("--shifts" in one for one in commands)
    (chart,) = section.charts
    circle = next(curve for curve in chart.curves if curve.name == "in a circle")
    assert circle.y[circle.x.index(4.0)] == 1  # the grid comes round
    assert circle.y[circle.x.index(2.0)] < 1
    (picture,) = section.pictures
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.shape[2] == 3
    assert picture.pixels.shape[1] >= 300
    json.dumps(section.numbers, allow_nan=False)


def test_agreement_is_the_share_of_pixels_that_keep_their_label():
    """Moved by one, the answer of the left half becomes that of the right: worked by hand."""
    image = np.zeros((8, 8, 1))

    def halves(_):
        likely = np.zeros((8, 8))
        likely[:, 4:] = 0.8
        return two_classes(likely)

    case = Case("halves", image, labels=(np.arange(64).reshape(8, 8) % 8 >= 4).astype(np.uint8))
    (move,) = circled(halves, case, [(0, 1)], divisor=2, reach_px=2).moves
    assert move.agreement == 6 / 8  # the two columns where the halves meet
    assert move.furthest == pytest.approx(0.8)
    assert move.dice == pytest.approx(2 * 24 / (32 + 32))
    assert move.inside == 2 / 3  # columns 2 to 4, of which column 3 turned over


def test_frames_compare_what_they_share():
    seen = []

    def watched(image):
        seen.append(image[..., 0])
        return pixelwise(image)

    case = blobs(sides=(12, 10))
    moves = framed(watched, case, [(2, 0), (1, 3)], reach_px=None)
    assert [frame.shape for frame in seen] == [(9, 7)] * 3
    assert any(np.array_equal(frame, case.image[1:10, 3:10, 0]) for frame in seen)
    assert all(move.agreement == 1 and np.isnan(move.inside) for move in moves.moves)
    assert moves.wobble == (0, 0)


def test_every_shift_is_looked_at_on_request():
    section = shift(subject_of(on_a_grid), Evidence((blobs(),)), settings=ShiftSettings(every=True))
    assert len(section.numbers["shifts"]) == 24
    assert len(shifts_of(4, dims=3, every=True)) == 124


def test_volumes_and_slices_of_volumes_are_moved():
    volume = blobs(sides=(12, 14, 12))
    for dims in (2, 3):
        section = shift(subject_of(pixelwise, dims=dims), Evidence((volume,)))
        assert section.verdict == "pass"
        assert len(section.numbers["shifts"][0]) == dims


def test_images_without_masks_are_audited_but_for_dice():
    bare = dataclasses.replace(blobs(), labels=None)
    section = shift(subject_of(on_a_grid), Evidence((bare,)))
    assert {one.name for one in section.findings} == {
        "shift.agreement",
        "shift.circular",
        "shift.probability",
    }
    assert section.verdict == "fail"


def test_thresholds_of_the_user_count():
    lenient = Thresholds(dict(thresholds_in(None).table) | {
        name: Threshold(*ends, "lenient")
        for name, ends in {
            "shift.agreement": (0.1, 0.05), "shift.circular": (0.1, 0.05), "shift.probability": (1, 2), "shift.dice": (1, 2),
        }.items()
    })  # fmt: skip
    assert shift(subject_of(on_a_grid), Evidence((blobs(),), thresholds=lenient)).verdict == "pass"


def test_images_too_small_to_move_and_folders_of_masks_are_told():
    with pytest.raises(DataError, match="give larger images"):
        shift(subject_of(pixelwise), Evidence((blobs(sides=(8, 8)),)))
    with pytest.raises(ModelError, match="cannot be asked again"):
        shift(Subject("folder", CLASSES, masks={}), Evidence((blobs(),)))


def test_flat_images_are_refused_for_a_model_of_volumes():
    with pytest.raises(ModelError, match="blobs has 2 spatial axes but toy works on 3"):
        shift(subject_of(pixelwise, dims=3), Evidence((blobs(),)))


@pytest.mark.parametrize("equivariant", [False, True])
def test_an_equivariant_network_keeps_every_label_in_a_circle_and_another_does_not(equivariant):
    torch.manual_seed(1)
    net = UNet(1, 2, width=4, levels=3, shuffle=2, equivariant=equivariant).eval()
    for module in net.modules():
        if hasattr(module, "running_var"):
            module.running_mean.uniform_(-0.2, 0.0)
            module.running_var.uniform_(0.02, 0.1)

    @torch.no_grad()
    def predict(image):
        return net(torch.from_numpy(image[None, ..., 0][None]))[0].mul(4).softmax(0).numpy()

    section = shift(
        subject_of(predict, divisor=net.divisor, reach_px=net.halo), Evidence((blobs(sides=(48, 40)),))
    )
    assert (finding(section, "shift.circular").value == 1) is equivariant


def test_where_only_the_edges_tremble_no_sampling_is_blamed() -> None:
    net = nn.Conv2d(1, 2, 5, padding=2)
    with torch.no_grad():
        net.weight[1] = 4.0
        net.bias[1] = -50.0  # foreground where the five by five pixels are bright, and none beyond the frame
    image = np.ones((80, 80, 1), np.float32)
    image[20:60, 20:60] = 0
    subject = subject_of_module(net, divisor=16, white=1, reach_px=2)
    section = shift(subject, Evidence((Case("frame", image),)))
    assert section.verdict in ("warn", "fail")
    assert "away from edges no label changes" in section.sentence
    assert [remedy.command for remedy in section.remedies] == [
        "delineate predict MODEL IMAGES_WITH_MARGIN -o OUT"
    ]
