"""Training crops as other days would have recorded them: other light, camera, dye, contrast, and things that moved.

`robust` is asked for by family, by the names under which the audit of conditions reports what breaks a model. A quarter
of the crops stays as it is, so that the clean image is not unlearnt. A change works on intensities measured
from the dark (0) to the bright end (1) of the crop, and so does not care how images were normalised. The random numbers
of a crop are its own: no other crop, and no process that shares the batch, changes them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from delineate.core import DataError

AS_IT_IS = 0.25  # share of the crops that no family changes
_ENDS = (0.01, 0.99)  # quantiles that count as dark and bright
_MEASURED = 4096  # pixels that they are taken from
_JPEG_LOWEST, _JPEG_STEP = (
    16 / 255,
    6 / 255,
)  # quantisation at quality 50: of the mean, and more for each frequency
_RGB_OF_DYES = ((0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78))
"""Optical density of red, green and blue for haematoxylin, eosin and DAB: Ruifrok & Johnston 2001, PMID 11531144."""


def robust(image: Tensor, *, families: Sequence[str], rng: np.random.Generator) -> Tensor:
    """A normalised crop (channels, *patch) float32: a quarter as they are, the others changed by half of `families`.

    Raises DataError for a family that is none of FAMILIES.

    >>> crop = torch.linspace(0, 1, 64).view(1, 8, 8)
    >>> changed = robust(crop, families=["light", "inversion"], rng=np.random.default_rng(1))
    >>> changed.shape, torch.equal(robust(crop, families=[], rng=np.random.default_rng(1)), crop)
    (torch.Size([1, 8, 8]), True)
    """
    asked = asked_families(families)
    if not asked or rng.random() < AS_IT_IS:
        return image
    for family in asked:
        if rng.random() < 0.5:
            low, span = _ends(image, together=image.shape[0] == 3)
            image = FAMILIES[family]((image - low) / span, rng) * span + low
    return image


def asked_families(names: Sequence[str]) -> tuple[str, ...]:
    """Families in the order in which they happen to an image, "all" spelt out; raises DataError for unknown ones.

    >>> asked_families(["camera", "light"]), asked_families(["all"]) == tuple(FAMILIES)
    (('light', 'camera'), True)
    """
    for name in names:
        if name not in FAMILIES and name != "all":
            raise DataError(
                f"a model cannot be made robust to {name!r}: choose from {', '.join(FAMILIES)}, all"
            )
    return tuple(family for family in FAMILIES if family in names or "all" in names)


def _ends(image: Tensor, *, together: bool) -> tuple[Tensor, Tensor]:
    """Dark end, and distance to the bright end, of each channel (channels, 1, ...), or of all channels together."""
    flat = image.flatten(1)
    flat = flat[:, :: max(1, flat.shape[1] // _MEASURED)]
    flat = flat.reshape(1, -1) if together else flat
    low, high = torch.quantile(flat.float(), torch.tensor(_ENDS), dim=1)
    ones = (-1, *(1,) * (image.ndim - 1))
    return low.view(ones), (high - low).clamp_min(1e-3).view(ones)


def _within(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def _light(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Another exposure and tone curve, and light that falls off to one side or to the edges."""
    exponent, gain = math.exp(_within(rng, -0.9, 0.9)), math.exp(_within(rng, -0.7, 0.7))
    offset, darkest = _within(rng, -0.3, 0.3), _within(rng, 0.2, 1.0)
    angle, (y0, x0) = _within(rng, 0, 2 * math.pi), rng.uniform(-1, 1, 2)
    height, width = image.shape[-2:]
    down, right = torch.linspace(-1, 1, height)[:, None] - y0, torch.linspace(-1, 1, width) - x0
    sideways, outwards = math.cos(angle) * down + math.sin(angle) * right, down**2 + right**2
    falls = sideways if rng.random() < 0.5 else outwards
    falls = (falls - falls.min()) / (falls.max() - falls.min()).clamp_min(1e-6)
    shade: Tensor = 1 - (1 - darkest) * falls
    return image.sign() * image.abs() ** exponent * shade * gain + offset


def _camera(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Out of focus, coarser pixels, noise, compression, few grey levels: each in a third of the crops, one at least."""
    chosen = rng.random(5) < 1 / 3
    chosen[rng.integers(5)] = True
    sigma_px, factor, noise = _within(rng, 0.5, 3.5), _within(rng, 1.3, 4), _within(rng, 0.02, 0.3)
    quality, bits = math.exp(_within(rng, math.log(4), math.log(60))), _within(rng, 2, 6)
    if chosen[0]:
        image = blurred(image, sigma=sigma_px)
    if chosen[1]:
        image = _coarser(image, factor=factor)
    if chosen[2]:
        drawn = torch.from_numpy(rng.standard_normal(image.shape, dtype=np.float32))
        shot = _within(rng, 0, 1)  # the share that grows with the light, as photons do
        image = image + noise * drawn * (1 - shot + shot * image.clamp(0, 1).sqrt())
    if chosen[3]:
        image = _compressed(image, quality=quality)
    if chosen[4]:
        image = (image * (2**bits - 1)).round() / (2**bits - 1)
    return image


def _stain(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Colour: more or less of each dye, and other hues. Grey: a dye that absorbs light, and a second one around."""
    if image.shape[0] == 3:
        return _turned(_other_dyes(image, rng), rng)
    return _dyed(image, rng)


def _inversion(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Dark becomes bright, wholly."""
    return 1 - image


def _motion(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Smeared along a line; in a volume some slices are lost as well."""
    length_px, angle = _within(rng, 3, 21), _within(rng, 0, math.pi)
    image = _smeared(image, down=length_px * math.sin(angle), right=length_px * math.cos(angle))
    if image.ndim == 4:
        lost = rng.random(image.shape[1]) < _within(rng, 0, 0.3)
        image[:, torch.from_numpy(lost)] = 0
    return image


FAMILIES: dict[str, Callable[[Tensor, np.random.Generator], Tensor]] = {
    "stain": _stain,
    "inversion": _inversion,
    "light": _light,
    "motion": _motion,
    "camera": _camera,
}
"""What a model can be made robust to, in the order in which it happens: from the specimen to the file."""


def _other_dyes(image: Tensor, rng: np.random.Generator) -> Tensor:
    """A colour crop with each dye of haematoxylin, eosin and DAB stronger or weaker, by its optical density."""
    dyes = torch.tensor(_RGB_OF_DYES)
    dyes = dyes / dyes.norm(dim=1, keepdim=True)
    density = -image.clamp(0.004, 1).log10()
    amounts = torch.einsum("c...,cd->d...", density, torch.linalg.inv(dyes))
    ones = (3, *(1,) * (image.ndim - 1))
    factors = torch.from_numpy(np.exp(rng.uniform(-0.7, 0.7, 3)).astype(np.float32)).view(ones)
    more = torch.from_numpy(rng.uniform(-0.03, 0.06, 3).astype(np.float32)).view(ones)
    return 10 ** -torch.einsum("d...,dc->c...", amounts * factors + more, dyes).clamp_min(0)


def _turned(image: Tensor, rng: np.random.Generator) -> Tensor:
    """A colour crop with every hue turned by one angle about the grey axis; a quarter of the crops by any angle."""
    angle = _within(rng, -math.pi, math.pi) if rng.random() < 0.25 else _within(rng, -0.5, 0.5)
    cosine, sine = math.cos(angle), math.sin(angle)
    cross = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3)
    turn = cosine * torch.eye(3) + (1 - cosine) / 3 + sine * cross
    return torch.einsum("ij,j...->i...", turn, image)


def _dyed(image: Tensor, rng: np.random.Generator) -> Tensor:
    """A grey crop as a specimen with a second dye in patches around its objects; half of the time seen in transmission.

    What was bright is how much dye there is; in transmitted light each amount d lets 10^-d through (Beer and Lambert).
    """
    exponent, second, strength = (
        math.exp(_within(rng, -0.7, 0.4)),
        _within(rng, 0, 0.5),
        _within(rng, 0.3, 1.5),
    )
    amount = image.clamp_min(0) ** exponent
    amount = amount + second * _patches(image.shape[1:], rng) * (1 - 0.5 * amount.clamp(0, 1))
    if rng.random() < 0.5:
        amount = 10 ** (-strength * amount)
    low, span = _ends(amount, together=False)
    return (amount - low) / span


def _patches(shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
    """Smooth patches (*shape) from 0 to 1 with a finer grain inside: cytoplasm, fibres, stroma."""
    cells = _within(rng, 8, 64)
    coarse, fine = _clouds(shape, rng, size_px=cells), _clouds(shape, rng, size_px=max(cells / 6, 2))
    patches = torch.sigmoid(_within(rng, 1, 12) * (coarse - _within(rng, -1, 1)))
    return patches * (1 + 0.3 * fine).clamp(0, 2) / 2


def _clouds(shape: tuple[int, ...], rng: np.random.Generator, *, size_px: float) -> Tensor:
    """Random numbers of deviation about 1 (*shape) that stay alike over `size_px` pixels."""
    grid = tuple(math.ceil(n / size_px) + 1 for n in shape)
    drawn = torch.from_numpy(rng.standard_normal(grid, dtype=np.float32))[None, None]
    kind = "bilinear" if len(shape) == 2 else "trilinear"
    return 1.3 * F.interpolate(drawn, size=shape, mode=kind, align_corners=True)[0, 0]


def _smeared(image: Tensor, *, down: float, right: float) -> Tensor:
    """The mean of 16 copies along a path of so many pixels: four times the mean of two, half as far apart each time."""
    reach = math.ceil(max(abs(down), abs(right))) + 2
    planes = F.pad(image.reshape(-1, 1, *image.shape[-2:]), (reach,) * 4, mode="replicate")
    y, x = float(reach), float(reach)
    for part in (1 / 2, 1 / 4, 1 / 8, 1 / 16):
        step = round(down * part), round(right * part)
        planes = (planes + planes.roll(step, (-2, -1))) / 2
        y, x = y + step[0] / 2, x + step[1] / 2
    top, left = round(y), round(x)
    return planes[..., top : top + image.shape[-2], left : left + image.shape[-1]].reshape(image.shape)


def _coarser(image: Tensor, *, factor: float) -> Tensor:
    """As a camera with pixels `factor` times as large sees it, shown at the old size."""
    planes = image.reshape(-1, 1, *image.shape[-2:])
    size = [max(2, round(n / factor)) for n in image.shape[-2:]]
    small = F.interpolate(planes, size=size, mode="area")
    return F.interpolate(small, size=image.shape[-2:], mode="bilinear", align_corners=False).view(image.shape)


def _compressed(image: Tensor, *, quality: float) -> Tensor:
    """As JPEG of this quality (1 to 100) leaves each plane: cosines of 8 x 8 blocks, rounded, fine ones more coarsely."""
    height, width = image.shape[-2:]
    planes = image.reshape(-1, 1, height, width)
    planes = F.pad(planes, (0, -width % 8, 0, -height % 8), mode="replicate")
    n = torch.arange(8.0)
    cosines = torch.cos(math.pi / 8 * (n + 0.5) * n[:, None]) / 2
    cosines[0] /= math.sqrt(2)
    step = (_JPEG_LOWEST + _JPEG_STEP * (n + n[:, None])) * (
        50 / quality if quality < 50 else 2 - quality / 50
    )
    blocks = planes.reshape(len(planes), planes.shape[2] // 8, 8, planes.shape[3] // 8, 8).transpose(2, 3)
    waves = cosines @ blocks @ cosines.T
    blocks = cosines.T @ ((waves / step).round() * step) @ cosines
    whole = blocks.transpose(2, 3).reshape(planes.shape)
    return whole[..., :height, :width].reshape(image.shape)


def blurred(image: Tensor, *, sigma: float) -> Tensor:
    """Gaussian blur of (channels, *patch) within the last two axes, sigma in pixels.

    >>> bool(torch.allclose(blurred(torch.ones(1, 6, 6), sigma=1.0), torch.ones(1, 6, 6)))
    True
    """
    radius = math.ceil(2.5 * sigma)
    taps = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
    taps = taps / taps.sum()
    planes = image.reshape(-1, 1, *image.shape[-2:])
    planes = F.pad(planes, (radius,) * 4, mode="replicate")
    planes = F.conv2d(F.conv2d(planes, taps.view(1, 1, 1, -1)), taps.view(1, 1, -1, 1))
    return planes.reshape(image.shape)
