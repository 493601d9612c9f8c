"""Which labels of a data folder are taken, where several kinds of them lie there: those that are wanted, else the fullest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from delineate.core import DataError
from delineate.data.beside import Folder
from delineate.data.matching import Entry, Kind
from delineate.data.problem import counted, listed

LabelKind = Literal["masks", "scribbles", "points", "boxes"]


def offered(folder: Folder) -> tuple[LabelKind, ...]:
    """The kinds of labels that lie in a folder, the fullest first."""
    there: dict[LabelKind, bool] = {
        "masks": any(e.labels is not None and e.kind != "scribbles" for e in folder.entries),
        "scribbles": any(e.scribbles is not None for e in folder.entries),
        "points": any(e.points or e.discs for e in folder.entries),
        "boxes": any(e.boxes for e in folder.entries),
    }
    return tuple(kind for kind, found in there.items() if found)


def chosen(folder: Folder, wanted: LabelKind | None) -> Folder:
    """The folder with the labels that are wanted, or with the fullest that each image has, and what was left aside."""
    there = offered(folder)
    if wanted is not None and wanted not in there:
        raise DataError(
            f"{folder.path} holds no {wanted}: "
            + (f"it has {listed(there)}" if there else "label some images first")
        )

    def pick(entry: Entry) -> Entry:
        tables = (*entry.points, *entry.boxes)
        full = entry.labels if wanted in (None, "masks") else None
        if full is not None:
            files = (entry.scribbles, entry.discs, *entry.spare) if wanted is None else ()
            spare = tuple(path for path in files if path is not None)
            return replace(
                entry, kind=folder.kind, discs=None, spare=spare, points=(), boxes=(), aside=tables
            )
        return replace(
            entry,
            labels=None if wanted in ("masks", "boxes") else entry.scribbles,
            objects=None,
            kind="scribbles",
            discs=entry.discs if wanted in (None, "points") else None,
            spare=entry.spare if wanted != "boxes" else (),
            points=entry.points if wanted in (None, "points") else (),
            boxes=entry.boxes if wanted in (None, "boxes") else (),
            aside=() if wanted is None else tables,
        )

    picked = replace(
        folder, train=tuple(map(pick, folder.train)), validation=tuple(map(pick, folder.validation))
    )
    used = {entry.kind for entry in picked.entries if entry.labels}
    people = folder.people if wanted in (None, "masks") else {}
    notes = [
        *_people_note(people),
        *(_hands_note(folder.hands) if "scribbles" in used else ()),
        *folder.notes,
    ]
    if joined := sum(entry.discs is not None for entry in picked.entries):
        notes.append(f"discs in points/ join the strokes of {counted(joined, 'image')}")
    several = any(e.labels and (e.scribbles or e.points or e.boxes) for e in folder.entries)
    if wanted is None and several:
        others = [kind for kind in there if kind != "masks"]
        first = "instances" if folder.kind == "instances" else "masks"
        notes.append(
            f"there are {listed([first, *others])}: where an image has several, its {first} are used "
            f"(--labels {others[0]} takes the {others[0]})"
        )
    kind: Kind = "scribbles" if used == {"scribbles"} else folder.kind
    return replace(picked, kind=kind, notes=tuple(notes), people=people)


def _people_note(people: Mapping[str, tuple[Entry, ...]]) -> list[str]:
    """Whose masks are used, where several people drew some."""
    if not people:
        return []
    counts = [f"{name} ({sum(e.labels is not None for e in own)})" for name, own in people.items()]
    return [
        f"{listed(counts)} labelled these images: of each the masks of the first who drew it are used; "
        "train --annotators learns from all of them"
    ]


def _hands_note(hands: Mapping[str, int]) -> list[str]:
    """Whose strokes are used, where several people drew some."""
    if not hands:
        return []
    counts = [f"{name} ({count})" for name, count in hands.items()]
    return [
        f"{listed(counts)} drew on these images: of each the strokes of the first who drew on it are used"
    ]
