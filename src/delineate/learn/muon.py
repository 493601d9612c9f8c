"""Muon: steps in which every direction of a weight matrix counts alike.

The momentum of a convolution's weights, seen as a matrix (out_channels, in_channels x window), usually has a few
strong directions and many faint ones. Muon replaces it by the nearest matrix with orthonormal rows or columns, so
that the faint ones are learnt as fast, which tells in a short training (bench/recipe.py). Jordan et al. 2024,
https://kellerjordan.github.io/posts/muon. torch's own `torch.optim.Muon` takes matrices only, hence this one; what is
no convolution weight goes to AdamW.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn

COEFFICIENTS = (
    3.4445,
    -4.7750,
    2.0315,
)  # of the odd polynomial that drives singular values towards 1 (Jordan)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthonormalised, for weights of two or more axes.

    >>> weight = nn.Parameter(torch.zeros(4, 3, 3, 3))
    >>> weight.grad = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    >>> _ = Muon([weight], lr=1.0).step()
    >>> bool((torch.linalg.svdvals(weight.detach().flatten(1)) > 0.5).all())  # all four directions have moved
    True
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], *, lr: float = 0.02, momentum: float = 0.95
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move every weight that has a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if "mean" not in state:
                    state["mean"] = torch.zeros_like(weight)
                mean = state["mean"].lerp_(weight.grad, 1 - group["momentum"])
                ahead = weight.grad.lerp(mean, group["momentum"])
                direction = orthonormal(ahead.flatten(1))
                scale = max(1.0, direction.shape[0] / direction.shape[1]) ** 0.5
                weight.sub_(direction.reshape(weight.shape), alpha=group["lr"] * scale)


def orthonormal(matrix: Tensor, *, rounds: int = 4) -> Tensor:
    """A matrix with the singular vectors of `matrix` and singular values near 1, by Newton-Schulz iteration.

    (rows, columns) float32 -> the same shape, float32. Zeros stay zeros. Each round is a polynomial of the small matrix
    x x^T, and so is the next x x^T: the rounds are multiplied up there, and the long matrix is touched twice in all. In
    float32, for processors without bfloat16 take forty times as long for that.

    >>> orthonormal(torch.tensor([[3.0, 0.0], [0.0, 0.03]]), rounds=6).diagonal().gt(0.5).tolist()
    [True, True]
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    a, b, c = COEFFICIENTS
    square, product = x @ x.T, torch.eye(len(x), device=x.device)
    for _ in range(rounds):
        once = torch.addmm(square, square, square, beta=b, alpha=c)
        once.diagonal().add_(a)
        product = once @ product
        square = once @ square @ once
    result: Tensor = product @ x
    return result.T if tall else result


def parted(net: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """(weights for Muon, all other parameters): inner convolutions, but not the first, nor the head.

    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 2, 1))
    >>> inner, others = parted(net)
    >>> [tuple(w.shape) for w in inner], len(others)
    ([(4, 4, 3, 3)], 5)
    """
    convolutions = [m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Conv3d))]
    inner = [cast(nn.Parameter, m.weight) for m in convolutions[1:-1]]
    taken = {id(weight) for weight in inner}
    return inner, [p for p in net.parameters() if id(p) not in taken]
