"""What a training will do, item by item with its reason, and what of it the user fixes; `model.json` keeps it.

How it is decided is in `planning`.
"""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from typing import Any

from delineate.data.augment import Augmentation
from delineate.learn.normalisation import Normalisation
from delineate.learn.weak import Weak


@dataclass(frozen=True)
class Overrides:
    """Items of the plan that the user fixes; None leaves the choice to the plan."""

    patch: int | None = None
    batch: int | None = None
    width: int | None = None
    levels: int | None = None
    shuffle: int | None = None
    down: str | None = None
    up: str | None = None
    dims: int | None = None
    normalisation: str | None = None
    augmentation: str | None = None
    precision: str | None = None
    learning_rate: float | None = None
    objects: bool | None = None
    robust: tuple[str, ...] | None = None
    adversarial: float | None = None
    equivariant: bool | None = None
    annotators: str | None = None
    weak: bool | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that shapes a model, and `reasons`: item -> one sentence.

    adversarial: by how many intensities of the files crops are perturbed, 0 for not at all.
    """

    dims: int
    channels: int
    grey: bool
    objects: bool
    patch: tuple[int, ...]
    batch: int
    width: int
    levels: int
    shuffle: int
    down: str
    up: str
    normalisation: Normalisation
    augmentation: Augmentation
    precision: str
    learning_rate: float
    smallest_object_px: int
    object_radius_px: float
    adversarial: float = 0.0
    equivariant: bool = False
    annotators: str = "one"
    weak: Weak | None = None
    reasons: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values for `model.json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Plan:
        """The plan that `to_json` gave, now or before an item with a default was there; raises KeyError or TypeError where
        others are missing."""
        known = {
            f.name: values[f.name]
            for f in fields(cls)
            if f.name in values or (f.default is MISSING and f.default_factory is MISSING)
        }
        weak = values.get("weak")  # models of earlier versions had more parts than these
        known["weak"] = (
            Weak(**{f.name: weak[f.name] for f in fields(Weak) if f.name in weak}) if weak else None
        )
        known["patch"] = tuple(known["patch"])
        known["normalisation"] = Normalisation(**known["normalisation"])
        known["augmentation"] = Augmentation(**known["augmentation"])
        known["augmentation"] = replace(known["augmentation"], robust=tuple(known["augmentation"].robust))
        return cls(**known)

    @property
    def robust(self) -> tuple[str, ...]:
        """The families of acquisition conditions that crops are put under."""
        return self.augmentation.robust

    @property
    def takes_colour(self) -> bool:
        """Whether a network of one channel is shown colour images, by the dye that they hold."""
        return self.channels == 1 and "stain" in self.robust
