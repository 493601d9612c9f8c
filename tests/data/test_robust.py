"""Crops under other conditions stay crops: repeatable, of their size, each by itself, and a quarter as they were."""

import numpy as np
import pytest
import torch

from delineate.core import DataError
from delineate.data.augment import Augmentation, batch
from delineate.data.robust import FAMILIES, asked_families, robust
from delineate.data.sample import Sample

NUCLEI = np.zeros((64, 96), np.float32)
NUCLEI[10:30, 20:45] = NUCLEI[40:60, 60:80] = 1
CROPS = {
    "grey": torch.from_numpy(NUCLEI)[None],
    "colour": torch.from_numpy(np.stack([0.9 - 0.6 * NUCLEI, 0.9 - 0.7 * NUCLEI, 0.9 - 0.3 * NUCLEI])),
    "volume": torch.from_numpy(np.repeat(NUCLEI[None, None], 12, 1)),
    "two channels": torch.from_numpy(np.stack([NUCLEI, 1 - NUCLEI])),
    "flat": torch.full((1, 20, 21), 0.5),
}


def changed(crop, family, *, seed=0):
    """The first change that happens, and the crop as it was."""
    before = crop.clone()
    for number in range(seed * 100, seed * 100 + 60):
        after = robust(crop, families=[family], rng=np.random.default_rng(number))
        if not torch.equal(after, crop):
            break
    assert torch.equal(crop, before), "the crop itself is not written to"
    return after


@pytest.mark.parametrize("kind", CROPS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_crop_keeps_its_shape_and_stays_finite(kind, family):
    for seed in range(4):
        after = changed(CROPS[kind], family, seed=seed)
        assert (after.shape, after.dtype) == (CROPS[kind].shape, torch.float32)
        assert after.isfinite().all()


def test_a_quarter_of_the_crops_stays_as_it_is():
    crop = CROPS["grey"]
    same = [
        torch.equal(robust(crop, families=["all"], rng=np.random.default_rng(n)), crop) for n in range(400)
    ]
    assert 0.2 < np.mean(same) < 0.35  # a quarter, and those that no family fell upon


def test_dye_in_transmitted_light_is_dark_half_of_the_time():
    nuclei, dark = CROPS["grey"][0] > 0.5, []
    for number in range(200):
        after = robust(CROPS["grey"], families=["stain"], rng=np.random.default_rng(number))[0]
        dark.append(float(after[nuclei].mean()) < float(after[~nuclei].mean()))
    assert 0.1 < np.mean(dark) < 0.3  # of the 3/4 x 1/2 that are stained


def test_inversion_exchanges_the_ends():
    after = changed(CROPS["grey"], "inversion")
    assert torch.allclose(after, 1 - CROPS["grey"])


def test_lost_slices_are_dark_and_others_are_not():
    means = torch.stack([changed(CROPS["volume"], "motion", seed=s)[0].mean((1, 2)) for s in range(6)])
    assert (means < 1e-3).any()
    assert (means > 0.1).any()


def test_pixels_of_a_jpeg_differ_within_its_blocks_only():
    from delineate.data.robust import _compressed

    image = torch.zeros(1, 20, 24)
    image[0, 3, 3] = 1.0
    after = _compressed(image, quality=30)
    assert after.shape == image.shape
    assert not torch.equal(after[0, :8, :8], image[0, :8, :8])
    assert torch.allclose(after[0, 8:], image[0, 8:], atol=1e-6)
    ramp = torch.linspace(0, 1, 64).view(1, 8, 8)
    assert torch.allclose(_compressed(ramp, quality=99), ramp, atol=0.03)


def test_a_point_that_moves_becomes_a_line_around_its_place():
    from delineate.data.robust import _smeared

    point = torch.zeros(1, 41, 41)
    point[0, 20, 20] = 16
    line = _smeared(point, down=0, right=16)[0]
    assert line.sum() == 16
    assert line[20].nonzero().flatten().tolist() == list(range(12, 28))
    slanted = _smeared(point, down=8, right=-8)[0].nonzero()
    assert (slanted.sum(1) - 40).abs().max() <= 1, "down by as much as to the left"
    assert (slanted.double().mean(0) - 20).abs().max() <= 1
    flat = torch.full((2, 3, 10, 12), 0.7)
    assert torch.allclose(_smeared(flat, down=20, right=-21), flat)


def test_unknown_families_are_refused_and_all_means_all():
    with pytest.raises(DataError, match="cannot be made robust to 'weather': choose from stain"):
        asked_families(["weather"])
    assert asked_families(["all"]) == tuple(FAMILIES)


def test_a_batch_shared_by_processes_is_the_same_batch():
    sample = Sample(
        CROPS["grey"], torch.from_numpy((NUCLEI > 0).astype(np.float32))[None], torch.zeros(0, 64, 96), ()
    )
    wanted = {
        "size": 4,
        "patch": (32, 32),
        "augmentation": Augmentation(robust=("all",)),
        "seed": 3,
        "step": 7,
    }
    whole = batch([sample], **wanted)
    for rank in range(2):
        part = batch([sample], **wanted, share=(rank, 2))
        assert torch.equal(part.images, whole.images[rank::2])
    plain = batch([sample], **{**wanted, "augmentation": Augmentation()})
    assert torch.equal(plain.labels, whole.labels), "what is seen does not depend on how it was recorded"
    assert not torch.equal(plain.images, whole.images)
