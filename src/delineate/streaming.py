"""One image that does not fit into memory, from opening it to the file that a viewer shows.

    begin or go on --tiles, here or on Dask--> a label store --finish--> OME-TIFF, OME-Zarr or NIfTI, and a picture

The store lies in OUT/.unfinished until it is complete; whatever happens, what was predicted is not predicted again.
"""

from __future__ import annotations

import contextlib
import functools
import math
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import DataError, OutputError, available_bytes
from delineate.data.large import LargeImage, is_large_kind, large_suffix_of, open_large
from delineate.data.problem import by

if TYPE_CHECKING:
    from delineate.core import ClassTable
    from delineate.data.large.labels import LabelStore
    from delineate.learn import Learnt
    from delineate.learn.large import LargePrediction
    from delineate.report.prediction import PredictionFolder

SUFFIXES = (".ome.tif", ".ome.zarr", ".nii")
"""The kinds of file that labels of large images are written as."""

_COMFORT = 0.25  # of the free memory, that an image predicted at once may take


@dataclass(frozen=True)
class Streamed:
    """How far the prediction of one large image has come, in pixels of all it has.

    seconds: of this run; before: pixels that an earlier run had done; skipped: pixels of this run that were empty
    background.
    """

    name: str
    done: int
    total: int
    skipped: int
    seconds: float
    before: int = 0

    @property
    def per_second(self) -> float:
        """Pixels per second of this run; 0 where none is done yet.

        >>> Streamed("a", done=300, total=400, skipped=0, seconds=2.0, before=100).per_second
        100.0
        """
        return (self.done - self.before) / self.seconds if self.seconds > 0 else 0.0

    @property
    def remaining(self) -> float:
        """Seconds that are left at this speed; infinite where it is not known yet.

        >>> Streamed("a", done=300, total=400, skipped=0, seconds=2.0, before=100).remaining
        1.0
        """
        return (self.total - self.done) / self.per_second if self.per_second else math.inf


@dataclass(frozen=True)
class Wishes:
    """What a user may ask of the prediction of large images; see `delineate.predict`."""

    memory: float | None = None
    tile: int | None = None
    flips: bool = False
    skip_empty: bool = True
    suffix: str | None = None
    objects: bool = False
    geojson: bool = False
    processes: int = 1
    foreground_above: float | None = None


def streams(path: Path, learnt: Learnt | None, wishes: Wishes) -> bool:
    """Whether an image is predicted in parts: a slide, OME-Zarr or HDF5, one that would not fit comfortably into
    memory, or any that can be where memory or the kind of result is prescribed."""
    if learnt is None or not large_suffix_of(path):
        return False
    if is_large_kind(path) or wishes.memory is not None or wishes.suffix is not None or wishes.geojson:
        return True
    try:
        with open_large(path) as image:
            outputs = len(learnt.classes) + learnt.plan.dims * learnt.plan.objects
            each = image.channels * (image.dtype.itemsize + 8) + 12 * outputs
            return math.prod(image.spatial) * each > _COMFORT * available_bytes()
    except DataError:
        return False  # what cannot be read in parts is read whole, and told there if it is damaged


def middle_of(path: Path, *, side: int = 512) -> NDArray[Any]:
    """The middle of an image that can be read in parts, at most `side` pixels along each axis: (*spatial, channels)."""
    with open_large(path) as image:
        return image.window(
            tuple(slice((n - side) // 2, (n + side) // 2) if n > side else slice(0, n) for n in image.spatial)
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
        suffix = _suffix(image, learnt, wishes)
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
        last = _work_through(prediction, name=name, client=client, watch=watch)
        if left := len(prediction.todo()):
            raise OutputError(f"{left} tiles of {name} were not written: go on with --resume")
        if last.skipped:
            of = "what this run did" if last.before else "the image"
            tell(
                f"{name}: {last.skipped / (last.total - last.before):.0%} of {of} is empty background and was not "
                "predicted (--no-skip-empty does)"
            )
        prediction.store.finish()
        _drawn(prediction, image, folder, name)
        files = _objects(prediction, image, folder, name, suffix=suffix, wishes=wishes, tell=tell)
        where = f"classes/{name}{suffix}" if wishes.objects else f"{name}{suffix}"
        files["labels"] = _written(prediction.store, image, folder.at(where), classes=learnt.classes)
        folder.record(name, source=path, **files)
        shutil.rmtree(place, ignore_errors=True)
        with contextlib.suppress(OSError):  # others may not be complete
            place.parent.rmdir()
        return files["objects" if wishes.objects else "labels"]


def predicted_tile(folder: str, state: tuple[int, int], corners: tuple[tuple[int, int], ...]) -> int:
    """Predict one tile of the store in `folder`, on whichever worker this is called; its pixels that were empty.

    state: of the store, so that a worker that lives long does not take another one that lay there for it. corners: start
    and stop along each axis.
    """
    tile = tuple(slice(start, stop) for start, stop in corners)
    return next(skipped for _, skipped in _opened(folder, state).predicted([tile]))


def state_of(folder: Path) -> tuple[int, int]:
    """What changes when a store is made anew: when and where its description was written."""
    about = (folder / "zarr.json").stat()
    return about.st_mtime_ns, about.st_ino


@functools.lru_cache(maxsize=1)
def _opened(folder: str, state: tuple[int, int]) -> LargePrediction:
    from delineate.learn.large import LargePrediction

    if not Path(folder).is_dir():
        raise DataError(
            f"a worker does not see {folder}: model, images and results must lie on a disk that all machines share"
        )
    return LargePrediction(Path(folder))


def _suffix(image: LargeImage, learnt: Learnt, wishes: Wishes) -> str:
    suffix = wishes.suffix
    if suffix is None and image.suffix in (".ome.zarr", ".nii"):
        suffix = image.suffix
    suffix = suffix or (".ome.zarr" if learnt.plan.dims == 3 else ".ome.tif")
    if suffix not in SUFFIXES:
        raise DataError(
            f"labels of large images are not written as {suffix}: choose from {', '.join(SUFFIXES)}"
        )
    if suffix == ".nii" and image.suffix != ".nii":
        raise DataError(
            f"{image.path} is no NIfTI file, so its labels cannot be: choose .ome.tif or .ome.zarr"
        )
    return suffix


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
    if image.fixed_whole and image.nbytes > _COMFORT * available_bytes():
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
        place.parent.mkdir(parents=True, exist_ok=True)
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


def _work_through(
    prediction: LargePrediction, *, name: str, client: Any, watch: Callable[[Streamed], None]
) -> Streamed:
    """Predict every tile that is missing; how far that came: to the end."""
    every = list(prediction.tiles)
    sizes = [math.prod(side.stop - side.start for side in tile) for tile in every]
    missing = [i for i, tile in enumerate(every) if not prediction.store.written(tile)]
    total = sum(sizes)
    before = total - sum(sizes[i] for i in missing)
    now, begun = Streamed(name, before, total, 0, 0.0, before), time.monotonic()
    watch(now)
    for number, empty in _done(prediction, missing, client=client):
        done, skipped = now.done + sizes[number], now.skipped + empty
        now = Streamed(name, done, total, skipped, time.monotonic() - begun, before)
        watch(now)
    return now


def _done(prediction: LargePrediction, missing: list[int], *, client: Any) -> Iterator[tuple[int, int]]:
    """Tiles by number as they are done, with their empty pixels."""
    if client is None:
        tiles = [prediction.tiles[i] for i in missing]
        for number, (_, empty) in zip(missing, prediction.predicted(tiles), strict=True):
            yield number, empty
        return
    from delineate.inference.cluster import spread

    place = str(prediction.store.folder.absolute())
    state = state_of(prediction.store.folder)
    numbers = {tuple((side.start, side.stop) for side in prediction.tiles[i]): i for i in missing}
    tasks = [(place, state, corners) for corners in numbers]
    for (*_, corners), empty in spread(client, predicted_tile, tasks):
        yield numbers[corners], empty


def _objects(
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
            tell=tell,
        )
    if wishes.objects:
        ids.finish()
        files["objects"] = _written(ids, image, folder.at(f"{name}{suffix}"), classes=None)
    shutil.rmtree(ids.folder, ignore_errors=True)
    return files


def _written(store: LabelStore, image: LargeImage, target: Path, *, classes: ClassTable | None) -> Path:
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


def _drawn(prediction: LargePrediction, image: LargeImage, folder: PredictionFolder, name: str) -> None:
    """A picture of all of it, small, with outlines."""
    from delineate.data.large.overview import lookup, overview, thinned

    picks = lookup(image.spatial)
    labels = np.zeros([len(axis) for axis in picks], np.uint8)
    thinned(prediction.store.read, image.spatial, picks, into=labels)
    folder.draw(name, overview(image), labels)
