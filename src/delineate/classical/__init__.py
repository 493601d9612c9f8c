"""The old ways: fast, without training, brittle. Sometimes they are all you need."""

from delineate.classical.threshold import Otsu, OtsuSettings

__all__ = ["Otsu", "OtsuSettings"]
