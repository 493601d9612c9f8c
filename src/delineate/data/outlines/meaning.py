"""What outlines say of each pixel: which class is where, and what is said of pixels that nobody drew around.

Who draws around nuclei alone means that all else is background; who draws around background too means that nobody said
anything elsewhere. That is how it is read, said, and changed on demand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, ClassTable, DataError
from delineate.data.legend import BACKGROUND, UNSAID
from delineate.data.outlines.fill import covered
from delineate.data.outlines.outline import Outline
from delineate.data.problem import counted, listed

Outside = Literal["background", "unlabelled"]
FOREGROUND = "foreground"  # where no outline has a class


@dataclass(frozen=True)
class Meaning:
    """Classes of outlines, and the label of what no outline surrounds. values: label by what outlines are called, where they
    count; regions: names of outlines that say where was drawn. notes: what was understood, in words."""

    classes: ClassTable
    outside: int
    values: dict[str, int]
    regions: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    def of(
        self,
        outlines: Sequence[Outline],
        *,
        start: tuple[int, int],
        shape: tuple[int, int],
        plane: int | None = None,
    ) -> tuple[NDArray[np.uint8], NDArray[np.int32], set[int]]:
        """Labels and object ids (*shape) of a window at `start`, and the places of the outlines that have pixels in it.

        Smaller outlines lie on larger ones, whatever their order. Ids are the places of outlines, from 1. plane: the slice
        of a stack; without it, on which slice something was drawn does not matter.
        """
        labels = np.full(shape, self.outside, np.uint8)
        ids = np.zeros(shape, np.int32)
        seen, objects = set(), self.objects
        for place in in_order(outlines, self.regions):
            one = outlines[place]
            elsewhere = plane is not None and one.plane not in (None, plane)
            if elsewhere or one.said not in self.values:
                continue
            if (found := covered(one, start=start, shape=shape)) is not None:
                window, held = found
                value = self.values[one.said]
                labels[window][held] = value
                ids[window][held] = place + 1 if one.said in objects else 0
                seen.add(place)
        return labels, ids, seen

    @property
    def objects(self) -> set[str]:
        """What outlines of objects are called: those of any class but background; none where there is no background."""
        if self.classes.names[0] != BACKGROUND:
            return set()
        return {name for name, value in self.values.items() if value not in (0, UNLABELLED)}


def in_order(outlines: Sequence[Outline], regions: Iterable[str] = ()) -> list[int]:
    """The places of outlines as they are painted: what says where was drawn, then the larger before the smaller."""
    below = frozenset(regions)
    return sorted(range(len(outlines)), key=lambda i: (outlines[i].said not in below, -outlines[i].area))


def understand(
    outlines: Iterable[Outline], *, outside: Outside | None = None, named: str | None = None
) -> Meaning:
    """The one meaning of all outlines of a set.

    Outlines called background are background, those called ignore, void or unlabelled are unlabelled, and QuPath's Region*
    says where was drawn: inside, what has no outline of its own is background. outside: the label of all other pixels;
    where it is not given, unlabelled if there is background or Region* among the outlines, else background. named: the one
    class of all outlines but these, whatever they are called. Raises DataError where there are no two classes, and where
    named is background or what means unlabelled.

    >>> some = [Outline("Stroma"), Outline("Tumor"), Outline("Ignore*")]
    >>> understand(some).values, understand(some, outside="unlabelled").values
    ({'Stroma': 1, 'Tumor': 2, 'Ignore*': 255}, {'Stroma': 0, 'Tumor': 1, 'Ignore*': 255})
    """
    if named and _plain(named) in (BACKGROUND, *UNSAID):
        raise DataError(f"{named} is no class of objects: say with --named what was drawn around")
    counts = Counter(outline.said for outline in outlines)
    said = sorted(counts)
    back = [name for name in said if _plain(name) == BACKGROUND]
    unsaid = [name for name in said if _plain(name) in UNSAID]
    regions = [name for name in said if name.lower() == "region*"]
    others = [name for name in said if name not in (*back, *unsaid, *regions)]
    called = {name: named or name for name in others if named or name} or dict.fromkeys(others, FOREGROUND)
    names = sorted(set(called.values()))
    folded = {name.casefold(): name for name in names}
    if twin := next((name for name in names if folded[name.casefold()] != name), None):
        raise DataError(
            f"outlines are called {twin} and {folded[twin.casefold()]}, which differ in capital letters alone: call them alike, "
            "or say with --named what all outlines are"
        )
    if outside is None:
        outside = "unlabelled" if back or regions else "background"
    first = [BACKGROUND] if outside == "background" or back or regions else []
    if not names:
        raise DataError("there is no outline of any object: draw around some, or leave these files out")
    if not first and len(names) == 1:
        raise DataError(
            f"all outlines are {names[0]} and nothing is said of other pixels: draw around background too, or say "
            "--outside background"
        )
    classes = ClassTable((*first, *names))
    values = {name: classes.index(to) for name, to in called.items()}
    values |= dict.fromkeys((*back, *regions), 0) | dict.fromkeys(unsaid, UNLABELLED)
    numbers = Counter[str]()
    for name, to in called.items():
        numbers[to] += counts[name]
    notes = ["outlines of " + listed((f"{name} ({number})" for name, number in numbers.items()), most=40)]
    if lost := sum(counts[name] for name in others if name not in called):
        notes.append(
            f"{counted(lost, 'outline')} without a class left out: give each a class, or say with --named what all outlines are"
        )
    why = f", as there are outlines of {(*regions, *back)[0]}" if back or regions else ""
    other = "unlabelled" if outside == "background" else "background"
    notes.append(f"what has no outline is {outside}{why} (--outside {other} if it is not)")
    if regions:
        notes.append(f"what has no other outline within {regions[0]} is background")
    return Meaning(
        classes, 0 if outside == "background" else UNLABELLED, values, frozenset(regions), tuple(notes)
    )


def _plain(name: str) -> str:
    """A name without the marks that programs set around what is no class of the user's.

    >>> _plain("__ignore__"), _plain("Ignore*"), _plain("Background")
    ('ignore', 'ignore', 'background')
    """
    return name.strip("_* ").lower()
