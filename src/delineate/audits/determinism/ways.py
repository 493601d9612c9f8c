"""Ways to ask a model once more with one thing changed: what a model of ours, a torch module or an ONNX file allows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from delineate.audits.determinism.changes import Answer
from delineate.audits.determinism.settings import DeterminismSettings
from delineate.audits.subject import Subject
from delineate.core import Case

Ask = Callable[[Case], Answer]


class Way(NamedTuple):
    """kind: a key of `changes.WORDS`. what: is changed, in words. ask: as it is asked then."""

    kind: str
    what: str
    ask: Ask


def ways(
    subject: Subject, settings: DeterminismSettings, cases: Sequence[Case]
) -> tuple[Ask, list[Way], list[str]]:
    """The reference, the ways to ask again, and notes on what is not tried."""
    notes: list[str] = []
    if subject.method is not None:
        from delineate.audits.determinism.ours import of_ours

        reference, found, notes = of_ours(subject, settings)
    else:
        predict = subject.asked()
        reference = lambda case: predict(case.image)  # noqa: E731
        found = []
        if subject.network is not None and subject.logits is not None:
            from delineate.audits.determinism.modules import of_module

            found, notes = of_module(subject, settings, cases)
        elif subject.source is not None and subject.source.suffix == ".onnx":
            found, notes = of_onnx(subject.source, settings)
            return reference, [Way("twice", "the same image again", reference), *found], notes
        else:
            notes.append(
                "The model is asked from outside only: batches, precision and engines are its own affair."
            )
    for threads in other_threads(settings.threads):
        found.append(Way("threads", said(threads), partial(_with_threads, reference, threads)))
    return reference, [Way("twice", "the same image again", reference), *found], notes


def of_onnx(path: Path, settings: DeterminismSettings) -> tuple[list[Way], list[str]]:
    """An ONNX file: tiles, and other threads, with which it has to be opened anew."""
    from delineate.learn.foreign import OnnxModel

    opened = OnnxModel(path)

    def tiled(case: Case, *, side: int) -> Answer:
        return opened.predict(case.image, tile=side)

    def with_threads(case: Case, *, threads: int) -> Answer:
        with threads_set(threads):
            return OnnxModel(path).predict(case.image)

    found = [
        Way("tiles", f"tiles that keep {side} px", partial(tiled, side=side)) for side in settings.tile_px
    ]
    found += [
        Way("threads", said(threads), partial(with_threads, threads=threads))
        for threads in other_threads(settings.threads)
    ]
    return found, [
        "An ONNX file is run in the precision that it was written in, by ONNX Runtime alone, one image at a time."
    ]


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


def _with_threads(ask: Ask, threads: int, case: Case) -> Answer:
    with threads_set(threads):
        return ask(case)


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
