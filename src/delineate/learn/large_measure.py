"""What has to be known of all of a large image before its first tile: how it is scaled, its light, and its empty glass.

Told by a sample of its pixels that goes by window after window, and is not kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import ModelError
from delineate.data.conditions import Illumination, illumination_of
from delineate.data.grey import as_grey
from delineate.data.large import LargeImage
from delineate.data.large.box import pixels_in
from delineate.data.large.sample import brightness, glass_of, sample_boxes, sample_parts, sampled
from delineate.learn.large_answer import shown
from delineate.learn.normalisation import ENOUGH, Scale, scale_of_parts
from delineate.learn.plan import Plan

LIT = (
    10 << 20
)  # pixels from which the light of a colour image is told, about: all that is sampled of a flat one


def measured(image: LargeImage, plan: Plan) -> tuple[Scale, Illumination | None, int | None]:
    """How an image is scaled; its light, where it is in colour and the model takes its dye; and above what it is glass.

    Raises ModelError where it is in colour and the model was trained on grey images, DataError where a pixel is NaN.
    """
    pixels = sum(pixels_in(box) for box in sample_boxes(image))
    lit = None
    if _may_be_lit(image, plan):
        seen = sampled(image, every=max(1, pixels // LIT))
        lit = illumination_of(seen) if as_grey(seen).shape[-1] == 3 else None
        del seen
    bright = np.zeros(256, np.int64)

    def parts() -> Iterator[NDArray[Any]]:
        for part in sample_parts(image):
            bright[:] += brightness(part)
            answer = shown(part, plan, lit)
            if answer.shape[-1] != plan.channels:
                raise ModelError(
                    f"{image.path} is in colour, and the model was trained on grey images: convert it to grey"
                )
            yield answer

    scale = scale_of_parts(parts(), plan.normalisation, pixels=pixels, name=image.path.name)
    return scale, lit, glass_of(bright)


def measuring_bytes(image: LargeImage, plan: Plan) -> int:
    """An upper estimate of what `measured` takes: one window in float32, the pixels that are kept, and those that tell
    the light."""
    boxes = sample_boxes(image)
    pixels, window = sum(pixels_in(box) for box in boxes), max(pixels_in(box) for box in boxes)
    kept = min(pixels, 2 * ENOUGH, pixels // max(1, pixels // ENOUGH) + len(boxes))
    colour = _may_be_lit(image, plan)
    each = image.channels * (2 * image.dtype.itemsize + 16 * colour) + 4 * plan.channels + 5
    light = min(pixels, 2 * LIT) * (image.channels * (image.dtype.itemsize + 8) + 24)
    return max(window * each + kept * (4 * plan.channels + 16), light * colour)


def _may_be_lit(image: LargeImage, plan: Plan) -> bool:
    return plan.takes_colour and image.channels == 3
