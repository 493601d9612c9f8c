"""How far predicted numbers are from the true ones, where the truth is known."""

# ruff: noqa: UP037 (taken for a product, "batch *spatial" would lose the quotes it needs)

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from delineate.core import DataError


def smooth_l1(
    predicted: Float[Tensor, "batch *spatial"],
    targets: Float[Tensor, "batch *spatial"],
    *,
    beta: float = 0.2,
) -> Float[Tensor, ""]:
    """Mean distance of numbers from their targets, quadratic below `beta` so that small errors do not quarrel.

    targets: in the unit of `predicted`; nan where nobody said, which contributes nothing. Per number that is not nan,
    with d = |predicted - target|: d^2 / (2 beta) where d < beta, else d - beta / 2; no such number: 0.0, with a gradient
    of zeros. In float32, autocast or not. Raises DataError where shapes differ or beta is not a positive number.
    Girshick 2015, arXiv:1504.08083; as a robust loss Huber 1964, doi:10.1214/aoms/1177703732.

    >>> round(float(smooth_l1(torch.zeros(1, 3), torch.tensor([[1.0, 0.1, float("nan")]]))), 4)  # (0.9 + 0.025) / 2
    0.4625
    """
    if predicted.shape != targets.shape:
        raise DataError(
            f"targets have shape {tuple(targets.shape)} but predictions {tuple(predicted.shape)}: give one per prediction"
        )
    if not 0 < beta < float("inf"):
        raise DataError(f"beta is {beta}: give a positive number")
    dtype = torch.float64 if predicted.dtype == torch.float64 else torch.float32
    known = ~targets.isnan()
    with torch.autocast(predicted.device.type, enabled=False):
        errors = smooth_l1_loss(
            predicted.to(dtype).masked_fill(~known, 0),
            targets.to(dtype).masked_fill(~known, 0),
            beta=beta,
            reduction="sum",
        )
    return errors / known.sum().clamp(min=1)
