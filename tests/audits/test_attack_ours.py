"""Networks of ours are attacked through a copy that is faster, and must be the same function."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from delineate.audits import Evidence, Subject, subject_of_method
from delineate.audits.attack import LInf, pgd, quick
from delineate.audits.attack.examine import attack
from delineate.audits.attack.files import attacked
from delineate.audits.attack.quick import counted_by
from delineate.audits.attack.settings import AttackSettings
from delineate.core import Case, ClassTable, ModelError
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


def in_colour(case: Case) -> Case:
    """A stained section of the same labels: what is labelled is purple on white."""
    image = np.where(case.labels[..., None] == 1, [90, 60, 140], [235, 230, 238])
    return Case(
        "stained",
        (image - np.indices(case.labels.shape).sum(0)[..., None] % 7).astype(np.uint8),
        labels=case.labels,
    )


def test_of_a_colour_image_the_dye_is_climbed_where_the_dye_is_predicted_from():
    method, case = given("grey")
    plan = replace(
        method.learnt.plan, augmentation=replace(method.learnt.plan.augmentation, robust=("stain",))
    )
    method = UNetMethod.of(replace(method.learnt, plan=plan))
    subject, stained = subject_of_method(method), in_colour(case)
    one = attacked(stained, dims=2, grey=subject.channels == 1)
    assert one.images.shape[1] == 3
    point = one.images.requires_grad_()
    logits = quick(subject, low=False)(point)
    np.testing.assert_allclose(logits[0].softmax(0).detach(), counted_by(subject)(stained.image), atol=2e-4)
    (slope,) = torch.autograd.grad(logits[:, 1].sum(), point)
    assert slope.abs().amax((0, 2, 3)).min() > 0  # of every colour
    settings = AttackSettings(steps=2, images=1, close=1, queries=3, by_steps=(1, 2), by_eps=(1.0,))
    section = attack(subject, Evidence((stained,)), settings=settings)
    assert section.numbers["images"]["stained"]["largest_change"] == 4


def test_a_model_of_one_channel_refuses_colour_under_attack_as_it_does_in_prediction():
    method, case = given("grey")
    with pytest.raises(ModelError) as predicted:
        method.predict(in_colour(case).image)
    for labels in (case.labels, None):
        with pytest.raises(ModelError) as under_attack:
            attack(subject_of_method(method), Evidence((replace(in_colour(case), labels=labels),)))
        assert str(under_attack.value) == str(predicted.value)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("volume", "has 3 spatial axes but the model has 2"),
        ("colour", "takes 3 channels but a is attacked in 1"),
    ],
)
def test_a_surrogate_of_another_task_is_refused(kind, says, tmp_path):
    method, case = given("grey")
    other = given(kind)[0].save(tmp_path / "other")
    with pytest.raises(ModelError, match=says):
        attack(subject_of_method(method), Evidence((case,)), settings=AttackSettings(surrogate=str(other)))


def test_a_surrogate_with_other_classes_is_refused(tmp_path):
    method, case = given("grey")
    other = method.save(tmp_path / "other")
    three = Subject("three", ClassTable.numbered(3), channels=1, predict=method.predict)
    with pytest.raises(ModelError, match="has 2 classes but three has 3: give a model of the same task"):
        attack(three, Evidence((case,)), settings=AttackSettings(surrogate=str(other)))


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
