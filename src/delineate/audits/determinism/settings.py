"""What a user may change about the audit of determinism."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DeterminismSettings:
    """cases: how many are asked. tile_px: pixels per axis that tiles keep. threads, batch: other numbers of these.

    engines: of `delineate.inference.engines.ENGINES`, tried where they are installed; "compiled" takes half a minute more, and
    is asked for in Python alone.
    """

    cases: int = 3
    tile_px: tuple[int, ...] = (64, 97)
    threads: int = 3
    batch: int = 3
    engines: tuple[str, ...] = ("openvino", "onnxruntime")


DEFAULTS = DeterminismSettings()
