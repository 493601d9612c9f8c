"""Many pieces of work, side by side in processes where that pays; one that fails does not stop the others.

The first pieces are done here, since starting processes takes a second; only if two seconds did not do, the rest is
handed out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Generic, TypeVar

from delineate.core import DataError

In = TypeVar("In")
Out = TypeVar("Out")

PATIENCE_S = 2.0


def every(
    work: Callable[[In], Out],
    pieces: Mapping[str, In],
    *,
    workers: int = 1,
    patience_s: float = PATIENCE_S,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Out | str]:
    """What `work` gives for each piece, or one sentence that says why it gives nothing; in any order.

    work: a function that processes can import. workers: processes besides this one; with 1, or where all is done within
    patience_s, there are none. progress: told how many pieces are done. An interruption ends all of them.

    >>> every(len, {"a": "abc", "b": 4})
    {'a': 3, 'b': "it could not be worked on (TypeError: object of type 'int' has no len())"}
    """
    found: dict[str, Out | str] = {}
    started = time.monotonic()
    attempt = _Attempt(work)
    for name, piece in pieces.items():
        if workers > 1 and len(pieces) - len(found) > 1 and time.monotonic() - started > patience_s:
            break
        found[name] = attempt(piece)
        if progress:
            progress(len(found))
    rest = {name: piece for name, piece in pieces.items() if name not in found}
    if rest:
        from multiprocessing import get_context

        with ProcessPoolExecutor(
            min(workers, len(rest)), mp_context=get_context("spawn"), initializer=_one_thread
        ) as pool:
            tasks: dict[Future[Out | str], str] = {
                pool.submit(attempt, piece): name for name, piece in rest.items()
            }
            try:
                for task in as_completed(tasks):
                    found[tasks[task]] = _result(task)
                    if progress:
                        progress(len(found))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    return found


class _Attempt(Generic[In, Out]):
    """`work` that answers with a sentence where it fails: whatever a strange file makes a library raise."""

    def __init__(self, work: Callable[[In], Out]) -> None:
        self.work = work

    def __call__(self, piece: In) -> Out | str:
        try:
            return self.work(piece)
        except DataError as error:
            return str(error)
        except MemoryError:
            return "it does not fit into memory: use fewer workers, or a machine with more"
        except Exception as error:
            return f"it could not be worked on ({type(error).__name__}: {error})"


def _result(task: Future[Out | str]) -> Out | str:
    try:
        return task.result()
    except BrokenProcessPool:
        return "a process was ended from outside, most often for lack of memory: use fewer workers"


def _one_thread() -> None:
    """Of many processes none may have many threads; read by libraries that are loaded later."""
    os.environ["OMP_NUM_THREADS"] = "1"
