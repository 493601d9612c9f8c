"""The whole pipeline: label, check, train, predict, score, compare, audit, export, demo. Read this first.

    files --data.load--> cases --learn or classical--> a method --predict--> masks --score--> numbers --report--> a page

Every verb takes paths (or cases) and says what it understood through `tell`; long work reports through `watch` or
`progress`. None of them prints. Each file here is one stage or an idea within it; what is imported inside a function is
heavy and not always needed: scoring loads no torch.
"""

from delineate.data import check
from delineate.flow.auditing import audit
from delineate.flow.budgeting import budget
from delineate.flow.calibrating import calibrate
from delineate.flow.comparing import compare
from delineate.flow.exporting import export, quantise
from delineate.flow.masking import masks
from delineate.flow.methods import METHODS, load
from delineate.flow.outlining import predict
from delineate.flow.reseeding import reseeded
from delineate.flow.scoring import score, score_several
from delineate.flow.scribbling import scribble
from delineate.flow.showing import demo, features
from delineate.flow.suggesting import suggest
from delineate.flow.teaching import is_first, train

__all__ = [
    "METHODS",
    "audit",
    "budget",
    "calibrate",
    "check",
    "compare",
    "demo",
    "export",
    "features",
    "is_first",
    "load",
    "masks",
    "predict",
    "quantise",
    "reseeded",
    "score",
    "score_several",
    "scribble",
    "suggest",
    "train",
]
