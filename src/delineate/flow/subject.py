"""What is audited: whatever was given (a folder, a file, a method, a module, somebody's masks) as one `Subject`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from delineate.core import Case, ClassTable, DataError, ModelError
from delineate.data.masks import MasksAre
from delineate.data.problem import listed
from delineate.flow.methods import goes_on, load

if TYPE_CHECKING:
    from delineate.audits import Subject


def opened(model: Any) -> Any:
    """The model at a path; the path itself where it is a folder without model.json: masks of some tool. What is no path, as it
    is; a torch module as a subject. What is assumed of it, `notes` of the subject tell."""
    if _is_module(model):
        from delineate.audits import subject_of_module

        return subject_of_module(model, name=type(model).__name__)
    if not isinstance(model, (str, Path)):
        return model
    path = Path(model)
    masks = path.is_dir() and not (path / "model.json").is_file() and not goes_on(path)
    return path if masks else load(path)


def subject_of(
    method: Any,
    model: Any,
    cases: Sequence[Case],
    classes: ClassTable,
    *,
    unlabelled: int | None,
    masks_are: MasksAre | None,
) -> Subject:
    """The subject that `opened` gave, or that is made of what it gave; somebody's masks are read for `cases`."""
    from delineate.audits import Subject, subject_of_method, subject_of_predictions

    if _is_module(model):
        from delineate.audits import subject_of_module

        return subject_of_module(model, white=_white(cases), name=type(model).__name__)
    if isinstance(method, Subject):
        return method
    if isinstance(method, Path):
        return subject_of_predictions(
            method, cases, classes=classes, unlabelled=unlabelled, masks_are=masks_are
        )
    if not (callable(getattr(method, "predict", None)) and hasattr(method, "classes")):
        raise ModelError(
            f"a {type(method).__name__} is no model: give a folder, an ONNX file, a fitted method, a torch module, or what "
            "`delineate.audits.subject_of_module` makes of one"
        )
    source = Path(model) if isinstance(model, (str, Path)) else None
    file = (
        method.path if getattr(method, "name", "") == "onnx" else source
    )  # of an exported folder, what is run
    return subject_of_method(method, name=_named(source), source=file)


def _is_module(model: Any) -> bool:
    from delineate.audits import Subject

    return callable(model) and not isinstance(model, Subject) and hasattr(model, "state_dict")


def _white(cases: Sequence[Case]) -> float:
    """What a module from elsewhere, of which nothing is said, sees as 1: the largest whole number of the images' type, or 1.

    Raises DataError where they are of several types that differ in it.
    """
    types = {case.image.dtype for case in cases}
    whites = {float(np.iinfo(one).max) if one.kind in "iu" else 1.0 for one in types}
    if len(whites) > 1:
        raise DataError(
            f"images are of types {listed(sorted(map(str, types)))}, and what the module sees as white is not known: convert "
            "them to one type, or say `white` to `delineate.audits.subject_of_module`"
        )
    return whites.pop() if whites else 255.0


def _named(source: Path | None) -> str:
    """What to call a model: its folder, or the folder around it where it is called model."""
    if source is None:
        return "the model"
    whole = source.resolve()
    return whole.parent.name if whole.name in ("model", "model.onnx") else whole.name
