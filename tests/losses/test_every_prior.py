"""The contract that every prior in PRIORS keeps: smooth ranks below ragged, in any dtype, layout and dimension."""

from __future__ import annotations

import pytest
import torch

from delineate.losses import PRIORS


@pytest.fixture(params=PRIORS)
def prior(request):
    return PRIORS[request.param]


def sure(labels, *, classes=3, by=30.0):
    return by * torch.nn.functional.one_hot(labels.long(), classes).movedim(-1, 1).float()


def drawn(*spatial, classes=3, dtype=torch.float32):
    generator = torch.Generator().manual_seed(5)
    logits = 2 * torch.randn(2, classes, *spatial, generator=generator, dtype=dtype)
    return logits, 0.1 * torch.rand(2, 2, *spatial, generator=generator, dtype=dtype)


def value_and_gradient(prior, logits, images):
    logits = logits.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    value = prior(logits, images)
    value.backward()
    return value.item(), logits.grad


@pytest.mark.parametrize("spatial", [(9, 8), (5, 6, 7)], ids=["2D", "3D"])
def test_one_class_ranks_below_two_halves_and_these_below_a_chessboard(prior, spatial):
    grid = torch.stack(torch.meshgrid(*map(torch.arange, spatial), indexing="ij")).sum(0)[None]
    same, halves, chess = torch.zeros_like(grid), grid > grid.max() / 2, grid // 2 % 2
    images = torch.zeros(1, 1, *spatial)
    none, some, most = (float(prior(sure(labels), images)) for labels in (same, halves, chess))
    assert 0 <= none < 1e-6 < some < most <= 1


@pytest.mark.parametrize("spatial", [(4, 5), (3, 3, 4)], ids=["2D", "3D"])
def test_the_gradient_is_that_of_finite_differences(prior, spatial):
    logits, images = drawn(*spatial, dtype=torch.float64)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: prior(x, images), logits)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_are_read_and_not_computed_with(prior, dtype):
    logits, images = drawn(64, 64)
    logits = logits.to(dtype)
    value, gradient = value_and_gradient(prior, logits, images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast, cast_gradient = value_and_gradient(prior, logits, images)
    exact, exactly = value_and_gradient(prior, logits.double(), images.double())
    assert value == cast == pytest.approx(exact, rel=1e-5)
    assert torch.equal(gradient, cast_gradient)
    torch.testing.assert_close(gradient.double(), exactly, rtol=0.01, atol=6e-8)


def test_the_memory_format_changes_nothing(prior):
    logits, images = drawn(9, 11)
    value, gradient = value_and_gradient(prior, logits, images)
    last = torch.channels_last
    again, gradient_again = value_and_gradient(
        prior, logits.contiguous(memory_format=last), images.contiguous(memory_format=last)
    )
    assert again == pytest.approx(value, rel=1e-5)
    torch.testing.assert_close(gradient_again, gradient)


def test_logits_of_60000_stay_finite(prior):
    logits, images = drawn(6, 6)
    value, gradient = value_and_gradient(prior, logits.sign().mul(60000).half(), images)
    assert 0 <= value <= 1
    assert gradient.isfinite().all()


@pytest.mark.parametrize("shape", [(0, 2, 4, 4), (2, 2, 1, 1)], ids=["no image", "one pixel"])
def test_without_a_pair_it_costs_nothing(prior, shape):
    value, gradient = value_and_gradient(prior, torch.zeros(shape), torch.zeros(shape))
    assert value == 0
    assert not gradient.any()


def test_neither_logits_nor_images_are_written_to(prior):
    logits, images = drawn(6, 6)
    before = logits.clone(), images.clone()
    value_and_gradient(prior, logits, images)
    assert torch.equal(logits, before[0])
    assert torch.equal(images, before[1])
