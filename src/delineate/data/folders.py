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
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from delineate.core import DataError
from delineate.data.beside import (
    BOXES,
    IMAGE_FOLDERS,
    MASK_FOLDERS,
    POINTS,
    TRAIN_FOLDERS,
    VALIDATION_FOLDERS,
    Folder,
    labelled,
    silent_in,
    speaking_of,
    subfolder,
    tables_beside,
)
from delineate.data.formats import IMAGE_SUFFIXES, stem_of
from delineate.data.label_choice import LabelKind, chosen
from delineate.data.matching import (
    Entry,
    Kind,
    by_channel,
    by_stem,
    image_files,
    is_mask_beside,
    is_series,
    mask_ending,
    matched,
)
from delineate.data.problem import listed


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
        pictures = subfolder(root, IMAGE_FOLDERS)
        inside = (
            [p.name for p in sorted(pictures.iterdir()) if p.is_dir() and image_files(p)] if pictures else []
        )
        if pictures and inside:
            raise DataError(
                f"{pictures} holds images only in folders of its own ({listed(inside, most=3)}): move the images into "
                f"{pictures.name}/ itself, and their masks likewise"
            )
        raise DataError(
            f"{root} holds no image that can be read: give a folder with images/ and masks/, or "
            f"with images of the kinds {listed(IMAGE_SUFFIXES, most=30)}"
        )
    return chosen(found, labels)


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
    first = labelled(root, train, part=train.name, legends=(pictures, root))
    second = labelled(root, validation, part=validation.name, legends=()) if validation else None
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
        are = "are" if len(others) > 1 else "is"
        found = replace(found, notes=(*found.notes, f"{listed(others)} beside {train.name} {are} not read"))
    shared = [
        tuple(p for p in tables_beside(root, names, "") if p.parent == root) for names in (POINTS, BOXES)
    ]

    def told(entries: Sequence[Entry]) -> tuple[Entry, ...]:
        return tuple(
            replace(e, points=(*e.points, *shared[0]), boxes=(*e.boxes, *shared[1])) for e in entries
        )

    return replace(
        found,
        train=told(found.train),
        validation=told(found.validation),
        legends=(*found.legends, root),
    )


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
    return labelled(root, pictures, part="", legends=(root, pictures))


def _one_scan(root: Path, pictures: Path) -> Folder:
    """images/ that is a DICOM series itself, with masks/ that is one too or holds one file."""
    place = subfolder(root, MASK_FOLDERS)
    masks = [] if place is None else [place] if is_series(place) else image_files(place)
    entry = Entry(stem_of(pictures), (pictures,), masks[0] if len(masks) == 1 else None)
    return Folder(root, (entry,), strays=tuple(masks) if len(masks) > 1 else (), legends=(root,))


def _flat(root: Path) -> Folder | None:
    """Images in the folder itself, with x_masks, x_mask, x_seg, x_label ... beside x."""
    files = image_files(root)
    masks = [p for p in files if is_mask_beside(p, files)]
    if not files:
        return None
    entries, strays, twins = matched([p for p in files if p not in set(masks)], masks, [])
    endings = {mask_ending(p) for p in masks}
    kind: Kind = "ids" if endings and endings <= {"masks", "cp_masks"} else "masks"
    points, boxes = (tables_beside(root, names, "") for names in (POINTS, BOXES))
    entries = tuple(replace(e, points=speaking_of(points, e), boxes=speaking_of(boxes, e)) for e in entries)
    lost = (*strays, *silent_in((*points, *boxes), entries))
    return Folder(root, entries, (), kind, lost, twins, (root,))
