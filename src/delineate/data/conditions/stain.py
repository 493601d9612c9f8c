"""Other dyes: more or less of each, other hues, dye where it should not be; and how much dye a colour image shows.

A dye in white light takes out a share of red, green and blue that grows with its amount: optical densities add up, and
haematoxylin, eosin and DAB can be told apart by their colours (colour deconvolution, Ruifrok & Johnston 2001,
PMID 11531144).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.data.conditions.kind import Image, is_colour, like, reach, white

FAINTEST = 1 / 256  # of the light: what lets less through counts as this


def other_dyes(image: Image, *, haematoxylin: float = 1.0, eosin: float = 1.0) -> Image:
    """A colour image (*spatial, 3) with so many times the haematoxylin and the eosin that it holds.

    >>> violet = np.array([[[100, 80, 160]]], np.uint8)
    >>> other_dyes(violet)[0, 0].tolist(), bool((other_dyes(violet, haematoxylin=0.5) > violet).all())
    ([100, 80, 160], True)
    """
    from skimage.color import hed_from_rgb, rgb_from_hed

    density = -np.log10(np.clip(image / white(image), FAINTEST, None))
    amounts = density @ np.asarray(hed_from_rgb)
    amounts = np.where(amounts > 0, amounts * (haematoxylin, eosin, 1.0), amounts)  # below 0: no such dye
    return like(image, np.minimum(10 ** -(amounts @ np.asarray(rgb_from_hed)), 1) * white(image))


def hue(image: Image, *, angle_deg: float) -> Image:
    """A colour image (*spatial, 3) with every hue turned by an angle on the colour circle, as bright and as saturated.

    >>> hue(np.array([[[200, 0, 0]]], np.uint8), angle_deg=120)[0, 0].tolist()
    [0, 200, 0]
    """
    from skimage.color import hsv2rgb, rgb2hsv

    cylinder = rgb2hsv(np.clip(image / white(image), 0, 1))
    cylinder[..., 0] = (cylinder[..., 0] + angle_deg / 360) % 1
    return like(image, hsv2rgb(cylinder) * white(image))


def unspecific_stain(image: Image, *, share: float, size_px: float = 24.0, seed: int = 0) -> Image:
    """Dye that sticks where it should not, in patches of about `size_px`: up to `share` of the image's range.

    Brighter than its surroundings where the image is mostly dark, darker where it is mostly bright.

    >>> changed = unspecific_stain(np.eye(64)[..., None], share=0.2)
    >>> 0 <= changed.min() and round(float((changed - np.eye(64)[..., None]).max()), 6) <= 0.2
    True
    """
    from scipy.ndimage import gaussian_filter

    low, span = reach(image)
    drawn = np.random.default_rng(seed).standard_normal(image.shape[:-1])
    clouds = gaussian_filter(drawn, size_px / 2, axes=(-2, -1), mode="wrap")
    clouds = (clouds - clouds.mean()) / (clouds.std() or 1.0)
    grain = gaussian_filter(drawn, 1.0, axes=(-2, -1))
    patches = 1 / (1 + np.exp(-4 * clouds)) * np.clip(0.8 + 0.5 * grain, 0, 1)
    sign = -1.0 if float(np.median(image)) > low + span / 2 else 1.0
    return like(image, image + sign * share * span * patches[..., None])


def another_stain(image: Image) -> Image:
    """Another dye. In a colour image the optical densities of the colours change places (red to green to blue to red);
    in a grey one, or one of other channels, dark becomes bright: a dye that absorbs in place of one that glows.

    >>> another_stain(np.array([[[0], [10], [100]]], np.uint8))[0, :, 0].tolist()
    [100, 90, 0]
    >>> another_stain(np.array([[[200, 100, 50]]], np.uint8))[0, 0].tolist()
    [50, 200, 100]
    """
    if is_colour(image):
        return np.roll(image, 1, axis=-1)
    return like(image, float(image.max()) + float(image.min()) - image.astype(np.float64))


@dataclass(frozen=True)
class Illumination:
    """What lit a colour image. brightest: of red, green and blue (99.8 % percentiles). transmitted: through the specimen,
    so that dye is dark; else the dye itself glows on a dark ground.
    """

    brightest: tuple[float, float, float]
    transmitted: bool


def illumination_of(image: Image) -> Illumination:
    """The light of a colour image (*spatial, 3), told by its typical pixel.

    In transmitted light even what is stained lets some colour through: the strongest of red, green and blue is more than
    0.4 of its brightest value in most pixels. Where dyes glow, most of the field is dark.

    >>> stained = np.full((8, 8, 3), 235, np.uint8)
    >>> stained[2:5, 2:5] = 90, 60, 140
    >>> illumination_of(stained).transmitted, illumination_of(255 - stained).transmitted
    (True, False)
    """
    flat = image.reshape(-1, 3)
    brightest = [max(float(p), 1e-6) for p in np.percentile(flat, 99.8, axis=0)]
    strongest = np.median((flat / max(brightest)).max(-1))
    red, green, blue = brightest
    return Illumination((red, green, blue), bool(strongest > 0.4))


def is_stained(image: Image) -> bool:
    """Whether it is a colour image in transmitted light: elsewhere darkness is no dye."""
    return is_colour(image) and illumination_of(image).transmitted


def amount_of_dye(image: Image, illumination: Illumination) -> NDArray[np.float32]:
    """One channel (*spatial, 1), bright where there is nuclear dye, of a colour image (*spatial, 3).

    In transmitted light: haematoxylin by its optical density, eosin and DAB taken out. Else the mean of the channels.

    >>> stained = np.full((8, 8, 3), 235, np.uint8)
    >>> stained[2:5, 2:5] = 90, 60, 140
    >>> amounts = amount_of_dye(stained, illumination_of(stained))
    >>> amounts.shape, bool(amounts[3, 3] > 0.2), bool(abs(amounts[0, 0]) < 0.01)
    ((8, 8, 1), True, True)
    """
    if not illumination.transmitted:
        return np.asarray(image.mean(-1, keepdims=True), np.float32)
    through = np.clip(image.astype(np.float32) / np.array(illumination.brightest, np.float32), FAINTEST, 1)
    amounts: NDArray[Any] = -np.log10(through) @ np.array(nuclear_dye(), np.float32)[:, None]
    return np.asarray(np.maximum(amounts, 0), np.float32)


def nuclear_dye() -> tuple[float, float, float]:
    """How much haematoxylin one unit of optical density in red, in green and in blue stands for; eosin and DAB stand for none.

    >>> [round(amount, 2) for amount in nuclear_dye()]
    [1.88, -0.07, -0.6]
    """
    from skimage.color import hed_from_rgb

    red, green, blue = (float(amount) for amount in np.asarray(hed_from_rgb)[:, 0])
    return red, green, blue
