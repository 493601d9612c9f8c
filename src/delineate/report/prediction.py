"""The folder that `delineate predict` writes: labels in the images' own kind of file, outlines to look at, an index.

OUT/a.png              class indices with a palette; with objects 16-bit ids
OUT/a.geojson          where asked for: polygons of the objects
OUT/classes/a.png      with objects: the class indices
OUT/probabilities/     where asked for: float32 (*spatial, classes)
OUT/overlays/a.png     the image with outlines
OUT/.unfinished/       labels of images larger than memory that are not complete yet
OUT/prediction.json    what was predicted by what; written after each image, so that a run can be continued
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import ClassTable, OutputError, labels_of, made_folder, new_folder, written_whole
from delineate.data import Picture, label_suffix, write_image, write_labels
from delineate.data.large.polygons import write_geojson
from delineate.data.large.whole_ids import tabled
from delineate.report.overlay import outlines
from delineate.report.picture import write_picture

INDEX = "prediction.json"


class PredictionFiles:
    """Writes the files of one image after the other into a folder; any process may, the index is another's business."""

    def __init__(self, folder: Path, *, classes: ClassTable, objects: bool) -> None:
        self.folder, self.classes, self.objects = folder, classes, objects

    def write_files(
        self,
        name: str,
        picture: Picture,
        likely: NDArray[np.float32],
        ids: NDArray[np.int32] | None,
        *,
        source: Path,
        probabilities: bool = False,
        foreground_above: float | None = None,
        geojson: bool = False,
        detections: bool = False,
    ) -> dict[str, str]:
        """Write all files of one image: `likely` (classes, *spatial), `ids` (*spatial) where objects or polygons are written.

        foreground_above: see `delineate.core.labels_of`. detections: see `write_geojson`. Returns what the index says of
        them. Raises DataError for polygons of a stack.
        """
        labels = labels_of(likely, foreground_above=foreground_above)
        entry = {"image": str(source.resolve())}
        suffix = label_suffix(picture.suffix)
        if ids is not None and geojson:
            held, table = tabled(ids, labels)
            where = self.at(f"{name}.geojson")
            entry["geojson"] = self._said(
                write_geojson(where, held, table, classes=self.classes, detections=detections)
            )
        if not self.objects:
            ids = None
        if ids is not None:
            numbers: NDArray[Any] = ids.astype(np.uint16 if ids.max(initial=0) < 65536 else np.uint32)
            entry["objects"] = self._said(write_labels(self.at(name + suffix), numbers, like=picture))
        where = self.at(f"classes/{name}{suffix}" if self.objects else name + suffix)
        entry["labels"] = self._said(write_labels(where, labels, like=picture, colours=self.classes.colours))
        if probabilities:
            where = self.at(f"probabilities/{name}{picture.suffix}")
            entry["probabilities"] = self._said(write_image(where, np.moveaxis(likely, 0, -1), like=picture))
        self.draw(name, picture.array, labels, ids)
        return entry

    def draw(
        self, name: str, image: NDArray[Any], labels: NDArray[np.uint8], ids: NDArray[Any] | None = None
    ) -> None:
        """Write the picture with outlines: `image` (*spatial, channels), `labels` and `ids` (*spatial)."""
        write_picture(self.at(f"overlays/{name}.png"), outlines(image, labels, ids, classes=self.classes))

    def at(self, name: str) -> Path:
        """The path of this name in the folder; the folders on the way are made."""
        path = self.folder / name
        made_folder(path.parent)
        return path

    def _said(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


class PredictionFolder(PredictionFiles):
    """Takes one predicted image after the other, and keeps the index.

    model: its folder, or a name. objects: whether ids are written. settings: what else shapes the result; only a
    prediction with the same is continued. history: the learning curve of the model, for the report. resume: go on
    in a folder that an interrupted run left behind. Raises OutputError where the folder cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        *,
        model: str,
        classes: ClassTable,
        objects: bool,
        settings: Mapping[str, Any],
        history: Sequence[Mapping[str, float]] = (),
        resume: bool = False,
    ) -> None:
        super().__init__(folder, classes=classes, objects=objects)
        self._found, self._began = folder.exists(), not (folder / INDEX).exists()
        self._about: dict[str, Any] = {
            "format": "delineate-prediction",
            "version": 1,
            "model": model,
            "classes": list(classes.names),
            "kind": "objects" if objects else "classes",
            "settings": dict(settings),
            "history": [dict(entry) for entry in history],
            "files": {},
        }
        if resume and (folder / INDEX).is_file():
            self._about["files"] = self._continued()
        elif (folder / INDEX).is_file():
            raise OutputError(
                f"{folder} holds a prediction already: go on with it by --resume, choose another folder, or remove it"
            )
        else:
            new_folder(folder)
            self._write_index()

    def written(self, name: str, *, source: Path | None = None) -> Path | None:
        """The main label file of an image, or None where it has not been written.

        Raises OutputError where it is that of another file than `source`.
        """
        entry: dict[str, str] | None = self._about["files"].get(name)
        if entry and source and entry.get("image") not in (None, str(source.resolve())):
            raise OutputError(
                f"{self.folder} holds the prediction of another {name}, {entry['image']}: choose another folder for {source}"
            )
        if entry is None or not all((self.folder / entry[key]).exists() for key in entry if key != "image"):
            return None
        return self.folder / entry["objects" if self.objects else "labels"]

    def record(self, name: str, *, source: Path, **written: Path) -> None:
        """Note the files of one image that were written by others: labels, objects, geojson."""
        entry = {"image": str(source.resolve())} | {key: self._said(path) for key, path in written.items()}
        self.note(name, entry)

    def note(self, name: str, entry: Mapping[str, str]) -> Path:
        """Put into the index what `write_files` returned for an image; gives its main label file."""
        self._about["files"][name] = dict(entry)
        self._write_index()
        return self.folder / entry["objects" if self.objects else "labels"]

    def withdraw(self) -> None:
        """Where nothing came of a prediction that began here, take its index back, and the folder if it was made for it."""
        with suppress(OSError):  # labels that have begun to grow in it are kept
            unfinished(self.folder, "any").parent.rmdir()
        there = {path.name for path in self.folder.iterdir()}
        if self._began and not self._about["files"] and there == {INDEX}:
            (self.folder / INDEX).unlink()
            if not self._found:
                self.folder.rmdir()

    def unfinished(self, name: str) -> Path:
        """Where the labels of an image grow that is larger than memory."""
        return unfinished(self.folder, name)

    def _continued(self) -> dict[str, dict[str, str]]:
        """The files of the interrupted run, if it was one of the same model and settings."""
        path = self.folder / INDEX
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
            same = all(before[key] == self._about[key] for key in ("model", "classes", "kind", "settings"))
            files: dict[str, dict[str, str]] = before["files"]
        except (ValueError, KeyError, TypeError) as error:
            raise OutputError(f"{path} is damaged ({error}): choose another output folder") from error
        if not same:
            raise OutputError(
                f"{self.folder} holds a prediction by another model or with other settings: choose another folder"
            )
        return files

    def _write_index(self) -> None:
        with written_whole(self.folder / INDEX) as beside:
            beside.write_text(json.dumps(self._about, indent=1), encoding="utf-8")


def unfinished(folder: Path, name: str) -> Path:
    """Where, in the folder of a prediction, the labels of an image grow that is larger than memory.

    >>> unfinished(Path("out"), "slide").as_posix()
    'out/.unfinished/slide.ome.zarr'
    """
    return folder / ".unfinished" / f"{name}.ome.zarr"


def learning_curve_of(folder: Path) -> list[dict[str, float]] | None:
    """The learning curve of the model that made the prediction in `folder`, where it tells of one.

    >>> learning_curve_of(Path("masks_of_another_tool")) is None
    True
    """
    path = folder / INDEX
    if not path.is_file():
        return None
    return json.loads(path.read_text(encoding="utf-8")).get("history") or None
