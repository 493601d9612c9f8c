"""Does the answer depend on what should not matter: the batch, the threads, the tiles, the precision, the program?

Each image is asked once as the reference, in float32 and whole, and then again with one thing changed. Told is the largest
difference of a probability and the share of pixels that change their label.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from delineate.audits.drawn import MAGENTA, middle_slice, painted, picture_of, side_by_side
from delineate.audits.evidence import Evidence
from delineate.audits.section import Finding, Picture, Remedy, Section, Table
from delineate.audits.subject import Subject, at_rest
from delineate.core import Case, DelineateError, ModelError

if TYPE_CHECKING:
    from torch import Tensor

Answer = NDArray[np.float32]
Ask = Callable[[Case], Answer]

WORDS = {
    "twice": "asked twice",
    "batch": "in another batch",
    "threads": "with other threads",
    "tiles": "in tiles",
    "precision": "in bfloat16",
    "engine": "by another program",
}


@dataclass(frozen=True)
class DeterminismSettings:
    """cases: how many are asked. tile_px: pixels per axis that tiles keep. threads, batch: other numbers of these.

    engines: of `delineate.inference.engines.ENGINES`, tried where they are installed; "compiled" takes half a minute more.
    """

    cases: int = 3
    tile_px: tuple[int, ...] = (64, 97)
    threads: int = 3
    batch: int = 3
    engines: tuple[str, ...] = ("openvino", "onnxruntime")


@dataclass(frozen=True)
class _Change:
    """What was changed, by its kind; furthest: largest difference of a probability; changed: share of pixels."""

    kind: str
    what: str
    furthest: float
    apart: float
    changed: float


def determinism(
    subject: Subject, evidence: Evidence, *, settings: DeterminismSettings = DeterminismSettings()
) -> Section:
    """The same images asked again, with one thing changed at a time; needs no truth.

    Raises ModelError for a folder of predictions.
    """
    subject.asked()
    cases = evidence.some(evidence.cases)[: settings.cases]
    with at_rest(subject.network):
        reference, asks, notes = _ways(subject, settings, cases)
        first = [reference(case) for case in cases]
        changes: list[_Change] = []
        worst: tuple[int, int, Answer] = (0, 0, first[0])
        for kind, what, ask in asks:
            evidence.tell(f"determinism: {what}")
            try:
                again = [ask(case) for case in cases]
            except (DelineateError, RuntimeError, ValueError, TypeError, ImportError) as error:
                notes.append(
                    f"{what} was not tried: {(str(error).splitlines() or [type(error).__name__])[0]}"
                )
                continue
            changes.append(_change(kind, what, first, again))
            for number, (one, other) in enumerate(zip(first, again, strict=True)):
                if (count := int((one.argmax(0) != other.argmax(0)).sum())) > worst[0]:
                    worst = count, number, other
    findings = tuple(_findings(changes, evidence))
    same = changes and max(change.changed for change in changes) == 0
    largest = max(changes, key=lambda change: (change.changed, change.furthest), default=None)
    sentence = "Nothing could be asked again."
    if largest is not None:
        sentence = (
            "No pixel changes its label, whatever is changed."
            if same
            else f"At most {100 * largest.changed:.2g} % of the pixels change their label ({largest.what})."
        )
    return Section(
        name="determinism",
        title="Determinism",
        question="Is the answer the same when nothing that matters has changed?",
        sentence=sentence,
        findings=findings,
        tables=(
            Table(
                "Against the whole image in float32",
                ("changed", "largest difference", "mean difference", "pixels of another label, %"),
                tuple(
                    (c.what, f"{c.furthest:.1e}", f"{c.apart:.1e}", f"{100 * c.changed:.4f}") for c in changes
                ),
            ),
        ),
        pictures=_pictures(cases[worst[1]], first[worst[1]], worst[2]) if worst[0] else (),
        remedies=(
            Remedy(
                "Predict with the reference where every pixel has to come back.",
                f"delineate predict {subject.source or 'MODEL'} IMAGES -o OUT --engine torch-float32",
            ),
        )
        if subject.method is not None and not same
        else (),
        notes=(f"{len(cases)} images.", *notes),
        numbers={
            "cases": [case.name for case in cases],
            "changes": [
                {
                    "kind": c.kind,
                    "what": c.what,
                    "furthest": c.furthest,
                    "mean": c.apart,
                    "changed": c.changed,
                }
                for c in changes
            ],
        },
    )


def _ways(
    subject: Subject, settings: DeterminismSettings, cases: Sequence[Case]
) -> tuple[Ask, list[tuple[str, str, Ask]], list[str]]:
    """The reference, and (kind, what is changed, how to ask then); and notes."""
    notes: list[str] = []
    if subject.method is not None:
        reference, asks = _of_ours(subject, settings)
    else:
        predict = subject.asked()
        reference = lambda case: predict(case.image)  # noqa: E731
        asks = []
        if subject.network is not None and subject.logits is not None:
            asks, notes = _of_module(subject, settings, cases)
        else:
            notes.append(
                "The model is asked from outside only: batches, precision and engines are its own affair."
            )
    asks = [("twice", "the same image again", reference), *asks]
    for threads in _other_threads(settings.threads):
        with_threads = partial(_with_threads, reference, threads)
        asks.append(("threads", f"{threads} thread{'s' if threads > 1 else ''}", with_threads))
    return reference, asks, notes


def _of_ours(subject: Subject, settings: DeterminismSettings) -> tuple[Ask, list[tuple[str, str, Ask]]]:
    """A model of ours: tiles, batches, precision, and every engine that is installed."""
    from delineate.learn.answer import answered, ready, runner
    from delineate.learn.engine import engine_of
    from delineate.learn.plan import native_bfloat16

    if subject.method is None:
        raise ValueError("this is for models of ours")
    learnt = subject.method.fitted()
    count = len(learnt.classes)

    @cache
    def running(name: str, low: bool) -> Any:
        return replace(learnt, engine=engine_of(learnt, name, low=low))

    def whole(
        case: Case, *, name: str = "torch-float32", low: bool = False, tile: int | None = None
    ) -> Answer:
        return answered(running(name, low), case.image, tile=tile)[:count]

    def batched(case: Case) -> Answer:
        picture = ready(learnt.plan, case.image)
        if picture.ndim - 1 > learnt.plan.dims:
            raise ModelError("slices of a volume are asked one by one")
        crowd = picture[None].repeat(settings.batch, *(1,) * picture.ndim)
        crowd[:-1] = (1 - crowd[:-1]).square()  # strangers: in another light
        answer: Answer = runner(running("torch-float32", False))(crowd)[-1, :count].numpy()
        return answer

    asks: list[tuple[str, str, Ask]] = [
        ("batch", f"a batch of {settings.batch} with images of another light", batched)
    ]
    asks += [("tiles", f"tiles that keep {side} px", partial(whole, tile=side)) for side in settings.tile_px]
    slow = "" if native_bfloat16() else ", which this processor emulates"
    asks.append(("precision", f"bfloat16 in torch{slow}", partial(whole, name="torch", low=True)))
    for name in _engines(settings):
        asks.append(("engine", f"{name} in float32", partial(whole, name=name)))
        if name == "openvino" and native_bfloat16():
            asks.append(("precision", f"{name} in bfloat16", partial(whole, name=name, low=True)))
    return whole, asks


def _of_module(
    subject: Subject, settings: DeterminismSettings, cases: Sequence[Case]
) -> tuple[list[tuple[str, str, Ask]], list[str]]:
    """A torch module: batches and precision through its logits; engines on the module itself, against its own answer."""
    import torch
    import torch.nn.functional as F

    from delineate.audits.modules import Plain, as_logits
    from delineate.inference.engines import opened

    logits, network = subject.differentiable(), subject.network
    if network is None:
        raise ValueError("this is for torch modules")
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    if any(len(case.spatial) != subject.dims for case in cases):
        return [], ["Volumes that are read slice by slice are asked again as a whole only."]

    def given(case: Case) -> Tensor:
        """The image as one batch, its edges repeated to a size that the module takes."""
        pixels = torch.from_numpy(np.moveaxis(case.image, -1, 0).astype(np.float32))[None].to(device)
        edge = [pad for n in reversed(case.spatial) for pad in (0, -n % subject.divisor)]
        return F.pad(pixels, edge, mode="replicate") if any(edge) else pixels

    def likely(answer: Tensor, case: Case) -> Answer:
        place: Any = (-1, slice(None), *(slice(0, n) for n in case.spatial))
        return np.asarray(answer.float().softmax(1)[place].cpu().numpy(), np.float32)

    def asked(case: Case, *, times: int = 1, low: bool = False) -> Answer:
        crowd = given(case).repeat(times, *(1,) * (subject.dims + 1))
        if times > 1:
            crowd[:-1] = (crowd.amax() - crowd[:-1]) / 2  # strangers: inverted, and of half the contrast
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=low):
            return likely(logits(crowd), case)

    def moved(case: Case, change: Ask, reference: Ask) -> Answer:
        """The answer of `predict`, moved as much as the change moves that of the module."""
        return subject.asked()(case.image) + (change(case) - reference(case))

    @cache
    def running(name: str) -> Any:
        example = torch.zeros(1, given(cases[0]).shape[1], *(2 * max(subject.divisor, 8),) * subject.dims)
        return opened(name, Plain(network), example, low=False)

    def engine(case: Case, *, name: str) -> Answer:
        image = given(case).cpu()  # scaled to 0 to 1, for the module's own normalisation is outside of it
        low, high = image.amin(), image.amax()
        answer = running(name)((image - low) / (high - low).clamp(min=1e-12))
        return likely(as_logits(answer), case)

    reference = partial(engine, name="torch-float32")
    ways: list[tuple[str, str, Ask, Ask]] = [
        (
            "batch",
            f"a batch of {settings.batch} with images of another light",
            partial(asked, times=settings.batch),
            asked,
        ),
        ("precision", "bfloat16 in torch", partial(asked, low=True), asked),
        *(
            ("engine", f"{name} in float32", partial(engine, name=name), reference)
            for name in _engines(settings)
        ),
    ]
    return [
        (kind, what, partial(moved, change=change, reference=one)) for kind, what, change, one in ways
    ], []


def _engines(settings: DeterminismSettings) -> list[str]:
    """Those asked for that are installed."""
    from delineate.inference.engines import ENGINES, installed

    return [name for name in settings.engines if name in ENGINES and installed(name)]


def _other_threads(wanted: int) -> list[int]:
    import torch

    now = torch.get_num_threads()
    return sorted({1, wanted} - {now})


def _with_threads(ask: Ask, threads: int, case: Case) -> Answer:
    with _threads(threads):
        return ask(case)


@contextlib.contextmanager
def _threads(number: int) -> Iterator[None]:
    """torch with so many threads, and after with as many as before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _change(kind: str, what: str, first: Sequence[Answer], again: Sequence[Answer]) -> _Change:
    pixels = sum(one[0].size for one in first)
    differences = [np.abs(one - other) for one, other in zip(first, again, strict=True)]
    return _Change(
        kind,
        what,
        max(float(difference.max()) for difference in differences),
        float(sum(float(d.sum(dtype=np.float64)) for d in differences) / sum(d.size for d in differences)),
        sum(int((one.argmax(0) != other.argmax(0)).sum()) for one, other in zip(first, again, strict=True))
        / pixels,
    )


def _findings(changes: Sequence[_Change], evidence: Evidence) -> Iterator[Finding]:
    """One for each kind of change: the worst of it. The same image twice is judged by its probabilities, bit for bit."""
    for kind, words in WORDS.items():
        of_kind = [change for change in changes if change.kind == kind]
        if not of_kind:
            continue
        if kind == "twice":
            furthest = max(change.furthest for change in of_kind)
            said = (
                "The same image gives the same probabilities, bit for bit."
                if furthest == 0
                else (f"Asked twice, the model gives probabilities that differ by up to {furthest:.2g}.")
            )
            yield evidence.thresholds.judged("determinism.twice", furthest, said)
            continue
        worst = max(of_kind, key=lambda change: (change.changed, change.furthest))
        start = f"{words[0].upper()}{words[1:]}"
        said = f"{start}, no pixel changes its label, and a probability by {worst.furthest:.1g} at most."
        if worst.changed:
            said = (
                f"{start}, {100 * worst.changed:.2g} % of the pixels change their label, and a probability by "
                f"{worst.furthest:.1g} at most ({worst.what})."
            )
        yield evidence.thresholds.judged(f"determinism.{kind}", worst.changed, said)


def _pictures(case: Case, first: Answer, again: Answer) -> tuple[Picture, ...]:
    differ = first.argmax(0) != again.argmax(0)
    place: Any = ...
    if middle_slice(case.spatial) is not None:
        place = int(differ.reshape(len(differ), -1).sum(1).argmax())
    picture, here = picture_of(case.image[place]), differ[place]
    wide = here.copy()
    for axis in (0, 1):
        wide |= np.roll(here, 1, axis) | np.roll(here, -1, axis)
    return (
        Picture(
            f"{case.name}: the {int(differ.sum()):,} pixels that change their label in the worst case, made wider to be seen.",
            side_by_side([picture, painted(picture, wide, MAGENTA, strength=0.9)]),
        ),
    )
