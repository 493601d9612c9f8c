"""Soft Dice worked by hand, and the sum of both losses."""

from __future__ import annotations

import math

import pytest
import torch

from delineate.core import UNLABELLED, DataError
from delineate.losses import cross_entropy, cross_entropy_and_dice, soft_dice


def with_probabilities(*pixels):
    """Logits (1, classes, 1, pixels) whose softmax is the given tuple at each pixel."""
    return torch.tensor(pixels, dtype=torch.float64).log().T[None, :, None]


def labelled(*labels):
    return torch.tensor(labels, dtype=torch.uint8)[None, None]


def test_two_classes_by_hand():
    logits = with_probabilities((0.2, 0.8), (0.6, 0.4), (0.9, 0.1), (0.5, 0.5))
    # p = .8 .4 .1 on the labelled pixels, t = 1 1 0: 2 * 1.2 + 1 over 1.3 + 2 + 1
    value = soft_dice(logits, labelled(1, 1, 0, UNLABELLED))
    assert value.item() == pytest.approx(1 - 3.4 / 4.3)


def test_three_classes_by_hand_background_left_out():
    logits = with_probabilities((0.1, 0.7, 0.2), (0.3, 0.3, 0.4), (0.5, 0.4, 0.1))
    # class 1: p = .7 .3 .4, true on the first; class 2: p = .2 .4 .1, true on the second; epsilon 0.5
    one, two = (2 * 0.7 + 0.5) / (1.4 + 1 + 0.5), (2 * 0.4 + 0.5) / (0.7 + 1 + 0.5)
    value = soft_dice(logits, labelled(1, 2, 0), epsilon=0.5)
    assert value.item() == pytest.approx(1 - (one + two) / 2)


@pytest.mark.parametrize("claimed", [0.0, 1.0, 3.0, 10.0])
def test_epsilon_pixels_claimed_for_an_absent_class_cost_one_half(claimed):
    share = claimed / 20
    logits = with_probabilities(*[(1 - share, share)] * 20).clamp(min=-700)
    value = soft_dice(logits, torch.zeros(1, 1, 20, dtype=torch.uint8), epsilon=3.0)
    assert value.item() == pytest.approx(claimed / (claimed + 3))


def test_the_images_of_a_batch_are_pooled():
    logits = torch.cat([with_probabilities((0.2, 0.8)), with_probabilities((0.7, 0.3))])
    labels = torch.cat([labelled(1), labelled(0)])
    assert float(soft_dice(logits, labels)) == pytest.approx(1 - (2 * 0.8 + 1) / (1.1 + 1 + 1))


@pytest.mark.parametrize("epsilon", [0, -1, math.nan, math.inf])
def test_an_epsilon_that_leaves_the_empty_mask_undefined_is_refused(epsilon):
    with pytest.raises(DataError, match="give a positive number of pixels"):
        soft_dice(with_probabilities((0.5, 0.5)), labelled(0), epsilon=epsilon)


def test_the_sum_is_the_sum():
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(2, 4, 6, 6, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 4, (2, 6, 6), generator=generator)
    parts, whole = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    weights = [1.0, 2.0, 3.0, 4.0]
    apart = cross_entropy(parts, labels, weights=weights) + 0.3 * soft_dice(parts, labels, epsilon=2.0)
    fused = cross_entropy_and_dice(whole, labels, weights=weights, dice_weight=0.3, epsilon=2.0)
    assert fused.item() == pytest.approx(apart.item(), rel=1e-12)
    apart.backward()
    fused.backward()
    torch.testing.assert_close(whole.grad, parts.grad)


def test_a_dice_weight_below_0_is_refused():
    with pytest.raises(DataError, match="dice_weight is -1"):
        cross_entropy_and_dice(with_probabilities((0.5, 0.5)), labelled(0), dice_weight=-1)


def test_differentiating_twice_is_refused_and_not_wrong():
    logits = with_probabilities((0.2, 0.8), (0.6, 0.4)).requires_grad_()
    (slope,) = torch.autograd.grad(soft_dice(logits, labelled(1, 0)), logits, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()
