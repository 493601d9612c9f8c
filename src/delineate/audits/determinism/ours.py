"""A model of ours asked once more: in a batch, in tiles, in bfloat16, by every engine that is installed."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from typing import Any

from delineate.audits.determinism.changes import Answer
from delineate.audits.determinism.settings import DeterminismSettings
from delineate.audits.determinism.way import Ask, Way, engines_of
from delineate.audits.subject import Subject
from delineate.core import Case, ModelError

WHOLE_ONLY = (
    "An equivariant model looks at whole images only, in torch: every pixel has a say in which grids are kept. So there are no "
    "tiles, no export and no other engine to compare."
)


def of_ours(subject: Subject, settings: DeterminismSettings) -> tuple[Ask, list[Way], list[str]]:
    """A model of ours: tiles, batches, precision, and every engine that is installed."""
    from delineate.learn.answer import answered, ready, runner
    from delineate.learn.engine import engine_of
    from delineate.learn.machine import native_bfloat16

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

    asks = [Way("batch", f"a batch of {settings.batch} with images of another light", batched)]
    if not learnt.plan.equivariant:
        asks += [
            Way("tiles", f"tiles that keep {side} px", partial(whole, tile=side)) for side in settings.tile_px
        ]
    slow = "" if native_bfloat16() else ", which this processor emulates"
    asks.append(Way("precision", f"bfloat16 in torch{slow}", partial(whole, name="torch", low=True)))
    if learnt.plan.equivariant:
        return whole, asks, [WHOLE_ONLY]
    engines, notes = engines_of(settings)
    for name in engines:
        asks.append(Way("engine", f"{name} in float32", partial(whole, name=name)))
        if name == "openvino" and native_bfloat16():
            asks.append(Way("precision", f"{name} in bfloat16", partial(whole, name=name, low=True)))
    return whole, asks, notes
