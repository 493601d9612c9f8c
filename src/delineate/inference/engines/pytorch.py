"""PyTorch itself, on a GPU where there is one: the reference, and what is always there."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from delineate.inference.engines import Engine


def eager(net: nn.Module, example: Tensor, *, low: bool, keep: Path | None = None) -> Engine:
    """`net` as it is, channels last; under autocast to bfloat16 where `low`. There is nothing to keep."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    layout = torch.channels_last if example.ndim == 4 else torch.channels_last_3d
    moved: Any = copy.deepcopy(net).to(device)
    return _running(moved.to(memory_format=layout), device=device, layout=layout, low=low)


def compiled(net: nn.Module, example: Tensor, *, low: bool, keep: Path | None = None) -> Engine:
    """The same, compiled at its first call (half a minute) for all sizes that follow."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    layout = torch.channels_last if example.ndim == 4 else torch.channels_last_3d
    moved: Any = copy.deepcopy(net).to(device)
    whole: Any = torch.compile(moved.to(memory_format=layout), dynamic=True)
    return _running(whole, device=device, layout=layout, low=low)


def _running(net: Any, *, device: torch.device, layout: torch.memory_format, low: bool) -> Engine:
    def run(batch: Tensor) -> Tensor:
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=low):
            logits: Tensor = net(batch.to(device).contiguous(memory_format=layout))
            return logits.float().contiguous().cpu()

    return run
