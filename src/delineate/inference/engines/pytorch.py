"""PyTorch itself, on a GPU where there is one: the reference, and what is always there."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from delineate.inference.engines import Engine, cut


class Eager:
    """`net` as it is, channels last; under autocast to bfloat16 where `low`. Of a part, it computes what that depends on."""

    def __init__(self, net: nn.Module, example: Tensor, *, low: bool) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.layout = torch.channels_last if example.ndim == 4 else torch.channels_last_3d
        moved: Any = copy.deepcopy(net).to(self.device)
        self.net, self.low = moved.to(memory_format=self.layout), low

    def __call__(self, batch: Tensor) -> Tensor:
        """Logits of a batch (n, channels, *spatial)."""
        return self._run(self.net, batch)

    def part(self, batch: Tensor, keep: tuple[slice, ...]) -> Tensor:
        """Logits of a part of a batch, a slice with start and stop along each spatial axis."""
        if not hasattr(self.net, "part"):
            return cut(self(batch), keep)
        return self._run(lambda given: self.net.part(given, keep), batch)

    def _run(self, net: Callable[[Tensor], Tensor], batch: Tensor) -> Tensor:
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.low):
            logits = net(batch.to(self.device).contiguous(memory_format=self.layout))
            return logits.float().contiguous().cpu()


def eager(net: nn.Module, example: Tensor, *, low: bool, keep: Path | None = None) -> Engine:
    """See `Eager`. There is nothing to keep."""
    return Eager(net, example, low=low)


def exact(net: nn.Module, example: Tensor, *, low: bool, keep: Path | None = None) -> Engine:
    """The reference: in float32, whatever was asked. There is nothing to keep."""
    return Eager(net, example, low=False)


def compiled(net: nn.Module, example: Tensor, *, low: bool, keep: Path | None = None) -> Engine:
    """The same, compiled at its first call (half a minute) for all sizes that follow."""
    engine = Eager(net, example, low=low)
    whole: Any = torch.compile(engine.net, dynamic=True)
    engine.net = whole
    return engine.__call__
