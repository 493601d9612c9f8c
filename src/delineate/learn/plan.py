"""What a training will do, decided from the data, the machine and the time allowed; every item with its reason.

Read `planned`: each item is one line of arithmetic and one sentence. Whoever knows better overrides an item.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from delineate.core import Case, DataError
from delineate.data.augment import Augmentation
from delineate.data.intensities import intensities
from delineate.data.robust import asked_families
from delineate.data.sparse import barely_labelled, boxed, labelled_share, sparse
from delineate.learn.normalisation import NORMALISATIONS, Normalisation, as_grey
from delineate.learn.targets import labelled_objects, object_ids
from delineate.learn.weak import SCRAPS, Weak
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

T = TypeVar("T")

_PIXELS = 4 * 256 * 256  # of a batch on a CPU: steps of about a third of a second on two cores
_BYTES_PER_PLACE_AND_WIDTH = 300  # of the finest level: a generous estimate of what a training step holds


@dataclass(frozen=True)
class Overrides:
    """Items of the plan that the user fixes; None leaves the choice to the plan."""

    patch: int | None = None
    batch: int | None = None
    width: int | None = None
    levels: int | None = None
    shuffle: int | None = None
    down: str | None = None
    up: str | None = None
    dims: int | None = None
    normalisation: str | None = None
    augmentation: str | None = None
    precision: str | None = None
    learning_rate: float | None = None
    objects: bool | None = None
    robust: tuple[str, ...] | None = None
    adversarial: float | None = None
    equivariant: bool | None = None
    annotators: str | None = None
    weak: bool | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that shapes a model, and `reasons`: item -> one sentence.

    adversarial: by how many intensities of the files crops are perturbed, 0 for not at all.
    """

    dims: int
    channels: int
    grey: bool
    objects: bool
    patch: tuple[int, ...]
    batch: int
    width: int
    levels: int
    shuffle: int
    down: str
    up: str
    normalisation: Normalisation
    augmentation: Augmentation
    precision: str
    learning_rate: float
    smallest_object_px: int
    object_radius_px: float
    adversarial: float = 0.0
    equivariant: bool = False
    annotators: str = "one"
    weak: Weak | None = None
    reasons: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values for `model.json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Plan:
        """The plan that `to_json` gave, now or before an item with a default was there; raises KeyError or TypeError where
        others are missing."""
        known = {
            f.name: values[f.name]
            for f in fields(cls)
            if f.name in values or (f.default is MISSING and f.default_factory is MISSING)
        }
        known["weak"] = Weak(**values["weak"]) if values.get("weak") else None
        known["patch"] = tuple(known["patch"])
        known["normalisation"] = Normalisation(**known["normalisation"])
        known["augmentation"] = Augmentation(**known["augmentation"])
        known["augmentation"] = replace(known["augmentation"], robust=tuple(known["augmentation"].robust))
        return cls(**known)

    @property
    def robust(self) -> tuple[str, ...]:
        """The families of acquisition conditions that crops are put under."""
        return self.augmentation.robust

    @property
    def takes_colour(self) -> bool:
        """Whether a network of one channel is shown colour images, by the dye that they hold."""
        return self.channels == 1 and "stain" in self.robust


def planned(
    cases: Sequence[Case],
    *,
    minutes: float | None = None,
    overrides: Overrides | None = None,
    unlabelled: int = 0,
) -> Plan:
    """The plan for training on `cases` within `minutes` (None: the number of steps is fixed instead).

    unlabelled: how many images without labels are to join; with any, the training is weak unless overrides forbid it.
    Raises DataError where the cases do not fit together or an override names nothing known.

    >>> image, labels = np.zeros((300, 200, 1), np.uint16), np.ones((300, 200), np.uint8)
    >>> plan = planned([Case("a", image, labels=labels)], minutes=10)
    >>> plan.dims, plan.patch, plan.levels, plan.normalisation.kind
    (2, (224, 224), 4, 'percentiles')
    >>> print(plan.reasons["patch"])
    the typical shorter side is 200 px
    """
    wanted = overrides or Overrides()
    _possible(wanted, cases)
    reasons: dict[str, str] = {
        "augmentation": "turned, mirrored and zoomed crops under slightly other light teach what does not matter",
        "down": "the strongest answer of a neighbourhood is kept",
        "up": "interpolation leaves no checkerboard",
        "learning_rate": "a usual start; lower it where the loss jumps",
    }
    gpu = torch.cuda.is_available()

    dims = _dims(cases, reasons) if wanted.dims is None else wanted.dims
    grey, channels = _channels(cases, reasons)

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

    if wanted.width is not None:
        width = wanted.width
    elif gpu:
        width, reasons["width"] = 64, "a GPU is there"
    elif minutes is not None and minutes > 45:
        width, reasons["width"] = 48, f"{minutes:g} minutes on a CPU are enough for a wide network"
    else:
        width, reasons["width"] = 32, "on a CPU this keeps a step short"

    if places < 2**levels:
        raise DataError(
            f"crops of {min(patch)} px leave nothing to see at level {levels}: give fewer levels or a larger patch"
        )
    objects = _objects(cases, wanted.objects, reasons)
    sizes = _object_sizes(cases, dims) if objects else np.zeros(0)
    pixels = int(np.prod(patch))
    batch = int(np.clip(_PIXELS * (4 if gpu else 1) // pixels, 2, 32 if gpu else 8))
    fits = int(_memory_bytes() / 3 / (pixels / shuffle**dims * width * _BYTES_PER_PLACE_AND_WIDTH))
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
        down=_known("down", wanted.down or "max", DOWN),
        up=_known("up", wanted.up or "linear", UP),
        normalisation=_normalisation(cases, channels, wanted.normalisation, reasons),
        augmentation=replace(
            _chosen("augmentation", wanted.augmentation or "full", AUGMENTATIONS),
            robust=asked_families(wanted.robust or ()),
        ),
        precision=_known("precision", wanted.precision or _precision(reasons), PRECISIONS),
        learning_rate=wanted.learning_rate or 3e-3,
        smallest_object_px=int(np.percentile(sizes, 1) / 2) if len(sizes) else 0,
        object_radius_px=_radius(sizes, dims),
        adversarial=_adversarial(cases, wanted.adversarial, reasons),
        equivariant=bool(wanted.equivariant),
        annotators=_known("annotators", wanted.annotators or "one", ANNOTATORS),
        weak=_weak(cases, wanted.weak, reasons, unlabelled=unlabelled),
        reasons=reasons
        | {
            f.name: "as you asked"
            for f in fields(Overrides)
            if f.name not in ("objects", "adversarial", "weak") and getattr(wanted, f.name) is not None
        },
    )


def _possible(wanted: Overrides, cases: Sequence[Case]) -> None:
    """Raise DataError for numbers that make no network."""
    for item in ("patch", "batch", "width", "levels", "shuffle", "learning_rate"):
        value = getattr(wanted, item)
        if value is not None and not value > 0:
            raise DataError(f"{item.replace('_', ' ')} is {value}: give a positive number")
    if wanted.dims not in (None, 2, 3):
        raise DataError(f"dims is {wanted.dims}: give 2 for pictures or slices, 3 for volumes")
    if wanted.dims == 3 and any(len(case.spatial) == 2 for case in cases):
        raise DataError("dims is 3 but some images are flat: leave it out, or give volumes only")
    if not cases:
        raise DataError("there is no labelled image to learn from: give at least one image with a mask")


def _dims(cases: Sequence[Case], reasons: dict[str, str]) -> int:
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
    reasons["dims"] = f"{depth:.0f} slices about as far apart as pixels: learnt as volumes"
    return 3


def _channels(cases: Sequence[Case], reasons: dict[str, str]) -> tuple[bool, int]:
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


def _objects(cases: Sequence[Case], wanted: bool | None, reasons: dict[str, str]) -> bool:
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


def _adversarial(cases: Sequence[Case], wanted: float | None, reasons: dict[str, str]) -> float:
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


def _weak(
    cases: Sequence[Case], wanted: bool | None, reasons: dict[str, str], *, unlabelled: int
) -> Weak | None:
    """Whether and how pixels without a label are taught; full masks, even with a few gaps, need none of it."""
    if wanted is not None:
        reasons["weak"] = "as you asked"
        return Weak() if wanted else None
    facts = []
    few, boxes = sum(map(barely_labelled, cases)), sum(map(boxed, cases))
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


def _normalisation(
    cases: Sequence[Case], channels: int, wanted: str | None, reasons: dict[str, str]
) -> Normalisation:
    """Percentiles of each image, except for colour pictures, whose colours mean something as they are.

    Where grey pictures, often of dim light, are among them, no one range suits both; a blank one tells nothing.
    """
    if wanted is not None:
        return _chosen("normalisation", wanted, NORMALISATIONS)
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


def _precision(reasons: dict[str, str]) -> str:
    """bfloat16 where the machine computes it natively."""
    native = native_bfloat16()
    reasons["precision"] = (
        "this processor computes in bfloat16" if native else "this processor has no fast bfloat16"
    )
    return "bf16-mixed" if native else "32-true"


def native_bfloat16() -> bool:
    """Whether this machine (its GPU where there is one) computes in bfloat16 without emulating it."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())


def _object_sizes(cases: Sequence[Case], dims: int) -> NDArray[np.int64]:
    """Pixels of every object, or of its part in every slice where slices are learnt."""
    sizes = [np.zeros(0, np.int64)]
    for case in cases:
        if case.labels is not None:
            ids = labelled_objects(case.labels, object_ids(case))
            slices = ids if ids.ndim > dims else ids[None]
            sizes += [np.unique(one[one > 0], return_counts=True)[1] for one in slices]
    return np.concatenate(sizes)


def _radius(sizes: NDArray[Any], dims: int) -> float:
    """Radius of a disc, or ball, of the typical size, in pixels: the unit in which offsets are learnt."""
    if not len(sizes):
        return 10.0
    typical = float(np.median(sizes))
    radius = math.sqrt(typical / math.pi) if dims == 2 else math.cbrt(typical * 3 / (4 * math.pi))
    return float(np.clip(radius, 2, 200))


def _memory_bytes() -> float:
    """Memory of the machine or of the GPU: all of it, so that the plan does not depend on what else runs."""
    if torch.cuda.is_available():
        return float(torch.cuda.mem_get_info()[1])
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (ValueError, OSError, AttributeError):  # not told on this system
        return 4e9


def _chosen(what: str, name: str, table: Mapping[str, T]) -> T:
    return table[_known(what, name, table)]


def _known(what: str, name: str, names: Collection[str]) -> str:
    if name not in names:
        raise DataError(f"there is no {what} {name}: choose from {', '.join(names)}")
    return name
