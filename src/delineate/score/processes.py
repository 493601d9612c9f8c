"""Many pieces of work, side by side in processes where that pays; one that fails does not stop the others.

The first pieces are done here, since starting processes takes a second; only if two seconds did not do, the rest is
handed out. A process that is ended from outside, mostly for lack of memory, takes all the others with it: what was not
done by then is done again by half as many. Only a piece that ends a process which has all the memory for itself is given up.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import Generic, TypeVar

from delineate.core import DataError

In = TypeVar("In")
Out = TypeVar("Out")

PATIENCE_S = 2.0
ENDED = "the process that worked on it alone was ended from outside, most often because it does not fit into memory"
NOT_STARTED = (
    "no process could be started for it: use one worker, and guard a script that asks for more by "
    'if __name__ == "__main__":'
)


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

    def answered(name: str, answer: Out | str) -> None:
        found[name] = answer
        if progress:
            progress(len(found))

    started = time.monotonic()
    attempt = _Attempt(work)
    for name, piece in pieces.items():
        if workers > 1 and len(pieces) - len(found) > 1 and time.monotonic() - started > patience_s:
            break
        answered(name, attempt(piece))
    size = min(workers, len(pieces) - len(found))
    while rest := {name: piece for name, piece in pieces.items() if name not in found}:
        _side_by_side(attempt, rest, size=size, answered=answered)
        lost = [name for name in rest if name not in found]
        if size == 1 and lost:
            answered(
                lost[0], ENDED
            )  # pieces are taken in their order: the first one not done is the one that ended it
        size = max(1, size // 2)
    return found


def _side_by_side(
    attempt: _Attempt[In, Out],
    pieces: Mapping[str, In],
    *,
    size: int,
    answered: Callable[[str, Out | str], None],
) -> None:
    """Tell name and answer of every piece that `size` processes can do, as they come, until one is ended from outside."""
    from multiprocessing import get_context

    with ProcessPoolExecutor(size, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        tasks: dict[Future[Out | str], str] = {}
        try:
            try:
                # All are started before there is work: one that is started while another ends may never be joined.
                for ready in [pool.submit(_one_thread) for _ in range(size)]:
                    ready.result()
            except BrokenProcessPool:
                for name in pieces:
                    answered(name, NOT_STARTED)
                return
            with suppress(BrokenProcessPool):
                for name, piece in pieces.items():
                    tasks[pool.submit(attempt, piece)] = name
            for task in as_completed(tasks):
                if not isinstance(task.exception(), BrokenProcessPool):
                    answered(tasks[task], task.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


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


def _one_thread() -> None:
    """Of many processes none may have many threads; read by libraries that are loaded later."""
    os.environ["OMP_NUM_THREADS"] = "1"
