"""The sidecar of an ONNX file: what a graph cannot say of itself. Delineate's exports bring one; anybody can write one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from delineate.core import ModelError
from delineate.inference.answers import OUTPUTS, Outputs, shown
from delineate.learn.normalisation import Normalisation, normalised

KINDS = ("type", "fixed", "percentiles", "zscore", "none")


@dataclass(frozen=True)
class Sidecar:
    """What an ONNX file does not say of itself.

    names: of the classes (empty: numbered). inside: whether the graph normalises. kind, low, high: as in a plan, or
    "type" (unsigned integers are divided by the largest that their type can hold) or "none". halo, divisor: None where unknown.
    any_size: sizes need not be multiples of the divisor.
    outputs: what the scores are; None where unknown.
    radius_px, smallest_px: of objects, where offsets are given. temperature: that the graph divides its logits by.
    """

    names: tuple[str, ...] = ()
    colours: tuple[tuple[int, int, int], ...] = ()
    inside: bool = False
    kind: str = "type"
    low: float = 0.0
    high: float = 1.0
    halo: int | None = None
    divisor: int | None = None
    any_size: bool = False
    radius_px: float = 0.0
    smallest_px: int = 0
    temperature: float = 1.0
    outputs: Outputs | None = None

    @property
    def statistics(self) -> bool:
        """Whether the normalisation depends on the pixels of the array that is normalised."""
        return self.kind in ("percentiles", "zscore")


def read_sidecar(path: Path) -> Sidecar:
    """The sidecar at `path`; raises ModelError where it cannot be read."""
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        classes, how = about.get("classes") or {}, about.get("normalisation") or {}
        objects = about.get("objects") or {}
        ends = about.get("outputs")
        if isinstance(ends, list):  # as Delineate describes its own
            ends = next((one["name"] for one in ends if one["name"] in OUTPUTS), None)
        known = {key: how[key] for key in ("inside", "kind", "low", "high") if key in how}
        sidecar = Sidecar(
            names=tuple(map(str, classes.get("names", ()))),
            colours=tuple((int(r), int(g), int(b)) for r, g, b in classes.get("colours", ())),
            halo=None if about.get("halo") is None else int(about["halo"]),
            divisor=None if about.get("divisor") is None else int(about["divisor"]),
            any_size=bool(about.get("any_size", False)),
            radius_px=float(objects.get("radius_px", 0)),
            smallest_px=int(objects.get("smallest_px", 0)),
            temperature=float(about.get("temperature", 1.0)),
            outputs=ends,
            **known,
        )
    except (OSError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} cannot be read ({error}): correct it, or export the model again") from error
    if not 0 < sidecar.temperature < float("inf"):
        raise ModelError(
            f"{path} names the temperature {sidecar.temperature}: give a number above 0, 1 for none"
        )
    if sidecar.outputs not in (None, *OUTPUTS):
        raise ModelError(f"{path} names the outputs {sidecar.outputs}: choose from {', '.join(OUTPUTS)}")
    if sidecar.kind not in KINDS:
        raise ModelError(f"{path} names the normalisation {sidecar.kind}: choose from {', '.join(KINDS)}")
    return sidecar


def made_ready(image: NDArray[Any], sidecar: Sidecar) -> NDArray[np.float32]:
    """An image (*spatial, channels) as the graph of `sidecar` wants it: (channels, *spatial) float32.

    >>> made_ready(np.array([[[0], [255]]], np.uint8), Sidecar())
    array([[[0., 1.]]], dtype=float32)
    """
    channels: NDArray[np.float32] = np.moveaxis(image, -1, 0).astype(np.float32)
    if sidecar.inside or sidecar.kind == "none":
        return channels
    if sidecar.kind != "type":
        return normalised(image, Normalisation(sidecar.kind, sidecar.low, sidecar.high))
    if image.dtype.kind in "ub":
        channels /= 1 if image.dtype.kind == "b" else np.iinfo(image.dtype).max
    return channels


def black_white_noise(shape: tuple[int, ...], sidecar: Sidecar) -> list[NDArray[np.float32]]:
    """Three pictures (channels, *spatial) of that shape as the graph of `sidecar` wants them, to see what it answers with."""
    low, high = (sidecar.low, sidecar.high) if sidecar.kind == "fixed" else (0, 255)
    pictures = [np.moveaxis(low + (high - low) * one.numpy(), 0, -1) for one in shown(torch.zeros(shape))]
    kept = [one if sidecar.kind == "fixed" else np.rint(one).astype(np.uint8) for one in pictures]
    return [np.ascontiguousarray(made_ready(one, sidecar)) for one in kept]
