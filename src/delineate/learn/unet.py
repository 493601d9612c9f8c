"""The U-Net as a method like any other: fit, predict, save, load."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from delineate.core import Case, ClassTable, NotFittedError
from delineate.learn.answer import answered, ready
from delineate.learn.engine import chosen, engine_of, memory
from delineate.learn.int8 import NAME, opened_int8
from delineate.learn.learnt import Learnt, loaded, saved
from delineate.learn.objects import identified
from delineate.learn.plan import Overrides
from delineate.learn.planning import planned
from delineate.learn.training import Training


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
        self.folder: Path | None = None  # where it was loaded from
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
        return self.fitted().classes

    def predict(
        self, image: NDArray[Any], *, flips: bool = False, shifts: int = 1, tile: int | None = None
    ) -> NDArray[np.float32]:
        """Probabilities (classes, *spatial) float32 for an image (*spatial, channels).

        flips: average over mirrored images. shifts: average over so many shifted copies. tile: pixels per axis that a tile
        keeps; changes nothing but memory.
        """
        learnt = self.fitted()
        return answered(learnt, image, flips=flips, shifts=shifts, tile=tile)[: len(learnt.classes)]

    def outline(
        self,
        image: NDArray[Any],
        *,
        flips: bool = False,
        shifts: int = 1,
        tile: int | None = None,
        watershed: bool = False,
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Probabilities (classes, *spatial) and object ids (*spatial), 0 for none.

        An object is of one class. A model that did not learn objects tells connected pieces of a class apart; with
        `watershed` they are split at their necks as well (`delineate.objects.split`). ModelError where it did learn.
        """
        learnt = self.fitted()
        answer = answered(learnt, image, flips=flips, shifts=shifts, tile=tile)
        probabilities = answer[: len(learnt.classes)]
        labels = probabilities.argmax(0)
        return probabilities, identified(learnt, answer, labels, watershed=watershed)

    def use_engine(
        self,
        name: str | None = None,
        *,
        image: NDArray[Any] | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> str:
        """Predict with this engine from now on; returns its name.

        None: the fastest that agrees with torch in float32 on a tile of `image` (*spatial, channels); see
        `delineate.learn.engine`. "int8" has to be made before; see `delineate.learn.int8`.
        Raises ModelError for an engine that is unknown or whose library is missing.
        """
        learnt = self.fitted()
        if name is None and image is not None:
            found = chosen(learnt, ready(learnt.plan, image), tell=tell)
            name, engine = found.name, found.engine
        elif name == NAME:
            engine, cost = opened_int8(learnt, self.folder)
            if tell:
                tell(str(cost))
        else:
            name = name or "torch"
            engine = engine_of(learnt, name, keep=memory(learnt))
        self.learnt = replace(learnt, engine=engine)
        return name

    def save(self, folder: str | Path) -> Path:
        """Write `model.json` and `weights.safetensors` into `folder`."""
        return saved(self.fitted(), Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> UNetMethod:
        """The method that `save` wrote; raises ModelError where a file is missing or damaged."""
        method = cls.of(loaded(Path(folder)))
        method.folder = Path(folder)
        return method

    @classmethod
    def of(cls, learnt: Learnt) -> UNetMethod:
        """The method around a finished training."""
        method = cls(learnt.classes, steps=max(learnt.record.steps, 1), seed=learnt.record.seed)
        method.learnt = learnt
        return method

    def fitted(self) -> Learnt:
        if self.learnt is None:
            raise NotFittedError("this U-Net has not been fitted: call fit(cases) first, or load a model")
        return self.learnt


def _highest(cases: Sequence[Case]) -> int:
    """The highest class index in the labels, at least 1."""
    labels = [case.labels[case.labels != 255] for case in cases if case.labels is not None]
    return max([1, *(int(values.max()) for values in labels if values.size)])
