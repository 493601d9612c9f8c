"""One threshold for each image, found by Otsu's criterion: the honest baseline for everything that learns.

The threshold itself needs no labels: it splits the image's own histogram. Labels only settle what a person would
otherwise set by hand: which channels, how much smoothing, and whether objects are bright or dark.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from delineate.core import (
    UNLABELLED,
    Case,
    ClassTable,
    DataError,
    ModelError,
    NotFittedError,
    OutputError,
    written_whole,
)

FORMAT, VERSION = "delineate-model", 1
SIGMAS_PX = (0.0, 1.0, 2.0, 4.0)
"""The smoothing that `fit` tries, least first."""

BINS = 4096  # of the histogram: fine enough for a picture that a single hot pixel squeezes into a corner of its range


@dataclass(frozen=True)
class OtsuSettings:
    """What `Otsu.fit` settles.

    channels: indices of the channels whose mean is thresholded, of `in_channels` that an image has. sigma_px: of a
    Gaussian along the last two axes (planes of a stack are not mixed). bright: objects are above the threshold.
    """

    in_channels: int
    channels: tuple[int, ...]
    sigma_px: float
    bright: bool


class Otsu:
    """Outlines what is brighter, or darker, than one threshold per image. Otsu 1979, doi:10.1109/TSMC.1979.4310076.

    Two classes. `fit` tries every channel and their mean, SIGMAS_PX and both polarities, and keeps the combination
    with the highest mean Dice over the labelled pixels of the cases; `settings` tells which.

    >>> image = np.zeros((8, 8, 1), np.uint8)
    >>> image[2:5, 2:5] = 200
    >>> case = Case("square", image, labels=(image[..., 0] > 0).astype(np.uint8))
    >>> otsu = Otsu().fit([case])
    >>> otsu.settings
    OtsuSettings(in_channels=1, channels=(0,), sigma_px=0.0, bright=True)
    >>> int(otsu.predict(image)[1].sum())
    9
    """

    name = "otsu"

    def __init__(self, classes: ClassTable | None = None) -> None:
        """Raises DataError for more than two classes."""
        self.classes = classes or ClassTable.numbered(2)
        self.settings: OtsuSettings | None = None
        if len(self.classes) > 2:
            raise DataError(
                f"a threshold tells two classes apart but there are {len(self.classes)} "
                f"({', '.join(self.classes.names)}): train a U-Net instead, or merge classes"
            )

    def fit(self, cases: Sequence[Case]) -> Self:
        """Choose the settings that suit the labelled cases best; cases without labelled pixels are passed over.

        The first best wins: the mean of the channels before single ones, little smoothing before much, bright
        before dark. Raises DataError where no pixel is labelled, a label is no class, or cases differ in channels.
        """
        labelled = [case for case in cases if case.labels is not None and (case.labels != UNLABELLED).any()]
        if not labelled:
            raise DataError(
                f"none of {len(cases)} cases has a labelled pixel: label some, a few scribbles will do"
            )
        in_channels = labelled[0].channels
        for case in labelled:
            if case.channels != in_channels:
                raise DataError(
                    f"image {case.name} has {case.channels} channels but {labelled[0].name} has {in_channels}: "
                    "convert them to one kind"
                )
            _checked(case.image, name=f"image {case.name}")
            labels = _known(case)
            highest = int(labels[labels != UNLABELLED].max())
            if highest > 1:
                raise DataError(
                    f"labels of {case.name} hold class {highest} but a threshold knows only 0 and 1: "
                    "train a U-Net instead, or merge classes"
                )
        best = -1.0
        for channels, sigma_px in itertools.product(_channel_choices(labelled), SIGMAS_PX):
            overlaps = np.array([_overlaps(case, channels=channels, sigma_px=sigma_px) for case in labelled])
            for bright, mean in zip((True, False), _means(overlaps), strict=True):
                if mean > best:
                    best = mean
                    self.settings = OtsuSettings(in_channels, channels, sigma_px, bright)
        return self

    def predict(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """Probabilities (2, *spatial) for an image (*spatial, channels): 0 or 1, for a threshold knows no doubt.

        A constant image is background throughout. Raises NotFittedError before `fit`, ModelError where the image
        has other channels than those fitted on, DataError where it holds NaN or infinite pixels.
        """
        settings = self._fitted()
        if image.ndim not in (3, 4) or image.shape[-1] != settings.in_channels:
            raise ModelError(
                f"the image has shape {image.shape} but the model was fitted on {settings.in_channels} channels: "
                "give (*spatial, channels) with as many"
            )
        _checked(image, name="the image")
        foreground = np.zeros(image.shape[:-1], bool)
        above = _above(image, channels=settings.channels, sigma_px=settings.sigma_px)
        if above is not None:
            foreground = above if settings.bright else ~above
        return np.stack([~foreground, foreground]).astype(np.float32)

    def save(self, folder: str | Path) -> Path:
        """Write `model.json` into `folder` (made if missing); returns the folder."""
        path = Path(folder)
        about = {
            "format": FORMAT,
            "version": VERSION,
            "method": self.name,
            "classes": asdict(self.classes),
            "settings": asdict(self._fitted()),
        }
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot make {path}: {error.strerror or error}; choose another folder"
            ) from error
        with written_whole(path / "model.json") as beside:
            beside.write_text(json.dumps(about, indent=1))
        return path

    @classmethod
    def load(cls, folder: str | Path) -> Otsu:
        """The method that `save` wrote; raises ModelError where `model.json` is missing or damaged."""
        path = Path(folder) / "model.json"
        try:
            about = json.loads(path.read_text())
            if (about["format"], about["version"], about["method"]) != (FORMAT, VERSION, cls.name):
                raise ModelError(
                    f"{path} describes no Otsu model of version {VERSION}: load it with delineate.load"
                )
            names, colours = about["classes"]["names"], about["classes"]["colours"]
            otsu = cls(ClassTable(tuple(names), tuple((r, g, b) for r, g, b in colours)))
            otsu.settings = _settings(**about["settings"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"{path} cannot be read ({error}): restore it from a copy or fit again"
            ) from error
        return otsu

    def _fitted(self) -> OtsuSettings:
        if self.settings is None:
            raise NotFittedError("this threshold has not been fitted: call fit(cases) first, or load a model")
        return self.settings


def _settings(*, in_channels: int, channels: list[int], sigma_px: float, bright: bool) -> OtsuSettings:
    """Settings as read from a file; raises ValueError where they make no sense."""
    whole = [type(number) is int for number in (in_channels, *channels)]
    if not (all(whole) and channels and all(0 <= channel < in_channels for channel in channels)):
        raise ValueError(f"channels {channels} of {in_channels}")
    if not 0 <= sigma_px < 1e6 or type(bright) is not bool:
        raise ValueError(f"sigma_px {sigma_px}, bright {bright}")
    return OtsuSettings(in_channels, tuple(channels), float(sigma_px), bright)


def _known(case: Case) -> NDArray[np.uint8]:
    if case.labels is None:
        raise DataError(f"{case.name} has no labels: pass over it")
    return case.labels


def _checked(image: NDArray[Any], *, name: str) -> None:
    if bad := int(np.count_nonzero(~np.isfinite(image))):
        raise DataError(
            f"{name} has {bad} pixels that are NaN or infinite: replace them, for example by the median"
        )


def _channel_choices(cases: Sequence[Case]) -> list[tuple[int, ...]]:
    """The mean of all channels that say something of their own, then each of them."""
    distinct: list[int] = []
    for channel in range(cases[0].channels):
        varies = any(np.ptp(case.image[..., channel]) for case in cases)
        repeats = any(
            all(np.array_equal(case.image[..., channel], case.image[..., other]) for case in cases)
            for other in distinct
        )
        if varies and not repeats:
            distinct.append(channel)
    if len(distinct) < 2:
        return [tuple(distinct) or (0,)]
    return [tuple(distinct), *((channel,) for channel in distinct)]


def _above(image: NDArray[Any], *, channels: tuple[int, ...], sigma_px: float) -> NDArray[np.bool_] | None:
    """Which pixels are above the image's own threshold; None for a constant image, which has none."""
    from scipy.ndimage import gaussian_filter
    from skimage.filters import threshold_otsu

    grey = image[..., channels].mean(axis=-1, dtype=np.float64)
    if np.ptp(grey) == 0:
        return None
    if sigma_px > 0:
        grey = gaussian_filter(grey, sigma_px, axes=(-2, -1))
    counts, edges = np.histogram(grey, BINS)
    threshold = threshold_otsu(hist=(counts, edges[1:]))  # type: ignore[no-untyped-call]
    above: NDArray[np.bool_] = grey >= threshold  # the upper edge of the last bin that is below
    return above


def _overlaps(case: Case, *, channels: tuple[int, ...], sigma_px: float) -> tuple[float, float]:
    """Dice of what is above and of what is below the threshold; nan where neither mask holds anything."""
    labels = _known(case)
    above = _above(case.image, channels=channels, sigma_px=sigma_px)
    truth, said = labels == 1, labels != UNLABELLED
    either = [np.zeros_like(truth)] * 2 if above is None else [above, ~above]
    sizes = [int(np.count_nonzero(truth) + np.count_nonzero(mask & said)) for mask in either]
    shared = [int(np.count_nonzero(truth & mask)) for mask in either]
    bright, dark = (
        2 * both / size if size else float("nan") for both, size in zip(shared, sizes, strict=True)
    )
    return bright, dark


def _means(overlaps: NDArray[np.float64]) -> tuple[float, float]:
    """Mean of each column over the defined cases; 0 where there is none."""
    bright, dark = (
        float(column[~np.isnan(column)].mean()) if not np.isnan(column).all() else 0.0
        for column in overlaps.T
    )
    return bright, dark
