"""ImageJ's regions of interest: a .roi file, or the .zip that its manager saves.

A region is called as its class, with or without a number at the end; names that ImageJ makes up (0012-0345-0678) name
none. A number right after one or two letters belongs to the name (CD4, Ki67, p53). Regions of a group count as group_1,
group_2, ... where they have no names.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, ZipInfo

from roifile import ROI_SUBTYPE, ROI_TYPE, ImagejRoi

from delineate.core import DataError
from delineate.data.outlines.outline import Drawn, Outline, Ring, ring, round_

MADE_UP = re.compile(r"\d+(-\d+)+")
NUMBERED = re.compile(r"(^|[\s_.\-#(]+|(?<=[^\W\d_]{3}))\d+\)?$")
MANAGER = re.compile(r"[_\-\s]*(roiset|rois|roi)$", re.IGNORECASE)
AREAS = (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED)


def is_rois(path: Path) -> bool:
    """Whether a .zip holds regions of interest, and nothing else."""
    try:
        with ZipFile(path) as held:
            names = [one.filename for one in _held(held)]
    except (BadZipFile, OSError):
        return False
    return bool(names) and all(name.lower().endswith(".roi") for name in names)


def _held(held: ZipFile) -> list[ZipInfo]:
    """The files in a .zip, two of one name as well, but for folders and what desktops put there."""
    files = (one for one in held.infolist() if not one.is_dir() and not one.filename.startswith("__MACOSX"))
    return [one for one in files if not one.filename.rpartition("/")[2].startswith(".")]


def _regions(path: Path) -> list[ImagejRoi]:
    if path.suffix.lower() != ".zip":
        return [ImagejRoi.frombytes(path.read_bytes())]
    with ZipFile(path) as held:
        return [ImagejRoi.frombytes(held.read(one)) for one in _held(held)]


def read_rois(path: Path) -> list[Drawn]:
    """The regions in a .roi or .zip file, on the image that is called as the file is, but for _rois or _RoiSet.

    Raises DataError where the file is damaged.
    """
    try:
        return [_drawn(path)]
    except DataError:
        raise
    except Exception as error:  # whatever damaged bytes make of numbers
        raise DataError(f"{path} cannot be read as regions of ImageJ ({error}): save it again") from error


def _drawn(path: Path) -> Drawn:
    outlines: list[Outline] = []
    left_out = Counter[str]()
    for roi in _regions(path):
        rings = _rings(roi)
        if rings:
            slice_ = max(roi.z_position, roi.t_position) or roi.position  # 1 where it has no such axis
            outlines.append(Outline(_class(roi), (rings,), plane=slice_ - 1 if slice_ > 0 else None))
        else:
            left_out[_mark(roi)] += 1
    return Drawn(path, MANAGER.sub("", path.stem), tuple(outlines), left_out=left_out)


def _rings(roi: ImagejRoi) -> tuple[Ring, ...]:
    """The rings of a region; none where it has no area."""
    x0, y0, x1, y1 = map(float, (roi.left, roi.top, roi.right, roi.bottom))
    pieces: list[Any]
    if roi.subtype in (ROI_SUBTYPE.TEXT, ROI_SUBTYPE.IMAGE):  # a note, or a picture laid over
        return ()
    if roi.subpixelrect:
        x0, y0, x1, y1 = roi.xd, roi.yd, roi.xd + roi.widthd, roi.yd + roi.heightd
    if roi.composite:
        pieces = list(roi.coordinates(multi=True))
    elif roi.roitype == ROI_TYPE.RECT:
        pieces = [[(x0, y0), (x1, y0), (x1, y1), (x0, y1)]]
    elif roi.roitype == ROI_TYPE.OVAL:
        pieces = [round_(((x0 + x1) / 2, (y0 + y1) / 2), ((x1 - x0) / 2, (y1 - y0) / 2))]
    elif roi.roitype in AREAS:
        pieces = [roi.coordinates()]
    else:
        return ()
    return tuple(one for piece in pieces if len(one := ring(piece)) > 2)


def _mark(roi: ImagejRoi) -> str:
    """What a region without an area is."""
    if roi.subtype in (ROI_SUBTYPE.TEXT, ROI_SUBTYPE.IMAGE):
        return "text" if roi.subtype == ROI_SUBTYPE.TEXT else "picture"
    return "point" if roi.roitype == ROI_TYPE.POINT else "line"


def _class(roi: ImagejRoi) -> str:
    """What a region is: by its name, else by its group.

    >>> named = [ImagejRoi(name=name) for name in ("nucleus", "nucleus2", "T cell 3", "CD4", "CD4-1", "0012-0345", "17")]
    >>> [_class(roi) for roi in named]
    ['nucleus', 'nucleus', 'T cell', 'CD4', 'CD4', '', '']
    """
    name = (roi.name or "").removesuffix(".roi").strip()
    plain = "" if MADE_UP.fullmatch(name) else NUMBERED.sub("", name)
    return plain or (f"group_{roi.group}" if roi.group else "")
