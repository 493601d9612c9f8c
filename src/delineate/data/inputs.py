"""What to predict on: a file, a folder of any layout, a DICOM series or a glob, as entries with a name each.

The layouts are those of `folders`, but nothing is asked about masks, and no part of a data set is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from glob import glob
from pathlib import Path

from delineate.core import DataError
from delineate.data.beside import IMAGE_FOLDERS, TRAIN_FOLDERS, VALIDATION_FOLDERS, subfolder
from delineate.data.formats import is_zarr, stem_of
from delineate.data.matching import (
    CHANNEL,
    Entry,
    by_channel,
    image_files,
    is_image,
    is_mask_beside,
    is_series,
)

PARTS = (TRAIN_FOLDERS, VALIDATION_FOLDERS[:-1], ("test", "testing"))
CHANNEL_FOLDERS = ("imagestr", "imagests")


def images(path: str | Path) -> list[Entry]:
    """The images to predict on at `path`, each with the name of its results: a file, a folder or a glob.

    A data folder gives all of its images, those of train/, val/ and test/ alike; one whose name is taken already
    is called val/x. The folder of a DICOM series is one image. In nnU-Net's imagesTr and imagesTs, the files
    case_0000, case_0001, ... are the channels of one image `case`, also where only one of them is given.
    Masks that lie beside images are left out. Raises DataError where there is no image.
    """
    root = Path(path)
    if root.is_dir() and not is_zarr(root):
        parts = _parts(root)
    elif root.exists():
        parts = [("", [root])]
    else:
        parts = [("", sorted(p for p in map(Path, glob(str(path), recursive=True)) if is_image(p)))]
    found: list[Entry] = []
    taken: set[str] = set()
    for part, files in parts:
        entries = _to_predict(files)
        found += [replace(e, name=f"{part}/{e.name}") if part and e.name in taken else e for e in entries]
        taken |= {e.name for e in entries}
    if not found:
        exists = "holds no image that can be read" if root.exists() else "matches no file"
        raise DataError(
            f"{path} {exists}: give an image, a folder of images or a pattern such as 'new/*.png'"
        )
    return found


def _to_predict(files: Sequence[Path]) -> list[Entry]:
    split = [p for p in files if p.parent.name.lower() in CHANNEL_FOLDERS and CHANNEL.search(stem_of(p))]
    cases = {(p.parent, CHANNEL.sub("", stem_of(p))) for p in split}
    found = [Entry(stem_of(p.absolute()), (p,)) for p in files if p not in set(split)]
    for parent in sorted({parent for parent, _ in cases}):
        channels = by_channel(image_files(parent))
        found += [Entry(name, channels[name]) for name in channels if (parent, name) in cases]
    return sorted(found, key=lambda entry: (entry.name, entry.images))


def _parts(root: Path) -> list[tuple[str, list[Path]]]:
    """The image files of a folder of any layout, by part (train, val, ...; "" where there are no parts)."""
    if is_series(root):
        return [("", [root])]
    channels = [found for name in CHANNEL_FOLDERS if (found := subfolder(root, (name,)))]
    if channels:
        return [(found.name, image_files(found)) for found in channels]
    pictures = subfolder(root, IMAGE_FOLDERS)
    if pictures and is_series(pictures):
        return [("", [pictures])]
    for place in (pictures, root):
        inside = [subfolder(place, names) for names in PARTS] if place else []
        if any(inside):
            return [(part.name, files) for part in inside if part for _, files in _parts(part)]
    files = image_files(pictures or root)
    if pictures and not files:
        people = sorted(p for p in pictures.iterdir() if p.is_dir())
        return [(p.name, image_files(p)) for p in people]
    return [("", [p for p in files if not is_mask_beside(p, files)])]
