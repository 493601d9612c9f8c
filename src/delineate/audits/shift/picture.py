"""Where the answer trembles: the image, what was outlined in it, and in fire colours the pixels that shifts turn over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delineate.audits.section import Picture
from delineate.audits.shift.moves import Moves

WIDTH = 420  # of each of the two halves, at least, in pixels
_OUTLINE = (86, 180, 233)


def tremble_picture(moves: Moves) -> Picture:
    """Left the image with what is predicted for it, right the share of shifts that give each pixel another label."""
    labels, heat, image = moves.labels, np.nan_to_num(moves.trembling), moves.image
    place = ""
    while labels.ndim > 2:  # of a volume the slice that trembles most
        z = int(heat.reshape(len(heat), -1).sum(1).argmax())
        labels, heat, image = labels[z], heat[z], image[z]
        place = f", slice {z}"
    grey = _grey(image)
    left = np.repeat(grey[..., None], 3, -1)
    left[_outline(labels)] = _OUTLINE
    strength = np.sqrt(heat / max(float(heat.max()), 1e-6))[..., None]
    hot = np.stack([np.full_like(heat, 255), 255 * (1 - strength[..., 0]) + 60, np.zeros_like(heat)], -1)
    right = np.where(strength > 0, np.clip(hot, 0, 255), 0.45 * grey[..., None]).astype(np.uint8)
    times = max(1, -(-WIDTH // grey.shape[1]))
    gap = np.full((grey.shape[0], 4, 3), 255, np.uint8)
    both = np.concatenate([left, gap, right], 1).repeat(times, 0).repeat(times, 1)
    share = float(np.nanmean(moves.trembling > 0))
    return Picture(
        f"{moves.case}{place}: left the outline that is predicted; right, from yellow to red, the pixels whose label depends on "
        f"where the frame begins ({share:.1%} of all pixels; the least steady one in {float(heat.max()):.0%} of the shifts).",
        both,
    )


def _grey(image: NDArray[np.generic]) -> NDArray[np.uint8]:
    """(h, w, channels) of any dtype as (h, w) uint8, from the first to the last but one percentile."""
    mean = np.asarray(image, np.float32).mean(-1)
    low, high = np.percentile(mean, (1, 99.5))
    return np.asarray(np.clip((mean - low) / max(float(high - low), 1e-6), 0, 1) * 255, np.uint8)


def _outline(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pixels of a class beside which another begins."""
    around = np.pad(labels, 1, mode="edge")
    rows, columns = labels.shape
    differs = np.zeros(labels.shape, bool)
    for r, c in ((0, 1), (2, 1), (1, 0), (1, 2)):
        differs |= around[r : r + rows, c : c + columns] != labels
    return differs & (labels > 0)
