"""The old ways: fast, without training, brittle. Sometimes they are all you need."""

from delineate.classical.contour_methods import ChanVese, Geodesic, Snake
from delineate.classical.contours import chan_vese, geodesic, snake, start_at_points, start_in_boxes
from delineate.classical.cooccurrence import quantised, texture_maps
from delineate.classical.forest import TextureBoosting, TextureForest
from delineate.classical.levels import MultiOtsu
from delineate.classical.look import Look
from delineate.classical.threshold import (
    Hysteresis,
    Li,
    LocalMean,
    Otsu,
    Sauvola,
    Threshold,
    Triangle,
)
from delineate.classical.walker import RandomWalker, walked
from delineate.classical.watershed import Watershed

__all__ = [
    "ChanVese",
    "Geodesic",
    "Hysteresis",
    "Li",
    "LocalMean",
    "Look",
    "MultiOtsu",
    "Otsu",
    "RandomWalker",
    "Sauvola",
    "Snake",
    "TextureBoosting",
    "TextureForest",
    "Threshold",
    "Triangle",
    "Watershed",
    "chan_vese",
    "geodesic",
    "quantised",
    "snake",
    "start_at_points",
    "start_in_boxes",
    "texture_maps",
    "walked",
]
