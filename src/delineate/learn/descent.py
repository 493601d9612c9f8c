"""How weights go down the slope of the loss: by which optimisers, at what rate, and the average that follows them.

Why it is Muon, and why the average is what is kept: docs/decisions/0005-training.md.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from delineate.learn.muon import Muon, parted

MUON_RATE = 0.02 / 3e-3  # learning rate of Muon over that of AdamW
LEAST_RATE = 1e-6  # so that the last steps are steps
WARM_UP = 10  # steps over which the learning rate rises
AVERAGE = 0.99  # of the moving average of the weights, once it has run in


def optimisers_of(net: nn.Module, *, rate: float) -> list[Any]:
    """Muon for the inner convolutions, where there are any, and AdamW at the learning rate `rate` for all else.

    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 2, 1))
    >>> [(type(one).__name__, round(one.param_groups[0]["lr"], 6)) for one in optimisers_of(net, rate=3e-3)]
    [('Muon', 0.02), ('AdamW', 0.003)]
    """
    inner, others = parted(net)
    adamw: Any = torch.optim.AdamW(others, lr=rate, weight_decay=1e-4, fused=True)
    return [Muon(inner, lr=rate * MUON_RATE), adamw] if inner else [adamw]


def share_of_rate(number: int, progress: float) -> float:
    """What share of the learning rate step `number` (from 0) has, when `progress` (0 to 1) of the budget is spent.

    It rises over WARM_UP steps and falls to zero along a cosine.

    >>> [round(share_of_rate(number, progress), 2) for number, progress in ((0, 0.0), (9, 0.0), (500, 0.5), (999, 1.0))]
    [0.1, 1.0, 0.5, 0.0]
    """
    return min(1.0, (number + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * progress))


@torch.no_grad()
def follow(average: nn.Module, net: nn.Module, *, number: int) -> None:
    """Move the average of the weights, batch norm statistics included, a little towards those that `net` has after step `number`.

    >>> average, net = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    >>> _ = average.weight.data.fill_(0.0), net.weight.data.fill_(1.0)
    >>> follow(average, net, number=10**6)
    >>> round(average.weight.item(), 4)
    0.01
    """
    share = 1 - min(AVERAGE, (number + 1) / (number + 11))
    mean, now = average.state_dict(), net.state_dict()
    floats = [name for name, tensor in mean.items() if tensor.is_floating_point()]
    torch._foreach_lerp_([mean[name] for name in floats], [now[name] for name in floats], share)


def finite(net: nn.Module) -> bool:
    """Whether all weights and batch norm statistics are numbers.

    >>> net = nn.Linear(1, 1)
    >>> before = finite(net)
    >>> _ = net.weight.data.fill_(float("inf"))
    >>> before, finite(net)
    (True, False)
    """
    return all(bool(tensor.isfinite().all()) for tensor in net.state_dict().values())
