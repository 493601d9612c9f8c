"""A torch module from anywhere asked once more: in a batch, in bfloat16, by every engine that takes it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from delineate.audits.determinism.changes import Answer
from delineate.audits.determinism.settings import DeterminismSettings
from delineate.audits.determinism.way import Ask, Way, engines_of
from delineate.audits.subject import Subject
from delineate.core import Case
from delineate.data.grey import as_grey

if TYPE_CHECKING:
    from torch import Tensor


def of_module(
    subject: Subject, settings: DeterminismSettings, cases: Sequence[Case]
) -> tuple[list[Way], list[str]]:
    """A torch module: batches and precision through its logits; engines on the module itself, against its own answer."""
    import torch
    import torch.nn.functional as F

    from delineate.audits.modules import Plain
    from delineate.audits.scores import as_logits
    from delineate.inference.engines import opened

    logits, network = subject.differentiable(), subject.network
    if network is None:
        raise ValueError("this is for torch modules")
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    if any(len(case.spatial) != subject.dims for case in cases):
        return [], ["Volumes that are read slice by slice are asked again as a whole only."]

    def given(case: Case) -> Tensor:
        """The image as one batch, its edges repeated to a size that the module takes."""
        image = as_grey(case.image) if subject.channels == 1 else case.image
        pixels = torch.from_numpy(np.moveaxis(image, -1, 0).astype(np.float32))[None].to(device)
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
    def plain() -> Plain:
        return Plain(copy.deepcopy(network).cpu().float(), given(cases[0]).cpu(), divisor=subject.divisor)

    @cache
    def running(name: str) -> Any:
        return opened(name, plain(), given(cases[0]).cpu(), low=False)

    def engine(case: Case, *, name: str) -> Answer:
        image = given(case).cpu()  # scaled to 0 to 1, for the module's own normalisation is outside of it
        low, high = image.amin(), image.amax()
        answer = running(name)((image - low) / (high - low).clamp(min=1e-12))
        return likely((subject.read or as_logits)(answer), case)

    reference = partial(engine, name="torch-float32")
    engines, notes = engines_of(settings)
    found: list[tuple[str, str, Ask, Ask]] = [
        (
            "batch",
            f"a batch of {settings.batch} with images of another light",
            partial(asked, times=settings.batch),
            asked,
        ),
        ("precision", "bfloat16 in torch", partial(asked, low=True), asked),
        *(("engine", f"{name} in float32", partial(engine, name=name), reference) for name in engines),
    ]
    return [
        Way(kind, what, partial(moved, change=change, reference=one)) for kind, what, change, one in found
    ], notes
