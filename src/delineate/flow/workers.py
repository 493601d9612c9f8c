"""Whole images outlined by Dask's workers: each loads the model itself, and writes its files itself.

What goes out are names and settings, what comes back are the names of the files, or what went wrong in a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delineate import data as files
from delineate.core import DataError, ModelError
from delineate.data import Entry
from delineate.flow.answering import How, answered_as, put, told
from delineate.flow.methods import load
from delineate.flow.scale import Scale
from delineate.flow.starts import Start

if TYPE_CHECKING:
    from delineate.report.prediction import PredictionFolder


def client_for(stack: ExitStack, model: Any, *, workers: int | None, scheduler: str | None) -> Any:
    """A Dask client until the stack closes; None where no workers are asked for."""
    if workers is None and scheduler is None:
        return None
    if workers is not None and scheduler is not None:
        raise DataError(
            "--workers starts processes here, --scheduler uses those of a cluster: give one of them"
        )
    if not isinstance(model, (str, Path)):
        raise DataError("workers load the model themselves: save it and give its folder")
    from delineate.inference.cluster import crew

    return stack.enter_context(crew(scheduler=scheduler, workers=workers))


def on_workers(
    client: Any,
    model: Path,
    entries: Sequence[Entry],
    folder: PredictionFolder,
    how: How,
    count: Callable[[int], None],
    scale: Scale,
) -> list[str]:
    """Predict whole images on Dask's workers, which write the files; returns what failed, in sentences."""
    from delineate.inference.cluster import spread

    failures = []
    places = str(model.absolute()), str(folder.folder.absolute())
    absolute = [replace(e, images=tuple(path.absolute() for path in e.images)) for e in entries]
    state = (model / "model.json" if model.is_dir() else model).stat().st_mtime_ns
    tasks = [(*places, state, replace(how, starts=_of(how.starts, entry.name)), entry) for entry in absolute]
    for done, ((*_, entry), outcome) in enumerate(spread(client, image_on_worker, tasks), start=1):
        if isinstance(outcome, str):
            failures.append(outcome)
        else:
            files_of, spacing = outcome
            scale.see(entry.name, *spacing)
            folder.note(entry.name, files_of)
        count(done)
    return failures


def _of(starts: Mapping[str, Start], name: str) -> Mapping[str, Start]:
    """What a worker needs of the starts: that of its image."""
    return {name: starts[name].everywhere()} if name in starts else {}


def image_on_worker(
    model: str, out: str, state: int, how: How, entry: Entry
) -> tuple[dict[str, str], tuple[tuple[float, ...], str]] | str:
    """Predict one image and write its files, on whichever worker this is called; what the index says, and spacing and unit
    of the image, or the trouble.

    state: of the model folder, so that a worker that lives long does not take another model that lay there for it.
    """
    from delineate.report.prediction import PredictionFiles

    try:
        method = _loaded_once(model, state, how.engine)
        picture = files.entry_image(entry)
        answer = answered_as(method, entry.name, picture.array, how)
        writer = PredictionFiles(Path(out), classes=method.classes, objects=how.objects)
        return put(writer, entry, picture, answer, how), (picture.spacing, picture.unit)
    except (DataError, ModelError) as error:
        return told(entry.images[0], error)


@lru_cache(maxsize=1)
def _loaded_once(model: str, state: int, engine: str | None) -> Any:
    method = load(model)
    if engine is not None:
        method.use_engine(engine)
    return method
