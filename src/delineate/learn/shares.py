"""Strokes misjudge how common classes are: half of all strokes may be membrane, where a quarter of all pixels is.

A network believes its labels, and so it draws the classes that are labelled more than their due too large. How common they are
in truth, the network's own answers about whole images tell, without a label more. Its last layer is then corrected, once,
when the training is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from delineate.core import UNLABELLED, DataError
from delineate.data.large import Box
from delineate.data.sample import Sample, WindowedSample
from delineate.data.sparse import HALF
from delineate.nets import UNet

ROUNDS = 100  # of expectation and maximisation; it has long converged
RARE = 0.01  # share of the rarest class in a first guess
FURTHEST = 30.0  # times by which a class may be rarer or more common than its labels tell
TRUSTED = 1.25  # times by which it may misjudge a class among its labelled pixels, where the share is known, to be believed
BEYOND = 3.0  # times by which it may be rarer or more common than the mean answer: a poor network shall not run away
ASKED = 48  # windows that the network is asked about, evenly chosen
OF_ONE = 12  # of them in a picture that is read window by window, at the most
WINDOW_PX = {2: 512, 3: 96}  # of each, along each axis
MOST_PX = 20_000  # pixels taken from each

Place = NDArray[np.integer[Any]]


class Labelled(nn.Module):
    """How many pixels of each class were learnt from; part of a checkpoint."""

    counted: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.register_buffer("counted", torch.zeros(classes, dtype=torch.float64))

    def count(self, labels: Tensor) -> None:
        """Take in a batch of labels; UNLABELLED counts for nothing."""
        self.counted += torch.bincount(labels[labels != UNLABELLED].long(), minlength=len(self.counted))

    @property
    def shares(self) -> NDArray[np.float64]:
        """Of each class among all that was learnt from; equal ones before anything was."""
        counted = self.counted.cpu().numpy()
        return counted / counted.sum() if counted.sum() else np.full(len(counted), 1 / len(counted))


def first_guess(labels: Tensor, classes: int) -> Tensor:
    """What logits say of all pixels alike that know how common each class is, and nothing else: the logarithm of its share.

    A network that begins there need not learn first that most of a picture is background (Lin et al. 2017,
    doi:10.1109/ICCV.2017.324). No class begins rarer than RARE, so that what is rare can still be found.

    >>> first_guess(torch.tensor([0, 0, 0, 1, UNLABELLED]), 3).exp().round(decimals=4).tolist()
    [0.75, 0.25, 0.01]
    """
    seen = Labelled(classes)
    seen.count(labels)
    return torch.from_numpy(seen.shares).clamp(min=RARE).log()


def shares_in_images(likely: NDArray[Any], labelled: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of each class among pixels whose probabilities are (classes, pixels), from a model whose training had the
    shares `labelled` (classes,).

    Expectation maximisation: weigh the probabilities by the ratio of the two shares, take their mean as the new share.
    Saerens, Latinne & Decaestecker 2002, doi:10.1162/089976602753284446. A class that was never labelled stays at zero; none
    becomes more than BEYOND times as common, or as rare, as the mean of `likely`.

    >>> likely = np.repeat([[0.99, 0.01], [0.01, 0.99]], [90, 10], axis=0).T  # some of the last ten will be wrong
    >>> shares_in_images(likely, np.array([0.5, 0.5])).round(2).tolist()
    [0.91, 0.09]
    """
    seen = labelled.copy()
    known = labelled > 0
    for _ in range(ROUNDS):
        weighed = likely[known] * (seen[known] / labelled[known])[:, None]
        seen[known] = (weighed / weighed.sum(0)).mean(1)
    mean = np.where(known, likely.mean(1), 0.0)
    seen = seen.clip(mean / BEYOND, mean * BEYOND)
    result: NDArray[np.float64] = seen / seen.sum()
    return result


@torch.no_grad()
def correct(
    net: UNet, samples: Sequence[Sample | WindowedSample], labelled: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Shift the logits of `net`, in place, to the shares of classes in the images of `samples`; returns those shares.

    labelled: the shares among the pixels that it learnt from. Where most pixels are, they misjudge nothing, and nothing changes.
    The network is first asked about the labelled pixels alone; where what it finds there is not what is known, within
    TRUSTED, it has not learnt enough to be asked about others, and nothing changes either.
    """
    looks = _looks(samples, side=WINDOW_PX[net.dims])
    net.eval()
    device = net.head.weight.device
    seen, known, covered, pixels = [], [], 0, 0
    for one, box in looks:
        try:
            window = one.part(box)
        except DataError:  # a damaged place that no crop has met
            continue
        logits = net(window.image[None].to(device))[0, : len(labelled)]
        likely, told = logits.double().softmax(0).flatten(1), window.labels[0].flatten().to(torch.uint8)
        covered, pixels = covered + int((told != UNLABELLED).sum()), pixels + len(told)
        every = -(-likely.shape[1] // MOST_PX)
        seen.append(likely[:, ::every].cpu().numpy())
        known.append((likely[:, told != UNLABELLED].cpu().numpy(), told[told != UNLABELLED].numpy()))
    if not seen or covered > HALF * pixels or not _trusted(known, labelled):
        return labelled
    found = shares_in_images(np.concatenate(seen, axis=1), labelled)
    ratio = np.where(labelled > 0, found / np.maximum(labelled, 1e-12), 1.0).clip(1 / FURTHEST, FURTHEST)
    net.shift_logits(torch.from_numpy(np.log(ratio)))
    return found


def _looks(
    samples: Sequence[Sample | WindowedSample], *, side: int
) -> list[tuple[Sample | WindowedSample, Box]]:
    """Where pictures are asked: each in its middle, those that are read window by window around some of their labels."""
    pictures = list({id(one): one for one in samples}.values())
    each = min(OF_ONE, max(1, ASKED // max(len(pictures), 1)))
    found: list[tuple[Sample | WindowedSample, Box]] = []
    for one in pictures:
        if isinstance(one, Sample):
            found.append((one, _around(one.spatial, np.asarray(one.spatial) // 2, side=side)))
            continue
        taken: list[Place] = []
        spots = np.random.default_rng(0).permutation(np.concatenate(one.places)) if one.places else ()
        for spot in spots:
            if len(taken) < each and all(np.abs(spot - other).max() >= side // 2 for other in taken):
                taken.append(spot)
        found += [(one, _around(one.spatial, spot, side=side)) for spot in taken]
    return [found[i * len(found) // ASKED] for i in range(ASKED)] if len(found) > ASKED else found


def _around(spatial: tuple[int, ...], place: Place, *, side: int) -> Box:
    """The box around a place, inside a picture, `side` long along each axis or as long as the picture is.

    >>> _around((10, 3), np.array([9, 1]), side=4)
    (slice(6, 10, None), slice(0, 3, None))
    """
    sides = [min(n, side) for n in spatial]
    starts = [min(max(int(at) - s // 2, 0), n - s) for at, s, n in zip(place, sides, spatial, strict=True)]
    return tuple(slice(start, start + s) for start, s in zip(starts, sides, strict=True))


def _trusted(
    known: Sequence[tuple[NDArray[np.float64], NDArray[np.uint8]]], labelled: NDArray[np.float64]
) -> bool:
    """Whether the shares of classes among labelled pixels are found from the network's answers about them."""
    likely, told = (np.concatenate(each, axis=-1) for each in zip(*known, strict=True))
    if not told.size:
        return False
    truth = np.bincount(told, minlength=len(labelled)) / told.size
    found = shares_in_images(likely, labelled)
    off = np.maximum(found, 1e-3) / np.maximum(truth, 1e-3)
    return bool(((off < TRUSTED) & (off > 1 / TRUSTED)).all())
