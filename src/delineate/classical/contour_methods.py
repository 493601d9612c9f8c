"""Active contours as methods: a threshold starts them, or a mask that the caller has; labels choose their forces."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from delineate.classical.contours import chan_vese, geodesic, snakes
from delineate.classical.look import Grey
from delineate.classical.taught import Taught, known, mean_defined, one_hot, overlap, spread
from delineate.classical.threshold import Otsu, Threshold
from delineate.core import Case

MOST_PX = 0.8e6
Mask = NDArray[np.bool_]


class _Started(Protocol):
    @property
    def start(self) -> Threshold: ...


S = TypeVar("S", bound=_Started)


@dataclass(frozen=True)
class SnakeForces:
    """start: the threshold that starts the curves. The rest as in `contours.snake`."""

    start: Threshold
    tension: float = 0.01
    stiffness: float = 0.1
    edges: float = 1.0
    steps: int = 60

    def __post_init__(self) -> None:
        _positive(self.steps, self.tension, self.stiffness)


@dataclass(frozen=True)
class RegionForces:
    """start: the threshold that starts the regions. The rest as in `contours.chan_vese`."""

    start: Threshold
    steps: int = 10
    smoothing: int = 1

    def __post_init__(self) -> None:
        _positive(self.steps, self.smoothing)


@dataclass(frozen=True)
class EdgeForces:
    """start: the threshold that starts the regions. The rest as in `contours.geodesic`."""

    start: Threshold
    steps: int = 10
    smoothing: int = 1
    balloon: int = 0
    sigma_px: float = 1.0

    def __post_init__(self) -> None:
        _positive(self.steps, self.smoothing, self.sigma_px)
        if self.balloon not in (-1, 0, 1):
            raise ValueError(f"balloon {self.balloon}")


class _Contour(Taught[S]):
    """Fit: the start as `Otsu` does, then the forces with the highest mean Dice on some of the cases."""

    @abstractmethod
    def moved(self, grey: Grey, start: Mask, settings: S) -> Mask:
        """Where the contours of `start` end in a picture (*spatial) from 0 to 1, objects bright."""

    @abstractmethod
    def tried(self, start: Threshold) -> Sequence[S]:
        """The settings to try, plainest first."""

    @property
    def in_channels(self) -> int:
        """How many channels an image must have."""
        return self.fitted().start.look.in_channels

    def choose(self, cases: Sequence[Case]) -> S:
        """The first best by mean Dice."""
        start = Otsu(self.classes).fit(cases).fitted()
        chosen = spread(cases, most_px=MOST_PX)
        greys = [self._grey(case.image, start) for case in chosen]
        starts = [Otsu().foreground(case.image, start) for case in chosen]

        def agreement(settings: S) -> float:
            return mean_defined(
                overlap(known(case), self.moved(grey, mask, settings))
                for case, grey, mask in zip(chosen, greys, starts, strict=True)
            )

        return max(self.tried(start), key=agreement)

    def likely(self, image: NDArray[Any], settings: S) -> NDArray[np.float32]:
        """Probabilities of 0 and 1; where the threshold finds nothing there is nothing."""
        start = Otsu().foreground(image, settings.start)
        return one_hot(self.moved(self._grey(image, settings.start), start, settings).astype(np.uint8), 2)

    def predict_from(self, image: NDArray[Any], start: Mask) -> NDArray[np.float32]:
        """As `predict`, from a start mask (*spatial): points, boxes (`contours.start_at_points`, `start_in_boxes`) or
        a mask that somebody made before. An empty start gives background throughout.

        Raises DataError where the mask has another shape than the image, and as `predict` does.
        """
        settings = self.fitted()
        image = self.checked(image)
        moved = self.moved(self._grey(image, settings.start), np.asarray(start, bool), settings)
        return one_hot(moved.astype(np.uint8), 2)

    def _grey(self, image: NDArray[Any], start: Threshold) -> Grey:
        grey = start.look.grey(image)
        return grey if start.bright or not np.ptp(grey) else 1 - grey


class Snake(_Contour[SnakeForces]):
    """Chains of points around each piece of a threshold, drawn to edges; volumes slice by slice. Two classes.

    Kass, Witkin & Terzopoulos 1988, doi:10.1007/BF00133570.
    """

    name = "snake"
    record: ClassVar[type] = SnakeForces

    def tried(self, start: Threshold) -> Sequence[SnakeForces]:
        """Tensions and attractions."""
        plain = SnakeForces(start)
        pairs = ((0.01, 0.1), (0.001, 0.01))
        return [
            replace(plain, tension=t, stiffness=s, edges=e, steps=n)
            for n in (60, 15)
            for t, s in pairs
            for e in (1.0, 0.2, 5.0)
        ]

    def moved(self, grey: Grey, start: Mask, settings: SnakeForces) -> Mask:
        """Where the contours end."""
        return snakes(
            grey,
            start,
            tension=settings.tension,
            stiffness=settings.stiffness,
            edges=settings.edges,
            steps=settings.steps,
        )


class ChanVese(_Contour[RegionForces]):
    """Regions of two mean brightnesses with a smooth rim, started from a threshold. Two classes.

    Chan & Vese 2001, doi:10.1109/83.902291, in the morphological form of Márquez-Neila et al. 2014,
    doi:10.1109/TPAMI.2013.106.
    """

    name = "chan-vese"
    record: ClassVar[type] = RegionForces

    def tried(self, start: Threshold) -> Sequence[RegionForces]:
        """Smoothings and numbers of steps."""
        return [RegionForces(start, steps=n, smoothing=s) for s in (1, 2, 0) for n in (10, 3, 30)]

    def moved(self, grey: Grey, start: Mask, settings: RegionForces) -> Mask:
        """Where the contours end."""
        return chan_vese(grey, start, steps=settings.steps, smoothing=settings.smoothing)


class Geodesic(_Contour[EdgeForces]):
    """Regions whose rim moves to the steepest gradient, started from a threshold. Two classes.

    Caselles, Kimmel & Sapiro 1997, doi:10.1023/A:1007979827043, in the morphological form of Márquez-Neila et al. 2014,
    doi:10.1109/TPAMI.2013.106.
    """

    name = "geodesic"
    record: ClassVar[type] = EdgeForces

    def tried(self, start: Threshold) -> Sequence[EdgeForces]:
        """Balloons, smoothings and numbers of steps."""
        plain = EdgeForces(start)
        kinds = [(b, s) for b in (0, 1, -1) for s in (1, 0)]
        return [
            replace(plain, balloon=b, smoothing=s, steps=n, sigma_px=sigma_px)
            for sigma_px in (1.0, 2.0)
            for b, s in kinds
            for n in (10, 3)
        ]

    def moved(self, grey: Grey, start: Mask, settings: EdgeForces) -> Mask:
        """Where the contours end."""
        return geodesic(
            grey,
            start,
            steps=settings.steps,
            smoothing=settings.smoothing,
            balloon=settings.balloon,
            sigma_px=settings.sigma_px,
        )


def _positive(*numbers: float) -> None:
    if min(numbers) < 0:
        raise ValueError(f"{min(numbers)} is below 0")
