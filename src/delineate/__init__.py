"""Semantic segmentation that people can trust: teach, outline, score.

    import delineate
    method = delineate.train("my_data", minutes=10)
    probabilities = method.predict(image)

The verbs are `check`, `train`, `predict`, `score`, `compare` and `demo`; `load` brings a trained model back, `export` takes
it elsewhere, `quantise` makes it faster, `calibrate` makes its probabilities come true and `audit` says how far it can be
trusted; `masks`, `scribble`, `budget` and `suggest` are about labels. The parts
(`delineate.nets`, `delineate.losses`, `delineate.score`, ...) can be used alone. Names are looked up when they
are first used, so `import delineate` is instant and loads no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from delineate import (
        audits,
        classical,
        core,
        data,
        inference,
        learn,
        losses,
        nets,
        objects,
        report,
        studio,
    )
    from delineate import score as score
    from delineate.core import UNLABELLED, Case, ClassTable, DelineateError
    from delineate.flow import (
        audit,
        budget,
        calibrate,
        check,
        compare,
        demo,
        export,
        features,
        load,
        masks,
        predict,
        quantise,
        score_several,
        scribble,
        suggest,
        train,
    )

__version__ = "0.1.0"

_VERBS = (
    "audit",
    "budget",
    "calibrate",
    "check",
    "compare",
    "demo",
    "export",
    "features",
    "load",
    "masks",
    "predict",
    "quantise",
    "score_several",
    "scribble",
    "suggest",
    "train",
)
_CORE = ("UNLABELLED", "Case", "ClassTable", "DelineateError")
_PACKAGES = (
    "audits",
    "classical",
    "core",
    "data",
    "inference",
    "learn",
    "losses",
    "nets",
    "objects",
    "report",
    "score",
    "studio",
)

__all__ = [
    "UNLABELLED",
    "Case",
    "ClassTable",
    "DelineateError",
    "audit",
    "audits",
    "budget",
    "calibrate",
    "check",
    "classical",
    "compare",
    "core",
    "data",
    "demo",
    "export",
    "features",
    "inference",
    "learn",
    "load",
    "losses",
    "masks",
    "nets",
    "objects",
    "predict",
    "quantise",
    "report",
    "score",
    "score_several",
    "scribble",
    "studio",
    "suggest",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _VERBS:
        return getattr(importlib.import_module("delineate.flow"), name)
    if name in _CORE:
        return getattr(importlib.import_module("delineate.core"), name)
    if name in _PACKAGES:
        return importlib.import_module(f"delineate.{name}")
    raise AttributeError(f"module 'delineate' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, "__version__"})
