"""Tile after tile of one large image, here or on Dask's workers, and how far it has come.

A tile is a piece of work of its own: its worker opens the store, reads its window and writes its chunks. What is written
already is not done again.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delineate.core import DataError

if TYPE_CHECKING:
    from delineate.learn.large import LargePrediction


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


def worked_through(
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
