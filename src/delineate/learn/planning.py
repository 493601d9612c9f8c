"""How a plan is made: what a training will do, decided from the data, the machine and the time allowed.

Read `planned`: each item is one line of arithmetic and one sentence, or one of `decisions`. Whoever knows better overrides an
item.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import torch

from delineate.core import Case, DataError
from delineate.data.augment import Augmentation
from delineate.data.robust import asked_families
from delineate.learn import decisions
from delineate.learn.from_model import SHAPE, shaped_like, shows_as_before
from delineate.learn.machine import memory_bytes
from delineate.learn.plan import Overrides, Plan
from delineate.nets import DOWN, UP

AUGMENTATIONS: dict[str, Augmentation] = {
    "none": Augmentation(
        turn=0, flip=False, zoom=0, stretch=0, gain=0, offset=0, gamma=0, noise=0, blur_px=0
    ),
    "light": Augmentation(turn=0.05, zoom=0.15, stretch=0, gain=0.15, offset=0.05, gamma=0.1, noise=0.02),
    "upright": Augmentation(turn=0.08, flip=False),
    "full": Augmentation(),
}
"""How strongly crops are varied, by name. none: not at all. light: mirrored, but hardly turned. upright: strongly, but as organs
lie in a body, never mirrored or laid down."""

PRECISIONS = ("bf16-mixed", "32-true")
"""In what the network computes; losses and weights are float32 in any case."""

ANNOTATORS: dict[str, str] = {
    "one": "each image has one person's labels",
    "random": "for every crop one of the people who labelled it is drawn",
    "soft": "the share of people who drew a pixel is taught",
    "consensus": "what the majority drew is taught",
}
"""What is learnt from where several people labelled one image, by name."""

AS_BEFORE = "as in the model that it begins from"

_PIXELS = 4 * 256 * 256  # of a batch on a CPU: steps of about a third of a second on two cores
_BYTES_PER_PLACE_AND_WIDTH = 300  # of the finest level: a generous estimate of what a training step holds


def planned(
    cases: Sequence[Case],
    *,
    minutes: float | None = None,
    overrides: Overrides | None = None,
    unlabelled: int = 0,
    start: Plan | None = None,
) -> Plan:
    """The plan for training on `cases` within `minutes` (None: the number of steps is fixed instead).

    unlabelled: how many images without labels are to join; with any, the training is weak unless overrides forbid it.
    start: the plan of the model that the training begins from, whose network it keeps, and its normalisation where the images
    have as many channels (and eight bits, if it is one of intensities as they are).
    Raises DataError where the cases do not fit together, an override names nothing known, or it wants another network than the
    model to begin from has.

    >>> image, labels = np.zeros((300, 200, 1), np.uint16), np.ones((300, 200), np.uint8)
    >>> plan = planned([Case("a", image, labels=labels)], minutes=10)
    >>> plan.dims, plan.patch, plan.levels, plan.normalisation.kind
    (2, (224, 224), 4, 'percentiles')
    >>> print(plan.reasons["patch"])
    the typical shorter side is 200 px
    """
    own = overrides or Overrides()
    wanted = own if start is None else shaped_like(start, own)
    _possible(wanted, cases, begun=start is not None)
    reasons: dict[str, str] = {
        "augmentation": "turned, mirrored and zoomed crops under slightly other light teach what does not matter",
        "down": "the strongest answer of a neighbourhood is kept",
        "up": "interpolation leaves no checkerboard",
        "learning_rate": "a usual start; lower it where the loss jumps",
    }
    gpu = torch.cuda.is_available()

    dims = decisions.dims(cases, reasons) if wanted.dims is None else wanted.dims
    grey, channels = decisions.channels(cases, reasons)
    like_before = start is not None and shows_as_before(start, cases)
    kept: list[str] = list(SHAPE)
    if start is not None and like_before:
        grey, channels = start.grey, start.channels
        kept.append("channels")
        if start.normalisation.kind != "fixed" or all(case.image.dtype == np.uint8 for case in cases):
            kept.append("normalisation")

    sides = np.array([sorted(c.spatial[-dims:]) for c in cases])
    if dims == 2:
        typical, largest, smallest = float(np.median(sides[:, 0])), 256, 64
        side = int(np.clip(-(-typical // 32) * 32, smallest, largest))
        patch: tuple[int, ...] = (side, side)
        reasons["patch"] = f"the typical shorter side is {typical:.0f} px" + (
            ", more context than 256 px slows the steps" if typical > 256 else ""
        )
    else:
        shape = np.median(np.array([c.spatial for c in cases]), axis=0)
        patch = tuple(int(np.clip(-(-n // 16) * 16, 16, 64)) for n in shape)
        reasons["patch"] = f"the typical volume is {' x '.join(f'{n:.0f}' for n in shape)} voxels"
    if wanted.patch is not None:
        patch = (wanted.patch,) * dims

    shuffle = wanted.shuffle if wanted.shuffle is not None else 2
    reasons["shuffle"] = (
        "the finest level works on blocks of 2 pixels along each axis, which makes steps cheap"
    )
    places = min(patch) // shuffle
    levels = (
        wanted.levels
        if wanted.levels is not None
        else int(np.clip(int(np.log2(max(places, 1) / 8)) + 1, 2, 4))
    )
    reasons["levels"] = (
        f"the coarsest level of a {min(patch)} px crop is still {places // 2 ** (levels - 1)} places wide"
    )

    width = wanted.width if wanted.width is not None else decisions.width(minutes, reasons)

    if places < 2**levels:
        raise DataError(
            f"crops of {min(patch)} px leave nothing to see at level {levels}: give "
            + ("fewer levels or a larger patch" if start is None else "a larger --patch, or leave --from out")
        )
    objects = decisions.objects(cases, wanted.objects, reasons)
    sizes = decisions.object_sizes(cases, dims) if objects else np.zeros(0)
    pixels = int(np.prod(patch))
    batch = int(np.clip(_PIXELS * (4 if gpu else 1) // pixels, 2, 32 if gpu else 8))
    fits = int(memory_bytes() / 3 / (pixels / shuffle**dims * width * _BYTES_PER_PLACE_AND_WIDTH))
    reasons["batch"] = f"{batch} crops of {' x '.join(map(str, patch))} make a step"
    if fits < batch:
        batch, reasons["batch"] = (
            max(1, fits),
            f"no more than {max(1, fits)} crops fit into a third of the memory",
        )
    batch = wanted.batch if wanted.batch is not None else batch

    return Plan(
        dims=dims,
        channels=channels,
        grey=grey,
        objects=objects,
        patch=patch,
        batch=batch,
        width=width,
        levels=levels,
        shuffle=shuffle,
        down=decisions.known("down", wanted.down or "max", DOWN),
        up=decisions.known("up", wanted.up or "linear", UP),
        normalisation=start.normalisation
        if start is not None and "normalisation" in kept and wanted.normalisation is None
        else decisions.normalisation(cases, channels, wanted.normalisation, reasons),
        augmentation=replace(
            decisions.chosen("augmentation", wanted.augmentation or "full", AUGMENTATIONS),
            robust=asked_families(wanted.robust or ()),
        ),
        precision=decisions.known("precision", wanted.precision or decisions.precision(reasons), PRECISIONS),
        learning_rate=wanted.learning_rate or 3e-3,
        smallest_object_px=int(np.percentile(sizes, 1) / 2) if len(sizes) else 0,
        object_radius_px=decisions.radius(sizes, dims),
        adversarial=decisions.adversarial(cases, wanted.adversarial, reasons),
        equivariant=bool(wanted.equivariant),
        annotators=decisions.known("annotators", wanted.annotators or "one", ANNOTATORS),
        weak=decisions.weak(cases, wanted.weak, reasons, unlabelled=unlabelled),
        reasons=reasons
        | (dict.fromkeys(kept, AS_BEFORE) if start else {})
        | {
            f.name: "as you asked"
            for f in fields(Overrides)
            if f.name not in ("objects", "adversarial", "weak") and getattr(own, f.name) is not None
        },
    )


def _possible(wanted: Overrides, cases: Sequence[Case], *, begun: bool) -> None:
    """Raise DataError for numbers that make no network, and for flat images where volumes are learnt.

    begun: the network is that of a model which is there already.
    """
    for item in ("patch", "batch", "width", "levels", "shuffle", "learning_rate"):
        value = getattr(wanted, item)
        rate = item == "learning_rate"
        numbers = (int, float, np.number) if rate else (int, np.integer)
        if value is not None and not (isinstance(value, numbers) and value > 0):
            whole = "" if rate else "whole "
            raise DataError(f"{item.replace('_', ' ')} is {value}: give a positive {whole}number")
    if wanted.dims not in (None, 2, 3):
        raise DataError(f"dims is {wanted.dims}: give 2 for pictures or slices, 3 for volumes")
    if wanted.dims == 3 and any(len(case.spatial) == 2 for case in cases):
        raise DataError(
            "the model to begin from works on volumes but some images are flat: leave --from out, or give volumes only"
            if begun
            else "dims is 3 but some images are flat: leave it out, or give volumes only"
        )
    if not cases:
        raise DataError("there is no labelled image to learn from: give at least one image with a mask")
