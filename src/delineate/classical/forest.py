"""The pixel classifier: a filter bank with texture describes every pixel, trees learn from scribbles what it is.

It is what interactive tools such as ilastik made popular (Sommer et al. 2011, doi:10.1109/ISBI.2011.5872394): no
network, no GPU, an answer within seconds of a few strokes. It sees 20 pixels far and knows no shapes.
"""

from __future__ import annotations

import hashlib
import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from delineate.classical.filters import HALO, Bank, filter_maps, sampled, scaled, texture
from delineate.classical.look import distinct_channels
from delineate.classical.taught import Taught, known, spread
from delineate.classical.trees import Trees, boosting, forest
from delineate.core import UNLABELLED, Case, DataError, ModelError, written_whole

MOST_PX, MOST_ROWS, MOST_BESIDE = 20e6, 48_000, 20_000
STRIP_PX = 600_000
WEIGHTS = "trees.safetensors"


@dataclass(frozen=True)
class Grown:
    """What `fit` settles beside the trees. bank: the maps. trees: how many were grown. sha256: of their file."""

    bank: Bank
    trees: int
    sha256: str


class _PixelClassifier(Taught[Grown]):
    """Labelled pixels, evenly from all cases (at most MOST_ROWS), are the rows that trees are grown on."""

    record: ClassVar[type] = Grown
    most_classes = 254
    trees: Trees | None = None

    @abstractmethod
    def grown(self, rows: NDArray[np.float32], labels: NDArray[np.uint8]) -> Trees:
        """Trees that tell the labels (n,) of rows (n, features) apart."""

    @property
    def in_channels(self) -> int:
        """How many channels an image must have."""
        return self.fitted().bank.in_channels

    def choose(self, cases: Sequence[Case]) -> Grown:
        """Grow the trees. A class without a labelled pixel is never predicted; one class alone raises DataError."""
        chosen = spread(cases, most_px=MOST_PX)
        bank = Bank(cases[0].channels, distinct_channels(chosen))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            each = list(pool.map(lambda case: _rows(case, bank, of=len(chosen)), chosen))
        rows, labels, beside = (np.concatenate(parts) for parts in zip(*each, strict=True))
        if len(np.unique(labels)) < 2:
            name = self.classes.names[int(labels[0])]
            raise DataError(
                f"only {name} is labelled, so there is nothing to tell it from: scribble on two classes at least"
            )
        trees = self.grown(rows, labels)
        said = float(np.mean([(known(case) != UNLABELLED).mean() for case in chosen]))
        self.trees = trees.weighted(_proportions(trees, labels, beside, said=said)) if len(beside) else trees
        return Grown(bank, len(self.trees.roots), hashlib.sha256(self._content()).hexdigest())

    def likely(self, image: NDArray[Any], settings: Grown) -> NDArray[np.float32]:
        """Probabilities (classes, *spatial); a constant image is background."""
        if self.trees is None:
            raise ModelError("the model has settings but no trees: load it again")
        count, spatial = len(self.classes), image.shape[:-1]
        answer = np.zeros((count, *spatial), np.float32)
        if all(plane.min() == plane.max() for plane in (image[..., i] for i in settings.bank.channels)):
            answer[0] = 1
            return answer
        planes = answer.reshape(count, -1, *spatial[-2:])
        trees = self.trees
        for plane, part, columns in _strips(image, settings.bank):
            planes[:, plane, part] = trees.probabilities(columns).T.reshape(count, -1, spatial[-1])
        return answer

    def save(self, folder: str | Path) -> Path:
        """Write `model.json` and `trees.safetensors` into `folder` (made if missing); returns the folder."""
        self.fitted()
        path = super().save(folder)
        with written_whole(path / WEIGHTS) as beside:
            beside.write_bytes(self._content())
        return path

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """The method that `save` wrote; raises ModelError where a file is missing, damaged or exchanged."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        method = super().load(folder)
        settings, path = method.fitted(), Path(folder) / WEIGHTS
        try:
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != settings.sha256:
                raise ValueError("model.json describes other trees")
            method.trees = Trees(**load(content))
            method.trees.check(features=settings.bank.count, classes=len(method.classes))
        except (OSError, ValueError, TypeError, SafetensorError) as error:
            raise ModelError(
                f"{path} cannot be read ({error}): restore it from a copy or fit again"
            ) from error
        return method

    def _content(self) -> bytes:
        from safetensors.numpy import save

        content: bytes = save({} if self.trees is None else self.trees.arrays())
        return content


class TextureForest(_PixelClassifier):
    """Every pixel by itself: a filter bank with co-occurrence texture, and a random forest. Any number of classes.

    Learns from a few scribbles within seconds; needs `pip install 'delineate[texture]'`.
    Breiman 2001, doi:10.1023/A:1010933404324.

    >>> from dataclasses import replace
    >>> from delineate.data.samples import coins
    >>> train, held_out = coins()
    >>> scribbles = np.full(train[0].spatial, 255, np.uint8)
    >>> scribbles[::12] = train[0].labels[::12]
    >>> forest = TextureForest().fit([replace(train[0], labels=scribbles)])
    >>> labels = forest.predict(held_out[1].image).argmax(0)
    >>> bool((labels == held_out[1].labels).mean() > 0.8)
    True
    """

    name = "texture-forest"

    def grown(self, rows: NDArray[np.float32], labels: NDArray[np.uint8]) -> Trees:
        """A random forest."""
        return forest(rows, labels, classes=len(self.classes))


class TextureBoosting(_PixelClassifier):
    """The same maps as `TextureForest`, with gradient boosting. Friedman 2001, doi:10.1214/aos/1013203451."""

    name = "texture-boosting"

    def grown(self, rows: NDArray[np.float32], labels: NDArray[np.uint8]) -> Trees:
        """Boosted trees."""
        return boosting(rows, labels, classes=len(self.classes))


def _rows(
    case: Case, bank: Bank, *, of: int
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.float32]]:
    """Of one of `of` cases: rows (n, features) and labels (n,) of labelled pixels, and rows of unlabelled ones."""
    labels = known(case)
    rng = np.random.default_rng(0)
    drawn = []
    for which, most in ((labels != UNLABELLED, MOST_ROWS), (labels == UNLABELLED, MOST_BESIDE)):
        at, most = np.flatnonzero(which), most // of + 1
        drawn.append(np.sort(rng.choice(at, most, replace=False)) if len(at) > most else at)
    count, at = len(drawn[0]), np.concatenate(drawn)
    plane, row, column = np.unravel_index(at, (labels.size // np.prod(labels.shape[-2:]), *labels.shape[-2:]))
    rows = np.empty((len(at), bank.count), np.float32)
    channels = _channels(case.image, bank)
    for number in np.unique(plane):
        here = plane == number
        places = (row[here], column[here])
        rows[here] = np.concatenate([sampled(g[number], a[number], bank, places) for g, a in channels]).T
    return rows[:count], labels.ravel()[drawn[0]], rows[count:]


def _proportions(
    trees: Trees, labels: NDArray[np.uint8], beside: NDArray[np.float32], *, said: float, rounds: int = 50
) -> NDArray[np.float32]:
    """By which factor each class is more frequent in the images than among the pixels labelled; `said`: their share.

    Nobody scribbles in proportion. Trees that learnt from half and half see half and half; how frequent the classes are
    where nobody scribbled is found by expectation maximisation (Saerens et al. 2002, doi:10.1162/089976602753284446).
    """
    found = trees.probabilities(np.ascontiguousarray(beside.T)).astype(np.float64)
    drawn = np.bincount(labels, minlength=found.shape[1]) / len(labels)
    share = drawn.copy()
    factors = np.ones_like(share)
    for _ in range(rounds):
        factors = np.divide(share, drawn, out=np.zeros_like(share), where=drawn > 0)
        weighed = found * factors
        share = (weighed / np.maximum(weighed.sum(1, keepdims=True), 1e-12)).mean(0)
    whole = said * drawn + (1 - said) * share
    return np.divide(whole, drawn, out=np.zeros_like(whole), where=drawn > 0).astype(np.float32)


def _channels(image: NDArray[Any], bank: Bank) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Each channel of the bank as planes (planes, height, width), scaled and aligned."""
    shape = (-1, *image.shape[-3:-1])
    pairs = [scaled(image[..., channel]) for channel in bank.channels]
    return [(grey.reshape(shape), aligned.reshape(shape)) for grey, aligned in pairs]


def _strips(image: NDArray[Any], bank: Bank) -> Iterator[tuple[int, slice, NDArray[np.float32]]]:
    """(plane, its rows, the maps of their pixels (features, n)), plane by plane and strip by strip."""
    height, width = image.shape[-3:-1]
    channels = _channels(image, bank)
    step = max(1, STRIP_PX // width)
    for plane in range(len(channels[0][0])):
        for top in range(0, height, step):
            part = slice(top, min(top + step, height))
            around = slice(max(0, top - HALO), min(part.stop + HALO, height))
            inside = slice(top - around.start, part.stop - around.start)
            columns = np.empty((bank.count, part.stop - top, width), np.float32)
            maps = (
                found
                for grey, aligned in channels
                for found in (
                    *filter_maps(grey[plane, around], aligned[plane, around], bank),
                    *texture(grey[plane, around], bank),
                )
            )
            for column, found in zip(columns, maps, strict=True):
                column[:] = found[inside]
            yield plane, part, columns.reshape(bank.count, -1)
