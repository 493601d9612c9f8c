"""How sure a model is of what it says, in words."""

from __future__ import annotations


def how_sure(surplus: float, off: float, *, steady: bool) -> str:
    """How sure the model is, in words. off: its error; where much of it remains that is no surplus, it is sure of wrong things.

    >>> how_sure(0.03, 0.04, steady=True), how_sure(0.001, 0.02, steady=True), how_sure(0.001, 0.12, steady=False)
    ('too sure', 'as sure as it should be', 'as sure as it should be on average, but not where it should be')
    """
    if abs(surplus) > max(0.01, off / 4):
        return "too sure" if surplus > 0 else "not sure enough"
    return "as sure as it should be" + ("" if steady else " on average, but not where it should be")
