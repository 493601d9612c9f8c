"""Adversarial training: crops get harder within their limits, the network forgets nothing, and runs stay repeatable."""

import numpy as np
import pytest
import torch
from torch import nn

from delineate.core import UNLABELLED, Case, ClassTable, DataError
from delineate.data.augment import batch
from delineate.learn import Overrides, Training, planned
from delineate.learn.adversarial import EVERY, NOISE, hardened, unremembered
from delineate.learn.plan import Plan
from delineate.learn.planning import AUGMENTATIONS
from delineate.learn.prepare import samples
from delineate.losses import cross_entropy

TWO = ClassTable.numbered(2)
SMALL = {"patch": 32, "batch": 4, "width": 4, "levels": 2, "shuffle": 1}


def cases(*, dtype=np.uint8, scale: float = 1) -> list[Case]:
    rng = np.random.default_rng(0)
    found = []
    for i in range(2):
        labels = np.zeros((40, 40), np.uint8)
        labels[8:24, 10:30] = 1
        image = (rng.normal(60, 3, (40, 40, 1)) + 30 * labels[..., None]) * scale
        found.append(Case(f"c{i}", image.astype(dtype), labels=labels))
    return found


def bright(images: torch.Tensor) -> torch.Tensor:
    return torch.cat([-images, images], 1)


def crops() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 2, (4, 32, 32), generator=generator).to(torch.uint8)
    return torch.randn(4, 1, 32, 32, generator=generator), labels


@pytest.mark.parametrize("step", [1, EVERY])
def test_changed_crops_are_harder_and_the_others_are_left_alone(step):
    images, labels = crops()
    limits = torch.tensor([[0.1], [0.02], [0.1], [0.1]])
    harder = hardened(bright, images, labels, limits=limits, seed=0, step=step, share=0.75)
    assert torch.equal(harder[3:], images[3:])
    assert cross_entropy(bright(harder[:3]), labels[:3]) > cross_entropy(bright(images[:3]), labels[:3])
    reach = NOISE + 1 if step % EVERY else 1
    assert (harder - images)[0].abs().max() <= reach * 0.1 + 1e-6
    assert (harder - images)[1].abs().max() <= reach * 0.02 + 1e-6
    assert torch.equal(harder, hardened(bright, images, labels, limits=limits, seed=0, step=step, share=0.75))


def test_an_unlabelled_pixel_gets_noise_alone():
    images, labels = crops()
    labels[:] = UNLABELLED
    labels[:, :4] = 1
    limits = torch.full((4, 1), 0.1)
    noise_free = hardened(bright, images, labels, limits=limits, seed=0, step=1) - hardened(
        lambda x: 0 * bright(x), images, labels, limits=limits, seed=0, step=1
    )
    assert torch.allclose(noise_free[:2, :, :4], torch.tensor(-0.1), atol=1e-6)
    assert noise_free[:2, :, 4:].abs().max() == 0


def test_batch_norm_does_not_remember_what_it_was_attacked_with():
    net = nn.Sequential(nn.Conv2d(1, 3, 1), nn.BatchNorm2d(3)).train()
    before = net[1].running_mean.clone()
    with unremembered(net):
        net(torch.randn(2, 1, 4, 4))
    assert torch.equal(net[1].running_mean, before)
    assert net[1].momentum == 0.1
    net(torch.randn(2, 1, 4, 4))
    assert not torch.equal(net[1].running_mean, before)


@pytest.mark.parametrize(("dtype", "scale"), [(np.uint8, 1), (np.uint16, 16), (np.float32, 1 / 255)])
def test_eps_of_the_file_becomes_eps_of_the_crop_by_the_span_of_its_image(dtype, scale):
    given = cases(dtype=dtype, scale=scale)
    plan = planned(given, overrides=Overrides(**SMALL, adversarial=4))
    one = [
        sample
        for case in given
        for sample in samples(
            case, dims=2, normalisation=plan.normalisation, grey=plan.grey, objects=False, seed=0
        )
    ]
    made = batch(one, size=2, patch=(32, 32), augmentation=AUGMENTATIONS["none"], seed=0, step=0)
    low, high = np.percentile(given[0].image.astype(np.float32) / scale, (1, 99.8))
    assert plan.adversarial / made.span == pytest.approx(4 / (high - low), rel=0.05)


def test_a_training_with_attacks_repeats_itself_and_differs_from_one_without():
    def weights(adversarial: float | None) -> torch.Tensor:
        plan = planned(cases(), overrides=Overrides(**SMALL, adversarial=adversarial))
        training = Training(cases(), classes=TWO, plan=plan, steps=3)
        for _ in training:
            pass
        return training.learnt.net.head.weight

    assert torch.equal(weights(4), weights(4))
    assert not torch.equal(weights(4), weights(None))
    assert torch.equal(weights(0), weights(None))


def test_a_plan_from_before_attacks_is_one_without():
    values = planned(cases(), overrides=Overrides(**SMALL, adversarial=4)).to_json()
    assert Plan.from_json(values).adversarial == 4
    del values["adversarial"]
    assert Plan.from_json(values).adversarial == 0


def test_eps_that_makes_no_sense_is_refused():
    with pytest.raises(DataError, match="grey levels of 255"):
        planned(cases(), overrides=Overrides(**SMALL, adversarial=-1))
    with pytest.raises(DataError, match="64 at most"):
        planned(cases(), overrides=Overrides(**SMALL, adversarial=100))


def test_eight_and_sixteen_bits_in_one_training_have_no_common_eps():
    with pytest.raises(DataError, match="have no common range: convert them to one type"):
        planned([*cases(), *cases(dtype=np.uint16, scale=257)], overrides=Overrides(**SMALL, adversarial=4))
