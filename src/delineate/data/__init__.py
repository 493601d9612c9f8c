"""Files to cases and back: folders, mask conventions, integrity check, split, readers and writers.

Read `folders` (which file is what), `masks` (what its values mean), then `dataset.load`, which joins them.
"""

from delineate.data.annotators import Annotations, agreed, annotator_names, load_annotators
from delineate.data.check import Check, ClassShare, check
from delineate.data.consensus import Consensus, Staple, majority, staple
from delineate.data.dataset import DataSet, load
from delineate.data.folders import find_folder
from delineate.data.formats import (
    IMAGE_SUFFIXES,
    label_suffix,
    read_image,
    read_mask,
    write_image,
    write_labels,
)
from delineate.data.inputs import images
from delineate.data.inventory import ValueRange
from delineate.data.label_choice import LabelKind, offered
from delineate.data.labelled import Labelled, LabelledFile, LabelledSet, load_masks
from delineate.data.large import LargeImage, open_large
from delineate.data.matching import Entry
from delineate.data.picture import Picture
from delineate.data.problem import Problem
from delineate.data.reading import entry_image
from delineate.data.scribbles import Hand, pointed, scribbled
from delineate.data.simulated import Style, simulated, write_annotations
from delineate.data.split import split

__all__ = [
    "IMAGE_SUFFIXES",
    "Annotations",
    "Check",
    "ClassShare",
    "Consensus",
    "DataSet",
    "Entry",
    "Hand",
    "LabelKind",
    "Labelled",
    "LabelledFile",
    "LabelledSet",
    "LargeImage",
    "Picture",
    "Problem",
    "Staple",
    "Style",
    "ValueRange",
    "agreed",
    "annotator_names",
    "check",
    "entry_image",
    "find_folder",
    "images",
    "label_suffix",
    "load",
    "load_annotators",
    "load_masks",
    "majority",
    "offered",
    "open_large",
    "pointed",
    "read_image",
    "read_mask",
    "scribbled",
    "simulated",
    "split",
    "staple",
    "write_annotations",
    "write_image",
    "write_labels",
]
