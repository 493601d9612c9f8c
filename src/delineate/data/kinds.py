"""Full masks, scribbles, points and boxes in one data set: one table of classes for all of them.

Each kind keeps its own habits (255 is foreground in many masks and unlabelled in most scribbles), so that each is
understood by itself, and then by the classes of the fullest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, ClassTable, DataError
from delineate.data.convention import Convention
from delineate.data.evidence import Evidence
from delineate.data.legend import Legend
from delineate.data.masks import MasksAre, understand
from delineate.data.matching import Entry, Kind
from delineate.data.places import Places, table_from
from delineate.data.problem import Problem
from delineate.data.values import BINARY

FULL = 0.9  # of the pixels: full masks label more
SCRAPS = 0.1  # of the pixels: strokes label less


@dataclass(frozen=True)
class Meaning:
    """What the label files of a set mean: a convention for full masks, one for scribbles (None: there are none).

    spare: for strokes that are not used, where they can be understood."""

    classes: ClassTable
    full: Convention | None = None
    strokes: Convention | None = None
    notes: tuple[str, ...] = ()
    spare: Convention | None = None

    def of(self, kind: Kind) -> Convention:
        """The convention of files of a kind; raises DataError where there were none to learn it from."""
        found = self.strokes if kind == "scribbles" else self.full
        if found is None:
            raise DataError(f"there are no {kind} to understand: label some images first")
        return found


def understand_all(
    evidence: Sequence[tuple[Kind, Evidence]],
    places: Mapping[str, Places],
    *,
    kind: Kind,
    legend: Legend | None = None,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    classes: ClassTable | None = None,
) -> Meaning:
    """The meaning of all labels of a set; raises as `understand` does, and where there is none at all.

    kind: of the full masks. unlabelled: where there are scribbles as well as masks, a value of scribbles.

    >>> both = [("masks", Evidence("a.png", {0: 9, 255: 9})), ("scribbles", Evidence("b.png", {0: 1, 1: 1, 255: 90}))]
    >>> meaning = understand_all(both, {}, kind="masks")
    >>> meaning.of("masks").index, meaning.of("scribbles").index
    ({0: 0, 255: 1}, {0: 0, 1: 1, 255: 255})
    """
    full = [seen for of, seen in evidence if of != "scribbles"]
    strokes = [seen for of, seen in evidence if of == "scribbles"]
    said = set[str]().union(*(found.said for found in places.values()))
    notes: list[str] = []
    of_full = of_strokes = None
    table = classes
    if full:
        of_full = understand(
            full,
            kind=kind,
            legend=legend,
            unlabelled=None if strokes else unlabelled,
            masks_are=masks_are,
            classes=table,
        )
        table, notes = of_full.classes, [*of_full.notes]
    if strokes:
        of_strokes = understand(
            strokes, kind="scribbles", legend=legend, unlabelled=unlabelled, classes=table
        )
        notes += of_strokes.notes
        alone = of_strokes.index.keys() == {0, UNLABELLED} or set(of_strokes.index.values()) <= {
            0,
            UNLABELLED,
        }
        if table is None and not (alone and said and legend is None):
            table = of_strokes.classes
    if table is None and legend is not None:
        table = ClassTable(tuple(legend.names.values()))
    if table is None and places:
        table = table_from(said)
    if table is None:
        raise DataError("there is no mask: label some images first")
    if classes is None and table == BINARY and len(names := said - {"background", "0", "1"}) == 1:
        table = ClassTable(("background", *names))
    of_full, of_strokes = (found and replace(found, classes=table) for found in (of_full, of_strokes))
    if places:
        count = sum(len(found.points) for found in places.values())
        boxes = sum(len(found.boxes) for found in places.values())
        what = [f"{n} {noun}" for n, noun in ((count, "points"), (boxes, "boxes")) if n]
        notes.append(f"{' and '.join(what) or 'empty rows'} on {len(places)} images")
    return Meaning(table, of_full, of_strokes, tuple(notes))


def kind_of(entry: Entry, places: Mapping[str, Places]) -> str:
    """What labels an image, in one word: masks, scribbles, points or boxes; "" where nothing does."""
    if entry.labels is not None and entry.kind != "scribbles":
        return "masks"
    if found := places.get(entry.name):
        return "boxes" if found.boxes else "points"
    return "scribbles" if entry.labels is not None else ""


def is_weak(kinds: Iterable[str], counts: NDArray[np.int64]) -> bool:
    """Whether some labels are strokes, points or boxes, or masks say nothing about most of their pixels.

    counts: (label files, 256) pixels by class.
    """
    return any(kind not in ("masks", "") for kind in kinds) or 2 * int(counts[:, UNLABELLED].sum()) > int(
        counts.sum()
    )


def kinds_note(kinds: Sequence[str]) -> str:
    """How many images have labels of which kind, where there are several kinds or weak ones.

    >>> kinds_note(["masks", "scribbles", "", "scribbles"])
    'labels: masks for 1 image, scribbles for 2, none for 1'
    """
    found = Counter(kinds)
    if set(found) <= {"masks"}:
        return ""
    order = [kind for kind in ("masks", "scribbles", "points", "boxes", "") if found[kind]]
    parts = [f"{kind or 'none'} for {found[kind]}" for kind in order]
    parts[0] += " image" if found[order[0]] == 1 else " images"
    return "labels: " + ", ".join(parts)


def form_problems(evidence: Sequence[tuple[Kind, Evidence]], counts: NDArray[np.int64]) -> list[Problem]:
    """Scribbles that are full masks, and masks that are scribbles. counts: (files, 256) pixels by class.

    >>> seen = Evidence("a.png", {0: 50, 1: 50})
    >>> [p.fact for p in form_problems([("scribbles", seen)], np.array([[50, 50, *[0] * 254]]))]
    ['scribble file a.png labels 100% of its pixels, as full masks do']
    """
    found = []
    for (kind, seen), pixels in zip(evidence, counts, strict=True):
        share = 1 - pixels[UNLABELLED] / max(int(pixels.sum()), 1)
        if kind == "scribbles" and share >= FULL:
            fact = f"scribble file {seen.where} labels {share:.0%} of its pixels, as full masks do"
            remedy = "if it is one, put it into masks/; if 0 means unlabelled, say --unlabelled 0"
        elif kind == "scribbles" and share >= 1 / 2 and seen.values == [0, UNLABELLED]:
            fact = f"scribble file {seen.where} holds 0 on {share:.0%} of its pixels and 255 on all others, as full masks do"
            remedy = "if it is one, put it into masks/"
        elif kind != "scribbles" and seen.thin and share >= FULL:
            drawn = 1 - seen.counts.get(0, 0) / max(sum(seen.counts.values()), 1)
            fact = f"mask {seen.where} holds thin strokes of several classes on {drawn:.1%} of its pixels, as scribbles do"
            remedy = "if 0 means unlabelled there, put it into scribbles/ and say --unlabelled 0"
        elif kind != "scribbles" and 0 < share < SCRAPS:
            fact = f"mask {seen.where} labels {share:.1%} of its pixels, as scribbles do"
            remedy = "it is learnt from as scribbles are; put it into scribbles/ if it holds strokes"
        else:
            continue
        found.append(Problem(seen.where, fact, remedy, serious=False))
    return found
