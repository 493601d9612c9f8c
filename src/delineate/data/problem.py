"""A fault of a data set, in words: where it is, what is wrong, what to do about it.

`check` collects problems and goes on; `load` raises the first serious one as a DataError.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from delineate.core import DataError, DelineateError


@dataclass(frozen=True)
class Problem:
    """Something wrong with one file, or with the set.

    where: file or folder, as the user knows it. fact: a sentence without its full stop. remedy: what mends
    it.
    serious: training on it would fail or learn something wrong; otherwise it is merely worth knowing.

    >>> problem = Problem("masks/a.png", "mask a.png is empty", "label it or leave it out", serious=False)
    >>> print(problem)
    mask a.png is empty: label it or leave it out
    """

    where: str
    fact: str
    remedy: str
    serious: bool = True

    def __str__(self) -> str:
        return f"{self.fact}: {self.remedy}"

    @property
    def error(self) -> DataError:
        """The same, to be raised."""
        return DataError(str(self))

    def within(self, folder: Path) -> Problem:
        """The same, where files of another folder may have the same names.

        >>> print(Problem("masks/a.png", "mask a.png is empty", "label it").within(Path("other")))
        in other, mask a.png is empty: label it
        """
        said = [
            f"{folder}{os.sep}" in text or text.endswith(f" {folder}") for text in (self.where, self.fact)
        ]
        where = self.where if said[0] else str(folder / self.where)
        return replace(self, where=where, fact=self.fact if said[1] else f"in {folder}, {self.fact}")

    @classmethod
    def of(cls, error: DelineateError, *, where: str) -> Problem:
        """The problem that an error's sentence states.

        >>> Problem.of(DataError("a.png ends early: save it again"), where="images/a.png").remedy
        'save it again'
        """
        fact, colon, remedy = str(error).rpartition(": ")
        return cls(where, fact, remedy) if colon else cls(where, str(error), "look at the file and mend it")


def listed(words: Iterable[object], *, most: int = 8) -> str:
    """Things in a row as a sentence has them.

    >>> listed([0, 1, 255]), listed(range(30), most=3)
    ('0, 1 and 255', '0, 1, 2 and 27 more')
    """
    things = [str(word) for word in words]
    if len(things) > most + 1:
        things = [*things[:most], f"{len(things) - most} more"]
    return " and ".join([", ".join(things[:-1]), things[-1]] if len(things) > 1 else things)


def counted(count: int, noun: str) -> str:
    """A number of things.

    >>> counted(1, "image"), counted(3, "image")
    ('1 image', '3 images')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def by(shape: Iterable[int]) -> str:
    """A size in words.

    >>> by((3, 4))
    '3 x 4'
    """
    return " x ".join(str(n) for n in shape)
