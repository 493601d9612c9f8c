"""Scribbles fill an image; brightness stands in for scribbles in images that have none."""

from __future__ import annotations

import numpy as np
import pytest

from delineate.classical import RandomWalker, walked
from delineate.core import Case, DataError

GRID = np.indices((40, 40)) - 20
DISC = np.hypot(*GRID) < 12
NOISY = np.where(DISC, 0.7, 0.3) + np.random.default_rng(0).normal(0, 0.04, DISC.shape)


def scribbles():
    labels = np.full(DISC.shape, 255, np.uint8)
    labels[20, 15:25] = 1
    labels[3, :] = 0
    return labels


def test_two_strokes_give_the_whole_disc():
    probabilities = walked(NOISY[..., None], scribbles(), beta=300)
    np.testing.assert_allclose(probabilities.sum(0), 1, atol=1e-5)
    assert (probabilities.argmax(0) == DISC).mean() > 0.97
    assert (probabilities[1][scribbles() == 1] == 1).all()


def test_a_volume_is_walked_through_all_its_axes():
    labels = np.full((3, *DISC.shape), 255, np.uint8)
    labels[1] = scribbles()
    probabilities = walked(np.stack([NOISY] * 3)[..., None], labels, beta=300)
    assert (probabilities.argmax(0) == DISC).mean() > 0.95


def test_one_class_is_everywhere_and_none_is_refused():
    labels = np.full(DISC.shape, 255, np.uint8)
    with pytest.raises(DataError, match="scribble on every class"):
        walked(NOISY[..., None], labels)
    labels[0, 0] = 1
    assert (walked(NOISY[..., None], labels).argmax(0) == 1).all()
    with pytest.raises(DataError, match="give one shape"):
        walked(NOISY[..., None], labels[1:])
    with pytest.raises(DataError, match="NaN"):
        walked(np.full((2, 2, 1), np.nan), np.zeros((2, 2), np.uint8))


def test_a_class_in_between_that_nobody_scribbled_on_is_nowhere():
    labels = scribbles()
    labels[labels == 1] = 2
    probabilities = walked(NOISY[..., None], labels, beta=300)
    assert probabilities.shape[0] == 3
    assert probabilities[1].max() == 0


def test_it_learns_from_scribbles_and_knows_three_classes():
    image = (np.digitize(np.hypot(*GRID), (8, 15)) * 100 + 20)[..., None].astype(np.uint8)
    truth = (2 - np.digitize(np.hypot(*GRID), (8, 15))).astype(np.uint8)
    labels = np.where(np.arange(40)[:, None] % 7 == 0, truth, np.uint8(255))
    method = RandomWalker().fit([Case("rings", image, labels=labels)])
    assert len(method.classes) == 3
    assert (method.predict(image).argmax(0) == truth).mean() > 0.95


def test_a_constant_image_is_background():
    method = RandomWalker().fit([Case("disc", NOISY[..., None], labels=DISC.astype(np.uint8))])
    assert (method.predict(np.full((9, 9, 1), 0.4))[0] == 1).all()
