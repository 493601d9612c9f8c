"""The U-Net as a method like any other: fit, predict, save, load."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from delineate.core import Case, ClassTable, ModelError, NotFittedError
from delineate.inference import separated
from delineate.inference.objects import sure
from delineate.learn.answer import answered
from delineate.learn.learnt import Learnt, loaded, saved
from delineate.learn.plan import Overrides, planned
from delineate.learn.prepare import pieces
from delineate.learn.training import Training
from delineate.objects import numbered, split

SIGMA = 0.15  # how far votes for the middle of an object are smoothed, in radii of the typical object


class UNetMethod:
    """Learns from cases with a U-Net; see `Training` to watch it at work.

    classes: None takes as many numbered classes as the labels hold. minutes or steps bound the training (10
    minutes where neither is given).
    """

    name = "unet"

    def __init__(
        self,
        classes: ClassTable | None = None,
        *,
        minutes: float | None = None,
        steps: int | None = None,
        seed: int = 0,
        overrides: Overrides | None = None,
    ) -> None:
        self.minutes = 10.0 if minutes is None and steps is None else minutes
        self.steps, self.seed, self.overrides = steps, seed, overrides
        self.learnt: Learnt | None = None
        self._classes = classes

    def fit(self, cases: Sequence[Case]) -> Self:
        """Learn from `cases`; raises DataError where they cannot be learnt from."""
        plan = planned(cases, minutes=self.minutes, overrides=self.overrides)
        classes = self._classes or ClassTable.numbered(_highest(cases) + 1)
        training = Training(
            cases, classes=classes, plan=plan, minutes=self.minutes, steps=self.steps, seed=self.seed
        )
        for _ in training:
            pass
        self.learnt = training.learnt
        return self

    @property
    def classes(self) -> ClassTable:
        """The classes that the model tells apart."""
        return self._fitted().classes

    def predict(
        self, image: NDArray[Any], *, flips: bool = False, tile: int | None = None
    ) -> NDArray[np.float32]:
        """Probabilities (classes, *spatial) float32 for an image (*spatial, channels).

        flips: average over mirrored images. tile: pixels per axis that a tile keeps; changes nothing but memory.
        """
        learnt = self._fitted()
        return answered(learnt, image, flips=flips, tile=tile)[: len(learnt.classes)]

    def outline(
        self, image: NDArray[Any], *, flips: bool = False, tile: int | None = None, watershed: bool = False
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Probabilities (classes, *spatial) and object ids (*spatial), 0 for none.

        An object is of one class. A model that did not learn objects tells connected pieces of a class apart; with
        `watershed` they are split at their necks as well (`delineate.objects.split`). ModelError where it did learn.
        """
        learnt = self._fitted()
        answer = answered(learnt, image, flips=flips, tile=tile)
        probabilities, offsets = answer[: len(learnt.classes)], answer[len(learnt.classes) :]
        labels = probabilities.argmax(0)
        smallest = learnt.plan.smallest_object_px
        if learnt.plan.dims == 2 and labels.ndim == 3:  # the size is that of an object in one slice
            smallest = 0
        if len(offsets) and watershed:
            raise ModelError("this model has learnt to keep objects apart: leave the watershed out")
        if not len(offsets) and not watershed:
            return probabilities, numbered(pieces(labels), smallest_px=smallest)
        sigma_px = SIGMA * learnt.plan.object_radius_px
        ids = np.zeros(labels.shape, np.int32)
        for label in range(1, len(learnt.classes)):
            if watershed:
                found = split(labels == label, smallest_px=smallest)
            else:
                found = separated(labels == label, offsets, sigma_px=sigma_px, smallest_px=smallest)
                found = sure(found, probabilities[label])
            ids = np.where(found > 0, found + ids.max(), ids)
        return probabilities, ids

    def save(self, folder: str | Path) -> Path:
        """Write `model.json` and `weights.safetensors` into `folder`."""
        return saved(self._fitted(), Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> UNetMethod:
        """The method that `save` wrote; raises ModelError where a file is missing or damaged."""
        learnt = loaded(Path(folder))
        return cls.of(learnt)

    @classmethod
    def of(cls, learnt: Learnt) -> UNetMethod:
        """The method around a finished training."""
        method = cls(learnt.classes, steps=max(learnt.record.steps, 1), seed=learnt.record.seed)
        method.learnt = learnt
        return method

    def _fitted(self) -> Learnt:
        if self.learnt is None:
            raise NotFittedError("this U-Net has not been fitted: call fit(cases) first, or load a model")
        return self.learnt


def _highest(cases: Sequence[Case]) -> int:
    """The highest class index in the labels, at least 1."""
    labels = [case.labels[case.labels != 255] for case in cases if case.labels is not None]
    return max([1, *(int(values.max()) for values in labels if values.size)])
