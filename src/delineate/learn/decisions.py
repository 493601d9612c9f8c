"""Single items of a plan, each decided from the labelled images or the machine, unless somebody wanted otherwise.

Every function that takes `reasons` writes its own there: item -> one sentence. `planning.planned` asks them in turn.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from delineate.core import Case, DataError
from delineate.data.grey import as_grey
from delineate.data.intensities import intensities
from delineate.data.sparse import barely_labelled, boxed, labelled_share, sparse
from delineate.learn.machine import native_bfloat16
from delineate.learn.normalisation import NORMALISATIONS, Normalisation
from delineate.learn.targets import labelled_objects, object_ids
from delineate.learn.weak import SCRAPS, Weak

T = TypeVar("T")

LONG = 45  # minutes on a CPU that suffice for a wide network
SHORT = 15  # minutes without bfloat16 in which a narrow network learns more: half as many steps are made, or fewer


def dims(cases: Sequence[Case], reasons: dict[str, str]) -> int:
    """2 for pictures and for stacks of thick or few slices, 3 for volumes."""
    volumes = [c for c in cases if len(c.spatial) == 3]
    if len(volumes) < len(cases):
        reasons["dims"] = "the images are flat" if not volumes else "some of the images are flat"
        return 2
    ratio = float(np.median([c.spacing[0] / min(c.spacing[1:]) for c in volumes]))
    depth = float(np.median([c.spatial[0] for c in volumes]))
    if ratio > 2.5 or depth < 16:
        fact = (
            f"slices lie {ratio:.1f} times further apart than pixels"
            if ratio > 2.5
            else f"stacks have {depth:.0f} slices"
        )
        reasons["dims"] = f"{fact}: each slice is learnt as a picture"
        return 2
    longest = float(np.median([max(c.spacing) / min(c.spacing) for c in volumes]))
    reasons["dims"] = (
        f"{depth:.0f} slices of voxels whose longest side is {longest:.1f} times the shortest: learnt as volumes"
        if longest > 2.5
        else f"{depth:.0f} slices about as far apart as pixels: learnt as volumes"
    )
    return 3


def channels(cases: Sequence[Case], reasons: dict[str, str]) -> tuple[bool, int]:
    """Whether colour images are all grey in truth, and the number of channels that the network sees."""
    grey = all(as_grey(c.image).shape[-1] == 1 for c in cases)
    counts = {1} if grey else {c.channels for c in cases}
    if len(counts) > 1:
        names = {n: next(c.name for c in cases if c.channels == n) for n in sorted(counts)}
        told = ", ".join(f"{name} has {n}" for n, name in names.items())
        raise DataError(f"the images differ in their number of channels ({told}): convert them to one number")
    if grey and any(c.channels > 1 for c in cases):
        reasons["channels"] = "all images are grey, their colour channels are equal: one is used"
    return grey, counts.pop()


def objects(cases: Sequence[Case], wanted: bool | None, reasons: dict[str, str]) -> bool:
    """Whether to learn where objects touch."""
    given = any(c.objects is not None for c in cases)
    if wanted is None:
        reasons["objects"] = (
            "object ids are given: where the middle of each pixel's object lies is learnt"
            if given
            else "no object ids are given"
        )
        return given
    if wanted and all(case.objects is None and sparse(case) for case in cases):
        raise DataError(
            "strokes, points and boxes do not tell objects apart: give object ids, or full masks for some images, or do not "
            "ask for objects"
        )
    reasons["objects"] = "as you asked" + (
        "" if given or not wanted else "; connected pieces stand in for ids"
    )
    return wanted


def adversarial(cases: Sequence[Case], wanted: float | None, reasons: dict[str, str]) -> float:
    """By how many intensities crops are perturbed: `wanted` 255ths of the range of the images."""
    if not wanted:
        return 0.0
    if not 0 < wanted <= 64:
        raise DataError(f"adversarial is {wanted:g}: give grey levels of 255, such as 4, and 64 at most")
    known = intensities(case.image for case in cases)
    reasons["adversarial"] = (
        f"{wanted:g} of 255 grey levels, where the images go from {known.low:g} to {known.high:g}: "
        "crops are changed by that much to what is hardest"
    )
    return known.of_255(wanted)


def weak(
    cases: Sequence[Case], wanted: bool | None, reasons: dict[str, str], *, unlabelled: int
) -> Weak | None:
    """Whether and how pixels without a label are taught; full masks, even with a few gaps, need none of it."""
    if wanted is not None:
        reasons["weak"] = "as you asked"
        return Weak() if wanted else None
    facts = []
    few = sum(map(barely_labelled, cases))
    boxes = sum(boxed(case) and not barely_labelled(case) for case in cases)  # strokes leave objects open too
    if sum(map(sparse, cases)) > SCRAPS * len(cases):
        if few:
            facts.append(
                f"{few} of {len(cases)} images are labelled on less than half of their pixels, and "
                f"{labelled_share(cases):.1%} of all pixels are"
            )
        if boxes:
            facts.append(
                f"in {boxes} of {len(cases)} images only the middles of objects are labelled, as in boxes"
            )
    if unlabelled:
        facts.append(f"{unlabelled} image{'s have' if unlabelled > 1 else ' has'} no labels")
    if not facts:
        return None
    reasons["weak"] = "; ".join(facts)
    return Weak()


def normalisation(
    cases: Sequence[Case], channels: int, wanted: str | None, reasons: dict[str, str]
) -> Normalisation:
    """Percentiles of each image, except for colour pictures, whose colours mean something as they are.

    Where grey pictures, often of dim light, are among them, no one range suits both; a blank one tells nothing.
    """
    if wanted is not None:
        return chosen("normalisation", wanted, NORMALISATIONS)
    if channels == 3 and all(c.image.dtype == np.uint8 for c in cases):
        if all(as_grey(c.image).shape[-1] == 3 or np.ptp(c.image) == 0 for c in cases):
            reasons["normalisation"] = "8-bit colour: the balance of the channels is kept"
            return NORMALISATIONS["bytes"]
        reasons["normalisation"] = (
            "grey and colour images together: each channel of each is scaled by its own percentiles"
        )
        return NORMALISATIONS["percentiles"]
    reasons["normalisation"] = (
        "brightness and range differ between images: each is scaled by its own percentiles"
    )
    return NORMALISATIONS["percentiles"]


def width(minutes: float | None, reasons: dict[str, str]) -> int:
    """Channels at the finest level: as many as the time can teach (None: the number of steps is fixed instead)."""
    if torch.cuda.is_available():
        reasons["width"] = "a GPU is there"
        return 64
    if minutes is not None and minutes > LONG:
        reasons["width"] = f"{minutes:g} minutes on a CPU are enough for a wide network"
        return 48
    if minutes is not None and minutes <= SHORT and not native_bfloat16():
        time = f"{minutes:g} minute{'' if minutes == 1 else 's'}"
        reasons["width"] = f"in {time} on a processor without fast bfloat16 a narrow network learns more"
        return 24
    reasons["width"] = "on a CPU this keeps a step short"
    return 32


def precision(reasons: dict[str, str]) -> str:
    """bfloat16 where the machine computes it natively."""
    native = native_bfloat16()
    reasons["precision"] = (
        "this processor computes in bfloat16" if native else "this processor has no fast bfloat16"
    )
    return "bf16-mixed" if native else "32-true"


def object_sizes(cases: Sequence[Case], dims: int) -> NDArray[np.int64]:
    """Pixels of every object, or of its part in every slice where slices are learnt."""
    sizes = [np.zeros(0, np.int64)]
    for case in cases:
        if case.labels is not None:
            ids = labelled_objects(case.labels, object_ids(case))
            slices = ids if ids.ndim > dims else ids[None]
            sizes += [np.unique(one[one > 0], return_counts=True)[1] for one in slices]
    return np.concatenate(sizes)


def radius(sizes: NDArray[Any], dims: int) -> float:
    """Radius of a disc, or ball, of the typical size, in pixels: the unit in which offsets are learnt."""
    if not len(sizes):
        return 10.0
    typical = float(np.median(sizes))
    radius = math.sqrt(typical / math.pi) if dims == 2 else math.cbrt(typical * 3 / (4 * math.pi))
    return float(np.clip(radius, 2, 200))


def chosen(what: str, name: str, table: Mapping[str, T]) -> T:
    """What a table holds under a name; raises DataError as `known`."""
    return table[known(what, name, table)]


def known(what: str, name: str, names: Collection[str]) -> str:
    """The name, if it is one of `names`; else DataError, which lists them."""
    if name not in names:
        raise DataError(f"there is no {what} {name}: choose from {', '.join(names)}")
    return name
