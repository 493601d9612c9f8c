"""The sidecar of an ONNX file: what a graph cannot say of itself. Delineate's exports bring one; anybody can write one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from delineate.core import ModelError
from delineate.data.problem import counted
from delineate.inference.answers import OUTPUTS, Outputs, shown
from delineate.learn.normalisation import NORMALISATIONS, Normalisation, normalised

KINDS = ("type", "fixed", "percentiles", "zscore", "none")


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


FITS: dict[str, Callable[[Any], bool]] = {
    "a list": lambda value: isinstance(value, list),
    "true or false": lambda value: isinstance(value, bool),
    "a number": _number,
    "a number of 0 or more": lambda value: _number(value) and value >= 0,
    "a number above 0 (1 for none)": lambda value: _number(value) and value > 0,
    "a whole number of 0 or more": lambda value: _number(value) and value >= 0 and value % 1 == 0,
    "a whole number of 1 or more": lambda value: _number(value) and value >= 1 and value % 1 == 0,
}
"""What a value of a sidecar has to be, as it is said and as it is checked."""


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
    """The sidecar at `path`; raises ModelError where it cannot be read, or where a value is none that it can have."""

    def given(about: Mapping[str, Any], key: str, wanted: str, otherwise: Any) -> Any:
        value = about.get(key)
        if value is None:
            return otherwise
        if not FITS[wanted](value):
            raise ModelError(f"{path} gives {json.dumps(value)} as {key}: give {wanted}")
        return int(value) if wanted.startswith("a whole") else value

    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        classes, how = about.get("classes") or {}, about.get("normalisation") or {}
        objects = about.get("objects") or {}
        ends = about.get("outputs")
        if isinstance(ends, list):  # as Delineate describes its own
            ends = next((one["name"] for one in ends if one["name"] in OUTPUTS), None)
        kind = how.get("kind", "type")
        usual = NORMALISATIONS.get(kind, Normalisation(kind, math.nan, math.nan))  # "fixed" has no usual ones
        sidecar = Sidecar(
            names=tuple(map(str, given(classes, "names", "a list", ()))),
            colours=tuple((int(r), int(g), int(b)) for r, g, b in classes.get("colours", ())),
            inside=given(how, "inside", "true or false", False),
            kind=kind,
            low=given(how, "low", "a number", usual.low),
            high=given(how, "high", "a number", usual.high),
            halo=given(about, "halo", "a whole number of 0 or more", None),
            divisor=given(about, "divisor", "a whole number of 1 or more", None),
            any_size=given(about, "any_size", "true or false", False),
            radius_px=given(objects, "radius_px", "a number of 0 or more", 0.0),
            smallest_px=given(objects, "smallest_px", "a whole number of 0 or more", 0),
            temperature=given(about, "temperature", "a number above 0 (1 for none)", 1.0),
            outputs=ends,
        )
    except (OSError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} cannot be read ({error}): correct it, or export the model again") from error
    if kind not in KINDS:
        raise ModelError(f"{path} names the normalisation {kind}: choose from {', '.join(KINDS)}")
    scales = kind in ("fixed", "percentiles") and not sidecar.inside
    least, most = (0, 100) if kind == "percentiles" else (-math.inf, math.inf)
    if scales and not least <= sidecar.low < sidecar.high <= most:
        raise ModelError(
            f"{path} scales by {kind} from {sidecar.low} to {sidecar.high}: give a low below the high"
            f"{', both from 0 to 100' if kind == 'percentiles' else ''}"
        )
    if sidecar.names and len(sidecar.colours) not in (0, len(sidecar.names)):
        raise ModelError(
            f"{path} names {len(sidecar.names)} classes and {counted(len(sidecar.colours), 'colour')}: give each class one, "
            "or leave the colours out"
        )
    if sidecar.outputs not in (None, *OUTPUTS):
        raise ModelError(f"{path} names the outputs {sidecar.outputs}: choose from {', '.join(OUTPUTS)}")
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
