"""What methods with a few settings have in common: labels choose the settings, a JSON file keeps them.

A method says which settings there are to try and what each makes of an image; here is the rest of `core.Method`: the
search, the checks of what comes in, the model folder.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from delineate.core import (
    UNLABELLED,
    Case,
    ClassTable,
    DataError,
    ModelError,
    NotFittedError,
    check_pixels,
    made_folder,
    written_whole,
)
from delineate.data.grey import as_grey
from delineate.data.problem import counted

FORMAT, VERSION = "delineate-model", 2
Settings = TypeVar("Settings")


class Taught(ABC, Generic[Settings]):
    """A method that keeps a frozen dataclass of `settings`, chosen by the labels.

    A class of this family says `name` (in flow.METHODS), `record` (the type of its settings), how to `choose` them and
    what they make of an image (`likely`).
    """

    name: ClassVar[str]
    record: ClassVar[type]
    most_classes: ClassVar[int] = 2

    def __init__(self, classes: ClassTable | None = None) -> None:
        """Raises DataError for more classes than the method can tell apart."""
        self._given = classes
        self.classes = classes or ClassTable.numbered(2)
        self.settings: Settings | None = None
        if len(self.classes) > self.most_classes:
            raise DataError(
                f"{self.name} tells two classes apart but there are {len(self.classes)} "
                f"({', '.join(self.classes.names)}): train a U-Net or texture-forest instead, or merge classes"
            )

    @abstractmethod
    def choose(self, cases: Sequence[Case]) -> Settings:
        """The settings that suit the labelled pixels of `cases` best; each case has some."""

    @abstractmethod
    def likely(self, image: NDArray[Any], settings: Settings) -> NDArray[np.float32]:
        """Probabilities (classes, *spatial) for an image (*spatial, channels) that has been checked."""

    def fit(self, cases: Sequence[Case]) -> Self:
        """Choose the settings by the labelled cases; cases without labelled pixels are passed over.

        Raises DataError where no pixel is labelled, a label is no class, cases differ in channels, or pixels are NaN.
        """
        labelled = labelled_cases(cases)
        highest = max(int(known(case)[known(case) != UNLABELLED].max()) for case in labelled)
        if self._given is None and highest > 1 and self.most_classes > 2:
            self.classes = ClassTable.numbered(highest + 1)
        if highest >= len(self.classes):
            name = next(c.name for c in labelled if (known(c)[known(c) != UNLABELLED] == highest).any())
            raise DataError(
                f"labels of {name} hold class {highest} but {self.name} knows only 0 to {len(self.classes) - 1}: "
                "train a U-Net instead, or merge classes"
            )
        self.settings = self.choose(labelled)
        return self

    def predict(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """Probabilities (classes, *spatial) for an image (*spatial, channels).

        A constant image is background throughout. Raises NotFittedError before `fit`, ModelError where the image
        has other channels than those fitted on, DataError where it is no array of finite numbers.
        """
        settings = self.fitted()
        return self.likely(self.checked(image), settings)

    def checked(self, image: NDArray[Any]) -> NDArray[Any]:
        """The image (*spatial, channels) as the method takes it: of a grey one that is stored in colour, one channel where
        it was fitted on one. Raises ModelError where it does not fit, DataError where it is no array of finite numbers.
        """
        wanted = self.in_channels
        check_pixels(image)
        if wanted == 1 and image.ndim in (3, 4):
            image = as_grey(image)
        if image.ndim not in (3, 4) or image.shape[-1] != wanted or 0 in image.shape:
            raise ModelError(
                f"the image has shape {image.shape} but the model was fitted on {counted(wanted, 'channel')}: "
                "give (*spatial, channels) with as many"
            )
        check_finite(image, name="the image")
        return image

    @property
    @abstractmethod
    def in_channels(self) -> int:
        """How many channels an image must have."""

    def fitted(self) -> Settings:
        """The settings; raises NotFittedError before `fit`."""
        if self.settings is None:
            raise NotFittedError(
                f"this {self.name} has not been fitted: call fit(cases) first, or load a model"
            )
        return self.settings

    def save(self, folder: str | Path) -> Path:
        """Write `model.json` into `folder` (made if missing); returns the folder."""
        path = Path(folder)
        settings: Any = self.fitted()
        about = {
            "format": FORMAT,
            "version": VERSION,
            "method": self.name,
            "classes": asdict(self.classes),
            "settings": asdict(settings),
        }
        made_folder(path)
        with written_whole(path / "model.json") as beside:
            beside.write_text(json.dumps(about, indent=1))
        return path

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """The method that `save` wrote; raises ModelError where `model.json` is missing or damaged."""
        path = Path(folder) / "model.json"
        try:
            about = json.loads(path.read_text())
            if (about["format"], about["version"], about["method"]) != (FORMAT, VERSION, cls.name):
                raise ModelError(
                    f"{path} describes no {cls.name} model of version {VERSION}: load it with delineate.load, "
                    "or fit again"
                )
            names, colours = about["classes"]["names"], about["classes"]["colours"]
            method = cls(ClassTable(tuple(names), tuple((r, g, b) for r, g, b in colours)))
            method.settings = restored(cls.record, about["settings"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"{path} cannot be read ({error}): restore it from a copy or fit again"
            ) from error
        return method


def restored(kind: Any, value: Any) -> Any:
    """`value`, as JSON gives it, as a `kind`: bool, int, float, str, tuple[kind, ...] or a dataclass of these.

    Raises ValueError where it is something else; dataclasses check their ranges in __post_init__.

    >>> restored(tuple[int, ...], [1, 2]), restored(float, 3)
    ((1, 2), 3.0)
    """
    if isinstance(kind, type) and is_dataclass(kind):
        hints, names = get_type_hints(kind), {field.name for field in fields(kind)}
        if not isinstance(value, dict) or set(value) != names:
            raise ValueError(f"{kind.__name__} has {', '.join(sorted(names))}")
        return kind(**{name: restored(hints[name], value[name]) for name in names})
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{value} is no list")
        return tuple(restored(get_args(kind)[0], item) for item in value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind or (kind is float and not np.isfinite(value)):
        raise ValueError(f"{value} is no {kind.__name__}")
    return value


def labelled_cases(cases: Sequence[Case]) -> list[Case]:
    """The cases with a labelled pixel, with one channel where all are grey pictures, however they are stored.

    Raises DataError where there is none, or where they do not fit together.
    """
    labelled = [case for case in cases if case.labels is not None and (case.labels != UNLABELLED).any()]
    if not labelled:
        raise DataError(
            f"none of {len(cases)} cases has a labelled pixel: label some, a few scribbles will do"
        )
    grey = [replace(case, image=as_grey(case.image)) for case in labelled]
    if all(case.channels == 1 for case in grey):
        labelled = grey
    for case in labelled:
        if case.channels != labelled[0].channels:
            raise DataError(
                f"image {case.name} has {case.channels} channels but {labelled[0].name} has "
                f"{labelled[0].channels}: convert them to one kind"
            )
        check_finite(case.image, name=f"image {case.name}")
    return labelled


def known(case: Case) -> NDArray[np.uint8]:
    """The labels of a case that has some."""
    if case.labels is None:
        raise DataError(f"{case.name} has no labels: pass over it")
    return case.labels


def check_finite(image: NDArray[Any], *, name: str) -> None:
    """Raise DataError where pixels of an image (*spatial, channels) are NaN or infinite."""
    if not (good := np.isfinite(image)).all():
        bad = int(np.count_nonzero(~good.all(-1)))
        raise DataError(
            f"{name} has {bad} pixels that are NaN or infinite: replace them, for example by the median"
        )


def spread(cases: Sequence[Case], *, most_px: float) -> list[Case]:
    """Some of the cases, evenly over their order, with about `most_px` pixels together; at least one.

    >>> cases = [Case(str(i), np.zeros((10, 10, 1))) for i in range(8)]
    >>> [case.name for case in spread(cases, most_px=400)]
    ['0', '2', '4', '6']
    """
    total = sum(int(np.prod(case.spatial)) for case in cases)
    count = max(1, min(len(cases), int(len(cases) * most_px / total)))
    return [cases[i * len(cases) // count] for i in range(count)]


def overlap(truth: NDArray[np.uint8], mask: NDArray[np.bool_], *, label: int = 1) -> float:
    """Dice of a mask with one label over the labelled pixels; nan where neither holds any."""
    there = truth == label
    size = np.count_nonzero(there) + np.count_nonzero(mask & (truth != UNLABELLED))
    return 2 * np.count_nonzero(there & mask) / size if size else float("nan")


def mean_defined(values: Iterable[float]) -> float:
    """Mean of the values that are not nan; 0 where there is none."""
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else 0.0


def one_hot(labels: NDArray[np.integer[Any]], classes: int) -> NDArray[np.float32]:
    """Probabilities (classes, *spatial) of 0 and 1, of a method that knows no doubt."""
    return np.stack([labels == label for label in range(classes)]).astype(np.float32)
