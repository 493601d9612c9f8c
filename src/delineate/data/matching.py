"""Which files are images, and which mask belongs to which image, by name alone.

A label file belongs to the image of the same stem; failing that, to the one whose stem is the same without
endings such as _mask and _img. Suffixes may differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from delineate.data.formats import stem_of, suffix_of

MASK_ENDINGS = re.compile(
    r"_(cp_masks|masks|mask|segmentation|seg|labels|label|annotation|gt)$", re.IGNORECASE
)
IMAGE_ENDINGS = re.compile(r"_(img|image|raw)$", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """One image and what labels it.

    images: one file, or nnU-Net's one file per channel, or the folder of a DICOM series. labels: classes, or
    ids (`Folder.kind` says). objects: object ids beside labels."""

    name: str
    images: tuple[Path, ...]
    labels: Path | None = None
    objects: Path | None = None


Twins = tuple[tuple[Path, Path], ...]


def is_image(path: Path) -> bool:
    """Whether `path` is a file of a kind that can be read, or the folder of a DICOM series; hidden files are
    not."""
    if path.name.startswith("."):
        return False
    return bool(suffix_of(path)) if path.is_file() else is_series(path)


def is_series(path: Path) -> bool:
    """Whether `path` is a folder that holds the slices of a DICOM series and no folders."""
    if not path.is_dir() or path.name.startswith("."):
        return False
    inside = [p for p in path.iterdir() if not p.name.startswith(".")]
    return bool(inside) and all(p.is_file() and p.suffix.lower() in (".dcm", ".ima") for p in inside)


def image_files(folder: Path) -> list[Path]:
    """The images in `folder` itself, in the order of their names."""
    return sorted(p for p in folder.iterdir() if is_image(p))


def mask_ending(path: Path) -> str:
    found = MASK_ENDINGS.search(stem_of(path))
    return found.group(1).lower() if found else ""


def is_mask_beside(path: Path, files: Iterable[Path]) -> bool:
    """Whether `path` is x_masks (or x_seg ...) and an image x, x_img or x_image lies beside it."""
    if not mask_ending(path):
        return False
    image = MASK_ENDINGS.sub("", stem_of(path))
    return any(IMAGE_ENDINGS.sub("", stem_of(p)) == image for p in files if p != path)


def by_stem(files: Iterable[Path]) -> tuple[dict[str, Path], Twins]:
    found: dict[str, Path] = {}
    twins = []
    for file in files:
        if stem_of(file) in found:
            twins.append((found[stem_of(file)], file))
        else:
            found[stem_of(file)] = file
    return found, tuple(twins)


def matched(
    pictures: Sequence[Path], masks: Sequence[Path], objects: Sequence[Path]
) -> tuple[tuple[Entry, ...], tuple[Path, ...], Twins]:
    """Entries by stem, label files that no image claims, and files of one stem.

    A label file belongs to the image of the same stem; failing that, to the one whose stem is the same
    without endings such as _mask and _img."""
    by_name, twins = by_stem(pictures)
    labels, more = by_stem(masks)
    ids, still_more = by_stem(objects)
    claims = [_claimed(files, sorted(by_name)) for files in (labels, ids)]
    entries = [Entry(n, (by_name[n],), claims[0].get(n), claims[1].get(n)) for n in sorted(by_name)]
    return tuple(entries), (*labels.values(), *ids.values()), (*twins, *more, *still_more)


def _claimed(files: dict[str, Path], names: Sequence[str]) -> dict[str, Path]:
    """Take out of `files` those that belong to the images of these names; equal stems come first."""
    claimed = {name: files.pop(name) for name in names if name in files}
    short = {MASK_ENDINGS.sub("", key): key for key in sorted(files, reverse=True)}
    for name in names:
        key = short.get(IMAGE_ENDINGS.sub("", name))
        if name not in claimed and key in files:
            claimed[name] = files.pop(key)
    return claimed
