"""Work that takes a while, done beside the page: one thing at a time, with its progress, and a way to stop it."""

from __future__ import annotations

import itertools
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from delineate.core import DelineateError

NUMBERS = itertools.count(1)
MOST_POINTS = 300  # of the curve that is sent to the page


class Stopped(KeyboardInterrupt):
    """Somebody asked for an end. Like Ctrl-C, it is no mistake that anything in between should catch."""


class Work:
    """Something that runs in a thread of its own. `do` gets this object and reports through it.

    what: a word for it. number: tells it from others. lines: sentences that it told. share: how much is done, 0 to 1,
    None where nobody knows. curve: (step, loss) pairs. error: the sentence that ended it, "" where nothing went wrong.

    >>> work = Work("counting", lambda work: work.tell("one"))
    >>> work.wait()
    >>> work.state()["lines"], work.state()["running"]
    (['one'], False)
    """

    def __init__(self, what: str, do: Callable[[Work], None]) -> None:
        self.number = next(NUMBERS)
        self.what, self.lines, self.error, self.now = what, list[str](), "", ""
        self.share: float | None = None
        self.remaining: float | None = None
        self.dice: float | None = None
        self.curve: list[tuple[int, float]] = []
        self._asked_to_stop = threading.Event()
        self._begun, self._ended = time.monotonic(), 0.0
        self._thread = threading.Thread(target=self._run, args=(do,), name=what, daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return not self._ended

    def stop(self) -> None:
        """Ask it to end; it does at its next report."""
        self._asked_to_stop.set()
        self.now = f"{self.what} ends at its next step"

    def wait(self, seconds: float | None = None) -> None:
        """Until it has ended, or so long."""
        self._thread.join(seconds)

    def tell(self, sentence: str) -> None:
        """Keep a sentence for the page."""
        self._check()
        self.lines.append(sentence)

    def doing(self, sentence: str) -> None:
        """Say what is being done now, in place of what was said before."""
        self._check()
        self.now = sentence

    def progress(self, done: int, total: int) -> None:
        """So many of so many."""
        self._check()
        self.share = done / max(total, 1)

    def watch(self, step: Any) -> None:
        """One `delineate.learn.Step` of a training."""
        self._check()
        self.share, self.remaining = step.progress, step.remaining
        self.dice = self.dice if step.dice is None else step.dice
        self.curve.append((step.number, step.loss))

    def state(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        every = -(-len(self.curve) // MOST_POINTS) or 1
        return {
            "number": self.number,
            "what": self.what,
            "running": self.running,
            "share": self.share,
            "seconds": round((self._ended or time.monotonic()) - self._begun, 1),
            "remaining": self.remaining if self.running else None,
            "dice": self.dice,
            "curve": self.curve[::every],
            "lines": list(self.lines),
            "now": self.now if self.running else "",
            "error": self.error,
        }

    def _check(self) -> None:
        if self._asked_to_stop.is_set():
            raise Stopped

    def _run(self, do: Callable[[Work], None]) -> None:
        try:
            do(self)
        except Stopped as stopped:
            self.error = str(stopped) or f"{self.what} was stopped"
        except DelineateError as error:
            self.error = str(error)
        except Exception as error:  # a mistake of ours: the page goes on, the terminal has all of it
            traceback.print_exc()
            self.error = (
                f"{self.what} failed unexpectedly ({type(error).__name__}: {error}): see the terminal"
            )
        finally:
            self._ended = time.monotonic()
