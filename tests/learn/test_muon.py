"""Muon's direction, held against what it stands for: the polynomial, round after round, on singular values."""

import numpy as np
import pytest
import torch

from delineate.learn.muon import COEFFICIENTS, Muon, orthonormal


def by_singular_values(matrix, rounds):
    """The same by numpy's decomposition, in float64, where each value goes its own way."""
    u, values, v = np.linalg.svd(matrix.double().numpy(), full_matrices=False)
    values = values / np.linalg.norm(values)
    a, b, c = COEFFICIENTS
    for _ in range(rounds):
        values = a * values + b * values**3 + c * values**5
    return u * values @ v


def with_values(rows, columns, values, seed=0):
    """A matrix (rows, columns) with these singular values."""
    made = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    u, _, v = torch.linalg.svd(made, full_matrices=False)
    return (u * torch.as_tensor(values, dtype=torch.float32)) @ v


@pytest.mark.parametrize("shape", [(16, 144), (144, 16), (8, 8), (1, 9)])
@pytest.mark.parametrize("faintest", [1e-1, 1e-6])
def test_every_singular_value_goes_its_own_way(shape, faintest):
    matrix = with_values(*shape, np.geomspace(1, faintest, min(shape)))
    assert np.abs(orthonormal(matrix).numpy() - by_singular_values(matrix, 4)).max() < 3e-5


def test_directions_that_are_not_there_stay_away():
    matrix = with_values(8, 30, [1.0] * 5 + [0.0] * 3)
    values = torch.linalg.svdvals(orthonormal(matrix))
    assert (values[:5] > 0.5).all()
    assert (values[5:] < 1e-3).all()


def test_zeros_and_numbers_that_are_tiny_stay_finite():
    assert orthonormal(torch.zeros(4, 9)).eq(0).all()
    assert orthonormal(torch.full((4, 9), 1e-30)).isfinite().all()


def test_a_tall_weight_is_moved_too():
    weight = torch.nn.Parameter(torch.zeros(40, 2, 3, 3))
    weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    Muon([weight], lr=1.0).step()
    expected = by_singular_values(weight.grad.flatten(1), 4) * (40 / 18) ** 0.5
    assert np.abs(weight.detach().flatten(1).numpy() + expected).max() < 1e-4
