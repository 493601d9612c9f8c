"""One large image, from opening it to its files: the store is begun or gone on with, worked through, and written out."""

from __future__ import annotations

import contextlib
import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from delineate.core import DataError, OutputError, available_bytes, made_folder
from delineate.data.large import LargeImage, open_large
from delineate.data.problem import by
from delineate.streaming.results import drawn, objects, written
from delineate.streaming.tiles import Streamed, worked_through
from delineate.streaming.wishes import COMFORT, Wishes, suffix_for

if TYPE_CHECKING:
    from delineate.learn import Learnt
    from delineate.learn.large import LargePrediction
    from delineate.report.prediction import PredictionFolder


def middle_of(path: Path, *, dims: int) -> NDArray[Any]:
    """The middle of an image that can be read in parts, as much as engines are tried on: (*spatial, channels)."""
    from delineate.learn.engine import SIDE

    with open_large(path) as image:
        lead = len(image.spatial) - dims
        sides = [1 if axis < lead else SIDE[dims] for axis in range(len(image.spatial))]
        starts = [max(n // 2 - side // 2, 0) for n, side in zip(image.spatial, sides, strict=True)]
        return image.window(
            tuple(
                slice(start, min(start + side, n))
                for start, side, n in zip(starts, sides, image.spatial, strict=True)
            )
        )


def outline_large(
    learnt: Learnt,
    path: Path,
    folder: PredictionFolder,
    *,
    name: str,
    model: str,
    engine: str,
    wishes: Wishes,
    client: Any = None,
    tell: Callable[[str], None] = lambda _: None,
    watch: Callable[[Streamed], None] = lambda _: None,
) -> Path:
    """Predict the image at `path` into `folder`; returns the label file. engine: what runs the network; other processes
    open one of this name. client: Dask's, else this process works.

    Raises DataError, ModelError or OutputError; what was predicted stays, and the next call with the same folder goes
    on there.
    """
    with open_large(path) as image:
        suffix = suffix_for(image, learnt, wishes)
        if wishes.geojson and len(image.spatial) != 2:
            raise DataError(
                f"{path} is a stack, and GeoJSON has no place for its polygons: leave --geojson out"
            )
        place = folder.unfinished(name)
        prediction = _begun(
            place,
            learnt,
            image,
            model=model,
            engine=engine,
            wishes=wishes,
            suffix=suffix,
            tell=tell,
            name=name,
        )
        last = worked_through(prediction, name=name, client=client, watch=watch)
        if left := len(prediction.todo()):
            raise OutputError(f"{left} tiles of {name} were not written: go on with --resume")
        if last.skipped:
            of = "what this run did" if last.before else "the image"
            tell(
                f"{name}: {last.skipped / (last.total - last.before):.0%} of {of} is empty background and was not "
                "predicted (--no-skip-empty does)"
            )
        prediction.store.finish()
        drawn(prediction, image, folder, name)
        files = objects(prediction, image, folder, name, suffix=suffix, wishes=wishes, tell=tell)
        where = f"classes/{name}{suffix}" if wishes.objects else f"{name}{suffix}"
        files["labels"] = written(prediction.store, image, folder.at(where), classes=learnt.classes)
        folder.record(name, source=path, **files)
        shutil.rmtree(place, ignore_errors=True)
        with contextlib.suppress(OSError):  # others may not be complete
            place.parent.rmdir()
        return files["objects" if wishes.objects else "labels"]


def _begun(
    place: Path,
    learnt: Learnt,
    image: LargeImage,
    *,
    model: str,
    engine: str,
    wishes: Wishes,
    suffix: str,
    tell: Callable[[str], None],
    name: str,
) -> LargePrediction:
    """The prediction at `place`, gone on with where there is one."""
    from delineate.learn.footprint import bytes_with, sizes_for
    from delineate.learn.large import LargePrediction, fits

    with_objects = learnt.plan.objects and (wishes.objects or wishes.geojson)
    memory = None if wishes.memory is None else wishes.memory * 1e9
    if memory is None and wishes.processes > 1:  # they share this machine
        memory = min(2e9, 0.8 * available_bytes() / wishes.processes)
    sizes = functools.partial(
        sizes_for,
        memory=memory,
        tile=wishes.tile,
        flips=wishes.flips,
        objects=with_objects,
    )
    for note in image.notes:
        tell(f"{name}: {note}")
    if image.affine is not None and suffix != ".nii":
        tell(
            f"{name}: {suffix} does not hold where the volume lies in the body: save it as .nii, whose labels keep that"
        )
    if image.origin and suffix != ".ome.zarr":
        tell(
            f"{name}: {suffix} does not hold that the image begins elsewhere than at zero: --suffix .ome.zarr does"
        )
    if wishes.geojson and any(image.corner):
        row, column = image.corner
        tell(
            f"{name}: the polygons count from row {row}, column {column}, where the scanned part of the slide begins, as "
            "QuPath does"
        )
    if image.fixed_whole and image.nbytes > COMFORT * available_bytes():
        raise DataError(
            f"{image.path} is compressed in one piece, so no part can be read alone: save it as a tiled TIFF or OME-Zarr"
        )
    if place.is_dir():
        prediction = LargePrediction(place, learnt=learnt, image=image)
        if bool(prediction.store.settings["margin"]) != with_objects:
            raise OutputError(
                f"{place} was begun {'without' if with_objects else 'with'} objects: choose another output folder"
            )
        if prediction.store.settings["skip_empty"] != wishes.skip_empty:
            raise OutputError(
                f"{place} was begun {'without' if wishes.skip_empty else 'with'} skipping empty background: "
                f"{'give' if wishes.skip_empty else 'leave out'} --no-skip-empty, or choose another output folder"
            )
        if prediction.store.settings.get("foreground_above") != wishes.foreground_above:
            raise OutputError(f"{place} was begun with another guarantee: choose another output folder")
        if wishes.tile is not None or wishes.memory is not None:
            core = sizes(learnt, image).core
            if core[-1] < prediction.store.settings["core"][-1]:
                prediction.recut(core)
        left = len(prediction.todo())
        tell(f"{name}: {len(prediction.tiles) - left} of {len(prediction.tiles)} tiles are done already")
    else:
        fits(learnt, image)
        made_folder(place.parent)
        prediction = LargePrediction.begin(
            place,
            learnt,
            image,
            model=model,
            engine=engine,
            core=sizes(learnt, image).core,
            flips=wishes.flips,
            skip_empty=wishes.skip_empty,
            objects=with_objects,
            foreground_above=wishes.foreground_above,
        )
    core = prediction.store.settings["core"]
    tiles = f"tiles of {by(core)}" if len(prediction.tiles) > 1 else "one tile"
    needed = bytes_with(learnt, image, tuple(core), flips=wishes.flips, objects=with_objects)
    tell(
        f"{name}: {by(image.spatial)} pixels in {tiles}, in at most {needed / 1e9:.2g} GB of memory for each process"
    )
    return prediction
