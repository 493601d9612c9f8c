"""Every method by name, and how it is brought back from its folder."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from delineate import data as files
from delineate.core import UNLABELLED, Case, ClassTable, DataError, ModelError
from delineate.data import DataSet
from delineate.data.label_choice import LabelKind
from delineate.data.masks import MasksAre
from delineate.data.sparse import barely_labelled

Tell = Callable[[str], None]
Progress = Callable[[int, int], None]

METHODS: dict[str, str] = {
    "unet": "delineate.learn:UNetMethod",
    "otsu": "delineate.classical:Otsu",
    "multi-otsu": "delineate.classical:MultiOtsu",
    "li": "delineate.classical:Li",
    "triangle": "delineate.classical:Triangle",
    "local-mean": "delineate.classical:LocalMean",
    "sauvola": "delineate.classical:Sauvola",
    "hysteresis": "delineate.classical:Hysteresis",
    "watershed": "delineate.classical:Watershed",
    "snake": "delineate.classical:Snake",
    "chan-vese": "delineate.classical:ChanVese",
    "geodesic": "delineate.classical:Geodesic",
    "texture-forest": "delineate.classical:TextureForest",
    "texture-boosting": "delineate.classical:TextureBoosting",
    "random-walker": "delineate.classical:RandomWalker",
}
"""Every method by name, as module:class, so that a threshold does not load a deep-learning library."""


def load(folder: str | Path, *, tell: Tell | None = None) -> Any:
    """The trained method in a model folder, or in an ONNX file of any origin (what is assumed of it goes to `tell`).

    Raises ModelError where a file is missing, damaged or exchanged, or an ONNX file is not understood.

    >>> import tempfile
    >>> from delineate.data.samples import coins
    >>> from delineate import train
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     _ = train(coins()[0], out=Path(scratch) / "model", method="otsu")
    ...     load(Path(scratch) / "model").name
    'otsu'
    """
    path = Path(folder)
    if path.suffix == ".onnx" and path.is_file():
        return _onnx(path, tell)
    if not path.is_dir():
        raise ModelError(
            f"there is no model folder {path}: check its name, or train one with `delineate train`"
        )
    try:
        about = json.loads((path / "model.json").read_text())
        if about.get("format") == "delineate-export" and (path / "model.onnx").is_file():
            return _onnx(path / "model.onnx", tell)
        name = about["method"]
    except FileNotFoundError as error:
        from delineate.learn.checkpoint import no_model

        raise ModelError(no_model(path)) from error
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise ModelError(
            f"{path / 'model.json'} cannot be read ({error}): restore it from a copy or train again"
        ) from error
    if name not in METHODS:
        raise ModelError(f"{path} holds a model of the unknown method {name}: update Delineate")
    method = method_named(name).load(path)
    learnt = getattr(method, "learnt", None)
    if tell and learnt is not None and (said := unfinished(learnt)):
        tell(f"{path}: {said}" + ("; train --resume goes on with it" if goes_on(path) else ""))
    return method


def unfinished(learnt: Any) -> str:
    """What to say of a model that was saved on the way of a training which never came to its end; "" of others."""
    if not learnt.record.data.get("unfinished"):
        return ""
    return f"its training was interrupted after step {learnt.record.steps}, and this is how far it had come"


def method_named(name: str) -> Any:
    """The class of a method; raises DataError for a name that is none."""
    if name not in METHODS:
        raise DataError(f"there is no method {name}: choose from {', '.join(METHODS)}")
    module, attribute = METHODS[name].split(":")
    return getattr(importlib.import_module(module), attribute)


def data_set(
    data: str | Path | DataSet | Sequence[Case],
    *,
    unlabelled: int | None,
    masks_are: MasksAre | None,
    labels: LabelKind | None = None,
    all_images: bool | None = None,
    classes: ClassTable | None = None,
) -> DataSet:
    """The data set in a folder, or that of cases.

    classes: those of a trained model, which masks in files are read for; None: as masks have them, and of cases numbered
    as far as their labels go.
    """
    if isinstance(data, DataSet):
        return data
    if isinstance(data, (str, Path)):
        return files.load(
            data,
            labels=labels,
            all_images=all_images,
            unlabelled=unlabelled,
            masks_are=masks_are,
            classes=classes,
        )
    if isinstance(data, Case):
        raise DataError("there is a single case where a list of them belongs: give [case]")
    data = tuple(data)
    seen = [
        int(case.labels[case.labels != UNLABELLED].max(initial=1)) for case in data if case.labels is not None
    ]
    said = tuple(case for case in data if case.labels is not None)
    bare = tuple(case for case in data if case.labels is None)
    table = classes or ClassTable.numbered(max([1, *seen]) + 1)
    return DataSet(said, (), table, (), {}, unlabelled=bare)


def finished(folder: Path) -> bool:
    """Whether a network was trained to the end in this folder: its model is there, and it was not saved on the way."""
    try:
        about = json.loads((folder / "model.json").read_text())
        return not goes_on(folder) and not about["record"]["data"].get("unfinished")
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # `load` will say what is wrong
        return not goes_on(folder)


def goes_on(folder: Path) -> bool:
    """Whether there is a training in the folder that can be gone on with."""
    from delineate.learn.checkpoint import NAME

    return (folder / NAME).exists()


def to_judge_on(cases: Sequence[Case], *, tell: Tell) -> list[Case]:
    """The cases with full masks: scores on strokes are none, for strokes keep away from the borders.

    Raises DataError where there is no labelled case, and where all that are labelled have strokes.
    """
    labelled = [case for case in cases if case.labels is not None]
    if not labelled:
        raise DataError("there is no labelled image to judge on: label a second one, or give --val")
    full = [case for case in labelled if not barely_labelled(case)]
    if not full:
        raise DataError(
            "every image to judge on is labelled on less than half of its pixels, and scores on strokes tell nothing of "
            "borders: give images with full masks, with --val"
        )
    if others := len(labelled) - len(full):
        tell(
            f"{others} of {len(labelled)} images to judge on are labelled on less than half of their pixels and left out"
        )
    return full


def saved(method: Any, folder: Path) -> Any:
    """The method, once it is in its folder."""
    method.save(folder)
    return method


def _onnx(path: Path, tell: Tell | None) -> Any:
    from delineate.learn.foreign import OnnxModel

    return OnnxModel(path, tell=tell)
