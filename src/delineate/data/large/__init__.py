"""Images that need not fit into memory: read window by window, at several resolutions, from the files people have.

`open_large` gives a `LargeImage`, whatever the container. To add one, write a function from path to `LargeImage` in a
file of its own and name it in OPENERS.
"""

from delineate.data.large.box import Box, box_of
from delineate.data.large.image import LargeImage
from delineate.data.large.opening import LARGE_SUFFIXES, OPENERS, is_large_kind, large_suffix_of, open_large

__all__ = [
    "LARGE_SUFFIXES",
    "OPENERS",
    "Box",
    "LargeImage",
    "box_of",
    "is_large_kind",
    "large_suffix_of",
    "open_large",
]
