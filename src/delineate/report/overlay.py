"""Pictures of masks on images: outlines of what was found, and where it is right. NumPy and Pillow only.

Images keep their own light: one percentile stretch for all channels, so that colours stay what they were.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import UNLABELLED, ClassTable
from delineate.core.classes import PALETTE, Colour

Rgb = NDArray[np.uint8]

HIT: Colour = (86, 180, 233)
MISS: Colour = (255, 159, 0)
FALSE_ALARM: Colour = (222, 40, 140)
OTHER_CLASS: Colour = (245, 235, 80)
"""Blue, orange, magenta, yellow: apart in hue for most eyes and in lightness for all of them."""


def outlines(
    image: NDArray[Any], labels: NDArray[Any], objects: NDArray[Any] | None = None, *, classes: ClassTable
) -> Rgb:
    """The image with the outline of every labelled region drawn on it, as uint8 RGB (height, width, 3).

    image: (*spatial, channels), any real dtype. labels: (*spatial) class indices; background and UNLABELLED
    have no outline. objects: (*spatial) ids; where given, touching objects are outlined apart, each in a
    colour of its own if there is only one class. 3D: a montage of up to nine slices along the first axis,
    spread over those that hold labels.

    >>> grey = np.full((5, 5, 1), 7, np.uint8)
    >>> cell = np.zeros((5, 5), np.uint8)
    >>> cell[1:4, 1:4] = 1
    >>> drawn = outlines(grey, cell, classes=ClassTable(("background", "cell")))
    >>> drawn.shape, drawn[1, 1].tolist(), bool((drawn[2, 2] == drawn[0, 0]).all())
    ((5, 5, 3), [255, 176, 0], True)
    """
    picture = stretched(image)
    if labels.ndim == 3:
        held = np.flatnonzero(((labels != 0) & (labels != UNLABELLED)).any(axis=(1, 2)))
        chosen = _spread(held if held.size else np.arange(len(labels)), at_most=9)
        ids = [None if objects is None else objects[z] for z in chosen]
        return montage(
            [_outlined(picture[z], labels[z], one, classes) for z, one in zip(chosen, ids, strict=True)]
        )
    return _outlined(picture, labels, objects, classes)


def mistakes(picture: Rgb, truth: NDArray[Any], predicted: NDArray[Any]) -> Rgb:
    """The picture (h, w, 3) tinted where both agree on a class, and filled where they do not.

    truth, predicted: (h, w) class indices. Blue: both say the same class. Orange: missed. Magenta: predicted,
    but background in truth. Yellow: another class. Unlabelled pixels are darkened: they count for nothing.

    >>> mistakes(np.zeros((1, 2, 3), np.uint8), np.array([[1, 0]]), np.array([[0, 0]]))[0].tolist()
    [[204, 127, 0], [0, 0, 0]]
    """
    drawn = picture.astype(np.float32)
    said = truth != UNLABELLED
    drawn[~said] *= 0.4
    for where, colour, strength in (
        ((truth == predicted) & (truth > 0), HIT, 0.35),
        ((truth > 0) & (predicted == 0), MISS, 0.8),
        ((truth == 0) & (predicted > 0), FALSE_ALARM, 0.75),
        ((truth > 0) & (predicted > 0) & (truth != predicted), OTHER_CLASS, 0.75),
    ):
        at = where & said
        drawn[at] += strength * (np.array(colour, np.float32) - drawn[at])
    return np.round(drawn).astype(np.uint8)


def encircled(picture: Rgb, ids: NDArray[Any], chosen: Sequence[int], *, colour: Colour) -> Rgb:
    """The picture (h, w, 3) with the objects `chosen` among ids (h, w) outlined in one colour, 2 px wide."""
    drawn = picture.copy()
    drawn[_edges(np.where(np.isin(ids, chosen), ids, 0), width=2)] = colour
    return drawn


def arrow(picture: Rgb, start: tuple[float, float], end: tuple[float, float]) -> Rgb:
    """The picture (h, w, 3) with an arrow from `start` to `end`, each (row, column) in pixels, white with a black rim.

    One shorter than 8 px would hide what it points at and is left out.

    >>> blank = np.zeros((20, 20, 3), np.uint8)
    >>> int(arrow(blank, (10, 2), (10, 17))[10, 9, 0]), bool(arrow(blank, (10, 2), (10, 6)).any())
    (255, False)
    """
    from PIL import Image, ImageDraw

    length = math.hypot(end[0] - start[0], end[1] - start[1])
    if length < 8:
        return picture
    drawn = Image.fromarray(picture)
    pen = ImageDraw.Draw(drawn)
    (y0, x0), (y1, x1) = start, end
    uy, ux = (y1 - y0) / length, (x1 - x0) / length
    head = min(12.0, length / 2)
    foot = (x1 - head * ux, y1 - head * uy)
    for colour, wide in (((0, 0, 0), 2), ((255, 255, 255), 0)):
        pen.line((x0, y0, *foot), fill=colour, width=2 + wide)
        side = head / 2 + wide
        tip = (x1 + wide * ux, y1 + wide * uy)
        back = (foot[0] - wide * ux / 2, foot[1] - wide * uy / 2)
        pen.polygon(
            (*tip, back[0] - side * uy, back[1] + side * ux, back[0] + side * uy, back[1] - side * ux),
            fill=colour,
        )
    with_arrow: Rgb = np.asarray(drawn)
    return with_arrow


def stretched(image: NDArray[Any]) -> Rgb:
    """An image (*spatial, channels) as uint8 RGB (*spatial, 3), from its 0.5 % to its 99.5 % percentile.

    One channel is grey, two are green and magenta, of more the first three are red, green and blue. Pixels
    that are not finite are black; an image of one value is mid-grey.

    >>> stretched(np.array([[[0], [500], [1000]]], np.uint16)).tolist()
    [[[0, 0, 0], [127, 127, 127], [255, 255, 255]]]
    """
    channels = image.shape[-1]
    image = image[..., : 3 if channels > 2 else channels]
    if image.dtype in (np.uint8, np.uint16):  # few values, many pixels: each value once
        every = np.arange(np.iinfo(image.dtype).max + 1).astype(np.float32)
        scaled: Rgb = _scaled(every, image.ravel())[image]
    else:
        values = image.astype(np.float32)
        scaled = _scaled(values, values[np.isfinite(values)])
    if channels == 1:
        return np.repeat(scaled, 3, axis=-1)
    return scaled[..., [1, 0, 1]] if channels == 2 else scaled


def _scaled(values: NDArray[np.float32], seen: NDArray[Any]) -> Rgb:
    """Values as uint8, from the 0.5 % to the 99.5 % percentile of those that are seen in the image; not finite ones as 0."""
    sample = seen[:: max(1, seen.size // 500_000)].astype(np.float32)
    low, high = np.percentile(sample, (0.5, 99.5)) if sample.size else (0, 0)
    scale = 255 / (high - low) if high > low else 0
    light = np.clip((values - low) * scale, 0, 255) if scale else np.float32(127)
    shown: Rgb = np.where(np.isfinite(values), light, 0).astype(np.uint8)
    return shown


def montage(pictures: Sequence[Rgb]) -> Rgb:
    """Pictures of one size (h, w, 3) side by side in a grid that is about square, row by row.

    >>> montage([np.zeros((2, 4, 3), np.uint8)] * 5).shape
    (4, 12, 3)
    """
    height, width, _ = pictures[0].shape
    columns = math.ceil(math.sqrt(len(pictures)))
    grid = np.zeros((math.ceil(len(pictures) / columns) * height, columns * width, 3), np.uint8)
    for i, picture in enumerate(pictures):
        row, column = divmod(i, columns)
        grid[row * height : (row + 1) * height, column * width : (column + 1) * width] = picture
    return grid


def resized(array: NDArray[Any], *, height: int, width: int) -> NDArray[Any]:
    """A picture (h, w, 3) smoothly, or labels and ids (h, w) by nearest neighbour, in another size."""
    if array.ndim == 3:
        from PIL import Image

        picture: Rgb = np.asarray(Image.fromarray(array).resize((width, height), Image.Resampling.BICUBIC))
        return picture
    rows = ((np.arange(height) + 0.5) * array.shape[0] / height).astype(int)
    columns = ((np.arange(width) + 0.5) * array.shape[1] / width).astype(int)
    return array[np.ix_(rows, columns)]


def _outlined(picture: Rgb, labels: NDArray[Any], objects: NDArray[Any] | None, classes: ClassTable) -> Rgb:
    drawn = picture.copy()
    regions = np.where(labels == UNLABELLED, 0, labels).astype(np.int64)
    colours = np.array(classes.colours, np.uint8)[regions]
    if objects is not None:
        if len(classes) == 2:
            cycle = np.array(PALETTE[1:], np.uint8)
            colours = cycle[objects.astype(np.int64) % len(cycle)]
        regions = regions * (int(objects.max(initial=0)) + 1) + objects * (regions > 0)
    edges = _edges(regions, width=2 if min(labels.shape) > 400 else 1)
    drawn[edges] = colours[edges]
    return drawn


def _edges(regions: NDArray[Any], *, width: int) -> NDArray[np.bool_]:
    """Pixels of regions (h, w), 0 for none, that lie within `width` pixels of another region or of none."""
    edges = np.zeros(regions.shape, bool)
    for _ in range(width):
        left = np.where(edges, -1, regions)
        for axis in (0, 1):
            ahead = np.take(left, range(1, left.shape[axis]), axis)
            behind = np.take(left, range(left.shape[axis] - 1), axis)
            differ = ahead != behind
            pad = [(0, 0), (0, 0)]
            pad[axis] = (1, 0)
            edges |= np.pad(differ, pad)
            pad[axis] = (0, 1)
            edges |= np.pad(differ, pad)
        edges &= regions != 0
    return edges


def _spread(chosen: NDArray[np.intp], *, at_most: int) -> NDArray[np.intp]:
    if len(chosen) <= at_most:
        return chosen
    places = np.linspace(0, len(chosen) - 1, at_most).round().astype(np.intp)
    return np.take(chosen, places)
