"""Semantic segmentation that people can trust: teach, outline, score.

    import delineate
    method = delineate.train("my_data", minutes=10)
    probabilities = method.predict(image)

The verbs are `check`, `train`, `predict`, `score`, `compare` and `demo`; `load` brings a trained model back, `export` takes
it elsewhere, `quantise` makes it faster and `calibrate` makes its probabilities come true. The parts
(`delineate.nets`, `delineate.losses`, `delineate.score`, ...) can be used alone. Names are looked up when they
are first used, so `import delineate` is instant and loads no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from delineate import audit, classical, core, data, inference, learn, losses, nets, objects, report
    from delineate import score as score
    from delineate.core import UNLABELLED, Case, ClassTable, DelineateError
    from delineate.flow import (
        calibrate,
        check,
        compare,
        demo,
        export,
        features,
        load,
        predict,
        quantise,
        score_several,
        train,
    )

__version__ = "0.1.0"

_VERBS = (
    "calibrate",
    "check",
    "compare",
    "demo",
    "export",
    "features",
    "load",
    "predict",
    "quantise",
    "score_several",
    "train",
)
_CORE = ("UNLABELLED", "Case", "ClassTable", "DelineateError")
_PACKAGES = (
    "audit",
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
)

__all__ = [
    "UNLABELLED",
    "Case",
    "ClassTable",
    "DelineateError",
    "audit",
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
    "nets",
    "objects",
    "predict",
    "quantise",
    "report",
    "score",
    "score_several",
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
