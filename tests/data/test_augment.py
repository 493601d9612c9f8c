"""What a crop does to an image happens to its labels and its offsets alike."""

import numpy as np
import torch

from delineate.data.augment import Augmentation, batch
from delineate.data.sample import Sample
from delineate.learn.targets import offsets_to_middle

STRONG = Augmentation(zoom=0.5, stretch=0.3, gain=0, offset=0, gamma=0, noise=0)


def sample(ids, image=None):
    """A picture of objects; each pixel's intensity is its id unless told otherwise."""
    labels = torch.from_numpy((ids > 0).astype(np.float32)[None])
    shown = torch.from_numpy((ids if image is None else image).astype(np.float32)[None])
    return Sample(shown, labels, torch.from_numpy(offsets_to_middle(ids)), ())


def test_offsets_of_a_turned_and_zoomed_crop_lead_to_one_place_per_object():
    ids = np.zeros((80, 80), int)
    ids[20:60, 15:40], ids[20:60, 40:65] = 1, 2
    drawn = batch([sample(ids)], size=16, patch=(64, 48), augmentation=STRONG, seed=1, step=0)
    seen = 0
    for image, labels, offsets in zip(drawn.images, drawn.labels, drawn.offsets, strict=True):
        assert torch.equal(offsets[0].isnan(), labels == 0)
        aims = torch.from_numpy(np.indices((64, 48))) + offsets
        for number in (1, 2):
            inside = (image[0] - number).abs() < 1e-3
            inside &= ~offsets[0].isnan()
            aimed = aims[:, inside]
            if aimed.shape[1] > 50 and aimed.std(1).max() < 5:  # a reflected twin has a middle of its own
                seen += 1
                assert (
                    aimed.std(1).max() < 1
                )  # taken from the nearest pixel: half a pixel off at most, zoomed
    assert seen > 16


def test_beyond_the_border_objects_are_reflected_and_so_are_their_middles():
    ids = np.ones((8, 8), int)
    still = Augmentation(turn=0, flip=False, zoom=0, stretch=0, gain=0, offset=0, gamma=0, noise=0)
    (offsets,) = batch([sample(ids)], size=1, patch=(16, 16), augmentation=still, seed=0, step=0).offsets
    middles = (torch.from_numpy(np.indices((16, 16))) + offsets)[1, 0]
    assert len(middles.unique()) == 3  # the picture, and a mirror image of it on each side
    steps = middles.unique().diff()
    assert steps.tolist() == [8, 8]


def test_without_objects_there_are_no_offsets():
    bare = Sample(torch.zeros(1, 9, 9), torch.zeros(1, 9, 9), torch.zeros(0, 9, 9), ())
    assert batch([bare], size=2, patch=(4, 4), augmentation=STRONG, seed=0, step=0).offsets.shape == (
        2,
        0,
        4,
        4,
    )
