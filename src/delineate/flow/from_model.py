"""The model that a training begins from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from delineate.core import ModelError
from delineate.data.problem import counted, listed
from delineate.flow.methods import Tell, load

if TYPE_CHECKING:
    from delineate.learn.learnt import Learnt


def begun_from(folder: str | Path, *, tell: Tell) -> Learnt:
    """The trained U-Net to begin from, told in few words; raises ModelError where it is none."""
    method = load(folder, tell=tell)
    if method.name != "unet":
        raise ModelError(
            f"{folder} is no U-Net of Delineate ({method.name}): begin from the folder of one, or leave --from out"
        )
    before: Learnt = method.learnt
    known = counted(max(len(set(before.record.seen)), before.record.data.get("cases", 0)), "image")
    tell(
        f"begins from {folder}: {before.record.steps} steps on {known}; it knows {listed(before.classes.names)}"
    )
    return before
