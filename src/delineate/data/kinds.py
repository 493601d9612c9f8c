"""Full masks, scribbles, points and boxes in one data set: one table of classes for all of them.

Each kind keeps its own habits (255 is foreground in many masks and unlabelled in most scribbles), so that each is
understood by itself, and then by the classes of the fullest.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, ClassTable, DataError
from delineate.data.convention import Convention
from delineate.data.evidence import Evidence
from delineate.data.legend import Legend
from delineate.data.masks import MasksAre, understand
from delineate.data.matching import Entry, Kind
from delineate.data.places import Places, table_from
from delineate.data.problem import Problem, counted, listed
from delineate.data.values import BINARY, named

FULL = 0.9  # of the pixels: full masks label more
MANY = 20  # values: more of them number objects
ONE_CLASS = 0.1  # of the pixels: strokes of one class alone cover less
SCRAPS = 0.1  # of the pixels: strokes label less


@dataclass(frozen=True)
class Meaning:
    """What the label files of a set mean: a convention for full masks, one for scribbles (None: there are none).

    spare: for strokes that are not used, where they can be understood. numbers: class index by the number that a table of
    points or boxes may give: as the legend has it, else as masks do, else in the order of the classes."""

    classes: ClassTable
    full: Convention | None = None
    strokes: Convention | None = None
    notes: tuple[str, ...] = ()
    spare: Convention | None = None
    numbers: Mapping[int, int] = field(default_factory=dict)

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
        alone = not full and not places and classes is None
        if found := full_masks(strokes, legend=legend, unlabelled=unlabelled, alone=alone):
            raise found.error
        of_strokes = understand(
            strokes, kind="scribbles", legend=legend, unlabelled=unlabelled, classes=table
        )
        notes += of_strokes.notes
        one_class = of_strokes.index.keys() == {0, UNLABELLED} or set(of_strokes.index.values()) <= {
            0,
            UNLABELLED,
        }
        if table is None and not (one_class and said and legend is None):
            table = of_strokes.classes
    if table is None and legend is not None:
        table = ClassTable(tuple(legend.names.values()))
    if table is None and places:
        table = table_from(said)
    if table is None:
        raise DataError("there is no mask: label some images first")
    known = [found for found in (of_full, of_strokes) if found]
    numbers = _numbers(table, legend, known, said) if places else {}
    if classes is None and table == BINARY and len(names := said - {"background", "0", "1"}) == 1:
        table = ClassTable(("background", *names))
    of_full, of_strokes = (found and replace(found, classes=table) for found in (of_full, of_strokes))
    if places:
        count = sum(len(found.points) for found in places.values())
        boxes = sum(len(found.boxes) for found in places.values())
        what = [counted(count, "point")] if count else []
        what += ["1 box" if boxes == 1 else f"{boxes} boxes"] if boxes else []
        on = sum(not found.empty for found in places.values()) or len(places)
        notes.append(f"{' and '.join(what) or 'empty rows'} on {counted(on, 'image')}")
    return Meaning(table, of_full, of_strokes, tuple(notes), numbers=numbers)


def _numbers(
    table: ClassTable, legend: Legend | None, known: Sequence[Convention], said: set[str]
) -> dict[int, int]:
    """Class index by the number that a table of points or boxes may give: as a legend has it, else as masks (or the names of
    a trained model) do where every number that is `said` is a value of theirs, else the places in the list of classes.

    Raises DataError where values and places are both possible and differ.
    """
    places = {label: label for label in range(len(table))}
    if legend is not None and not legend.colours:
        index = {name.casefold(): label for label, name in enumerate(table.names)}
        named = {v: index[n.casefold()] for v, n in legend.names.items() if n.casefold() in index}
        return named or places
    values = next(
        (
            {value: label for value, label in one.index.items() if value >= 0 and label != UNLABELLED}
            for one in known
            if one.index and not one.colour
        ),
        {0: 0} | {int(name[6:]): i for i, name in enumerate(table.names) if re.fullmatch(r"value_\d+", name)},
    )
    asked = {int(number) for number in said if number.isdecimal()}
    if not asked <= values.keys():
        return places
    if asked <= places.keys() and any(values[number] != number for number in asked):
        raise DataError(
            f"points or boxes are of the classes {listed(sorted(asked))}, which may be values of the masks or places in the list "
            f"of classes ({listed(table.names)}): give the names, or number them in classes.json"
        )
    return values


def full_masks(
    strokes: Sequence[Evidence], *, legend: Legend | None, unlabelled: int | None, alone: bool
) -> Problem | None:
    """The problem of scribble files most of which are full masks, or None.

    Their regions border on each other or, where nobody said which value is unlabelled, are blobs; or there are but two
    values, of which the rarer is no stroke. What a legend names a class is one, and 255 among class numbers unlabelled.
    alone: nothing else labels the images.

    >>> half = Evidence("a.png", {0: 70, 255: 30})
    >>> print(full_masks([half], legend=None, unlabelled=None, alone=True))
    scribbles/ holds full masks, not strokes of several classes (0 and 255 and nothing else, the rarer on 30% of the pixels):
    put the files into masks/, or draw strokes of background too if they are strokes
    """
    held: Counter[int] = Counter()
    for seen in strokes:
        held.update(seen.counts)
    told = unlabelled is not None or legend is not None
    drawn = [seen for seen in strokes if len(seen.counts) > 1 and _open_to_doubt(seen, legend, unlabelled)]
    colour = any(seen.colour for seen in strokes)
    words = listed(named(v, colour=colour) for v in sorted(held))
    filled = [
        seen for seen in drawn if (seen.form.tiled if told and len(seen.counts) <= MANY else seen.form.filled)
    ]
    most = 2 * len(filled) > sum(len(seen.counts) > 1 for seen in strokes)
    if len(held) == 2:
        rarer = min(held.values()) / held.total()
        if not (alone and drawn) or not (most or rarer >= ONE_CLASS):
            return None
        fact = f"not strokes of several classes ({words} and nothing else, the rarer on {rarer:.0%} of the pixels)"
        remedy = "put the files into masks/, or draw strokes of background too if they are strokes"
    elif most and any(_common(seen) != UNLABELLED for seen in filled):
        value = _common(filled[0])
        fact = f"not strokes ({words} fill whole regions in {len(filled)} of {counted(len(strokes), 'file')})"
        remedy = "put the files into masks/"
        if unlabelled is not None:
            remedy += f", where --unlabelled {value} tells of partly labelled ones"
        elif legend is None:
            remedy += f", or say --unlabelled {value} if they are strokes and nobody said anything elsewhere"
    else:
        return None
    return Problem("scribbles", f"scribbles/ holds full masks, {fact}", remedy)


def _common(seen: Evidence) -> int:
    """The value of most pixels."""
    return max(seen.counts, key=lambda value: seen.counts[value])


def _open_to_doubt(seen: Evidence, legend: Legend | None, unlabelled: int | None) -> bool:
    """Whether the most common value of a file may be background after all, whatever was said."""
    value = _common(seen)
    if value < 0 or (unlabelled is not None and unlabelled not in seen.counts):
        return False
    return legend is None or not (legend.background or value in legend.names)


def kind_of(entry: Entry, places: Mapping[str, Places]) -> str:
    """What labels an image, in one word: masks, scribbles, points or boxes; "" where nothing does."""
    if entry.labels is not None and entry.kind != "scribbles":
        return "masks"
    if found := places.get(entry.name):
        return "boxes" if found.boxes or (found.empty and entry.boxes) else "points"
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
        elif kind == "scribbles" and seen.form.filled and _common(seen) == 0:
            fact = f"scribble file {seen.where} holds whole regions rather than strokes"
            remedy = "if it is a full mask, whose 0 means background, put it into masks/"
        elif kind != "scribbles" and seen.pen and share >= FULL:
            drawn = 1 - seen.counts.get(0, 0) / max(sum(seen.counts.values()), 1)
            fact = f"mask {seen.where} holds {seen.pen} strokes of several classes on {drawn:.1%} of its pixels, as scribbles do"
            remedy = "if 0 means unlabelled there, put it into scribbles/ and say --unlabelled 0"
        elif kind != "scribbles" and 0 < share < SCRAPS:
            fact = f"mask {seen.where} labels {share:.1%} of its pixels, as scribbles do"
            remedy = "it is learnt from as scribbles are; put it into scribbles/ if it holds strokes"
        else:
            continue
        found.append(Problem(seen.where, fact, remedy, serious=False))
    return found
