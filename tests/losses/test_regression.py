"""Errors of numbers, by hand."""

import math

import pytest
import torch

from delineate.core import DataError
from delineate.losses import smooth_l1


def test_small_errors_count_squared_and_large_ones_straight():
    predicted = torch.tensor([[0.1, 3.0, 7.0]])
    value = smooth_l1(predicted, torch.tensor([[0.0, 1.0, math.nan]]), beta=0.2)
    assert value.item() == pytest.approx((0.1**2 / 0.4 + 2 - 0.1) / 2)


def test_where_nobody_said_there_is_no_gradient_and_no_effect():
    predicted = torch.tensor([[1.0, math.nan, math.inf]]).requires_grad_()
    value = smooth_l1(predicted, torch.tensor([[0.0, math.nan, math.nan]]))
    value.backward()
    assert predicted.grad.tolist() == [[1, 0, 0]]
    nothing = torch.ones(1, 3).requires_grad_()
    value = smooth_l1(nothing, torch.full((1, 3), math.nan))
    value.backward()
    assert value.item() == 0
    assert nothing.grad.tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_it_is_summed_in_float32_whatever_the_dtype_and_autocast(dtype):
    predicted = torch.full((1, 2, 300, 300), 5.0, dtype=dtype).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = smooth_l1(predicted, torch.zeros(1, 2, 300, 300))
    assert value.item() == pytest.approx(4.9)
    value.backward()
    assert predicted.grad.isfinite().all()


def test_its_gradient_is_that_of_finite_differences():
    generator = torch.Generator().manual_seed(0)
    predicted = torch.randn(2, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    targets = torch.randn(2, 5, generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: smooth_l1(x, targets), predicted)


def test_what_does_not_fit_is_refused():
    with pytest.raises(DataError, match=r"targets have shape \(1, 2\)"):
        smooth_l1(torch.zeros(1, 3), torch.zeros(1, 2))
    with pytest.raises(DataError, match="beta is 0"):
        smooth_l1(torch.zeros(1, 3), torch.zeros(1, 3), beta=0)
