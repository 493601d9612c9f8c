"""The names and colours of the classes, in the order of their indices."""

from __future__ import annotations

from dataclasses import dataclass

from delineate.core.errors import DataError

Colour = tuple[int, int, int]

PALETTE: tuple[Colour, ...] = (
    (0, 0, 0),
    (255, 176, 0),
    (0, 158, 220),
    (220, 50, 120),
    (0, 170, 100),
    (150, 90, 220),
    (240, 228, 66),
    (230, 97, 0),
    (120, 200, 255),
    (170, 110, 60),
)
"""Colours that stay apart for colour-blind readers; repeated where there are more classes than colours."""


@dataclass(frozen=True)
class ClassTable:
    """Class names by index; index 0 is background.

    Raises DataError for fewer than two classes, for more than 254, or for a name used twice.

    >>> table = ClassTable(("background", "nucleus"))
    >>> len(table), table.index("nucleus"), table.colours[1]
    (2, 1, (255, 176, 0))
    """

    names: tuple[str, ...]
    colours: tuple[Colour, ...] = ()

    def __post_init__(self) -> None:
        if not 2 <= len(self.names) <= 254:
            raise DataError(
                f"there are {len(self.names)} classes: give background and at least one more, 254 at most"
            )
        if len(set(self.names)) != len(self.names):
            raise DataError(f"two classes have one name in {', '.join(self.names)}: rename one of them")
        if not self.colours:
            cycle = PALETTE[1:]
            colours = (PALETTE[0], *(cycle[i % len(cycle)] for i in range(len(self.names) - 1)))
            object.__setattr__(self, "colours", colours)

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """Index of the class called `name`; raises DataError where there is none."""
        if name not in self.names:
            raise DataError(f"there is no class {name}: the classes are {', '.join(self.names)}")
        return self.names.index(name)

    @classmethod
    def numbered(cls, count: int) -> ClassTable:
        """A table for `count` classes that nobody named.

        >>> ClassTable.numbered(3).names
        ('background', 'class_1', 'class_2')
        """
        return cls(("background", *(f"class_{i}" for i in range(1, count))))
