"""Semantic segmentation that people can trust: teach, outline, score."""

__version__ = "0.1.0"
