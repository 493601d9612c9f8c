"""From a network's answers to whole results: tiles with exact halo, separated objects."""

from delineate.predict.objects import separated
from delineate.predict.tiles import tiled

__all__ = ["separated", "tiled"]
