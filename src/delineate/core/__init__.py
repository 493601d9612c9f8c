"""What flows through Delineate: cases, class tables, the method protocol, errors. NumPy only."""

from delineate.core.case import UNLABELLED, Case, check_pixels
from delineate.core.classes import ClassTable
from delineate.core.errors import (
    DataError,
    DelineateError,
    ModelError,
    NotFittedError,
    OutputError,
    TrainingError,
)
from delineate.core.likely import foreground, labels_of, tempered
from delineate.core.memory import available_bytes, keep_big_blocks, release_freed
from delineate.core.method import Method
from delineate.core.output import (
    folder_to_fill,
    linked,
    made_folder,
    new_folder,
    whole_folder,
    written_whole,
)
from delineate.core.overlap import Behind, ahead
from delineate.core.seeds import checked_seed

__all__ = [
    "UNLABELLED",
    "Behind",
    "Case",
    "ClassTable",
    "DataError",
    "DelineateError",
    "Method",
    "ModelError",
    "NotFittedError",
    "OutputError",
    "TrainingError",
    "ahead",
    "available_bytes",
    "check_pixels",
    "checked_seed",
    "folder_to_fill",
    "foreground",
    "keep_big_blocks",
    "labels_of",
    "linked",
    "made_folder",
    "new_folder",
    "release_freed",
    "tempered",
    "whole_folder",
    "written_whole",
]
