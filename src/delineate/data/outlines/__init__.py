"""Outlines drawn in other programs, as labels: QuPath's GeoJSON, COCO, labelme, ImageJ's regions.

`read_outlines` gives what each file says of each image, `whose` finds the images, `understand` the classes and what is said
of pixels without an outline; `Meaning.of` makes labels and object ids of a window. To add a format, write its reader in a
file of its own and name it in `reading`.
"""

from delineate.data.outlines.fill import covered, inside
from delineate.data.outlines.meaning import Meaning, Outside, understand
from delineate.data.outlines.outline import Drawn, Outline, ring
from delineate.data.outlines.reading import how_to_label, outlines_in, read_outlines, whose

__all__ = [
    "Drawn",
    "Meaning",
    "Outline",
    "Outside",
    "covered",
    "how_to_label",
    "inside",
    "outlines_in",
    "read_outlines",
    "ring",
    "understand",
    "whose",
]
