"""Several thresholds at once: multi-Otsu cuts the histogram into levels, and labels say what each level is.

So it is the one threshold that can tell more than two classes apart, and objects may lie between two thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from delineate.classical.look import Grey, Look, looks
from delineate.classical.taught import Taught, known, mean_defined, one_hot, overlap, spread
from delineate.classical.threshold import MOST_PX
from delineate.core import UNLABELLED, Case

BINS = 256


@dataclass(frozen=True)
class Levels:
    """What `MultiOtsu.fit` settles. meaning: the class of each level of brightness, darkest first."""

    look: Look
    meaning: tuple[int, ...]

    def __post_init__(self) -> None:
        if not 2 <= len(self.meaning) <= 5 or not all(0 <= label < 255 for label in self.meaning):
            raise ValueError(f"meaning {self.meaning}")


class MultiOtsu(Taught[Levels]):
    """Three or four levels of brightness, each of one class. Liao, Chen & Chung 2001, J Inf Sci Eng 17:713.

    Any number of classes. `fit` tries looks as `Otsu` does, gives each level the class that most of its labelled pixels
    have, and keeps what has the highest mean Dice over classes and cases. An image with fewer values than levels has
    its darkest value in the first level and its brightest in the last.

    >>> image = np.repeat(np.array([10, 90, 200], np.uint8), 8).reshape(3, 8, 1)
    >>> case = Case("bands", image, labels=np.repeat(np.array([0, 1, 0], np.uint8), 8).reshape(3, 8))
    >>> MultiOtsu().fit([case]).predict(image)[1, :, 0]
    array([0., 1., 0.], dtype=float32)
    """

    name = "multi-otsu"
    record: ClassVar[type] = Levels
    most_classes = 254

    @property
    def in_channels(self) -> int:
        """How many channels an image must have."""
        return self.fitted().look.in_channels

    def choose(self, cases: Sequence[Case]) -> Levels:
        """The first best: three levels before four, plain looks before elaborate ones."""
        chosen = spread(cases, most_px=MOST_PX)
        best, settings = -1.0, Levels(next(looks(chosen)), (0, 0, 1))
        truths = [known(case) for case in chosen]
        for look in looks(chosen):
            greys = [look.grey(case.image) for case in chosen]
            for count in (3, 4):
                levels = [levels_of(grey, count) for grey in greys]
                meaning = self._meaning(truths, levels, count)
                said = [np.array(meaning)[level] for level in levels]
                dice = mean_defined(
                    overlap(truth, answer == label, label=label)
                    for truth, answer in zip(truths, said, strict=True)
                    for label in range(1, len(self.classes))
                )
                if dice > best:
                    best, settings = dice, Levels(look, meaning)
        return settings

    def likely(self, image: NDArray[Any], settings: Levels) -> NDArray[np.float32]:
        """Probabilities of 0 and 1, for a threshold knows no doubt; a constant image is background."""
        grey = settings.look.grey(image)
        if np.ptp(grey) == 0:
            return one_hot(np.zeros(grey.shape, np.uint8), len(self.classes))
        labels = np.array(settings.meaning)[levels_of(grey, len(settings.meaning))]
        return one_hot(labels, len(self.classes))

    def _meaning(
        self, truths: Sequence[NDArray[np.uint8]], levels: Sequence[NDArray[np.intp]], count: int
    ) -> tuple[int, ...]:
        votes = np.zeros((count, len(self.classes)))
        for truth, level in zip(truths, levels, strict=True):
            at = truth != UNLABELLED
            np.add.at(votes, (level[at], truth[at]), 1.0)
        return tuple(int(label) for label in votes.argmax(1))


def levels_of(grey: Grey, count: int) -> NDArray[np.intp]:
    """The level, 0 to count - 1, of each pixel of a picture (*spatial) from 0 to 1; darkest first.

    >>> levels_of(np.array([0.0, 0.0, 0.5, 1.0], np.float32), 3).tolist()
    [0, 0, 1, 2]
    """
    from skimage.filters import threshold_multiotsu

    cuts: Any = threshold_multiotsu
    counts, edges = np.histogram(grey, BINS, range=(0, 1))
    if np.count_nonzero(counts) < count:
        return np.rint(grey * (count - 1)).astype(np.intp)
    thresholds = cuts(hist=(counts, (edges[1:] + edges[:-1]) / 2), classes=count)
    return np.digitize(grey, thresholds)
