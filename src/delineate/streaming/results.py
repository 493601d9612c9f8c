"""From a finished store to what people open: labels, object ids and polygons as files, and a picture of all of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from delineate.data.large import LargeImage
from delineate.streaming.wishes import Wishes

if TYPE_CHECKING:
    from delineate.core import ClassTable
    from delineate.data.large.labels import LabelStore
    from delineate.learn.large import LargePrediction
    from delineate.report.prediction import PredictionFolder


def objects(
    prediction: LargePrediction,
    image: LargeImage,
    folder: PredictionFolder,
    name: str,
    *,
    suffix: str,
    wishes: Wishes,
    tell: Callable[[str], None],
) -> dict[str, Path]:
    """Object ids and polygons, where they are asked for."""
    from delineate.data.large.labels import LabelStore
    from delineate.data.large.polygons import write_geojson

    files: dict[str, Path] = {}
    if not (wishes.objects or wishes.geojson):
        return files
    stores = []
    for part in ("ids", "scratch"):
        place = folder.unfinished(f"{name}.{part}")
        shutil.rmtree(place, ignore_errors=True)  # of a run that was killed here
        stores.append(LabelStore.create(place, image, classes=None, dims=prediction.dims, dtype=np.uint32))
    ids, scratch = stores
    table = prediction.objects_of(ids, scratch)
    shutil.rmtree(scratch.folder)
    if wishes.geojson:
        learnt = prediction.learnt
        files["geojson"] = write_geojson(
            folder.at(f"{name}.geojson"),
            ids,
            table,
            classes=learnt.classes,
            detections=learnt.plan.objects,
            corner=image.corner,
            tell=tell,
        )
    if wishes.objects:
        ids.finish()
        files["objects"] = written(ids, image, folder.at(f"{name}{suffix}"), classes=None)
    shutil.rmtree(ids.folder, ignore_errors=True)
    return files


def written(store: LabelStore, image: LargeImage, target: Path, *, classes: ClassTable | None) -> Path:
    """A finished store as the file that was asked for; classes None: it holds object ids."""
    from delineate.data.large.pyramid import write_nifti, write_ome_tiff
    from delineate.learn.large import OBJECTS

    if target.name.endswith(".ome.tif"):
        write_ome_tiff(target, store, image, classes=classes)
    elif target.name.endswith(".nii"):
        write_nifti(target, store, image)
    else:
        if target.exists():  # of a run that was killed here
            shutil.rmtree(target)
        store.move(target, image)
        shutil.rmtree(target / OBJECTS, ignore_errors=True)  # what tiles owned is in the ids by now
    return target


def drawn(prediction: LargePrediction, image: LargeImage, folder: PredictionFolder, name: str) -> None:
    """A picture of all of it, small, with outlines."""
    from delineate.data.large.overview import lookup, overview, thinned

    picks = lookup(image.spatial)
    labels = np.zeros([len(axis) for axis in picks], np.uint8)
    thinned(prediction.store.read, image.spatial, picks, into=labels)
    folder.draw(name, overview(image), labels)
