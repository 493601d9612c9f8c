"""A data folder as names tell it, and the labels that lie beside its images: which mask, strokes and tables belong to which.

Folders of labels are known by name, whatever its case; files in them by the stem of their image, or each person's in a folder
of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from delineate.data.formats import stem_of
from delineate.data.legend import Legend, read_legend
from delineate.data.masks import MasksAre
from delineate.data.matching import Entry, Kind, Twins, image_files, matched
from delineate.data.problem import listed

IMAGE_FOLDERS = ("images", "image", "imgs", "img", "img_dir", "x", "raw")
MASK_FOLDERS = ("masks", "mask", "labels", "label", "annotations", "annotation", "ann_dir", "y")
OBJECT_FOLDERS = ("instances", "instance")
SCRIBBLE_FOLDERS = ("scribbles", "scribble")
POINTS, BOXES = ("points", "point"), ("boxes", "box")
TRAIN_FOLDERS = ("train", "training")
VALIDATION_FOLDERS = ("val", "valid", "validation", "test")


@dataclass(frozen=True)
class Folder:
    """A data folder as its names tell it.

    train, validation: entries in the order of their names; validation only where the layout has one.
    kind: what the label files hold; where some are full and some are scribbles, what the full ones hold.
    strays: label files that belong to no image. twins: two files of one name.
    legends: folders in which a legend may lie, nearest first. notes: what was chosen, in words.
    people: where several people labelled the images, each one's entries by name, those of validation last; in `train`
    and `validation` each image then has the masks of the first of them who drew it.
    hands: where several people drew strokes (or discs), on how many images each of them drew; a folder of such files by
    its name.
    """

    path: Path
    train: tuple[Entry, ...]
    validation: tuple[Entry, ...] = ()
    kind: Kind = "masks"
    strays: tuple[Path, ...] = ()
    twins: Twins = ()
    legends: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    people: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)
    hands: Mapping[str, int] = field(default_factory=dict)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Training and validation."""
        return (*self.train, *self.validation)

    def doubtful(self, masks_are: MasksAre | None) -> bool:
        """Whether only the masks themselves can tell what they hold, and whether they are sound."""
        return self.kind in ("masks", "ids") and masks_are != "instances"


def subfolder(root: Path, names: Sequence[str]) -> Path | None:
    """The subfolder of the first of these names that is there, whatever its case."""
    inside = {p.name.lower(): p for p in sorted(root.iterdir()) if p.is_dir()}
    return next((inside[name] for name in names if name in inside), None)


def unread(root: Path, names: Sequence[str]) -> tuple[str, ...]:
    """A note where further subfolders of these names hold something: only the first of them is read."""
    chosen = subfolder(root, names)
    others = [
        p.name
        for p in sorted(root.iterdir())
        if p.is_dir() and p != chosen and p.name.lower() in names and any(p.iterdir())
    ]
    if chosen is None or not others:
        return ()
    return (f"{listed(others)} beside {chosen.name} {'is' if len(others) == 1 else 'are'} not read",)


def legend_of(folder: Folder) -> Legend | None:
    """The nearest legend that lies with the data."""
    return next((legend for place in folder.legends if (legend := read_legend(place))), None)


def labelled(root: Path, pictures: Path, *, part: str, legends: tuple[Path, ...]) -> Folder:
    """The images in `pictures` with the labels that lie beside it in `root`, in subfolder `part` of each
    kind."""

    stems = {stem_of(p) for p in image_files(pictures)}

    def files(names: Sequence[str]) -> dict[str, list[Path]]:
        """Label files by person, who is "" where they lie in the folder itself."""
        folder = subfolder(root, names)
        if folder is not None and part:
            folder = subfolder(folder, (part.lower(),))
        if folder is None:
            return {}
        direct = [p for p in image_files(folder) if p.is_file() or stem_of(p) in stems]
        people = [] if direct else sorted(p for p in folder.iterdir() if p.is_dir() and image_files(p))
        return {person.name: image_files(person) for person in people} if people else {"": direct}

    masks, objects, scribbles = files(MASK_FOLDERS), files(OBJECT_FOLDERS), files(SCRIBBLE_FOLDERS)
    kind: Kind = "masks"
    if not any(masks.values()) and any(objects.values()):
        masks, objects, kind = objects, {}, "instances"
    strokes, discs = (
        [(who, matched(image_files(pictures), own)) for who, own in drawn.items() if own]
        for drawn in (scribbles, files(POINTS))  # points may be small discs in label images
    )
    drawn_on, dotted_on = _by_image(strokes), _by_image(discs)
    alone = len(masks) == len(objects) == 1
    found = {
        person: matched(
            image_files(pictures),
            own,
            next(iter(objects.values())) if alone else objects.get(person, []),
        )
        for person, own in (masks or {"": []}).items()
    }
    points, boxes = (tables_beside(root, names, part) for names in (POINTS, BOXES))

    def placed(entry: Entry) -> Entry:
        drawn, dotted = drawn_on.get(entry.name, ()), dotted_on.get(entry.name, ())
        return replace(
            entry,
            scribbles=next(iter((*drawn, *dotted)), None),
            discs=dotted[0] if drawn and dotted else None,
            spare=(*drawn[1:], *dotted[1:]),
            points=speaking_of(points, entry),
            boxes=speaking_of(boxes, entry),
        )

    each = {person: tuple(map(placed, one)) for person, (one, _, _) in found.items()}
    people = each if len(each) > 1 else {}
    entries = tuple(map(_first_labelled, zip(*each.values(), strict=True)))
    every = [*found.values(), *(one for _, one in (*strokes, *discs))]
    lost = (*(stray for _, others, _ in every for stray in others), *silent_in((*points, *boxes), entries))
    twins = tuple(dict.fromkeys(pair for _, _, pairs in every for pair in pairs))
    counts = Counter(who for who, (one, _, _) in strokes or discs for e in one if e.labels)
    return Folder(
        root,
        entries,
        (),
        kind,
        tuple(dict.fromkeys(lost)),
        twins,
        legends,
        notes=(*unread(root, IMAGE_FOLDERS), *unread(root, MASK_FOLDERS), *unread(root, OBJECT_FOLDERS)),
        people=people,
        hands=counts if len(counts) > 1 else {},
    )


def _by_image(
    drawn: Sequence[tuple[str, tuple[tuple[Entry, ...], tuple[Path, ...], Twins]]],
) -> dict[str, tuple[Path, ...]]:
    """The label files of each image, those of the first person first."""
    found: dict[str, tuple[Path, ...]] = {}
    for _, (entries, _, _) in drawn:
        for entry in entries:
            if entry.labels:
                found[entry.name] = (*found.get(entry.name, ()), entry.labels)
    return found


def _first_labelled(entries: Sequence[Entry]) -> Entry:
    """Of the entries of one image, a person each, the first that has labels."""
    return next((entry for entry in entries if entry.labels), entries[0])


def tables_beside(root: Path, names: Sequence[str], part: str) -> tuple[Path, ...]:
    """points.csv, points/*.csv and points/CLASS/*.csv beside the images."""
    beside = [
        p for p in sorted(root.iterdir()) if p.is_file() and p.name.lower() in {f"{n}.csv" for n in names}
    ]
    folder = subfolder(root, names)
    if folder is not None and part:
        folder = subfolder(folder, (part.lower(),))
    inside = [] if folder is None else [*folder.glob("*.csv"), *folder.glob("*/*.csv")]
    return (*beside, *sorted(p for p in inside if not p.name.startswith(".")))


def speaking_of(tables: Sequence[Path], entry: Entry) -> tuple[Path, ...]:
    """Tables of one image that is this one by its stem, and those that name their images in a column."""
    shared = {*POINTS, *BOXES}
    return tuple(p for p in tables if p.stem == stem_of(entry.images[0]) or p.stem.lower() in shared)


def silent_in(tables: Sequence[Path], entries: Sequence[Entry]) -> list[Path]:
    """Tables of one image that is not there."""
    speaking = {table for entry in entries for table in speaking_of(tables, entry)}
    return [table for table in tables if table not in speaking]
