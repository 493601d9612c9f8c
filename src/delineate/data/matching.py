"""Which files are images, and which mask belongs to which image, by name alone.

A label file belongs to the image of the same stem; failing that, to the one whose stem is the same without
endings such as _mask and _img. Suffixes may differ.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from delineate.data.dicom import is_dicom_file, single_images
from delineate.data.formats import is_zarr, stem_of, suffix_of

MASK_ENDINGS = re.compile(
    r"_(cp_masks|masks|mask|segmentation|seg|labels|label|annotation|gt)$", re.IGNORECASE
)
IMAGE_ENDINGS = re.compile(r"_(img|image|raw)$", re.IGNORECASE)
CHANNEL = re.compile(r"_\d{4}$")
NO_IMAGES = (".txt", ".xml", ".htm", ".html", ".pdf", ".db", ".ini", ".log")

Kind = Literal["masks", "scribbles", "instances", "ids"]


@dataclass(frozen=True)
class Entry:
    """One image and what labels it.

    images: one file, or nnU-Net's one file per channel, or the folder of a DICOM series. labels: classes, or
    ids (`kind` says). objects: object ids beside labels. scribbles: strokes that lie there as well. discs: a label image
    of points that join the strokes. spare: strokes that lie there and are not used. points, boxes: CSV files that may speak
    of the image; aside: such as are not used for it."""

    name: str
    images: tuple[Path, ...]
    labels: Path | None = None
    objects: Path | None = None
    kind: Kind = "masks"
    scribbles: Path | None = None
    discs: Path | None = None
    spare: tuple[Path, ...] = ()
    points: tuple[Path, ...] = ()
    boxes: tuple[Path, ...] = ()
    aside: tuple[Path, ...] = ()


Twins = tuple[tuple[Path, Path], ...]


def is_image(path: Path) -> bool:
    """Whether `path` is a file of a kind that can be read, or the folder of a DICOM series; hidden files are
    not."""
    if path.name.startswith("."):
        return False
    return bool(suffix_of(path)) if path.is_file() else is_zarr(path) or is_series(path)


def is_series(path: Path) -> bool:
    """Whether `path` is a folder that holds DICOM files only, and not one image (an X-ray) in each of them. Notes and what
    desktops leave there (NO_IMAGES) do not count.

    The only question here that opens files: slices often have no suffix, and X-rays look like slices by name.
    """
    if not path.is_dir() or path.name.startswith("."):
        return False
    inside = [p for p in sorted(path.iterdir()) if not p.name.startswith(".") and p.name != "DICOMDIR"]
    inside = [p for p in inside if p.suffix.lower() not in NO_IMAGES]
    return bool(inside) and all(map(is_dicom_file, inside)) and not single_images(inside)


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


def by_channel(files: Iterable[Path]) -> dict[str, tuple[Path, ...]]:
    """nnU-Net's files case_0000, case_0001, ... by case, the channels in their order."""
    found: dict[str, tuple[Path, ...]] = {}
    for file in sorted(files):
        name = CHANNEL.sub("", stem_of(file))
        found[name] = (*found.get(name, ()), file)
    return found


def finder(entries: Iterable[Entry]) -> Callable[[str], list[str]]:
    """What gives the names of the entries that a table or another program may mean by a name: as files are called, else
    whatever the suffix (.ome too, which other programs leave there), letter case and spelling of accents; where several are,
    those in the folders that it names.

    >>> find = finder([Entry("a", (Path("train/a.png"),)), Entry("val/a", (Path("val/a.png"),))])
    >>> find("A.jpg"), find("val/a.png"), find("b")
    (['a', 'val/a'], ['val/a'], [])
    """

    def loose(stem: str) -> str:
        return unicodedata.normalize("NFC", stem).lower().removesuffix(".ome")

    exactly: dict[str, list[Entry]] = {}
    loosely: dict[str, list[Entry]] = {}
    for entry in entries:
        stem = stem_of(entry.images[0])
        for name in {entry.name.rpartition("/")[2], stem, entry.images[0].name}:
            exactly.setdefault(name, []).append(entry)
        loosely.setdefault(loose(stem), []).append(entry)

    def find(name: str) -> list[str]:
        *folders, last = re.split(r"[\\/]", name)
        found = exactly.get(last) or loosely.get(loose(stem_of(Path(last))), [])
        if len(found) > 1:
            found = [e for e in found if folders and set(folders) <= set(e.images[0].parts)] or found
        return [entry.name for entry in found]

    return find


def matched(
    pictures: Sequence[Path],
    masks: Sequence[Path],
    objects: Sequence[Path] = (),
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
