"""Which cases a model is validated on: those given for it, or some that are held out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from delineate import data as files
from delineate.core import Case, ClassTable
from delineate.data.fingerprint import seen
from delineate.data.label_choice import LabelKind
from delineate.data.masks import MasksAre
from delineate.flow.methods import Tell

HELD_OUT, MOST_HELD_OUT = (
    0.1,
    8,
)  # share, and number, of the cases kept for validation where the user gives none


def validation_of(
    val: str | Path | Sequence[Case],
    *,
    classes: ClassTable,
    labels: LabelKind | None,
    unlabelled: int | None,
    masks_are: MasksAre | None,
    tell: Tell,
) -> list[Case]:
    """The cases to validate on: those given, or all in a folder, of large images some windows; labels as `train` takes them."""
    if not isinstance(val, (str, Path)):
        return list(val)
    given = files.load(
        val,
        labels=labels if labels in files.offered(files.find_folder(val)) else None,
        all_images=False,
        classes=classes,
        unlabelled=unlabelled,
        masks_are=masks_are,
    )
    for note in given.notes:
        tell(f"validation: {note}")
    return [*given.cases, *given.validation, *(look for one in given.large for look in one.looks)]


def split_off(
    cases: Sequence[Case], *, seed: int, known: Collection[str] = ()
) -> tuple[list[Case], list[Case]]:
    """The cases to learn from, and a tenth (about eight at most; whole groups) to validate on; none of fewer than five.

    known: digests of images that were learnt from before. Where two or more groups hold none of these, as many of their cases
    as would be held out otherwise are, but no more than half of them.
    """
    if len(cases) < 5:
        return list(cases), []
    share = min(HELD_OUT, MOST_HELD_OUT / len(cases))
    met = {case.group for case in seen(cases, known)}
    unmet = [case for case in cases if case.group not in met]
    if not met or len({case.group for case in unmet}) < 2:
        learn_from, held_out = files.split(cases, share=share, seed=seed)
        return list(learn_from), list(held_out)
    _, held_out = files.split(unmet, share=min(0.5, share * len(cases) / len(unmet)), seed=seed)
    apart = {case.group for case in held_out}
    return [case for case in cases if case.group not in apart], list(held_out)
