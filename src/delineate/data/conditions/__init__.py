"""The same image as another day's lamp, camera or dye would have given it: to see how a method breaks.

Each condition takes an image (*spatial, channels) of any real dtype and gives one of the same shape, dtype and range.
`ACQUISITION` has them in five severities, for the audit; `CONDITIONS` a few in one strength, for `delineate compare`.
Severity 1 is hardly seen side by side; 3 is plain, as a careless day gives; 5 is at the limit of what people can read.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from delineate.data.conditions.camera import blur, coarser, compressed, fewer_bits, noise, shot_noise
from delineate.data.conditions.condition import Condition
from delineate.data.conditions.kind import Image, is_colour
from delineate.data.conditions.light import contrast, gain, gamma, offset, uneven_light
from delineate.data.conditions.motion import missing_slices, smeared
from delineate.data.conditions.stain import (
    Illumination,
    amount_of_dye,
    another_stain,
    hue,
    illumination_of,
    is_stained,
    other_dyes,
    unspecific_stain,
)


def _is_volume(image: Image) -> bool:
    return image.ndim == 4 and image.shape[0] > 1


STAINED = "colour images in transmitted light"

_ALL = (
    Condition("dimmer light", "light", "brightness x {:.3g}", (0.7, 0.5, 0.3, 0.2, 0.1), 1.0,
              lambda image, amount: gain(image, factor=amount)),
    Condition("overexposure", "light", "brightness x {:.3g}, clipped", (1.25, 1.5, 2.0, 3.0, 5.0), 1.0,
              lambda image, amount: gain(image, factor=amount)),
    Condition("stray light", "light", "{:.3g} of the range added", (0.1, 0.2, 0.3, 0.5, 0.8), 0.0,
              lambda image, amount: offset(image, share=amount)),
    Condition("darker mid-tones", "light", "gamma {:.3g}", (1.25, 1.5, 2.0, 2.5, 3.5), 1.0,
              lambda image, amount: gamma(image, exponent=amount)),
    Condition("brighter mid-tones", "light", "gamma {:.3g}", (0.8, 0.65, 0.5, 0.4, 0.3), 1.0,
              lambda image, amount: gamma(image, exponent=amount)),
    Condition("uneven light", "light", "{:.3g} of the light left in one corner", (0.8, 0.6, 0.4, 0.25, 0.1), 1.0,
              lambda image, amount: uneven_light(image, darkest=amount)),
    Condition("blur", "camera", "sigma {:.3g} px", (0.5, 1.0, 2.0, 3.0, 5.0), 0.0,
              lambda image, amount: blur(image, sigma_px=amount)),
    Condition("noise", "camera", "deviation {:.3g} of the range", (0.02, 0.05, 0.1, 0.2, 0.3), 0.0,
              lambda image, amount: noise(image, share=amount)),
    Condition("few photons", "camera", "noise {:.3g} of the bright end", (0.03, 0.06, 0.1, 0.2, 0.3), 0.0,
              lambda image, amount: shot_noise(image, photons=amount**-2 if amount else math.inf)),
    Condition("low resolution", "camera", "pixels {:.3g} times as wide", (1.5, 2.0, 3.0, 4.0, 6.0), 1.0,
              lambda image, amount: coarser(image, factor=amount)),
    Condition("compression", "camera", "JPEG quality {:.0f}", (70.0, 50.0, 30.0, 15.0, 5.0), 95.0,
              lambda image, amount: compressed(image, quality=round(amount))),
    Condition("few grey levels", "camera", "{:.2g} bits", (6.0, 5.0, 4.0, 3.0, 2.0), 8.0,
              lambda image, amount: fewer_bits(image, bits=amount)),
    Condition("unspecific stain", "stain", "{:.3g} of the range in patches", (0.1, 0.2, 0.3, 0.45, 0.6), 0.0,
              lambda image, amount: unspecific_stain(image, share=amount)),
    Condition("pale haematoxylin", "stain", "density x {:.3g}", (0.8, 0.6, 0.4, 0.25, 0.1), 1.0,
              lambda image, amount: other_dyes(image, haematoxylin=amount), is_stained, STAINED),
    Condition("strong eosin", "stain", "density x {:.3g}", (1.25, 1.5, 2.0, 3.0, 4.0), 1.0,
              lambda image, amount: other_dyes(image, eosin=amount), is_stained, STAINED),
    Condition("other hues", "stain", "turned by {:.0f} degrees", (10.0, 20.0, 45.0, 90.0, 180.0), 0.0,
              lambda image, amount: hue(image, angle_deg=amount), is_colour, "colour images"),
    Condition("contrast inversion", "inversion", "contrast x {:.2g}", (0.6, 0.2, -0.2, -0.6, -1.0), 1.0,
              lambda image, amount: contrast(image, factor=amount)),
    Condition("motion", "motion", "moved by {:.3g} px", (3.0, 5.0, 9.0, 15.0, 25.0), 1.0,
              lambda image, amount: smeared(image, length_px=amount)),
    Condition("missing slices", "motion", "{:.3g} of the slices", (0.02, 0.05, 0.1, 0.2, 0.4), 0.0,
              lambda image, amount: missing_slices(image, share=amount), _is_volume, "volumes"),
)  # fmt: skip

ACQUISITION: dict[str, Condition] = {condition.name: condition for condition in _ALL}
"""The conditions of the audit by name, in families."""

CONDITIONS: dict[str, Callable[[Image], Image]] = {
    "uneven light": uneven_light,
    "gamma 0.5": lambda image: gamma(image, exponent=0.5),
    "gamma 2": lambda image: gamma(image, exponent=2.0),
    "noise": noise,
    "blur": blur,
    "another stain": another_stain,
}
"""The conditions of `delineate compare`, in the strength that it shows."""

__all__ = [
    "ACQUISITION",
    "CONDITIONS",
    "Condition",
    "Illumination",
    "Image",
    "amount_of_dye",
    "another_stain",
    "blur",
    "coarser",
    "compressed",
    "contrast",
    "fewer_bits",
    "gain",
    "gamma",
    "hue",
    "illumination_of",
    "missing_slices",
    "noise",
    "offset",
    "other_dyes",
    "shot_noise",
    "smeared",
    "uneven_light",
    "unspecific_stain",
]
