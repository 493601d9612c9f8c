"""How good a segmentation is: (truth, predicted, spacing) -> numbers. NumPy and SciPy only, no torch.

`dice`, `iou` and `hausdorff` score one label of one image; `match_objects` scores object ids. `score_case` is
every score of one image, and a ScoreTable holds many, with means that never hide their counts. The package can
itself be called, as a verb: `delineate.score("outlined", "truth")` gives the ScoreTable of two folders.
"""

import importlib
import sys
from types import ModuleType
from typing import Any

from delineate.score.expected import expected_dice
from delineate.score.folders import score_folders
from delineate.score.guarantee import check_alpha, least_alpha, missed_foreground, risk_controlled_threshold
from delineate.score.interval import Intervals, difference_interval, intervals
from delineate.score.matching import components, match_objects
from delineate.score.objects import (
    AP_AT,
    OBJECT_SCORES,
    ObjectScore,
    ObjectScores,
    Side,
    SizeClass,
    Unmatched,
    pool_objects,
)
from delineate.score.overlap import (
    Counts,
    counted,
    dice,
    iou,
    mean_dice,
    precision,
    recall,
    specificity,
    volume_difference,
)
from delineate.score.paired import Paired, holm, paired
from delineate.score.partition import Partition
from delineate.score.probabilities import (
    Calibration,
    border_band,
    brier,
    calibration,
    expected_calibration_error,
    pool_calibrations,
)
from delineate.score.registry import MORE_SCORES, SCORES, Score, scores_asked, surface_dice_at
from delineate.score.shape import boundary_iou, centre_line_dice
from delineate.score.subgroups import Subgroup, subgroups
from delineate.score.summary import Summary, summarise
from delineate.score.surface import (
    SurfaceDistances,
    average_surface_distance,
    hausdorff,
    hausdorff95,
    surface_dice,
    surface_distances,
)
from delineate.score.table import CaseScores, Masks, ScoreTable, score_case
from delineate.score.temperature import Temperature, fitted_temperature, judged_temperature

__all__ = [
    "AP_AT",
    "MORE_SCORES",
    "OBJECT_SCORES",
    "SCORES",
    "Calibration",
    "CaseScores",
    "Counts",
    "Intervals",
    "Masks",
    "ObjectScore",
    "ObjectScores",
    "Paired",
    "Partition",
    "Score",
    "ScoreTable",
    "Side",
    "SizeClass",
    "Subgroup",
    "Summary",
    "SurfaceDistances",
    "Temperature",
    "Unmatched",
    "average_surface_distance",
    "border_band",
    "boundary_iou",
    "brier",
    "calibration",
    "centre_line_dice",
    "check_alpha",
    "components",
    "counted",
    "dice",
    "difference_interval",
    "expected_calibration_error",
    "expected_dice",
    "fitted_temperature",
    "hausdorff",
    "hausdorff95",
    "holm",
    "intervals",
    "iou",
    "judged_temperature",
    "least_alpha",
    "match_objects",
    "mean_dice",
    "missed_foreground",
    "paired",
    "pool_calibrations",
    "pool_objects",
    "precision",
    "recall",
    "risk_controlled_threshold",
    "score_case",
    "score_folders",
    "scores_asked",
    "specificity",
    "subgroups",
    "summarise",
    "surface_dice",
    "surface_dice_at",
    "surface_distances",
    "volume_difference",
]


class _Verb(ModuleType):
    """This package is a verb too. The verb writes a report, so it lives in `flow`, above: found when it is called."""

    def __call__(self, *arguments: Any, **options: Any) -> ScoreTable:
        table: ScoreTable = importlib.import_module("delineate.flow").score(*arguments, **options)
        return table


sys.modules[__name__].__class__ = _Verb
