"""What a training leaves behind, and its folder: `model.json` and `weights.safetensors`, nothing pickled.

`model.json` says everything that shapes the network and how it came about; it carries the SHA-256 of the
weights, so that a damaged or exchanged file is noticed before it predicts.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from delineate.core import ClassTable, ModelError, written_whole
from delineate.inference.engines import Engine
from delineate.learn.checkpoint import no_model
from delineate.learn.plan import Plan
from delineate.nets import UNet

FORMAT, VERSION = "delineate-model", 2


@dataclass(frozen=True)
class Record:
    """How a model came about: steps done, seconds spent, the seed, the data, and the learning curve.

    history: one entry per validation, {"step", "seconds", "loss", "dice"}; data: {"cases", "validation",
    "fingerprint", "learnt"}, of which learnt tells the images that were learnt from, each by its digest, in their order;
    {"unfinished": True} in a model that was saved on the way; {"from": ...} where it began from another, see `from_model.origin`.
    """

    seed: int
    steps: int = 0
    seconds: float = 0.0
    data: dict[str, Any] = field(default_factory=dict)
    history: tuple[dict[str, float], ...] = ()

    @property
    def seen(self) -> tuple[str, ...]:
        """The digests of all images that were learnt from, here and by the models that it began from."""
        return (*self.data.get("learnt", ()), *self.data.get("from", {}).get("learnt", ()))


@dataclass(frozen=True)
class Guarantee:
    """A threshold on the probability of foreground under which at most `alpha` of it is missed, on average.

    groups: cases, or groups of them, that it was chosen on. engine: what ran the network then.
    """

    alpha: float
    threshold: float
    groups: int
    engine: str = "torch-float32"


@dataclass(frozen=True)
class Learnt:
    """A network with all that is needed to use it: its plan, its classes, its record.

    engine: what runs the network in prediction; None: torch, in the precision of the training where the machine has it.
    temperature: the logits of the classes are divided by it before the softmax. guarantees: see `delineate.flow.calibrate`.
    fitted_on: digests of the images that both were fitted on.
    """

    net: UNet
    plan: Plan
    classes: ClassTable
    record: Record
    engine: Engine | None = None
    temperature: float = 1.0
    guarantees: tuple[Guarantee, ...] = ()
    fitted_on: tuple[str, ...] = ()

    def guaranteed(self, alpha: float) -> Guarantee:
        """The guarantee for this alpha; raises ModelError where there is none."""
        for one in self.guarantees:
            if one.alpha == alpha:
                return one
        known = ", ".join(f"{one.alpha:g}" for one in self.guarantees) or "none"
        raise ModelError(
            f"this model guarantees no share of {alpha:g} (it has: {known}): choose its threshold with `delineate calibrate "
            f"MODEL DATA --alpha {alpha:g}`"
        )


def network(plan: Plan, classes: ClassTable, *, seed: int) -> UNet:
    """A fresh U-Net of this plan; the same seed gives the same weights, and no global state is touched.

    >>> from delineate.data.samples import coins
    >>> from delineate.learn import planned
    >>> plan, classes = planned(coins()[0]), ClassTable.numbered(2)
    >>> first, again = network(plan, classes, seed=3), network(plan, classes, seed=3)
    >>> torch.equal(first.head.weight, again.head.weight)
    True
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return UNet(
            plan.channels,
            len(classes) + plan.dims * int(plan.objects),
            dims=plan.dims,
            width=plan.width,
            levels=plan.levels,
            shuffle=plan.shuffle,
            down=plan.down,
            up=plan.up,
            equivariant=plan.equivariant,
        )


def memory_layout(dims: int) -> torch.memory_format:
    """Channels last: the layout in which convolutions are fastest on CPUs and on tensor cores."""
    return torch.channels_last if dims == 2 else torch.channels_last_3d


def saved(learnt: Learnt, folder: Path) -> Path:
    """Write the model into `folder` (made if missing): weights and `model.json`, each whole, one after the other.

    Raises ModelError or OutputError where it cannot be written. For an example see `loaded`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(f"cannot make {folder}: {error.strerror or error}; choose another folder") from error
    weights = {name: tensor.contiguous() for name, tensor in learnt.net.state_dict().items()}
    content = save(weights)
    about = {
        "format": FORMAT,
        "version": VERSION,
        "method": "unet",
        "classes": asdict(learnt.classes),
        "plan": learnt.plan.to_json(),
        "record": asdict(learnt.record),
        "calibration": _calibration(learnt),
        "weights": {"file": "weights.safetensors", "sha256": hashlib.sha256(content).hexdigest()},
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
    }
    with (
        written_whole(folder / "model.json") as described,
        written_whole(folder / "weights.safetensors") as beside,
    ):
        described.write_text(_written(about))  # both are on the disk before either takes its place
        beside.write_bytes(content)
    return folder


def recalibrated(learnt: Learnt, folder: Path, *, found: Mapping[str, Any]) -> Path:
    """Write the temperature and the guarantees of `learnt` into the model.json of its folder, and nothing else.

    found: plain values, what was measured when they were fitted; how near a training on strokes came stays.
    Raises ModelError or OutputError as `saved`.
    """
    about = description(folder)
    before = (about.get("calibration") or {}).get("found") or {}
    kept = {"nearness": before["nearness"]} if "nearness" in before else {}
    about["calibration"] = _calibration(learnt) | {"found": kept | dict(found)}
    path = folder / "model.json"
    with written_whole(path) as beside:
        beside.write_text(_written(about))
    return path


def _calibration(learnt: Learnt) -> dict[str, Any]:
    return {
        "temperature": learnt.temperature,
        "guarantees": [asdict(one) for one in learnt.guarantees],
        "fitted_on": list(learnt.fitted_on),
    }


def _written(about: Mapping[str, Any]) -> str:
    """JSON that every reader takes: numbers that are undefined, NaN here, are null there."""
    return json.dumps(_without_nan(about), indent=1, allow_nan=False)


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def description(folder: Path) -> dict[str, Any]:
    """The content of `model.json`; raises ModelError where it is missing, damaged or of another version.

    >>> description(Path("nowhere"))
    Traceback (most recent call last):
    delineate.core.errors.ModelError: there is no model folder nowhere: check its name, or train one with `delineate train`
    """
    path = folder / "model.json"
    if not folder.is_dir():
        raise ModelError(
            f"there is no model folder {folder}: check its name, or train one with `delineate train`"
        )
    if not path.is_file():
        raise ModelError(no_model(folder))
    try:
        about = json.loads(path.read_text())
    except (ValueError, OSError) as error:
        raise ModelError(f"{path} cannot be read ({error}): restore it from a copy or train again") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise ModelError(f"{path} does not describe a Delineate model: restore it from a copy or train again")
    if about.get("version") != VERSION:
        raise ModelError(
            f"{path} is of version {about.get('version')}, this Delineate reads {VERSION}: use the Delineate that it was "
            "trained with, or train again"
        )
    return about


def loaded(folder: Path) -> Learnt:
    """The model in `folder`; raises ModelError where a file is missing, damaged or was exchanged.

    >>> import tempfile
    >>> from delineate.data.samples import coins
    >>> from delineate.learn import UNetMethod
    >>> learnt = UNetMethod(steps=1).fit(coins()[0]).learnt
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     again = loaded(saved(learnt, Path(scratch) / "model"))
    >>> again.record == learnt.record, again.plan.patch == learnt.plan.patch
    (True, True)
    """
    about = description(folder)
    path = folder / "weights.safetensors"
    if not path.is_file():
        raise ModelError(f"{folder} has no weights.safetensors: restore it from a copy or train again")
    try:
        if hashlib.sha256(path.read_bytes()).hexdigest() != about["weights"]["sha256"]:
            raise ModelError(
                f"{path} is not the file that model.json was written with: restore it from a copy or train again"
            )
        classes = ClassTable(
            tuple(about["classes"]["names"]), tuple((r, g, b) for r, g, b in about["classes"]["colours"])
        )
        plan = Plan.from_json(about["plan"])
        history = tuple(
            {key: math.nan if value is None else value for key, value in entry.items()}
            for entry in about["record"]["history"]
        )
        record = Record(**about["record"] | {"history": history})
        fitted = about.get("calibration", {})
        temperature = float(fitted.get("temperature", 1.0))
        guarantees = tuple(Guarantee(**one) for one in fitted.get("guarantees", ()))
        fitted_on = tuple(map(str, fitted.get("fitted_on", ())))
        if not 0 < temperature < float("inf"):
            raise ValueError(f"its temperature is {temperature}")
        net = network(plan, classes, seed=0)
        net.load_state_dict(load_file(path))
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, OSError, SafetensorError) as error:
        raise ModelError(
            f"{folder / 'model.json'} does not fit its weights ({error}): restore it from a copy or train again"
        ) from error
    return Learnt(
        net.eval(),
        plan,
        classes,
        record,
        temperature=temperature,
        guarantees=guarantees,
        fitted_on=fitted_on,
    )
