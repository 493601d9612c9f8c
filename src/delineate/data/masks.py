"""What the values of the masks mean: classes, object ids, or "nobody said".

Files come in many conventions (0/255, class ids, object ids, colours, 255 or 0 or -1 for unlabelled). The
same value must mean the same in every file, so `understand` looks at the evidence of the whole set at once
and gives one `Convention`, with notes saying in words what was understood. Where two readings are plausible
it raises,
naming the option that decides: a wrong guess here would train a model of something else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from delineate.core import UNLABELLED, ClassTable, DataError
from delineate.data.convention import Convention
from delineate.data.evidence import CLEAR, Evidence, in_colour, packed
from delineate.data.legend import Legend
from delineate.data.matching import Kind
from delineate.data.problem import listed
from delineate.data.values import BINARY, Values, by_legend, by_table, by_value, named, unlabelled_value

MasksAre = Literal["classes", "instances"]
MOST_COLOURS = 64


def understand(
    evidence: Sequence[Evidence],
    *,
    kind: Kind = "masks",
    legend: Legend | None = None,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    classes: ClassTable | None = None,
) -> Convention:
    """The one convention that all masks of a set follow.

    kind: "instances" for files that hold object ids, "ids" for Cellpose's x_masks (object ids unless all hold
    a single value), "scribbles" for sparse labels, "masks" where only the evidence can tell.
    legend: names the user wrote down. unlabelled: the value that means unlabelled. masks_are: how to read
    masks that can be read both ways. classes: the table to map to (that of a trained model), where one
    exists. Raises DataError where the values contradict each other or can be read in more than one way.

    >>> understood = understand([Evidence("a.png", {0: 90, 255: 10})])
    >>> understood.index, understood.notes
    ({0: 0, 255: 1}, ('masks hold 0 and 255: read as background and foreground',))
    """
    if not evidence:
        raise DataError("there is no mask: label some images first")
    inked, evidence = _by_ink(evidence)
    evidence, colour = _of_one_sort(evidence)
    if masks_are == "instances" or (masks_are is None and kind == "instances"):
        return _objects(evidence, kind=kind, unlabelled=unlabelled, classes=classes)
    noun = "scribbles" if kind == "scribbles" else "masks"
    apart = not any(
        UNLABELLED in seen.counts and any(0 < v < UNLABELLED for v in seen.counts) for seen in evidence
    )
    total: Counter[int] = Counter()
    for seen in evidence:
        total.update(seen.counts)
    most = next((v for v, n in total.items() if 2 * n > total.total() and v != CLEAR), None)
    clear = CLEAR in total
    files = {v: [seen.where for seen in evidence if v in seen.counts] for v in total}
    found = Values(tuple(sorted(total.keys() - {CLEAR})), noun, colour, apart, most, clear, files)
    known = legend is not None or (classes is not None and len(classes) > 2)
    if masks_are is None and kind in ("masks", "ids") and not colour and not known and _numbered(evidence):
        reading = "instances" if kind == "ids" else weigh(evidence)
        if reading is None:
            raise DataError(
                f"masks hold {found.words()}, which may be classes or the ids of single objects: "
                "say which, with --masks-are classes or --masks-are instances"
            )
        if reading == "instances":
            return _objects(evidence, kind=kind, unlabelled=unlabelled, classes=classes)
    if colour and len(found.values) > MOST_COLOURS:
        raise DataError(
            f"masks hold {len(found.values)} different colours: save them without compression and soft "
            "edges, or say --masks-are instances if every object has a colour of its own"
        )
    ignore, note = unlabelled_value(found, legend=legend, unlabelled=unlabelled, classes=classes)
    said = replace(found, values=tuple(v for v in found.values if v != ignore))
    if not said.values:
        how = "transparent" if ignore is None else named(ignore, colour=colour)
        raise DataError(f"every pixel of all {noun} is unlabelled ({how}): label at least some pixels")
    if legend is not None:
        meaning = by_legend(said, legend, classes=classes)
    elif classes is not None:
        meaning = by_table(said, classes, chosen=unlabelled is not None)
    else:
        meaning = by_value(said, chosen=unlabelled is not None)
    unsaid = [v for v in (ignore, CLEAR if clear else None) if v is not None]
    index = {**meaning.index, **dict.fromkeys(unsaid, UNLABELLED)}
    order = f"the palettes of the {noun} are in different orders: they are read by colour" if inked else ""
    seen_through = "transparent pixels are read as unlabelled" if clear else ""
    notes = tuple(text for text in (order, meaning.note, meaning.guess, note, seen_through) if text)
    return Convention(meaning.classes, index, colour=colour, inked=inked, notes=notes)


def _by_ink(evidence: Sequence[Evidence]) -> tuple[bool, Sequence[Evidence]]:
    """Evidence by colour where palettes give one index several colours, or background's index 0 to another
    colour.

    Programs that reduce colours number them as they come; only indices that agree mean anything.
    """
    inks = {(v, ink) for seen in evidence for v, ink in (seen.inks or {}).items()}
    first = {ink for v, ink in inks if v == 0}
    if len({v for v, _ in inks}) == len(inks) and (0 in first or 0 not in {ink for _, ink in inks}):
        return False, evidence
    return True, [in_colour(seen) for seen in evidence]


def _of_one_sort(evidence: Sequence[Evidence]) -> tuple[Sequence[Evidence], bool]:
    """Evidence in colours throughout where any mask is in colour: grey pixels of RGB files are colours
    too."""
    if not any(seen.colour for seen in evidence):
        return evidence, False
    same = []
    for seen in evidence:
        if not seen.colour and not seen.rgb and any(seen.counts):
            coloured = next(s.where for s in evidence if s.colour)
            raise DataError(
                f"mask {seen.where} is grey but {coloured} is in colour: save all masks in one way"
            )
        counts = seen.counts if seen.colour else {packed(v): n for v, n in seen.counts.items()}
        same.append(replace(seen, counts=counts))
    return same, True


def _numbered(evidence: Sequence[Evidence]) -> bool:
    """Whether the masks hold several numbers other than 0 and 255, at least two of them in one mask."""
    marks = [{v for v in seen.counts if v > 0} for seen in evidence]
    every = set[int]().union(*marks)
    return len(every if 254 in every else every - {255}) > 1 and any(len(m - {255}) > 1 for m in marks)


def weigh(evidence: Sequence[Evidence]) -> MasksAre | None:
    """Whether numbers in masks are classes or object ids, from the evidence alone; None where both are
    plausible.

    Objects are connected, numbered from 1 without gaps, and their number changes from image to image. Classes
    come in several pieces, or the same few of them are in every image.

    >>> weigh([Evidence("a.png", {0: 9, 1: 4, 2: 4}, pieces=(2, 0))])
    'classes'
    >>> weigh([Evidence("a.png", {0: 9, 1: 4, 2: 4}, pieces=(2, 2))])
    """
    keep_255 = any(254 in seen.counts for seen in evidence)
    sets = [frozenset(v for v in s.counts if v > 0 and (keep_255 or v != 255)) for s in evidence]
    sets = [marks for marks in sets if marks]
    every = frozenset().union(*sets)
    looked, whole = (sum(seen.pieces[i] for seen in evidence) for i in (0, 1))
    connected = whole / looked if looked else 0.0
    numbered = sum(len(marks) == max(marks) for marks in sets) / len(sets)
    alike = len(sets) >= 3 and len(set(sets)) == 1
    if len(every) > 253:
        return "instances" if connected >= 0.5 else None
    if connected < 0.5 or alike:
        return "classes"
    varies = len({len(marks) for marks in sets}) > 1
    if connected >= 0.9 and numbered >= 0.9 and len(every) > 10 and (varies or len(every) > 40):
        return "instances"
    return None


def _objects(
    evidence: Sequence[Evidence], *, kind: Kind, unlabelled: int | None, classes: ClassTable | None
) -> Convention:
    if classes is not None and len(classes) != 2:
        raise DataError(
            f"masks hold object ids, but there are {len(classes)} classes "
            f"({listed(classes.names)}): give masks of these classes"
        )
    values = {v for seen in evidence for v in seen.counts}
    notes = [
        f"{'instances' if kind == 'instances' else 'masks'} hold object ids: every object is "
        f"{(classes or BINARY).names[1]}, 0 is {(classes or BINARY).names[0]}"
    ]
    if unlabelled in values:
        notes.append(f"{unlabelled} is read as unlabelled, as asked")
    if any(v < 0 for v in values):
        notes.append("negative ids are read as unlabelled")
    return Convention(classes or BINARY, {}, objects=True, ignore=unlabelled, notes=tuple(notes))
