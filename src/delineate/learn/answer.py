"""A learnt network's answer for a whole image: normalise, cut into tiles, run, put together.

The answer holds the probabilities of the classes and, where objects were learnt, for every pixel the offset to the
middle of its object.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from delineate.core import ModelError, check_pixels
from delineate.data.conditions import amount_of_dye, illumination_of
from delineate.data.grey import as_grey
from delineate.data.problem import counted
from delineate.inference import shift_averaged, tiled
from delineate.inference.engines import part_of
from delineate.learn.engine import engine_of
from delineate.learn.learnt import Learnt
from delineate.learn.normalisation import normalised
from delineate.learn.plan import Plan

CORE = {2: 1024, 3: 96}  # pixels along each axis that a tile keeps, unless told otherwise
WHOLE = {2: 1536, 3: 160}  # images up to this size along each axis are not cut at all


def answered(
    learnt: Learnt,
    image: NDArray[Any],
    *,
    tile: int | None = None,
    flips: bool = False,
    shifts: int = 1,
) -> NDArray[np.float32]:
    """Class probabilities, then offsets in pixels: (classes [+ dims], *spatial) for an image (*spatial, channels).

    tile: pixels along each axis that a tile keeps (None: as large as is sensible). flips: average over the
    mirrored images. shifts: average over so many shifted copies, see `shift_averaged`. See `part_runner` for what computes it.
    Raises ModelError where the image has other axes or channels than the model, or where tiles are asked of an equivariant
    model, in which every pixel has a say in how the whole image is sampled; DataError where it is no array of finite numbers.

    >>> from delineate.data.samples import coins
    >>> from delineate.learn import UNetMethod
    >>> cases, _ = coins()
    >>> learnt = UNetMethod(steps=1).fit(cases).learnt
    >>> answered(learnt, cases[0].image).shape  # background, coin, two offsets
    (4, 85, 170)
    """
    plan = learnt.plan
    if tile is not None and tile < 1:
        raise ModelError(f"tiles of {tile} pixels cannot be cut: give a positive number of pixels, or none")
    if tile is not None and plan.equivariant:
        raise ModelError("an equivariant model looks at the whole image at once: leave --tile out")
    picture = ready(plan, image)
    run = part_runner(learnt)
    divisor, halo = learnt.net.divisor, learnt.net.halo

    def whole(plane: Tensor) -> Tensor:
        sides = plane.shape[1:]
        uncut = plan.equivariant or max(sides) <= WHOLE[plan.dims]
        core = tile or (max(sides) if uncut else CORE[plan.dims])
        core = -(-core // divisor) * divisor
        return tiled(run, plane, core=(core,) * plan.dims, halo=(halo,) * plan.dims)

    def channels_last(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        return whole(torch.from_numpy(np.ascontiguousarray(np.moveaxis(plane, -1, 0)))).numpy()

    steady = shift_averaged(channels_last, shifts=shifts, divisor=divisor, dims=plan.dims)

    def shifted(plane: Tensor) -> Tensor:
        return whole(plane) if shifts == 1 else torch.from_numpy(steady(plane.movedim(0, -1).numpy()))

    def mirrored(plane: Tensor, turn: tuple[int, ...]) -> Tensor:
        answer = shifted(plane.flip(turn)).flip(turn)
        if plan.objects:  # in a mirror, offsets point the other way
            for axis in turn:
                answer[len(learnt.classes) + axis - 1] *= -1
        return answer

    planes = list(picture.unbind(1)) if plan.dims == 2 and picture.ndim == 4 else [picture]
    answers = []
    for plane in planes:
        turns = mirrors(plan.dims) if flips else [()]
        answers.append(sum((mirrored(plane, turn) for turn in turns), torch.zeros(())) / len(turns))
    result = torch.stack(answers, dim=1) if picture.ndim == 4 and plan.dims == 2 else answers[0]
    return np.ascontiguousarray(result.numpy())


def runner(learnt: Learnt) -> Callable[[Tensor], Tensor]:
    """What computes a batch of windows: (n, channels, *window) normalised -> (n, outputs, *window) on the CPU.

    Outputs are the class probabilities, then offsets in pixels. Computed by the engine of `learnt`; where it has none,
    by torch in the precision of the training, if this machine has that.
    """
    logits_of = learnt.engine or engine_of(learnt)
    count, radius_px = len(learnt.classes), learnt.plan.object_radius_px

    def run(windows: Tensor) -> Tensor:
        logits = logits_of(windows)
        return torch.cat(
            [softmax(logits[:, :count], learnt.temperature), logits[:, count:] * radius_px], dim=1
        )

    return run


def part_runner(learnt: Learnt) -> Callable[[Tensor, tuple[slice, ...]], Tensor]:
    """As `runner`, for the part of the windows that is wanted: (n, channels, *window), slices -> (n, outputs, *part)."""
    engine = learnt.engine or engine_of(learnt)
    count, radius_px = len(learnt.classes), learnt.plan.object_radius_px

    def run(windows: Tensor, keep: tuple[slice, ...]) -> Tensor:
        logits = part_of(engine, windows, keep)
        likely = softmax(logits[:, :count], learnt.temperature)
        return (
            likely if logits.shape[1] == count else torch.cat([likely, logits[:, count:] * radius_px], dim=1)
        )

    return run


def softmax(logits: Tensor, temperature: float) -> Tensor:
    """Probabilities of logits (n, classes, *spatial), divided by the temperature before.

    >>> softmax(torch.tensor([[2.0, 0.0]]), 2.0).numpy().round(3)
    array([[0.731, 0.269]], dtype=float32)
    """
    return logits.softmax(1) if temperature == 1 else (logits / temperature).softmax(1)


def ready(plan: Plan, image: NDArray[Any], *, name: str = "the image") -> Tensor:
    """The image as the network wants it: (channels, *spatial), normalised; raises where it does not fit the plan."""
    check_pixels(image, name=name)
    if image.ndim not in (3, 4) or (plan.dims == 3 and image.ndim != 4) or 0 in image.shape:
        raise ModelError(
            f"{name} has shape {image.shape} but the model works on {plan.dims} spatial axes and a channel axis: "
            "give (*spatial, channels)"
        )
    image = seen(plan, image)
    if image.shape[-1] != plan.channels:
        raise ModelError(
            f"{name} has {counted(image.shape[-1], 'channel')} but the model was trained on {plan.channels}: "
            "convert the image, or train a model on such images"
        )
    return torch.from_numpy(normalised(image, plan.normalisation, name=name))


def seen(plan: Plan, image: NDArray[Any]) -> NDArray[Any]:
    """The channels of an image (*spatial, channels) that the network is shown, in the image's own intensities.

    Of grey images stored in colour one. A network of one channel that learnt other stains is shown the dye of a colour
    image, see `amount_of_dye`.
    """
    if plan.grey or plan.takes_colour:
        image = as_grey(image)
    if plan.takes_colour and image.shape[-1] == 3:
        image = amount_of_dye(image, illumination_of(image))
    return image


def mirrors(dims: int) -> list[tuple[int, ...]]:
    """Axes of (channels, *spatial) to flip: nothing, each, both of the last two."""
    axes = (dims - 1, dims)
    return [turn for n in range(3) for turn in itertools.combinations(axes, n)]


def feature_maps(learnt: Learnt, image: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
    """What each block answers: name -> (channels, *coarser), in the order of computation.

    A stack that the model reads slice by slice is shown by its middle slice. Raises ModelError as `answered`.

    >>> from delineate.data.samples import coins
    >>> from delineate.learn import UNetMethod
    >>> cases, _ = coins()
    >>> maps = feature_maps(UNetMethod(steps=1).fit(cases).learnt, cases[0].image)
    >>> next(iter(maps)), maps["encoder 0"].shape  # the finest level works on blocks of 2 x 2 pixels
    ('encoder 0', (32, 43, 85))
    """
    picture = ready(learnt.plan, image)
    if learnt.plan.dims == 2 and picture.ndim == 4:
        picture = picture[:, picture.shape[1] // 2]
    with torch.inference_mode():
        return {name: maps[0].numpy() for name, maps in learnt.net.features(picture[None]).items()}
