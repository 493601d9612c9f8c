"""Which engine a learnt network is predicted with: the fastest that agrees with torch in float32 on this machine.

It is tried once, on a tile of the first image, and remembered in the user's cache, by weights, processor and versions:
`~/.cache/delineate/engines`, or below the folder that DELINEATE_CACHE or XDG_CACHE_HOME name.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from delineate.core import ModelError, OutputError, written_whole
from delineate.inference.engines import ENGINES, Engine, candidates, opened
from delineate.inference.engines.agreement import Trial, compared, fastest
from delineate.learn.learnt import Learnt
from delineate.learn.machine import native_bfloat16
from delineate.nets import folded

REFERENCE = "torch-float32"
EAGER = ("torch", REFERENCE)  # that run the network itself, not a graph of it
SIDE = {2: 512, 3: 64}  # of the tile on which engines are tried, at most


@dataclass(frozen=True)
class Chosen:
    """An engine that is open, its name, whether it computes in bfloat16, and what was found when it was tried."""

    name: str
    low: bool
    engine: Engine
    trials: tuple[Trial, ...] = ()


def low_precision(learnt: Learnt) -> bool:
    """Whether the model is predicted in bfloat16: it was trained so, and this machine has it."""
    return learnt.plan.precision == "bf16-mixed" and native_bfloat16()


def engine_of(
    learnt: Learnt, name: str = "torch", *, low: bool | None = None, keep: Path | None = None
) -> Engine:
    """Engine `name` for a learnt network; raises ModelError.

    low: bfloat16, or as the model was trained (None). keep: where a conversion is kept, see `opened`.

    >>> from delineate.data.samples import coins
    >>> from delineate.learn import UNetMethod
    >>> learnt = UNetMethod(steps=1).fit(coins()[0]).learnt
    >>> engine_of(learnt, "torch")(torch.zeros(3, 1, 20, 30)).shape  # background, coin, two offsets
    torch.Size([3, 4, 20, 30])
    """
    plan = learnt.plan
    example = torch.zeros(1, plan.channels, *(16,) * plan.dims)
    if plan.equivariant and name not in EAGER:
        raise ModelError(
            f"an equivariant model chooses its grids as it goes, which the engine {name} cannot hold: choose from "
            f"{', '.join(EAGER)}"
        )
    low = low_precision(learnt) if low is None else low
    return opened(name, folded(learnt.net), example, low=low, keep=keep)


def chosen(
    learnt: Learnt, picture: Tensor, *, tell: Callable[[str], None] | None = None, cache: Path | None = None
) -> Chosen:
    """The fastest engine that agrees with torch in float32 on the middle of `picture` (channels, *spatial),
    normalised as the model wants it.

    Remembered in `cache` (None: the user's), and tried again once weights, processor, threads or versions change. What
    was found is said through `tell` when it is found. Where none agrees, it is torch in float32.
    """
    say = tell or (lambda _: None)
    path = memory(learnt, cache=cache)
    if known := _remembered(path):
        return Chosen(*known, engine_of(learnt, known[0], low=known[1], keep=path))
    tile = middle(picture, dims=learnt.plan.dims, side=SIDE[learnt.plan.dims])
    low = low_precision(learnt)
    reference = engine_of(learnt, REFERENCE)
    open_engines: dict[str, Engine] = {}

    def kept(name: str) -> Engine:
        open_engines[name] = engine_of(learnt, name, low=low, keep=path)
        return open_engines[name]

    names = [name for name in candidates() if name in EAGER or not learnt.plan.equivariant]
    trials = compared(
        {name: partial(kept, name) for name in names}, reference, tile, answer=partial(_answer, learnt)
    )
    for trial in trials:
        if trial.failed or not trial.agrees:
            say(f"not taken: {trial}")
    best = fastest(trials)
    if best is None:
        say("no engine agrees with torch in float32, so that is taken")
        found = Chosen(REFERENCE, False, reference, trials)
    else:
        say(f"engine: {best}")
        found = Chosen(best.engine, low, open_engines[best.engine], trials)
    _remember(path, found)
    return found


def memory(learnt: Learnt, *, cache: Path | None = None) -> Path:
    """The file where the choice for this network on this machine is remembered; conversions are kept beside it."""
    return (cache or cache_folder()) / f"{_print_of(learnt)}.json"


def cache_folder() -> Path:
    """Where choices and conversions are kept."""
    named = os.environ.get("DELINEATE_CACHE")
    around = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return (Path(named) if named else Path(around) / "delineate") / "engines"


def weights_print(learnt: Learnt) -> str:
    """SHA-256 of the weights, batch norm statistics included."""
    digest = hashlib.sha256()
    for name, tensor in sorted(learnt.net.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _answer(learnt: Learnt, logits: Tensor) -> tuple[Tensor, Tensor]:
    count = len(learnt.classes)
    return logits[:, :count].softmax(1), logits[:, count:]


def middle(picture: Tensor, *, dims: int, side: int) -> Tensor:
    """The middle of a picture (channels, *spatial), at most `side` wide, as a batch of one.

    Of a stack that is read slice by slice (dims 2) it is the middle of the middle slice.

    >>> middle(torch.zeros(1, 5, 100, 7), dims=2, side=32).shape
    torch.Size([1, 1, 32, 7])
    """
    if picture.ndim - 1 > dims:
        picture = picture[:, picture.shape[1] // 2]
    starts = [max(0, (n - side) // 2) for n in picture.shape[1:]]
    window = tuple(slice(start, start + side) for start in starts)
    return picture[(slice(None), *window)][None].contiguous()


def _print_of(learnt: Learnt) -> str:
    """What a choice depends on, as one short text."""
    on = {
        "weights": weights_print(learnt),
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "versions": {name: _version(kind.library) for name, kind in ENGINES.items()},
        "candidates": candidates(),
        "precision": learnt.plan.precision,
    }
    return hashlib.sha256(json.dumps(on, sort_keys=True).encode()).hexdigest()[:24]


def _processor() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    capability: Any = getattr(torch.backends.cpu, "get_cpu_capability", str)()
    return f"{platform.machine()} {platform.processor()} {capability} {native_bfloat16()}"


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def _remembered(path: Path) -> tuple[str, bool] | None:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        name, low = str(about["engine"]), bool(about["low"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # never written, or damaged: it is tried again
    return (name, low) if name in ENGINES else None


def _remember(path: Path, found: Chosen) -> None:
    about = {"engine": found.name, "low": found.low, "trials": [trial.to_json() for trial in found.trials]}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as beside:
            beside.write_text(json.dumps(about, indent=1), encoding="utf-8")
    except (OSError, OutputError):
        return  # a home that cannot be written to: the choice is made again next time
