"""Which engine is the fastest that gives the same answer as the reference, tried on a tile of a real image."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from delineate.core import DelineateError
from delineate.inference.engines import ENGINES, Engine

TURNS = 3
MOST_CHANGED = 0.005  # share of the pixels that may change their class ...
MOST_APART = 0.005  # ... and by how much a probability, or an offset in object radii, may differ on average
WORTH_IT = 0.9  # of torch's time: an engine that gains less than a tenth is not worth another library

Answer = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Logits to (probabilities (n, classes, *spatial), everything else (n, more, *spatial))."""


@dataclass(frozen=True)
class Trial:
    """One engine beside the reference on one tile.

    seconds: per tile. changed: share of the pixels whose class is another. apart, furthest: mean and largest
    difference of a probability. else_apart: mean difference of the other outputs. failed: why it gave no answer.
    """

    engine: str
    seconds: float = float("inf")
    changed: float = 1.0
    apart: float = 1.0
    furthest: float = 1.0
    else_apart: float = 0.0
    failed: str = ""

    @property
    def agrees(self) -> bool:
        """Whether the engine answers as the reference does."""
        return (
            not self.failed
            and self.changed <= MOST_CHANGED
            and max(self.apart, self.else_apart) <= MOST_APART
        )

    def __str__(self) -> str:
        if self.failed:
            return f"{self.engine} gives no answer ({self.failed})"
        return (
            f"{self.engine}, {self.seconds * 1000:.0f} ms a tile: {self.changed:.3%} of the pixels change their class "
            f"against torch in float32, probabilities by {self.apart:.1g} on average and {self.furthest:.1g} at most"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def compared(
    engines: Mapping[str, Callable[[], Engine]],
    reference: Engine,
    tile: Tensor,
    *,
    answer: Answer,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[Trial, ...]:
    """Each engine tried on `tile` (n, channels, *spatial), in turns, so that all meet the same machine.

    engines: by name, each a function that opens it. answer: what is made of the logits.

    >>> import torch
    >>> double = lambda tile: torch.cat([tile, 2 * tile], dim=1)
    >>> both = lambda logits: (logits.softmax(1), logits[:, :0])
    >>> [trial] = compared({"torch": lambda: double}, double, torch.rand(1, 1, 4, 4), answer=both)
    >>> trial.agrees, trial.changed
    (True, 0.0)
    """
    true, true_else = answer(reference(tile))
    trials: dict[str, Trial] = {}
    running: dict[str, Engine] = {}
    for name, opener in engines.items():
        try:
            engine = opener()
            said, said_else = answer(engine(tile))
        except (DelineateError, RuntimeError, ValueError) as error:
            trials[name] = Trial(
                name, failed=str(error).splitlines()[0] if str(error) else type(error).__name__
            )
            continue
        difference = (said - true).abs()
        running[name] = engine
        trials[name] = Trial(
            name,
            changed=float((said.argmax(1) != true.argmax(1)).float().mean()),
            apart=float(difference.mean()),
            furthest=float(difference.max()),
            else_apart=float((said_else - true_else).abs().mean()) if true_else.numel() else 0.0,
        )
    times: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(TURNS):
        for name, engine in running.items():
            begun = clock()
            engine(tile)
            times[name].append(clock() - begun)
    return tuple(
        Trial(**(trial.to_json() | ({"seconds": min(times[name])} if name in times else {})))
        for name, trial in trials.items()
    )


def fastest(trials: Sequence[Trial]) -> Trial | None:
    """The fastest trial that agrees, torch unless another gains a tenth; None where none agrees.

    >>> one, other = Trial("torch", 1.0, 0, 0, 0), Trial("openvino", 0.5, 0, 0, 0)
    >>> fastest([one, other]).engine, fastest([one, Trial("openvino", 0.5, changed=0.2)]).engine
    ('openvino', 'torch')
    """
    agreeing = [trial for trial in trials if trial.agrees]
    if not agreeing:
        return None
    best = min(agreeing, key=lambda trial: (trial.seconds, list(ENGINES).index(trial.engine)))
    plain = [trial for trial in agreeing if trial.engine == "torch"]
    if plain and best.seconds > WORTH_IT * plain[0].seconds:
        return plain[0]
    return best
