"""Reading ahead and writing behind: disks and decoders work while the network does. One thread each, in order."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


def ahead(work: Callable[[In], Out], things: Iterable[In]) -> Generator[tuple[In, Future[Out]]]:
    """Each thing with the future result of `work` on it; while it is used, the next one is worked on.

    At most two results exist at a time. An error of `work` is raised by `result()` of its own future.

    >>> [(thing, future.result()) for thing, future in ahead(lambda n: n * n, [1, 2, 3])]
    [(1, 1), (2, 4), (3, 9)]
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        last: tuple[In, Future[Out]] | None = None
        for thing in things:
            now = (thing, pool.submit(work, thing))
            if last is not None:
                yield last
            last = now
            del now
        if last is not None:
            yield last


class Behind:
    """Does what it is called with in a thread of its own, one after the other; at most one waits.

    An error is raised by the next call, or at the end of the block, which waits for all that was begun.

    >>> done = []
    >>> with Behind() as behind:
    ...     for n in range(3):
    ...         behind(lambda n=n: done.append(n))
    >>> done
    [0, 1, 2]
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="behind")
        self._last: Future[Any] | None = None

    def __call__(self, work: Callable[[], Any]) -> None:
        """Begin `work` once what was begun before is done."""
        self.settle()
        self._last = self._pool.submit(work)

    def settle(self) -> None:
        """Wait for what was begun, and raise what it raised."""
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True)
        if error is None:
            self.settle()
