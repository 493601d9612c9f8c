"""Ways to ask a model once more with one thing changed: what a model of ours, a torch module or an ONNX file allows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from delineate.audits.determinism.changes import Answer
from delineate.audits.determinism.settings import DeterminismSettings
from delineate.audits.determinism.way import Ask, Way, other_threads, said, threads_set
from delineate.audits.subject import Subject
from delineate.core import Case


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
                "The model is asked from outside only: batches, threads, precision and engines are its own affair."
            )
            return reference, [Way("twice", "the same image again", reference)], notes
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


def _with_threads(ask: Ask, threads: int, case: Case) -> Answer:
    with threads_set(threads):
        return ask(case)
