"""Networks of ours are attacked through a copy that is faster, and must be the same function."""

import numpy as np
import pytest
import torch

from delineate.audits import Evidence, subject_of_method
from delineate.audits.attack import LInf, pgd, quick
from delineate.audits.attack.examine import attack
from delineate.audits.attack.files import attacked
from delineate.audits.attack.quick import counted_by
from delineate.audits.attack.settings import AttackSettings
from delineate.core import Case
from delineate.data.intensities import intensities
from delineate.learn import Overrides, UNetMethod

SMALL = {"patch": 32, "batch": 2, "width": 4, "levels": 2, "shuffle": 1, "objects": True}
KINDS = {
    "grey": ((40, 36, 1), np.uint8, {}),
    "grey in three channels": ((40, 36, 3), np.uint8, {}),
    "two channels, 16 bits": ((40, 36, 2), np.uint16, {"normalisation": "zscore"}),
    "colour": ((40, 36, 3), np.uint8, {"normalisation": "bytes"}),
    "stack": ((5, 40, 36, 1), np.uint8, {"dims": 2}),
    "volume": ((20, 24, 22, 1), np.float32, {"dims": 3, "patch": 16, "levels": 1}),
}


def given(kind: str) -> tuple[UNetMethod, Case]:
    """A U-Net after two steps, and a case of the kind that it learnt from."""
    shape, dtype, settings = KINDS[kind]
    rng = np.random.default_rng(0)
    labels = np.zeros(shape[:-1], np.uint8)
    labels[..., 5:15, 4:14] = 1
    image = rng.normal(80, 5, shape) + 60 * labels[..., None]
    if kind == "grey in three channels":
        image[..., 1:] = image[..., :1]
    case = Case("a", image.clip(0, 255).astype(dtype), labels=labels)
    method = UNetMethod(steps=2, overrides=Overrides(**SMALL | settings)).fit([case])
    return method, case


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_climbed_is_what_is_predicted(kind):
    method, case = given(kind)
    subject = subject_of_method(method)
    one = attacked(case, dims=subject.dims, grey=subject.channels == 1)
    likely = quick(subject, low=False)(one.images).softmax(1).detach().numpy()
    predicted = counted_by(subject)(one.case.image)
    folded_back = likely[0] if likely[0].shape == predicted.shape else np.moveaxis(likely, 0, 1)
    np.testing.assert_allclose(folded_back, predicted, atol=2e-4)


def test_a_stack_is_attacked_in_a_slice_and_a_volume_whole():
    settings = AttackSettings(steps=2, images=1, close=1, queries=3, by_steps=(1, 2), by_eps=(1.0,))
    for kind in ("stack", "volume", "grey in three channels"):
        method, case = given(kind)
        section = attack(subject_of_method(method), Evidence((case,)), settings=settings)
        assert set(section.numbers["images"]) == {"a"}
        assert section.numbers["images"]["a"]["largest_change"] <= section.numbers["eps_intensities"] + 1e-4


def test_the_network_that_is_attacked_keeps_its_weights_and_their_gradients():
    method, case = given("grey")
    subject = subject_of_method(method)
    before = {name: value.clone() for name, value in subject.network.state_dict().items()}
    one = attacked(case, dims=2, grey=True)
    found = pgd(
        quick(subject), one.images, one.labels, ball=LInf(4), valid=intensities([case.image]), steps=2
    )
    assert not torch.equal(found, one.images)
    assert all(torch.equal(value, before[name]) for name, value in subject.network.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in subject.network.parameters())
