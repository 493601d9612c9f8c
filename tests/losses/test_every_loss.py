"""What every loss of LOSSES promises, and the shapes in its signature, checked by beartype on every call."""

from __future__ import annotations

import pytest
import torch
from beartype import beartype
from jaxtyping import TypeCheckError, jaxtyped

from delineate.core import UNLABELLED, DataError
from delineate.losses import LOSSES, pieces

HALVES = [torch.float16, torch.bfloat16]


@pytest.fixture(params=sorted(LOSSES))
def loss(request):
    return jaxtyped(typechecker=beartype)(LOSSES[request.param])


def drawn(classes, *spatial, batch=2, seed=0, dtype=torch.float32):
    """Random logits, and labels of which a fifth is unlabelled."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(batch, classes, *spatial, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, classes, (batch, *spatial), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.2] = UNLABELLED
    return logits.to(dtype), labels.to(torch.uint8)


def sure(labels, *, classes, by=20.0, dtype=torch.float32):
    """Logits that put `by` on the label of each pixel (on background where unlabelled)."""
    known = labels.long() % UNLABELLED
    return by * torch.nn.functional.one_hot(known, classes).movedim(-1, 1).to(dtype)


def value_and_gradient(loss, logits, labels):
    logits = logits.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    value = loss(logits, labels)
    value.backward()
    return value.item(), logits.grad


@pytest.mark.parametrize("classes", [2, 3])
def test_an_unlabelled_pixel_has_no_gradient_and_no_effect(loss, classes):
    logits, labels = drawn(classes, 6, 7)
    value, gradient = value_and_gradient(loss, logits, labels)
    hidden = (labels == UNLABELLED)[:, None].expand_as(logits)
    assert gradient[hidden].abs().max() == 0
    assert gradient[~hidden].abs().min() > 0
    logits[hidden] = -50.0
    assert value_and_gradient(loss, logits, labels)[0] == value


@pytest.mark.parametrize("classes", [2, 4])
def test_perfect_ranks_below_half_right_below_wrong(loss, classes):
    _, labels = drawn(classes, 8, 8)
    right, wrong = sure(labels, classes=classes), sure((labels.int() + 1) % classes, classes=classes)
    perfect, half, worst = (float(loss(x, labels)) for x in (right, (2 * right + wrong) / 3, wrong))
    assert 0 <= perfect < 1e-6 < half < worst


@pytest.mark.parametrize("classes", [2, 3])
def test_a_false_positive_on_an_empty_image_costs_something(loss, classes):
    empty = torch.zeros(1, 10, 10, dtype=torch.uint8)
    claimed = empty.clone()
    claimed[0, 4, 4] = 1
    more = claimed.clone()
    more[0, 4, 5:8] = 1
    none, one, four = (float(loss(sure(x, classes=classes), empty)) for x in (empty, claimed, more))
    assert none < 1e-6
    assert 0.01 < one < four


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("spatial", [(3, 4), (2, 3, 2)], ids=["2D", "3D"])
def test_the_gradient_is_that_of_finite_differences(loss, classes, spatial):
    logits, labels = drawn(classes, *spatial, dtype=torch.float64)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(x, labels), logits, atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize("dtype", [*HALVES, torch.float32])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("label", [0, 1, UNLABELLED], ids=["only 0", "only 1", "unlabelled"])
def test_logits_of_60000_and_absent_classes_stay_finite(loss, dtype, classes, label):
    logits = drawn(classes, 5, 5)[0].sign().mul(60000).to(dtype)
    value, gradient = value_and_gradient(loss, logits, torch.full((2, 5, 5), label, dtype=torch.uint8))
    assert 0 <= value < 120001
    assert gradient.isfinite().all()


@pytest.mark.parametrize("dtype", [*HALVES, torch.float32])
@pytest.mark.parametrize("classes", [2, 3])
def test_nothing_labelled_costs_nothing(loss, dtype, classes):
    logits, labels = drawn(classes, 5, 5, dtype=dtype)
    value, gradient = value_and_gradient(loss, logits, torch.full_like(labels, UNLABELLED))
    assert value == 0
    assert gradient.abs().max() == 0


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("classes", [2, 3])
def test_half_precision_logits_are_read_and_not_computed_with(loss, dtype, classes):
    logits, labels = drawn(classes, 200, 200, dtype=dtype)  # large enough for a float16 sum to overflow
    value, gradient = value_and_gradient(loss, logits, labels)
    exact, exactly = value_and_gradient(loss, logits.double(), labels)
    assert value == pytest.approx(exact, rel=1e-5)
    assert gradient.dtype == dtype
    torch.testing.assert_close(gradient.double(), exactly, rtol=0.01, atol=6e-8)  # what the dtype can hold


@pytest.mark.parametrize("dtype", [*HALVES, torch.float32])
@pytest.mark.parametrize("classes", [2, 3])
def test_autocast_changes_nothing(loss, dtype, classes):
    logits, labels = drawn(classes, 40, 40, dtype=dtype)
    value, gradient = value_and_gradient(loss, logits, labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast_value, cast_gradient = value_and_gradient(loss, logits, labels)
    assert cast_value == value
    assert torch.equal(cast_gradient, gradient)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_memory_format_changes_nothing(loss, dtype, classes):
    logits, labels = drawn(classes + 2, 9, 11, dtype=dtype)
    labels[labels >= classes] = UNLABELLED
    value, gradient = value_and_gradient(loss, logits[:, :classes].contiguous(), labels)
    for other in (
        logits[:, :classes].contiguous(memory_format=torch.channels_last),
        logits.contiguous(memory_format=torch.channels_last)[:, :classes],
        logits[:, :classes].transpose(2, 3).contiguous().transpose(2, 3),
    ):
        other_value, other_gradient = value_and_gradient(loss, other, labels)
        assert other_value == pytest.approx(value, rel=1e-5)
        torch.testing.assert_close(
            other_gradient, gradient, rtol=1e-2 if dtype is torch.bfloat16 else 1e-5, atol=1e-8
        )


@pytest.mark.parametrize("elements", [8, 60, 140], ids=["parts", "images", "groups of images"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_size_of_the_pieces_changes_nothing(loss, monkeypatch, elements, layout, classes):
    logits, labels = drawn(classes, 4, 5, batch=5)
    logits = logits.contiguous(memory_format=layout)
    value, gradient = value_and_gradient(loss, logits, labels)
    monkeypatch.setattr(pieces, "CACHED_ELEMENTS", elements)
    assert len(list(pieces.pieces(logits.flatten(2)))) > 1
    cut_value, cut_gradient = value_and_gradient(loss, logits, labels)
    assert cut_value == pytest.approx(value, rel=1e-5)
    torch.testing.assert_close(cut_gradient, gradient)


def test_3d_is_2d_with_its_planes_side_by_side(loss):
    logits, labels = drawn(3, 2, 4, 5)
    flat, flat_labels = logits.flatten(2, 3), labels.flatten(1, 2)
    assert float(loss(logits, labels)) == float(loss(flat, flat_labels))
    deep = logits.contiguous(memory_format=torch.channels_last_3d)
    assert float(loss(deep, labels)) == pytest.approx(float(loss(flat, flat_labels)), rel=1e-6)


def test_labels_may_be_int64(loss):
    logits, labels = drawn(3, 6, 6)
    assert float(loss(logits, labels.long())) == float(loss(logits, labels))


@pytest.mark.parametrize("dtype", [torch.uint16, torch.uint32, torch.uint64])
def test_labels_may_be_of_any_unsigned_integers_that_a_mask_file_holds(loss, dtype):
    logits, labels = drawn(3, 6, 7)
    assert loss(logits, labels.to(dtype)) == loss(logits, labels)
    with pytest.raises(DataError, match="neither a class"):
        loss(logits, torch.full_like(labels, 3).to(dtype))


def test_two_classes_agree_with_three_of_which_one_is_impossible(loss):
    logits, labels = drawn(2, 6, 6)
    padded = torch.cat([logits, torch.full_like(logits[:, :1], -1e4)], 1)
    _, gradient = value_and_gradient(loss, logits, labels)
    _, padded_gradient = value_and_gradient(loss, padded, labels)
    scale = (gradient * padded_gradient[:, :2]).sum() / gradient.square().sum()
    assert 0.4 < scale < 1.001
    if loss.__name__ == "cross_entropy":  # Dice averages over one more class, so that its slope is halved
        torch.testing.assert_close(padded_gradient[:, :2], gradient)
    if loss.__name__ == "soft_dice":
        torch.testing.assert_close(padded_gradient[:, :2], gradient / 2)


def test_an_empty_batch_costs_nothing(loss):
    value, gradient = value_and_gradient(
        loss, torch.zeros(0, 2, 4, 4), torch.zeros(0, 4, 4, dtype=torch.uint8)
    )
    assert value == 0
    assert gradient.shape == (0, 2, 4, 4)


def test_the_gradient_scales_with_what_comes_after(loss):
    logits, labels = drawn(3, 6, 6)
    _, gradient = value_and_gradient(loss, logits, labels)
    _, scaled = value_and_gradient(
        lambda x, y: 65536 * loss(x, y), logits.half(), labels
    )  # as a GradScaler does
    torch.testing.assert_close(scaled.float() / 65536, gradient, rtol=5e-3, atol=1e-5)


def test_neither_logits_nor_labels_are_written_to(loss):
    for classes in (2, 3):
        logits, labels = drawn(classes, 6, 6)
        before = logits.clone(), labels.clone()
        value_and_gradient(loss, logits, labels)
        leaf = logits.requires_grad_()
        loss(leaf, labels).backward()
        assert torch.equal(leaf.detach(), before[0])
        assert torch.equal(labels, before[1])


@pytest.mark.parametrize("value", [3, 254, 256, -1, -100])
def test_a_label_without_a_class_is_refused(loss, value):
    labels = torch.zeros(1, 4, 4, dtype=torch.int64)
    labels[0, 1, 1] = value
    with pytest.raises(DataError, match="neither a class \\(0 to 2\\) nor 255"):
        loss(torch.zeros(1, 3, 4, 4), labels)


def test_labels_of_another_size_are_refused_with_both_sizes(loss):
    with pytest.raises(DataError, match=r"labels have shape \(1, 4, 5\) but logits \(1, 3, 4, 4\)"):
        loss.__wrapped__(torch.zeros(1, 3, 4, 4), torch.zeros(1, 4, 5, dtype=torch.uint8))
    with pytest.raises(TypeCheckError):
        loss(torch.zeros(1, 3, 4, 4), torch.zeros(1, 4, 5, dtype=torch.uint8))


def test_one_channel_is_refused_with_the_way_out(loss):
    with pytest.raises(DataError, match="binary_cross_entropy"):
        loss(torch.zeros(1, 1, 4, 4), torch.zeros(1, 4, 4, dtype=torch.uint8))


def test_labels_that_are_no_integers_are_refused(loss):
    with pytest.raises(DataError, match="give class indices as uint8 or int64"):
        loss.__wrapped__(torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, 4))


def test_logits_that_are_no_floats_are_refused(loss):
    with pytest.raises(DataError, match="give floats"):
        loss.__wrapped__(torch.zeros(1, 2, 4, 4, dtype=torch.int64), torch.zeros(1, 4, 4, dtype=torch.uint8))
