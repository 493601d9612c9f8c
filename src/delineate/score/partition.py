"""Do two segmentations agree on which pixels belong together? Adapted Rand index and variation of information.

Both look at pixels that truth gives to an object. What truth holds together and the prediction tears apart is a split
error, what truth holds apart and the prediction joins a merge error; neither cares for outlines much, which is why
those who trace neurons use them. A pixel in no predicted object counts as an object of its own, alone, as in SNEMI3D. Pairs
are of different pixels, n (n - 1) in an object of n, as in scikit-image; Arganda-Carreras et al. pair each pixel with itself
as well, n², which differs the more the smaller the objects.
Arganda-Carreras et al. 2015, doi:10.3389/fnana.2015.00142; Meilă 2007, doi:10.1016/j.jmva.2006.11.013.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Partition:
    """Sums over the objects of one image, or of many together, and the scores that follow; nan where truth has no object.

    pixels: in objects of truth. joint_pairs, true_pairs, predicted_pairs: pairs of different pixels that both, that truth,
    that the prediction holds together. joint_entropy, true_entropy, predicted_entropy: in bits, times pixels.
    Over several images pairs and entropies add up: nothing is asked across images.

    >>> from delineate.score import match_objects
    >>> torn = match_objects(np.array([1, 1, 1, 1]), np.array([1, 1, 2, 2])).partition
    >>> round(torn.rand_split, 3), torn.rand_merge, torn.voi_split, torn.voi_merge
    (0.333, 1.0, 1.0, 0.0)
    """

    pixels: int = 0
    joint_pairs: int = 0
    true_pairs: int = 0
    predicted_pairs: int = 0
    joint_entropy: float = 0.0
    true_entropy: float = 0.0
    predicted_entropy: float = 0.0

    @property
    def rand_split(self) -> float:
        """Of the pairs of pixels that truth holds together, the share that the prediction does; 1 is best."""
        return self._share(self.joint_pairs, self.true_pairs)

    @property
    def rand_merge(self) -> float:
        """Of the pairs of pixels that the prediction holds together, the share that truth does; 1 is best."""
        return self._share(self.joint_pairs, self.predicted_pairs)

    @property
    def v_rand(self) -> float:
        """Harmonic mean of `rand_split` and `rand_merge`; 1 less the adapted Rand error."""
        return self._share(2 * self.joint_pairs, self.true_pairs + self.predicted_pairs)

    @property
    def voi_split(self) -> float:
        """Bits needed to say which predicted object a pixel is in, when its true one is known; 0 is best."""
        return self._per_pixel(self.joint_entropy - self.true_entropy)

    @property
    def voi_merge(self) -> float:
        """Bits needed to say which true object a pixel is in, when its predicted one is known; 0 is best."""
        return self._per_pixel(self.joint_entropy - self.predicted_entropy)

    @property
    def voi(self) -> float:
        """Variation of information: the sum of both."""
        return self.voi_split + self.voi_merge

    @property
    def v_info(self) -> float:
        """Shared information over the mean of both entropies, from 0 to 1, which is best; 1 where there is none to share."""
        if not self.pixels:
            return float("nan")
        both = self.true_entropy + self.predicted_entropy
        return 2 * max(0.0, both - self.joint_entropy) / both if both > 0 else 1.0

    def _share(self, part: int, whole: int) -> float:
        """1 where there are pixels but no pairs: nothing can be wrong then."""
        if not self.pixels:
            return float("nan")
        return part / whole if whole else 1.0

    def _per_pixel(self, bits: float) -> float:
        return max(0.0, bits) / self.pixels if self.pixels else float("nan")


def partition(
    true: NDArray[np.intp],
    predicted: NDArray[np.intp],
    shared: NDArray[np.int64],
    true_pixels: NDArray[np.intp],
) -> Partition:
    """From pairs of overlapping objects: indices of both (n,), pixels they share (n,); pixels of each true object (m,)."""
    pixels = int(true_pixels.sum())
    groups = (shared, true_pixels, np.bincount(predicted, shared).astype(np.int64))
    return Partition(
        pixels, *(_pairs(sizes) for sizes in groups), *(_entropy(sizes, pixels) for sizes in groups)
    )


def pool_partitions(partitions: Iterable[Partition]) -> Partition:
    """Many images together."""
    every = list(partitions)
    return Partition(*(sum(getattr(one, field.name) for one in every) for field in fields(Partition)))


def _pairs(counts: NDArray[np.integer]) -> int:
    """Ordered pairs of different pixels, within groups of these sizes."""
    sizes = counts.astype(object) if counts.max(initial=0) > 2**31 else counts.astype(np.int64)
    return int((sizes * (sizes - 1)).sum())


def _entropy(counts: NDArray[np.integer], pixels: int) -> float:
    """Bits per pixel needed to say in which group it is, times all pixels; those in none of these groups are alone."""
    sizes = counts[counts > 0].astype(np.float64)
    return float(pixels * np.log2(pixels) - (sizes * np.log2(sizes)).sum()) if pixels else 0.0
