"""Which file is the image, which the mask: the layouts people keep their data in, taken as they are.

    images/ + masks/ (labels/, annotations/, instances/, scribbles/, masks/ANNOTATOR/)     by file stem
    images/ + points.csv, points/, boxes.csv or boxes/                                   by a column, or by file stem
    x.tif + x_masks.tif                                                                  Cellpose
    img_dir/{train,val} + ann_dir/{train,val}                                            MMSegmentation
    train/{x,y} + val/{x,y}, train/{images,masks} + val/{images,masks}                   BiaPy and many others
    imagesTr/case_0000.ext + labelsTr/case.ext + dataset.json                            nnU-Net

`find_folder` lists entries (an image with its mask files) by name alone, and keeps what did not fit (masks
without an image, two images of one name) for others to report. The folder of a DICOM series counts as one file.
What to predict on needs no masks and is found in `inputs`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from delineate.core import DataError
from delineate.data.formats import IMAGE_SUFFIXES, stem_of
from delineate.data.masks import MasksAre
from delineate.data.matching import (
    Entry,
    Kind,
    Twins,
    by_channel,
    by_stem,
    image_files,
    is_mask_beside,
    is_series,
    mask_ending,
    matched,
)
from delineate.data.problem import listed

IMAGE_FOLDERS = ("images", "image", "imgs", "img", "img_dir", "x", "raw")
MASK_FOLDERS = ("masks", "mask", "labels", "label", "annotations", "annotation", "ann_dir", "y")
OBJECT_FOLDERS = ("instances", "instance")
SCRIBBLE_FOLDERS = ("scribbles", "scribble")
POINTS, BOXES = ("points", "point"), ("boxes", "box")
TRAIN_FOLDERS = ("train", "training")
VALIDATION_FOLDERS = ("val", "valid", "validation", "test")

LabelKind = Literal["masks", "scribbles", "points", "boxes"]


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


def find_folder(path: str | Path, *, labels: LabelKind | None = None) -> Folder:
    """The entries of the data folder `path`, be they labelled or not.

    labels: which labels to take, where there are several kinds of them; points come with the scribbles beside them, as
    their background. Without it each image has the fullest that lie there. Raises DataError where there is no image, and
    where there are no labels of that kind.
    """
    root = Path(path)
    if not root.exists():
        raise DataError(f"{root} does not exist: check the path")
    if not root.is_dir():
        raise DataError(f"{root} is a file: give the folder that holds images and masks")
    found = _nnunet(root) or _parted(root) or _split_inside(root) or _pair(root) or _flat(root)
    if found is None or not found.train:
        raise DataError(
            f"{root} holds no image that can be read: give a folder with images/ and masks/, or "
            f"with images of the kinds {listed(IMAGE_SUFFIXES, most=30)}"
        )
    return _chosen(found, labels)


def offered(folder: Folder) -> tuple[LabelKind, ...]:
    """The kinds of labels that lie in a folder, the fullest first."""
    there: dict[LabelKind, bool] = {
        "masks": any(e.labels is not None and e.kind != "scribbles" for e in folder.entries),
        "scribbles": any(e.scribbles is not None for e in folder.entries),
        "points": any(e.points for e in folder.entries),
        "boxes": any(e.boxes for e in folder.entries),
    }
    return tuple(kind for kind, found in there.items() if found)


def _chosen(folder: Folder, wanted: LabelKind | None) -> Folder:
    """The folder with the labels that are wanted, or with the fullest that each image has, and what was left aside."""
    there = offered(folder)
    if wanted is not None and wanted not in there:
        raise DataError(
            f"{folder.path} holds no {wanted}: "
            + (f"it has {listed(there)}" if there else "label some images first")
        )

    def pick(entry: Entry) -> Entry:
        full = entry.labels if wanted in (None, "masks") else None
        if full is not None:
            return replace(entry, kind=folder.kind, points=(), boxes=())
        return replace(
            entry,
            labels=None if wanted in ("masks", "boxes") else entry.scribbles,
            objects=None,
            kind="scribbles",
            points=entry.points if wanted in (None, "points") else (),
            boxes=entry.boxes if wanted in (None, "boxes") else (),
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


def subfolder(root: Path, names: Sequence[str]) -> Path | None:
    """The subfolder of the first of these names that is there, whatever its case."""
    inside = {p.name.lower(): p for p in sorted(root.iterdir()) if p.is_dir()}
    return next((inside[name] for name in names if name in inside), None)


def _nnunet(root: Path) -> Folder | None:
    pictures = subfolder(root, ("imagestr",))
    if pictures is None:
        return None
    labels = subfolder(root, ("labelstr",))
    masks, twins = by_stem(image_files(labels) if labels else [])
    channels = sorted(by_channel(image_files(pictures)).items())
    entries = [Entry(name, files, masks.pop(name, None)) for name, files in channels]
    notes = [f"{root.name} is read as an nnU-Net data set"]
    count = max((len(entry.images) for entry in entries), default=1)
    if count > 1:
        notes.append(f"files ending in _0000 to _{count - 1:04d} are the channels of one image")
    return Folder(
        root, tuple(entries), strays=tuple(masks.values()), twins=twins, legends=(root,), notes=tuple(notes)
    )


def _parted(root: Path) -> Folder | None:
    """img_dir/{train,val} + ann_dir/{train,val}: kinds outside, parts inside."""
    pictures = subfolder(root, IMAGE_FOLDERS)
    train = pictures and subfolder(pictures, TRAIN_FOLDERS)
    if pictures is None or train is None or is_series(train):
        return None
    validation = subfolder(pictures, VALIDATION_FOLDERS)
    first = _labelled(root, train, part=train.name, legends=(pictures, root))
    second = _labelled(root, validation, part=validation.name, legends=()) if validation else None
    return _together(root, first, second, validation)


def _split_inside(root: Path) -> Folder | None:
    """train/{images,masks} + val/{images,masks}: parts outside, kinds inside."""
    train = subfolder(root, TRAIN_FOLDERS)
    if train is None or is_series(train):
        return None
    validation = subfolder(root, VALIDATION_FOLDERS)
    first = _pair(train) or _flat(train)
    second = (_pair(validation) or _flat(validation)) if validation else None
    if first is None:
        return None
    found = _together(root, first, second, validation)
    read = {p.name for p in (train, validation) if p}
    others = sorted(p.name for p in root.iterdir() if p.is_dir() and p.name not in read and p.name[0] != ".")
    if others:
        found = replace(found, notes=(*found.notes, f"{listed(others)} beside {train.name} are not read"))
    return replace(found, legends=(*found.legends, root))


def _together(root: Path, first: Folder, second: Folder | None, where: Path | None) -> Folder:
    if second is None or where is None:
        return replace(first, path=root)
    if first.kind != second.kind and all(any(e.labels for e in part.train) for part in (first, second)):
        raise DataError(
            f"training has {first.kind} but {where.name} has {second.kind}: give the validation folder by "
            "itself, with --val"
        )
    taken = {entry.name for entry in first.train}

    def apart(entries: Sequence[Entry]) -> tuple[Entry, ...]:
        return tuple(replace(e, name=f"{where.name}/{e.name}") if e.name in taken else e for e in entries)

    validation = apart(second.train)
    people = {name: first.people.get(name, ()) for name in sorted({*first.people, *second.people})}
    hands = Counter(first.hands) + Counter(second.hands)
    return Folder(
        root,
        first.train,
        validation,
        first.kind if any(entry.labels for entry in first.train) else second.kind,
        (*first.strays, *second.strays),
        (*first.twins, *second.twins),
        first.legends,
        tuple(dict.fromkeys((*first.notes, f"{where.name} is used for validation", *second.notes))),
        {name: (*entries, *apart(second.people.get(name, ()))) for name, entries in people.items()},
        {name: hands[name] for name in sorted(hands)},
    )


def _pair(root: Path) -> Folder | None:
    """images/ with masks/, instances/ or scribbles/ beside it."""
    pictures = subfolder(root, IMAGE_FOLDERS)
    if pictures is not None and is_series(pictures):
        return _one_scan(root, pictures)
    if pictures is None or not image_files(pictures):
        return None
    return _labelled(root, pictures, part="", legends=(root, pictures))


def _one_scan(root: Path, pictures: Path) -> Folder:
    """images/ that is a DICOM series itself, with masks/ that is one too or holds one file."""
    place = subfolder(root, MASK_FOLDERS)
    masks = [] if place is None else [place] if is_series(place) else image_files(place)
    entry = Entry(stem_of(pictures), (pictures,), masks[0] if len(masks) == 1 else None)
    return Folder(root, (entry,), strays=tuple(masks) if len(masks) > 1 else (), legends=(root,))


def _labelled(root: Path, pictures: Path, *, part: str, legends: tuple[Path, ...]) -> Folder:
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
    # points may be small discs in label images
    hands = [(who or "scribbles", own) for who, own in scribbles.items()]
    hands += [(who or "points", own) for who, own in files(POINTS).items()]
    drawn = [(who, matched(image_files(pictures), own)) for who, own in hands if own]
    strokes = {e.name: e.labels for _, (one, _, _) in reversed(drawn) for e in one if e.labels}
    alone = len(masks) == len(objects) == 1
    found = {
        person: matched(
            image_files(pictures),
            own,
            next(iter(objects.values())) if alone else objects.get(person, []),
        )
        for person, own in (masks or {"": []}).items()
    }
    points, boxes = (_tables(root, names, part) for names in (POINTS, BOXES))

    def placed(entry: Entry) -> Entry:
        return replace(
            entry,
            scribbles=strokes.get(entry.name),
            points=_speaking(points, entry),
            boxes=_speaking(boxes, entry),
        )

    each = {person: tuple(map(placed, one)) for person, (one, _, _) in found.items()}
    people = each if len(each) > 1 else {}
    entries = tuple(map(_first_labelled, zip(*each.values(), strict=True)))
    every = [*found.values(), *(one for _, one in drawn)]
    lost = (*(stray for _, others, _ in every for stray in others), *_silent((*points, *boxes), entries))
    twins = tuple(dict.fromkeys(pair for _, _, pairs in every for pair in pairs))
    counts = Counter(who for who, (one, _, _) in drawn for e in one if e.labels)
    return Folder(
        root,
        entries,
        (),
        kind,
        tuple(dict.fromkeys(lost)),
        twins,
        legends,
        people=people,
        hands=counts if len(counts) > 1 else {},
    )


def _first_labelled(entries: Sequence[Entry]) -> Entry:
    """Of the entries of one image, a person each, the first that has labels."""
    return next((entry for entry in entries if entry.labels), entries[0])


def _tables(root: Path, names: Sequence[str], part: str) -> tuple[Path, ...]:
    """points.csv, points/*.csv and points/CLASS/*.csv beside the images."""
    beside = [
        p for p in sorted(root.iterdir()) if p.is_file() and p.name.lower() in {f"{n}.csv" for n in names}
    ]
    folder = subfolder(root, names)
    if folder is not None and part:
        folder = subfolder(folder, (part.lower(),))
    inside = [] if folder is None else [*folder.glob("*.csv"), *folder.glob("*/*.csv")]
    return (*beside, *sorted(p for p in inside if not p.name.startswith(".")))


def _speaking(tables: Sequence[Path], entry: Entry) -> tuple[Path, ...]:
    """Tables of one image that is this one by its stem, and those that name their images in a column."""
    shared = {*POINTS, *BOXES}
    return tuple(p for p in tables if p.stem == stem_of(entry.images[0]) or p.stem.lower() in shared)


def _silent(tables: Sequence[Path], entries: Sequence[Entry]) -> list[Path]:
    """Tables of one image that is not there."""
    speaking = {table for entry in entries for table in _speaking(tables, entry)}
    return [table for table in tables if table not in speaking]


def _flat(root: Path) -> Folder | None:
    """Images in the folder itself, with x_masks, x_mask, x_seg, x_label ... beside x."""
    files = image_files(root)
    masks = [p for p in files if is_mask_beside(p, files)]
    if not files:
        return None
    entries, strays, twins = matched([p for p in files if p not in set(masks)], masks, [])
    endings = {mask_ending(p) for p in masks}
    kind: Kind = "ids" if endings and endings <= {"masks", "cp_masks"} else "masks"
    points, boxes = (_tables(root, names, "") for names in (POINTS, BOXES))
    entries = tuple(replace(e, points=_speaking(points, e), boxes=_speaking(boxes, e)) for e in entries)
    lost = (*strays, *_silent((*points, *boxes), entries))
    return Folder(root, entries, (), kind, lost, twins, (root,))
