"""Stage two: a method outlines new images: whole ones here or on workers, and those larger than memory in parts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence, Set
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from delineate import data as files
from delineate.core import DataError, Method, ModelError
from delineate.data import Entry, images, open_large
from delineate.data.problem import listed
from delineate.flow.answering import How, guaranteed, keeps_apart, told
from delineate.flow.here import one_by_one
from delineate.flow.methods import Progress, Tell, load
from delineate.flow.scale import Scale
from delineate.flow.starts import starts_of
from delineate.flow.workers import client_for, on_workers
from delineate.streaming import SUFFIXES, Streamed, Wishes, middle_of, outline_large, streams


def predict(
    model: str | Path | Method,
    where: str | Path,
    *,
    out: str | Path,
    objects: bool = False,
    watershed: bool = False,
    start: str | Path | None = None,
    probabilities: bool = False,
    tta: bool = False,
    shifts: int = 1,
    tile: int | None = None,
    engine: str | None = None,
    guarantee: float | None = None,
    memory: float | None = None,
    suffix: str | None = None,
    skip_empty: bool = True,
    geojson: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
    resume: bool = False,
    tell: Tell | None = None,
    progress: Progress | None = None,
    watch: Callable[[Streamed], None] | None = None,
) -> list[Path]:
    """Outline every object in a file, a folder or a glob of images; returns the label files written into `out`.

    A folder is searched as `delineate.data.images` says: a data folder gives all its images, of nnU-Net's channel
    files each case is one. Each image gets a label file of its own name and kind of container (class indices with a
    palette; 16-bit ids with `objects`, and then the classes in `classes/`), and outlines drawn in `overlays/`.
    watershed: with `objects`, split touching ones at their necks, where the model has not learnt to.
    start: masks, points or boxes from which active contours start in place of a threshold; see `starts.starts_of`.
    probabilities: float32 (*spatial, classes) in `probabilities/`. tta: average over mirrored images. shifts: average
    over so many copies that are moved by a few pixels, so that the result depends less on where the image begins. tile:
    pixels per axis that a tile keeps. engine: what runs a U-Net, one of `delineate.inference.engines.ENGINES` or int8
    (None: the fastest that agrees with torch in float32 on a tile of the first image). guarantee: an alpha for which
    `calibrate` has chosen a threshold; pixels above it are foreground as well, with the engine that it was chosen with
    where none is named. resume: go on in an `out` that an interrupted run left behind.
    An image that cannot be read does not stop the others; DataError names it at the end. Where all fail, `out` is as before.

    Slides, OME-Zarr, HDF5 and whatever does not fit comfortably into memory are predicted in parts: within `memory`
    (gigabytes, for each process; None: 2, or less where less is free, see `footprint.sizes_for`), into files of the kind
    `suffix` (".ome.tif", ".ome.zarr" or ".nii"), without empty background (`skip_empty`), told to `watch` tile by tile.
    geojson: polygons for QuPath beside the labels, of any flat image. workers: that many processes here; scheduler: those of
    a Dask scheduler at this address; both need a model folder.

    >>> import tempfile
    >>> from delineate import train
    >>> from delineate.data.samples import coins, write
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     data = write(Path(scratch) / "data")
    ...     written = predict(train(coins()[0], method="otsu"), data / "test", out=Path(scratch) / "outlined")
    ...     [path.name for path in written]
    ['coins_y000_x000.png', 'coins_y000_x247.png', 'coins_y225_x210.png']
    """
    say = tell or (lambda _: None)
    if tile is not None and tile < 1:
        raise DataError(f"tiles of {tile} pixels cannot be cut: give a positive number of pixels, or none")
    if shifts < 1:
        raise DataError(f"{shifts} shifts cannot be averaged: give a positive number")
    if watershed and not objects:
        raise DataError("watershed splits objects: ask for --objects as well")
    found = images(where)
    names = [entry.name for entry in found]
    if twins := [name for name in names if names.count(name) > 1]:
        raise DataError(f"two images are called {twins[0]}: predict them into separate folders")
    method: Any = load(model, tell=say) if isinstance(model, (str, Path)) else model
    if watershed and (method.name == "watershed" or keeps_apart(method)):
        raise DataError("this model keeps objects apart by itself: leave --watershed out")
    starts = starts_of(method, start, names)
    foreground_above = None
    if guarantee is not None:
        foreground_above, engine = guaranteed(
            method, guarantee, engine, objects=objects or geojson, tta=tta, shifts=shifts
        )
        say(
            f"guarantee {guarantee:g}: what is foreground with a probability of {foreground_above:.3g} or more is outlined too"
        )
    wishes = Wishes(
        memory,
        tile,
        tta,
        skip_empty,
        suffix,
        objects,
        geojson,
        processes=workers or 1,
        foreground_above=foreground_above,
    )
    from delineate.report.prediction import PredictionFolder, unfinished

    begun = {name for name in names if resume and unfinished(Path(out), name).is_dir()}
    large = _in_parts(found, method, wishes, say, begun=begun)
    if large and (probabilities or watershed or shifts > 1):
        option = "--probabilities" if probabilities else "--watershed" if watershed else "--shifts"
        raise DataError(
            f"{min(large)} is predicted in parts, without {option}: leave that out, or crop the image"
        )
    if engine is None and resume:
        engine = _engine_before(Path(out))
    engine = _engine(method, engine, found, large, say)
    learnt: Any = getattr(method, "learnt", None)
    scale = Scale(learnt.record.data if learnt else {}, say)
    with ExitStack() as stack:
        client = client_for(stack, model, workers=workers, scheduler=scheduler)
        folder = PredictionFolder(
            Path(out),
            model=str(model) if isinstance(model, (str, Path)) else method.name,
            classes=method.classes,
            objects=objects,
            settings={
                "tta": tta,
                "shifts": shifts,
                "watershed": watershed,
                "start": "" if start is None else str(start),
                "probabilities": probabilities,
                "engine": engine,
                "guarantee": [guarantee, foreground_above],
                "geojson": geojson,
                "trained": [learnt.record.seed, learnt.record.steps, learnt.record.seconds] if learnt else [],
            },
            history=learnt.record.history if learnt else (),
            resume=resume,
        )
        how = How(
            objects,
            watershed,
            starts,
            probabilities,
            tta,
            tile,
            engine,
            foreground_above,
            shifts,
            geojson,
            detections=keeps_apart(method),
        )
        todo = [entry for entry in found if folder.written(entry.name, source=entry.images[0]) is None]
        parts = [entry for entry in todo if entry.name in large]
        whole = [entry for entry in todo if entry.name not in large]
        done = len(found) - len(todo)

        def count(more: int) -> None:
            if progress:
                progress(done + more, len(found))

        count(0)
        if client is not None and isinstance(model, (str, Path)):
            failures = on_workers(client, Path(model), whole, folder, how, count, scale)
        else:
            failures = one_by_one(method, whole, folder, how, count, scale)
        for number, entry in enumerate(parts, start=len(whole)):
            count(number)
            source = entry.images[0]
            try:
                with open_large(source) as image:
                    scale.see(entry.name, image.spacing, image.unit)
                outline_large(
                    learnt,
                    source,
                    folder,
                    name=entry.name,
                    model=str(Path(model).absolute()) if isinstance(model, (str, Path)) else "",
                    engine=engine or "torch",
                    wishes=wishes,
                    client=client,
                    tell=say,
                    watch=watch or (lambda _: None),
                )
            except (DataError, ModelError) as error:
                failures.append(told(source, error))
    count(len(todo))
    scale.told()
    if failures:
        folder.withdraw()
        for failure in failures[1:]:
            say(failure)
        others = ", the others are done" if len(failures) < len(found) else ""
        rest = f" ({len(failures)} of {len(found)} images failed{others})" if len(found) > 1 else ""
        raise DataError(failures[0] + rest)
    return [path for entry in found if (path := folder.written(entry.name)) is not None]


def _in_parts(found: Sequence[Entry], method: Any, wishes: Wishes, say: Tell, *, begun: Set[str]) -> set[str]:
    """The names of the images that are predicted in parts; begun: of those that go on so, whatever is free by now."""
    learnt = getattr(method, "learnt", None)
    asked = [
        option
        for option, is_asked in (
            ("--memory", wishes.memory is not None),
            ("--suffix", wishes.suffix is not None),
            ("--no-skip-empty", not wishes.skip_empty),
        )
        if is_asked
    ]
    if asked and learnt is None:
        raise DataError(f"{method.name} predicts whole images only: leave {listed(asked)} out")
    if wishes.suffix is not None and wishes.suffix not in SUFFIXES:
        raise DataError(
            f"labels of large images are not written as {wishes.suffix}: choose from {', '.join(SUFFIXES)}"
        )
    large = {
        entry.name
        for entry in found
        if len(entry.images) == 1
        and ((learnt and entry.name in begun) or streams(entry.images[0], learnt, wishes))
    }
    if asked and len(large) < len(found):
        others = [entry.images[0].name for entry in found if entry.name not in large]
        say(
            f"{listed(others)} {'is' if len(others) == 1 else 'are'} read whole, where {listed(asked)} "
            f"{'does' if len(asked) == 1 else 'do'} nothing"
        )
    return large


def _engine_before(out: Path) -> str | None:
    """The engine of the run that is gone on with, so that it is one prediction and not two."""
    try:
        before = json.loads((out / "prediction.json").read_text(encoding="utf-8"))["settings"]["engine"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # nothing to go on with, or damaged: PredictionFolder says so
    return None if before is None else str(before)


def _engine(
    method: Any, engine: str | None, found: Sequence[Entry], large: set[str], say: Tell
) -> str | None:
    """The engine that a U-Net is predicted with; it is tried on the first image that can be read. None for others."""
    if method.name != "unet":
        if engine is not None:
            raise DataError(f"{method.name} is not run by an engine: leave --engine out")
        return None
    if engine is not None:
        return str(method.use_engine(engine, tell=say))
    for entry in found:
        try:
            if entry.name in large:
                image = middle_of(entry.images[0], dims=method.learnt.plan.dims)
            else:
                image = files.entry_image(entry).array
            return str(method.use_engine(image=image, tell=say))
        except (DataError, ModelError):
            continue  # what is wrong with it is said when its turn comes
    return str(method.use_engine("torch"))
