"""Engines: other ways to run one and the same network, each a file here and a line in ENGINES.

An engine maps a batch (n, channels, *spatial) float32 to logits (n, outputs, *spatial) float32, for any n and any
spatial size, on the CPU's side of memory. A library that is not installed is no candidate. `agreement` says which
engine is the fastest that gives the same answer as the reference.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from delineate.core import ModelError

Engine = Callable[[Tensor], Tensor]
"""(n, channels, *spatial) float32 -> (n, outputs, *spatial) float32, both contiguous and on the CPU."""


@dataclass(frozen=True)
class Kind:
    """How an engine is made. maker: module:function, called with (net, example, low=, keep=). library: what it needs.

    extra: what to install Delineate with where the library is missing.
    """

    maker: str
    library: str
    extra: str = ""


_HERE = "delineate.inference.engines"

ENGINES: dict[str, Kind] = {
    "torch": Kind(f"{_HERE}.pytorch:eager", "torch"),
    "torch-float32": Kind(f"{_HERE}.pytorch:exact", "torch"),
    "compiled": Kind(f"{_HERE}.pytorch:compiled", "torch"),
    "openvino": Kind(f"{_HERE}.openvino:converted", "openvino", "fast"),
    "onnxruntime": Kind(f"{_HERE}.onnxruntime:converted", "onnxruntime", "export"),
}
"""Every engine by name. The reference is "torch-float32"; the others compute in bfloat16 where the model was taught so."""


def part_of(engine: Engine, windows: Tensor, keep: tuple[slice, ...]) -> Tensor:
    """The logits of a part of the windows, a slice with start and stop along each spatial axis.

    An engine that has a `part` of its own need not compute what the halo takes of the expanding path; for all of the windows
    there is nothing to leave out.

    >>> part_of(lambda batch: batch, torch.arange(6.0).view(1, 1, 6), (slice(2, 4),)).tolist()
    [[[2.0, 3.0]]]
    """
    if tuple((side.start, side.stop) for side in keep) == tuple((0, n) for n in windows.shape[2:]):
        return engine(windows)
    part: Any = getattr(engine, "part", None)
    if part is None:
        return cut(engine(windows), keep)
    logits: Tensor = part(windows, keep)
    return logits


def cut(logits: Tensor, keep: tuple[slice, ...]) -> Tensor:
    """A part of logits (n, outputs, *spatial), a slice along each spatial axis."""
    place: Any = (..., *keep)
    return logits[place].contiguous()


def installed(name: str) -> bool:
    """Whether the library of engine `name` is there.

    >>> installed("torch")
    True
    """
    return find_spec(ENGINES[name].library) is not None


def candidates() -> tuple[str, ...]:
    """The engines that are worth a try on this machine.

    Compiling takes half a minute, which only a GPU earns back; where there is a GPU the CPU's engines are out. ONNX
    Runtime, whose conversion takes ten seconds, stands in where OpenVINO is missing.

    >>> "torch" in candidates()
    True
    """
    if torch.cuda.is_available():
        return ("torch", "compiled")
    other = "openvino" if installed("openvino") else "onnxruntime"
    return ("torch", other) if installed(other) else ("torch",)


def opened(name: str, net: nn.Module, example: Tensor, *, low: bool, keep: Path | None = None) -> Engine:
    """Engine `name` for `net`, a network in evaluation mode that takes any size.

    example: a batch (n, channels, *spatial) like those to come; only the number of axes and channels matters. low:
    compute in bfloat16 where the engine and the machine can; else in float32. keep: a file name without suffix, of this
    network alone, where a conversion is kept for the next time (None: nothing is kept).
    Raises ModelError for an unknown engine, a library that is missing, or a network that it cannot take.

    >>> engine = opened("torch", nn.Conv2d(1, 2, 3, padding=1).eval(), torch.zeros(1, 1, 8, 8), low=False)
    >>> engine(torch.zeros(2, 1, 5, 7)).shape
    torch.Size([2, 2, 5, 7])
    """
    if name not in ENGINES:
        raise ModelError(f"there is no engine {name}: choose from {', '.join(ENGINES)}, int8")
    kind = ENGINES[name]
    if not installed(name):
        raise ModelError(
            f"the engine {name} needs the package {kind.library}: pip install 'delineate[{kind.extra}]', or choose "
            f"another engine"
        )
    module, maker = kind.maker.split(":")
    engine: Engine = getattr(importlib.import_module(module), maker)(net, example, low=low, keep=keep)
    return engine
