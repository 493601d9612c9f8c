"""Images that are labelled twice, by two hands, by strokes beside a mask or by discs beside strokes: where labels contradict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, DataError
from delineate.data.beside import Folder, legend_of
from delineate.data.evidence import look
from delineate.data.formats import read_mask
from delineate.data.image_and_mask import drawn_labels, label_path
from delineate.data.kinds import FULL, Meaning
from delineate.data.masks import understand
from delineate.data.matching import Entry
from delineate.data.picture import Picture
from delineate.data.problem import Problem, counted

MOST = 0.5  # of what is labelled twice: beyond it, classes are swapped rather than strokes careless
LEAST_PX = 20  # that contradict, before anything follows from it


@dataclass(frozen=True)
class Dispute:
    """On how many of the pixels that two label files of one image both label (`both`) they contradict each other (`apart`).

    joined: whether both are used, else `one` alone."""

    image: str
    one: str
    other: str
    apart: int
    both: int
    joined: bool

    @property
    def serious(self) -> bool:
        """Whether most of what both say is contradicted."""
        return self.apart >= LEAST_PX and self.apart > MOST * self.both


def label_files(entry: Entry) -> tuple[Entry, ...]:
    """The entry once for each label file that is used: strokes, and discs beside them."""
    if entry.labels is None:
        return ()
    return (entry, replace(entry, labels=entry.discs, objects=None)) if entry.discs else (entry,)


def with_spare(meaning: Meaning, folder: Folder, *, unlabelled: int | None) -> Meaning:
    """The meaning of strokes that are not used as well, where there are any and they tell it."""
    spare = [path for entry in folder.entries for path in entry.spare]
    if not spare or meaning.strokes is not None:
        return replace(meaning, spare=meaning.strokes)
    try:
        found = understand(
            [look(read_mask(path), where=path.name, closely=False) for path in spare],
            kind="scribbles",
            legend=legend_of(folder),
            unlabelled=unlabelled,
            classes=meaning.classes,
        )
    except DataError:
        return meaning
    return replace(meaning, spare=found)


def together(
    entry: Entry, labels: NDArray[np.uint8], picture: Picture, meaning: Meaning
) -> tuple[NDArray[np.uint8], list[Dispute]]:
    """Labels (*spatial) with the discs of points beside them, unlabelled where the two contradict; and what is contradicted,
    by strokes that are not used as well.

    Raises DataError where the discs cannot be read or do not fit the image.
    """
    found = _disputed(entry, labels, meaning)
    if entry.discs is None:
        return labels, found
    of_discs = replace(entry, labels=entry.discs, objects=None)
    convention, path = meaning.of("scribbles"), entry.discs
    discs = drawn_labels(of_discs, picture, read_mask(path), convention=convention, called=path.name)[0]
    both = np.where(labels == UNLABELLED, discs, labels)
    both[(labels != discs) & (labels != UNLABELLED) & (discs != UNLABELLED)] = UNLABELLED
    return both, found + _compared(entry, labels, path, discs, joined=True)


def disputes(found: Sequence[Dispute]) -> list[Problem]:
    """What is told of them: one sentence each of what is serious, of what is joined, and of the rest.

    >>> [problem.remedy for problem in disputes([Dispute("a.png", "x/a.png", "y/a.png", 3, 40, False)])]
    ['x/a.png is believed, so correct one of them']
    """
    serious = [one for one in found if one.serious]
    joined = [one for one in found if not one.serious and one.joined]
    rest = [one for one in found if not one.serious and not one.joined]
    swapped = "see whether classes are swapped in one of them, and correct or remove it"
    told = [(serious, swapped), (joined, "these pixels stay unlabelled, so correct one of them")]
    told += [(rest, "{} is believed, so correct one of them")]
    return [_told(some, remedy, serious=some is serious) for some, remedy in told if some]


def _disputed(entry: Entry, labels: NDArray[np.uint8], meaning: Meaning) -> list[Dispute]:
    """Where strokes that are not used contradict the labels (*spatial) that are; those that cannot be read or label
    everything are passed over."""
    found = []
    for path in entry.spare:
        try:
            other = meaning.spare.read(read_mask(path), where=path.name)[0] if meaning.spare else labels
        except DataError:
            continue
        strokes = (other != UNLABELLED).mean() < FULL  # else 0 may mean unlabelled, and nobody said so
        if strokes and other.shape == labels.shape:
            found += _compared(entry, labels, path, other)
    return found


def _told(some: Sequence[Dispute], remedy: str, *, serious: bool) -> Problem:
    worst = max(some, key=lambda one: one.apart)
    apart, both = sum(one.apart for one in some), sum(one.both for one in some)
    fact = f"{worst.one} and {worst.other} contradict each other on {worst.apart} of the {worst.both} pixels that both label"
    if len(some) > 1:
        fact += f", as labels do on {apart} of {both} pixels of {counted(len(some), 'image')} in all"
    return Problem(worst.image, fact, remedy.format(worst.one), serious=serious)


def _compared(
    entry: Entry, labels: NDArray[np.uint8], path: Path, other: NDArray[np.uint8], *, joined: bool = False
) -> list[Dispute]:
    """The dispute between the labels of an entry and those of another file, where there is one."""
    both = (labels != UNLABELLED) & (other != UNLABELLED)
    apart = int((labels != other)[both].sum())
    one, two = (f"{file.parent.name}/{file.name}" for file in (label_path(entry), path))
    return [Dispute(entry.images[0].name, one, two, apart, int(both.sum()), joined)] if apart else []
