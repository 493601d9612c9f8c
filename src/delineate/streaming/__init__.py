"""One image that does not fit into memory, from opening it to the file that a viewer shows. Read `outlining` first.

    begin or go on --tiles, here or on Dask--> a label store --finish--> OME-TIFF, OME-Zarr or NIfTI, and a picture

The store lies in OUT/.unfinished until it is complete; whatever happens, what was predicted is not predicted again.
"""

from delineate.streaming.outlining import middle_of, outline_large
from delineate.streaming.tiles import Streamed
from delineate.streaming.wishes import SUFFIXES, Wishes, streams

__all__ = ["SUFFIXES", "Streamed", "Wishes", "middle_of", "outline_large", "streams"]
