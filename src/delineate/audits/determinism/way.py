"""One way to ask a model once more with one thing changed, and what such ways need: engines, numbers of threads."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from delineate.audits.determinism.changes import Answer
from delineate.audits.determinism.settings import DeterminismSettings
from delineate.core import Case

Ask = Callable[[Case], Answer]


class Way(NamedTuple):
    """kind: a key of `changes.WORDS`. what: is changed, in words. ask: as it is asked then."""

    kind: str
    what: str
    ask: Ask


def engines_of(settings: DeterminismSettings) -> tuple[list[str], list[str]]:
    """The engines asked for that are installed; and a note on the others."""
    from delineate.inference.engines import ENGINES, installed

    found = [name for name in settings.engines if name in ENGINES and installed(name)]
    others = [name for name in ENGINES if name not in found and not name.startswith("torch")]
    note = f"Not asked: {', '.join(others)}. In Python `DeterminismSettings(engines=...)` asks for what is installed."
    return found, [note] if others else []


def other_threads(wanted: int) -> list[int]:
    """One thread and so many, but for the number there is."""
    import torch

    return sorted({1, wanted} - {torch.get_num_threads()})


def said(threads: int) -> str:
    """A number of threads in words."""
    return f"{threads} thread{'s' if threads > 1 else ''}"


@contextlib.contextmanager
def threads_set(number: int) -> Iterator[None]:
    """torch with so many threads, and after with as many as before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
