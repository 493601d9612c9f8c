"""Masks become objects: hills and their saddles, and the watershed that splits what touches. NumPy and SciPy only."""

from delineate.objects.hills import hills, joined, numbered
from delineate.objects.watershed import split

__all__ = ["hills", "joined", "numbered", "split"]
