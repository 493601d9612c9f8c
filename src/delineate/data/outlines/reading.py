"""Which files hold outlines, and whose image each is: by what a file says, else by its own name."""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zipfile import BadZipFile, ZipFile, is_zipfile

from delineate.core import DataError
from delineate.data.formats import is_zarr
from delineate.data.matching import Entry, finder
from delineate.data.outlines.coco import is_coco, read_coco
from delineate.data.outlines.geojson import is_geojson, read_geojson
from delineate.data.outlines.labelme import is_labelme, read_labelme
from delineate.data.outlines.outline import Drawn
from delineate.data.problem import listed

JSON: dict[str, tuple[Callable[[Any], bool], Callable[[Path, Any], list[Drawn]]]] = {
    "labelme": (is_labelme, read_labelme),
    "COCO": (is_coco, read_coco),
    "GeoJSON": (is_geojson, read_geojson),
}
"""Formats in JSON by name: what tells that parsed JSON is one, and its reader. To add one, name it here."""

PACKED = (".geojson.gz", ".json.gz")
SUFFIXES = (".json", ".geojson", ".roi", ".zip", *PACKED)


def read_outlines(path: str | Path) -> list[Drawn]:
    """What a file of outlines, or each of those in a folder, says of each image.

    QuPath's GeoJSON, COCO, labelme, ImageJ's .roi and .zip. In a folder, files of other kinds are passed over; a file that
    is named must be of one. Raises DataError where there are no outlines, and where a file is damaged.
    """
    root = Path(path)
    if not root.exists():
        raise DataError(f"there is no {root}: give a file of outlines, or a folder of such files")
    found = [one for file in _files(root) for one in _read(file)]
    if not found and (inside := outlines_in(root) if root.is_dir() else None):
        raise DataError(f"{root} itself holds no outlines: give {inside}")
    if not found:
        raise DataError(
            f"{root} holds no outlines: give GeoJSON of QuPath, a COCO file, files of labelme, or ImageJ's .roi or .zip"
        )
    return found


def outlines_in(folder: str | Path) -> Path | None:
    """The file of outlines that lies in a data folder or in a folder of it, or the folder where there are several."""
    root = Path(folder)
    inside = sorted(path for path in root.glob("*/") if not path.name.startswith(".") and not is_zarr(path))
    for place in (root, *inside):
        held = [path for path in _files(place) if _kind(path)]
        if held:
            return held[0] if len(held) == 1 else place
    return None


def how_to_label(folder: str | Path) -> str:
    """The remedy where no image of a data folder has a mask: what makes masks of the outlines that lie there, else where
    masks belong.

    >>> import tempfile
    >>> how_to_label(tempfile.mkdtemp())
    'put masks of the same names into a folder masks/ beside images/'
    """
    which = outlines_in(folder)
    if which is None:
        return "put masks of the same names into a folder masks/ beside images/"
    return f"make masks of the outlines in {which} first, with `delineate masks {which} {folder} -o labelled`"


def whose(found: Sequence[Drawn], entries: Sequence[Entry]) -> tuple[dict[str, list[Drawn]], list[Drawn]]:
    """What was drawn on each image, by the name of its entry, and what is of none of them.

    Images are found by the file that is named, whatever its folder, suffix and letter case, else by the name of the file of
    outlines, where that speaks of one image alone; what is the only one, or .roi files, and the only image belong together.
    Raises DataError where two images may be meant.
    """
    taken: dict[str, list[Drawn]] = {}
    nobodys, find = [], finder(entries)
    speaks_of = Counter(drawn.source for drawn in found)
    for drawn in found:
        forms = (*_forms(drawn.image), *([drawn.source.stem] if speaks_of[drawn.source] == 1 else []))
        names = list(dict.fromkeys(next(filter(None, map(find, forms)), [])))
        alone = len(found) == 1 or drawn.source.suffix.lower() == ".roi"
        if not names and alone and len(entries) == 1:
            names = [entries[0].name]
        if len(names) > 1:
            raise DataError(
                f"{drawn.source} speaks of {drawn.image}, which may be {listed(names, most=3)}: give one folder of images "
                "at a time"
            )
        if names:
            taken.setdefault(names[0], []).append(drawn)
        else:
            nobodys.append(drawn)
    return taken, nobodys


def _forms(said: str) -> Iterator[str]:
    """What an image may be called on the disk: as it is said; where that is an address, as its file, or as what it asks for.

    >>> list(_forms("https://a.b/c/my%20cell.png?d=day%201/x.png"))[1:]
    ['https://a.b/c/my cell.png', 'day 1/x.png']
    """
    yield said
    address, _, asked = said.partition("?")
    yield from (unquote(part) for part in (address, asked.removeprefix("d=")) if part)


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for path in sorted(root.iterdir()):
        if path.is_file() and path.name.lower().endswith(SUFFIXES) and not path.name.startswith("."):
            yield path


def _kind(path: Path) -> str:
    """The format of a file; "" for what holds no outlines."""
    if _is_imagej(path):
        return "ImageJ"
    try:
        content = _parsed(path)
    except DataError:
        return ""
    return next((name for name, (fits, _) in JSON.items() if fits(content)), "")


def _is_imagej(path: Path) -> bool:
    if path.suffix.lower() != ".zip":
        return path.suffix.lower() == ".roi"
    from delineate.data.outlines.imagej import is_rois

    return is_rois(path)


def _read(path: Path) -> list[Drawn]:
    if _is_imagej(path):
        from delineate.data.outlines.imagej import read_rois

        return read_rois(path)
    content = _parsed(path)
    if content == [] and ".geojson" in path.name.lower():  # an image on which QuPath has nothing
        return read_geojson(path, content)
    for name, (fits, read) in JSON.items():
        if fits(content):
            try:
                return read(path, content)
            except DataError as error:
                raise DataError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
            except (KeyError, TypeError, ValueError, AttributeError, IndexError, OSError) as error:
                missing = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
                raise DataError(f"{path} is not sound {name} ({missing}): export it again") from error
    return []


def _parsed(path: Path) -> Any:
    """The JSON in a file, packed as QuPath packs it or not; None where a file is no such."""
    packed = path.suffix.lower()
    if not path.name.lower().endswith(SUFFIXES) or (packed == ".zip" and not is_zipfile(path)):
        return None
    try:
        if packed == ".zip":
            with ZipFile(path) as held:
                names = [name for name in held.namelist() if name.lower().endswith((".json", ".geojson"))]
                text = held.read(names[0]) if len(held.namelist()) == len(names) == 1 else b"null"
        else:
            text = path.read_bytes()
            text = gzip.decompress(text) if packed == ".gz" else text
        return json.loads(text.decode("utf-8-sig"))
    except (
        OSError,
        EOFError,
        BadZipFile,
        zlib.error,
        ValueError,
        RuntimeError,
    ) as error:  # with a password, deeply nested
        raise DataError(
            f"{path} cannot be read as JSON ({error}): export it again, or move it elsewhere"
        ) from error
