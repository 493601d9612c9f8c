"""Masks without their images, for scoring: what was predicted, what is true.

`load_masks` reads a folder of mask files, the masks of a data folder, or what `delineate predict` wrote.
Hundreds of volumes need not fit into memory: a `LabelledFile` is read when asked, once the set has been understood.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, ClassTable, DataError
from delineate.data.beside import OBJECT_FOLDERS, SCRIBBLE_FOLDERS, Folder, legend_of
from delineate.data.convention import Convention
from delineate.data.evidence import Evidence, look
from delineate.data.faults import fringes
from delineate.data.folders import find_folder
from delineate.data.formats import is_zarr, read_image, read_mask, stem_of
from delineate.data.image_and_mask import labels_and_objects
from delineate.data.masks import MasksAre, understand
from delineate.data.matching import MASK_ENDINGS, Entry, Kind, is_series
from delineate.data.reading import each

PREDICTION = "prediction.json"
NOT_SCORED = "points and boxes are not scored"


@dataclass(frozen=True, eq=False)
class Labelled:
    """What one mask file says: labels (*spatial) uint8, object ids (*spatial) int32 or None, and where it lies in space."""

    labels: NDArray[np.uint8]
    objects: NDArray[np.int32] | None
    spacing: tuple[float, ...]
    unit: str
    affine: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class LabelledFile:
    """A mask file that is read when asked. path: the labels (or ids). image: the image they belong to, probabilities: those
    that were predicted with it, where known. fault: why it cannot be read, in one sentence; "" where nothing is known of it."""

    name: str
    path: Path
    objects_path: Path | None
    image: Path | None
    convention: Convention
    probabilities: Path | None = None
    fault: str = ""

    def read(self) -> Labelled:
        """The labels and objects; raises DataError where a file cannot be read or holds an unknown value."""
        if self.fault:
            raise DataError(self.fault)
        mask = read_mask(self.path)
        ids = read_mask(self.objects_path) if self.objects_path else None
        labels, objects, _ = labels_and_objects(mask, ids, convention=self.convention, where=str(self.path))
        return Labelled(labels, objects, mask.spacing, mask.unit, mask.affine)

    def read_probabilities(self) -> NDArray[np.floating[Any]] | None:
        """Probabilities (*spatial, classes), or None where there are none; raises DataError where they are no such thing."""
        if self.probabilities is None:
            return None
        array = read_image(self.probabilities).array
        if array.dtype.kind != "f":
            raise DataError(
                f"{self.probabilities} holds {array.dtype} numbers: give probabilities as floating-point numbers from 0 to 1"
            )
        return array


@dataclass(frozen=True)
class LabelledSet:
    """Mask files by the name of their case, what their labels index, and what was understood."""

    files: Mapping[str, LabelledFile]
    classes: ClassTable
    notes: tuple[str, ...]


def mask_names(path: str | Path) -> tuple[str, ...]:
    """The names of the cases that `load_masks` finds at `path`, without a look into the masks; raises as it does.

    >>> import tempfile
    >>> from delineate.data.samples import write
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     len(mask_names(write(Path(scratch) / "data") / "test"))
    3
    """
    root = Path(path)
    if (root / PREDICTION).is_file():
        return tuple(_prediction(root).files)
    folder = _mask_folder(root)
    return tuple(entry.name for entry in (*folder.train, *folder.validation) if entry.labels)


def load_masks(
    path: str | Path,
    *,
    classes: ClassTable | None = None,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    most: bool = False,
) -> LabelledSet:
    """The masks at `path`: a folder of mask files, a data folder, a prediction folder, or one mask file.

    Cases are named by file stem, without an ending such as _mask that all of the files have. In a data folder
    the masks of training and validation are taken. The arguments are those of `load`; a prediction folder
    needs none. A file that cannot be read is kept, and its `read` raises; with `most`, so does one that was blurred by
    interpolation or compression, and one whose values have no meaning among the classes, where these are known (from
    `classes` or a legend beside the masks) or that hold nothing but 255 while 255 is in no class, as long as more than half
    of the files are understood.
    Raises DataError where there is no mask that can be read, or where masks can be read in more than one way.
    """
    root = Path(path)
    if (root / PREDICTION).is_file():
        return _prediction(root)
    folder = _mask_folder(root)
    entries = [entry for entry in (*folder.train, *folder.validation) if entry.labels]
    if folder.twins:
        one, other = folder.twins[0]
        raise DataError(f"{one.name} and {other.name} have one name: rename or remove one of them")
    paths = [entry.labels for entry in entries if entry.labels]
    closely = folder.doubtful(masks_are)
    strokes = folder.kind == "scribbles"
    looks = list(each(lambda file: _looked(file, closely=closely, strokes=strokes), paths))
    evidence = [seen for seen in looks if isinstance(seen, Evidence)]
    if not evidence and looks and isinstance(looks[0], DataError):
        raise _no_mask(looks[0], folder)
    faults = {
        file: problem.error
        for file, seen in zip(paths, looks, strict=True)
        if isinstance(seen, Evidence) and (problem := fringes(seen))
    }
    sharp = [seen for seen in evidence if not fringes(seen)]
    if faults and not (most and 2 * len(sharp) > len(evidence)):
        raise _no_mask(next(iter(faults.values())), folder)
    legend = legend_of(folder)
    understood = partial(
        understand,
        kind=folder.kind,
        legend=legend,
        unlabelled=unlabelled,
        masks_are=masks_are,
        classes=classes,
    )
    used = sharp
    try:
        convention = understood(used)
    except DataError:
        fitting = (_fitting(sharp, understood) if classes or legend else _saying(sharp)) if most else []
        if not len(sharp) > len(fitting) > len(evidence) / 2:
            raise
        used = fitting
        convention = understood(used)
    files = {
        entry.name: LabelledFile(
            entry.name,
            file,
            entry.objects,
            entry.images[0] if entry.images else None,
            convention,
            fault=str(faults.get(file, "")),
        )
        for entry, file in zip(entries, paths, strict=True)
    }
    notes = [*folder.notes, *convention.notes]
    pixels = np.sum([convention.tally(seen) for seen in used], axis=0)
    if strokes:
        notes.append(
            "scores on strokes are of the places where people drew, which are the easy ones, and tell nothing of borders"
        )
    elif 2 * pixels[UNLABELLED] > pixels.sum():
        share = 1 - pixels[UNLABELLED] / pixels.sum()
        notes.append(f"{share:.1%} of the pixels are labelled: scores are of these alone")
    return LabelledSet(files, convention.classes, tuple(notes))


def _no_mask(error: DataError, folder: Folder) -> DataError:
    """What to say of files that were taken for masks: where points or boxes lie beside them, and no images, they may be these."""
    if NOT_SCORED not in folder.notes or any(entry.images for entry in folder.entries):
        return error
    seen = str(error).rpartition(": ")[0].partition(", ")[0]
    return DataError(
        f"{folder.path} holds points or boxes but no masks, for its files look like images ({seen}), "
        "and scores are of masks: give the folder of the full masks"
    )


def _fitting(
    evidence: Sequence[Evidence], understood: Callable[[Sequence[Evidence]], Convention]
) -> list[Evidence]:
    """The files that can be understood together with those that hold what most of them hold."""
    held = [frozenset(seen.counts) for seen in evidence]
    common = Counter([values for values in held if len(values) > 1] or held).most_common(1)[0][0]
    model = evidence[held.index(common)]
    fitting = []
    for seen in evidence:
        try:
            understood([model, seen])
        except DataError:
            continue
        fitting.append(seen)
    return fitting


def _saying(evidence: Sequence[Evidence]) -> list[Evidence]:
    """The files that hold anything but UNLABELLED, which alone may mean nothing at all or one large object."""
    return [seen for seen in evidence if set(seen.counts) != {UNLABELLED}]


def _looked(file: Path, *, closely: bool, strokes: bool) -> Evidence | DataError:
    """What a file holds, or why it cannot be read; asked again, `LabelledFile.read` will say so."""
    try:
        return look(read_mask(file), where=file.name, closely=closely, strokes=strokes)
    except DataError as error:
        return error


def _mask_folder(root: Path) -> Folder:
    """The entries of a data folder; or, where no image has a mask, every file taken as a mask."""
    if root.is_file() or is_zarr(root) or is_series(root):
        return Folder(root, (Entry(stem_of(root), (), root),))
    found = find_folder(root)
    placed = any(entry.points or entry.boxes or entry.discs for entry in found.entries)
    if placed:
        found = replace(found, notes=(*found.notes, NOT_SCORED))
    if any(entry.labels for entry in found.entries):
        if found.kind == "scribbles":
            return found
        full = [tuple(e for e in part if e.kind != "scribbles") for part in (found.train, found.validation)]
        return replace(found, train=full[0], validation=full[1])
    if placed and all(entry.images[0].parent != root for entry in found.entries):
        raise DataError(
            f"{root} holds points or boxes but no masks, and scores are of masks: give the folder of the full masks"
        )
    names = [entry.name for entry in found.train]
    short = [MASK_ENDINGS.sub("", name) for name in names]
    if all(map(str.__ne__, names, short)) and len(set(short)) == len(short):
        names = short
    where = root.name.lower()
    kind: Kind = (
        "instances" if where in OBJECT_FOLDERS else "scribbles" if where in SCRIBBLE_FOLDERS else "masks"
    )
    entries = tuple(Entry(name, (), entry.images[0]) for name, entry in zip(names, found.train, strict=True))
    notes = (NOT_SCORED,) if placed else ()
    return Folder(root, entries, kind=kind, twins=found.twins, legends=(root, root.parent), notes=notes)


def _prediction(root: Path) -> LabelledSet:
    """The files that `delineate predict` wrote; their values are class indices already."""
    wrong = DataError(
        f"{root / PREDICTION} is not what delineate predict writes: predict again into a new folder"
    )
    try:
        content = json.loads((root / PREDICTION).read_text(encoding="utf-8"))
        if content["format"] != "delineate-prediction" or content["version"] != 1:
            raise wrong
        classes = ClassTable(tuple(content["classes"]))
        plain = Convention(classes, {**{i: i for i in range(len(classes))}, 255: 255})
        files = {}
        for name, entry in content["files"].items():
            labels, objects, image, likely = (
                entry.get(key) for key in ("labels", "objects", "image", "probabilities")
            )
            convention = plain if labels else Convention(classes, {}, objects=True)
            files[name] = LabelledFile(
                name,
                root / (labels or objects),
                root / objects if labels and objects else None,
                Path(image) if image else None,
                convention,
                root / likely if likely else None,
            )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise wrong from error
    return LabelledSet(files, classes, ())
