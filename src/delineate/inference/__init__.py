"""From a network's answers to whole results: tiles with exact halo, separated objects."""

from delineate.inference.objects import separated
from delineate.inference.shifts import shift_averaged
from delineate.inference.tiles import tiled

__all__ = ["separated", "shift_averaged", "tiled"]
