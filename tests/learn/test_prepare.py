"""What crops are cut from, drawn by hand."""

import numpy as np

from delineate.core import Case
from delineate.learn.normalisation import Normalisation
from delineate.learn.prepare import places, samples


def test_slices_without_any_label_are_left_out():
    labels = np.full((3, 8, 8), 255, np.uint8)
    labels[1] = 0
    case = Case("stack", np.zeros((3, 8, 8, 1)), labels=labels)
    cut = samples(case, dims=2, normalisation=Normalisation(), grey=False, objects=False, seed=0)
    assert len(cut) == 1


def test_places_hold_pixels_of_every_class_and_none_that_is_unlabelled():
    labels = np.array([[0, 0, 1], [255, 2, 1]], np.uint8)
    found = places(labels, seed=0)
    assert [sorted(labels[tuple(p)] for p in pixels) for pixels in found] == [[0, 0], [1, 1], [2]]


def test_without_ids_connected_pieces_stand_in():
    labels = np.zeros((8, 12), np.uint8)
    labels[2:6, 1:4] = labels[2:6, 6:10] = 1
    case = Case("pair", np.zeros((8, 12, 1)), labels=labels)
    (cut,) = samples(case, dims=2, normalisation=Normalisation(), grey=False, objects=True, seed=0)
    assert cut.offsets[:, 4, 2].tolist() == [-0.5, 0]
    assert cut.offsets[:, 4, 6].tolist() == [-0.5, 1.5]
    assert (~cut.offsets[0].isnan()).tolist() == (labels > 0).tolist()
