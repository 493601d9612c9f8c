"""The picture of a disagreement: everybody's outlines, where they differ, and what was agreed on beside the model's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.audits.annotators.hands import Group, Hand, objects_in
from delineate.audits.section import Picture
from delineate.core.classes import PALETTE, Colour

Rgb = NDArray[np.uint8]

SIDE = 96  # pixels of the image that are shown
PANEL = 384  # pixels of a panel, and width of the legend under it
_WHITE: Colour = (255, 255, 255)


def disputed(group: Group) -> tuple[Picture, ...]:
    """Where people differ most, in three panels; nothing where they agree everywhere.

    Left: the outline of everyone who drew it, a colour each. Middle: the share of people who disagree with the majority, dark
    blue to yellow. Right: the consensus in white and, where there is one, the model in magenta.
    """
    doubts = [
        _windowed_sum(one.doubt) if one.doubt.any() else np.zeros(one.doubt.shape) for one in group.consensus
    ]
    most = [float(one.max(initial=0)) for one in doubts]
    worst = int(np.argmax(most))
    if not most[worst] > 0:
        return ()
    case, consensus = group.images[worst], group.consensus[worst]
    middle = np.unravel_index(int(doubts[worst].argmax()), doubts[worst].shape)
    lead = tuple(int(i) for i in middle[:-2])
    window: list[Any] = [
        slice(start := max(0, min(int(place) - SIDE // 2, n - SIDE)), start + min(SIDE, n))
        for place, n in zip(middle[-2:], case.spatial[-2:], strict=True)
    ]
    at: Any = (*lead, *window)
    grey = _stretched(case.image[at])
    scale = max(1, PANEL // max(grey.shape[:2]))

    def outlined(hands: Sequence[tuple[Hand, Colour]]) -> Rgb:
        panel = _enlarged(grey, scale)
        for hand, colour in hands:
            labels, ids = hand.labels[worst], hand.objects[worst]
            if labels is not None:
                shown = objects_in(labels[at], None if ids is None else ids[at])
                panel[_outline(_enlarged(shown, scale))] = colour
        return _with_legend(panel, [(hand.name, colour) for hand, colour in hands])

    people = [(hand, PALETTE[1 + i % (len(PALETTE) - 1)]) for i, hand in enumerate(group.people)]
    last = [(group.agreed, _WHITE)]
    last += [(group.model, (222, 40, 140))] if group.model else []
    heat = _with_legend(_enlarged(_heat(grey, consensus.doubt[at]), scale), _shares(consensus.doubt[at]))
    panels = [outlined(people), heat, outlined(last)]
    height = max(len(panel) for panel in panels)
    padded = [np.pad(panel, ((0, height - len(panel)), (0, 8), (0, 0))) for panel in panels]
    where = f"{case.name}, slice {lead[0]}" if lead else case.name
    caption = (
        f"Where people differ most: {where}. Left, what each drew, later ones on top; middle, the share of people "
        f"against the majority; right, the consensus{' and the model' if group.model else ''}."
    )
    return (Picture(caption, np.concatenate(padded, axis=1)),)


def _windowed_sum(doubt: NDArray[np.float32]) -> NDArray[np.float64]:
    """Disagreement within half a window around each pixel, in the last two axes."""
    from scipy.ndimage import uniform_filter

    size = (1,) * (doubt.ndim - 2) + (SIDE // 2,) * 2
    summed: NDArray[np.float64] = uniform_filter(doubt.astype(np.float64), size, mode="constant")
    return summed


def _stretched(image: NDArray[Any]) -> Rgb:
    """The pixels as grey or RGB of 8 bits, each image by its own percentiles."""
    values = image[..., :3].astype(np.float64) if image.shape[-1] >= 3 else image[..., :1].astype(np.float64)
    low, high = np.percentile(values, (1, 99.8))
    scaled = np.clip((values - low) / (high - low if high > low else 1), 0, 1) * 200
    rgb: Rgb = np.broadcast_to(np.round(scaled), (*image.shape[:-1], 3)).astype(np.uint8)
    return rgb


def _heat(grey: Rgb, doubt: NDArray[np.float32]) -> Rgb:
    """The image, darkened, under a colour for the share that disagrees: dark blue for a little, yellow for half or more."""
    share = np.clip(doubt * 2, 0, 1)[..., None]
    ends = np.array([(68, 1, 84), (33, 145, 140), (253, 231, 37)], np.float64)
    colour = np.where(
        share < 0.5,
        ends[0] + (ends[1] - ends[0]) * share * 2,
        ends[1] + (ends[2] - ends[1]) * (2 * share - 1),
    )
    return np.round(np.where(doubt[..., None] > 0, colour, grey * 0.5)).astype(np.uint8)


def _shares(doubt: NDArray[np.float32]) -> list[tuple[str, Colour]]:
    """The shares that disagree somewhere and their colours; of many the least and the largest."""
    found = np.unique(np.round(doubt[doubt > 0], 3))
    shown = found if len(found) <= 3 else found[[0, -1]]
    colours = _heat(np.zeros((len(shown), 1, 3), np.uint8), shown[:, None].astype(np.float32))[:, 0].tolist()
    return [(f"{share:.0%} disagree", (r, g, b)) for share, (r, g, b) in zip(shown, colours, strict=True)]


def _enlarged(array: NDArray[Any], scale: int) -> NDArray[Any]:
    return array.repeat(scale, axis=0).repeat(scale, axis=1)


def _outline(ids: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Pixels of an object beside another or none, two wide."""
    from scipy.ndimage import binary_dilation

    edge = np.zeros(ids.shape, bool)
    edge[1:] |= ids[1:] != ids[:-1]
    edge[:, 1:] |= ids[:, 1:] != ids[:, :-1]
    grown: NDArray[np.bool_] = binary_dilation(edge, structure=np.array([[1, 1], [1, 1]], bool))
    return grown


def _with_legend(panel: Rgb, entries: Sequence[tuple[str, Colour]]) -> Rgb:
    """The panel with names in their colours under it."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size=14)
    width = panel.shape[1]
    places, x, y = list[tuple[int, int]](), 6, 4
    for name, _ in entries:
        length = 22 + int(font.getlength(name)) + 12
        if x + length > width and x > 6:
            x, y = 6, y + 20
        places.append((x, y))
        x += length
    drawn = Image.new("RGB", (width, panel.shape[0] + y + 22))
    drawn.paste(Image.fromarray(panel), (0, 0))
    pen = ImageDraw.Draw(drawn)
    for (name, colour), (left, top) in zip(entries, places, strict=True):
        top += panel.shape[0]
        pen.rectangle((left, top + 2, left + 14, top + 14), fill=colour)
        pen.text((left + 20, top), name, fill=_WHITE, font=font)
    return np.asarray(drawn)
