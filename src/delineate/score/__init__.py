"""How good a segmentation is: (truth, predicted, spacing) -> numbers. NumPy and SciPy only, no torch.

`dice`, `iou` and `hausdorff` score one label of one image; `match_objects` scores object ids. `score_case` is
every score of one image, and a ScoreTable holds many, with means that never hide their counts. The package can
itself be called, as one of the six verbs: `delineate.score("outlined", "truth")` gives the ScoreTable of two folders.
"""

import importlib
import sys
from types import ModuleType
from typing import Any

from delineate.score.folders import score_folders
from delineate.score.interval import Intervals, intervals
from delineate.score.objects import ObjectScores, Unmatched, components, match_objects, pool_objects
from delineate.score.overlap import dice, iou
from delineate.score.registry import SCORES, Score
from delineate.score.summary import Summary, summarise
from delineate.score.surface import (
    SurfaceDistances,
    average_surface_distance,
    hausdorff,
    hausdorff95,
    surface_dice,
    surface_distances,
)
from delineate.score.table import CaseScores, Counts, Masks, ScoreTable, score_case

__all__ = [
    "SCORES",
    "CaseScores",
    "Counts",
    "Intervals",
    "Masks",
    "ObjectScores",
    "Score",
    "ScoreTable",
    "Summary",
    "SurfaceDistances",
    "Unmatched",
    "average_surface_distance",
    "components",
    "dice",
    "hausdorff",
    "hausdorff95",
    "intervals",
    "iou",
    "match_objects",
    "pool_objects",
    "score_case",
    "score_folders",
    "summarise",
    "surface_dice",
    "surface_distances",
]


class _Verb(ModuleType):
    """This package is a verb too. The verb writes a report, so it lives in `flow`, above: found when it is called."""

    def __call__(self, *arguments: Any, **options: Any) -> ScoreTable:
        table: ScoreTable = importlib.import_module("delineate.flow").score(*arguments, **options)
        return table


sys.modules[__name__].__class__ = _Verb
