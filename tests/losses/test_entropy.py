"""Cross-entropy against hand-worked values and against torch's own."""

from __future__ import annotations

import math

import pytest
import torch
from beartype import beartype
from jaxtyping import jaxtyped

from delineate.core import UNLABELLED, DataError
from delineate.losses import binary_cross_entropy, cross_entropy

binary_cross_entropy = jaxtyped(typechecker=beartype)(binary_cross_entropy)


def row(*logits):
    """Logits (1, classes, 1, pixels) from one tuple per pixel."""
    return torch.tensor(logits).T[None, :, None]


def test_the_mean_goes_over_labelled_pixels():
    third = math.log(1 / 3)
    logits = row((third, math.log(2 / 3)), (0.0, 0.0), (9.0, -9.0))
    value = cross_entropy(logits, torch.tensor([[[0, 1, UNLABELLED]]]))
    assert value.item() == pytest.approx((math.log(3) + math.log(2)) / 2)


def test_a_class_of_weight_3_counts_as_three_pixels():
    logits = row((math.log(1 / 3), math.log(2 / 3)), (0.0, 0.0))
    value = cross_entropy(logits, torch.tensor([[[0, 1]]]), weights=(3, 1))
    assert value.item() == pytest.approx((3 * math.log(3) + math.log(2)) / 4)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("weighted", [False, True])
def test_value_and_gradient_are_those_of_torch(classes, weighted):
    torch_generator = torch.Generator().manual_seed(1)
    logits = 4 * torch.randn(3, classes, 17, 13, generator=torch_generator, dtype=torch.float64)
    labels = torch.randint(0, classes, (3, 17, 13), generator=torch_generator)
    labels[0, :4] = UNLABELLED
    weights = [0.5 + index for index in range(classes)] if weighted else None
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    cross_entropy(ours, labels, weights=weights).backward()
    expected = torch.nn.functional.cross_entropy(
        theirs,
        labels,
        weight=torch.tensor(weights, dtype=torch.float64) if weights else None,
        ignore_index=255,
    )
    expected.backward()
    assert float(cross_entropy(logits, labels, weights=weights)) == pytest.approx(expected.item(), rel=1e-12)
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_only_pixels_of_weight_0_cost_nothing():
    logits = row((5.0, -5.0), (1.0, 2.0)).requires_grad_()
    value = cross_entropy(logits, torch.tensor([[[1, 1]]]), weights=(1, 0))
    value.backward()
    assert value.item() == 0
    assert logits.grad.abs().max() == 0


@pytest.mark.parametrize("weights", [(1,), (1, 2, 3), (1, -1), (1, math.nan), (1, math.inf)])
def test_weights_that_do_not_fit_are_refused(weights):
    with pytest.raises(DataError, match="one number >= 0 per class"):
        cross_entropy(row((0.0, 0.0)), torch.tensor([[[0]]]), weights=weights)


def test_a_map_costs_by_how_true_each_pixel_is():
    logits = torch.tensor([[math.log(3), math.log(3), 0.0]])  # 3/4, 3/4, 1/2
    targets = torch.tensor([[1.0, 0.25, math.nan]])
    expected = (math.log(4 / 3) + 0.25 * math.log(4 / 3) + 0.75 * math.log(4)) / 2
    assert float(binary_cross_entropy(logits, targets)) == pytest.approx(expected)
    weighted = (5 * math.log(4 / 3) + 5 * 0.25 * math.log(4 / 3) + 0.75 * math.log(4)) / 2
    assert float(binary_cross_entropy(logits, targets, positive_weight=5.0)) == pytest.approx(weighted)


def test_a_pixel_of_a_map_that_nobody_knows_has_no_gradient_and_no_effect():
    logits = torch.tensor([[1.0, math.nan, 60000.0]]).requires_grad_()
    value = binary_cross_entropy(logits, torch.tensor([[0.5, math.nan, math.nan]]))
    value.backward()
    assert value.item() == pytest.approx(math.log(1 + math.exp(-1)) + 0.5)
    assert logits.grad[0, 1:].tolist() == [0, 0]
    assert logits.grad[0, 0] == pytest.approx(1 / (1 + math.exp(-1)) - 0.5)


def test_a_map_of_which_nothing_is_known_costs_nothing():
    logits = torch.ones(2, 3, 4).requires_grad_()
    value = binary_cross_entropy(logits, torch.full((2, 3, 4), math.nan))
    value.backward()
    assert value.item() == 0
    assert logits.grad.abs().max() == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_map_is_summed_in_float32_whatever_its_dtype_and_autocast(dtype):
    logits = torch.full((1, 300, 300), 2.0, dtype=dtype).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = binary_cross_entropy(logits, torch.zeros(1, 300, 300))
    value.backward()
    assert value.item() == pytest.approx(math.log(1 + math.exp(2)), rel=1e-5)
    assert logits.grad.dtype == dtype
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("target", [-0.1, 1.1, math.inf])
def test_targets_outside_0_to_1_are_refused(target):
    with pytest.raises(DataError, match="outside 0 to 1"):
        binary_cross_entropy(torch.zeros(1, 2), torch.tensor([[0.0, target]]))


def test_targets_of_another_shape_and_a_weight_of_0_are_refused():
    with pytest.raises(DataError, match="one target per logit"):
        binary_cross_entropy.__wrapped__(torch.zeros(1, 2), torch.zeros(1, 3))
    with pytest.raises(DataError, match="positive_weight is 0"):
        binary_cross_entropy(torch.zeros(1, 2), torch.zeros(1, 2), positive_weight=0.0)
