"""A training that begins from a model: what it takes over, what it cannot, and what is known of it afterwards."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import delineate
from delineate.audits.evidence import Evidence
from delineate.audits.seeds import SeedsSettings, seeds
from delineate.audits.subject import subject_of_method
from delineate.core import Case, ClassTable, DataError, ModelError, OutputError
from delineate.data.fingerprint import digest_of
from delineate.flow.holding_out import split_off
from delineate.flow.reseeding import reseeded
from delineate.learn import Overrides, Training, UNetMethod, planned
from delineate.learn.from_model import kept_classes, take_over
from delineate.learn.learnt import Learnt, Record, network, saved

TWO = ClassTable(("background", "square"))
SMALL = Overrides(patch=32, batch=4, width=8, levels=2, shuffle=2)


def square(seed: int, *, side: int = 20, channels: int = 1, dark: bool = False) -> Case:
    """A noisy picture with one bright, or dark, square, labelled."""
    rng = np.random.default_rng(seed)
    image = rng.normal(120, 10, (48, 48, channels))
    labels = np.zeros((48, 48), np.uint8)
    y, x = rng.integers(4, 44 - side, 2)
    labels[y : y + side, x : x + side] = 1
    image[labels == 1] += -60 if dark else 60
    return Case(f"square{seed}", image.astype(np.uint8), labels=labels, objects=labels.astype(np.int32))


@pytest.fixture(scope="module")
def before() -> Learnt:
    """A network that knows bright squares."""
    cases = [square(i) for i in range(4)]
    training = Training(cases, classes=TWO, plan=planned(cases, overrides=SMALL), steps=150)
    list(training)
    return training.learnt


def dice(learnt: Learnt, cases: list[Case]) -> float:
    values = []
    for case in cases:
        found = UNetMethod.of(learnt).predict(case.image).argmax(0)
        values.append(2 * (found * case.labels).sum() / max(1, found.sum() + case.labels.sum()))
    return float(np.mean(values))


def begun(before: Learnt | None, cases: list[Case], *, steps: int, **changes) -> Learnt:
    overrides = Overrides(**(vars(Overrides() if before else SMALL) | {"batch": 4, "patch": 32} | changes))
    plan = planned(cases, overrides=overrides, start=before.plan if before else None)
    training = Training(cases, classes=TWO, plan=plan, steps=steps, start=before)
    list(training)
    return training.learnt


def test_what_was_learnt_is_there_from_the_first_step_on(before):
    new, others = [square(10), square(11)], [square(i) for i in range(20, 24)]
    assert dice(begun(None, new, steps=2), others) < 0.5
    assert dice(begun(before, new, steps=2), others) > 0.9


def test_it_learns_on(before):
    """Squares have turned dark: what is known of them is wrong at first."""
    new, others = [square(i, dark=True) for i in (10, 11)], [square(i, dark=True) for i in range(20, 24)]
    assert dice(before, others) < 0.5
    assert dice(begun(before, new, steps=150), others) > 0.9


def test_a_grey_picture_in_three_channels_is_what_it_was_in_one(before):
    plan = replace(before.plan, channels=3, grey=False)
    net = network(plan, TWO, seed=7)
    take_over(net, before, plan=plan, classes=TWO)
    image = torch.rand(1, 1, 48, 48)
    together = net.eval()(image.expand(1, 3, 48, 48))
    torch.testing.assert_close(together, before.net(image), atol=1e-4, rtol=1e-4)


def test_images_of_other_channels_are_learnt_from_with_their_own_scale(before):
    rng = np.random.default_rng(0)
    cases = [
        replace(square(i, channels=3), image=rng.integers(0, 255, (48, 48, 3), np.uint8)) for i in range(2)
    ]
    plan = planned(cases, overrides=Overrides(batch=2), start=before.plan)
    assert (plan.channels, plan.normalisation.kind) == (3, "fixed")
    assert "balance of the channels" in plan.reasons["normalisation"]
    training = Training(cases, classes=TWO, plan=plan, steps=1, start=before)
    list(training)
    assert training.learnt.net.in_channels == 3


@pytest.mark.parametrize("robust", [None, ("stain",)])
def test_colour_is_learnt_as_colour_though_the_model_is_shown_the_dye_of_it(before, robust):
    rng = np.random.default_rng(0)
    cases = [replace(square(i), image=rng.integers(0, 255, (48, 48, 3), np.uint8)) for i in range(2)]
    start = replace(
        before, plan=replace(before.plan, augmentation=replace(before.plan.augmentation, robust=("stain",)))
    )
    learnt = begun(start, cases, steps=1, robust=robust)
    assert (learnt.net.in_channels, learnt.plan.normalisation.kind) == (3, "fixed")


def test_sixteen_bits_are_not_scaled_as_the_eight_of_the_model(before):
    rng = np.random.default_rng(0)
    colour = rng.integers(0, 255, (48, 48, 3), np.uint8)
    eight, sixteen = (replace(square(0), image=image) for image in (colour, colour.astype(np.uint16) * 257))
    start = planned([eight])
    assert planned([eight], start=start).normalisation.kind == "fixed"
    plan = planned([sixteen], start=start)
    assert (plan.channels, plan.normalisation.kind) == (3, "percentiles")
    assert "each is scaled by its own percentiles" in plan.reasons["normalisation"]
    grey = planned([square(0, channels=3)], start=start)
    assert (grey.channels, grey.reasons["channels"]) == (3, "as in the model that it begins from")


def test_classes_are_found_by_their_names(before):
    three = ClassTable(("square", "disc", "background"))
    net = network(before.plan, three, seed=7)
    fresh = network(before.plan, three, seed=7)
    take_over(net, before, plan=before.plan, classes=three)
    image = torch.rand(1, 1, 48, 48)
    old, new = before.net(image), net.eval()(image)
    torch.testing.assert_close(new[:, [2, 0]], old[:, :2])
    torch.testing.assert_close(new[:, 3:], old[:, 2:])
    assert torch.equal(net.head.weight[4:8], fresh.head.weight[4:8])


def test_of_two_classes_that_change_places_each_keeps_what_is_known_of_it(before):
    start, turned = (
        replace(before, classes=ClassTable(("membrane", "cell"))),
        ClassTable(("cell", "membrane")),
    )
    assert kept_classes(start, turned) == {0: 1, 1: 0}
    assert kept_classes(start, ClassTable(("background", "membrane"))) == {1: 0}
    assert kept_classes(start, TWO) == {0: 0, 1: 1}


def test_offsets_are_as_many_pixels_where_objects_are_larger(before):
    plan = replace(before.plan, object_radius_px=2 * before.plan.object_radius_px)
    net = network(plan, TWO, seed=7)
    take_over(net, before, plan=plan, classes=TWO)
    image = torch.rand(1, 1, 48, 48)
    pixels = net.eval()(image)[:, 2:] * plan.object_radius_px
    torch.testing.assert_close(pixels, before.net(image)[:, 2:] * before.plan.object_radius_px)


def test_a_model_without_objects_begins_one_with(before):
    plain = begun(None, [square(0)], steps=1, objects=False)
    learnt = begun(plain, [square(1)], steps=1)
    assert learnt.plan.objects
    assert learnt.net.classes == 4


def test_the_plan_keeps_the_network_and_says_so(before):
    plan = planned([square(1)], minutes=10, start=before.plan)
    assert (plan.width, plan.levels, plan.shuffle) == (8, 2, 2)
    assert plan.normalisation == before.plan.normalisation
    assert plan.reasons["width"] == plan.reasons["normalisation"] == "as in the model that it begins from"
    asked = planned([square(1)], overrides=Overrides(normalisation="zscore"), start=before.plan)
    assert (asked.normalisation.kind, asked.reasons["normalisation"]) == ("zscore", "as you asked")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"width": 16}, "has width 8, not 16: leave --width out"),
        ({"down": "blur"}, "has down max, not blur: leave --down out"),
        ({"dims": 3}, "has dims 2, not 3: leave --dims out"),
        ({"equivariant": True}, "is not equivariant: leave --equivariant out"),
    ],
)
def test_another_network_is_refused(before, changes, says):
    with pytest.raises(DataError, match=says):
        planned([square(1)], overrides=Overrides(**changes), start=before.plan)


def test_a_network_too_deep_for_the_crops_is_told_what_can_be_changed(before):
    deep = replace(before.plan, levels=6)
    with pytest.raises(DataError, match="at level 6: give a larger --patch, or leave --from out"):
        planned([square(1)], start=deep)
    assert planned([square(1)], overrides=Overrides(patch=128), start=deep).levels == 6


def test_flat_images_cannot_go_on_from_volumes(before):
    with pytest.raises(DataError, match="works on volumes but some images are flat: leave --from out"):
        planned([square(1)], start=replace(before.plan, dims=3))


def test_a_model_remembers_all_that_was_learnt_from(before):
    first = begun(before, [square(10)], steps=1)
    second = begun(first, [square(11)], steps=1)
    assert second.record.data["from"]["steps"] == 1
    every = [square(i) for i in (*range(4), 10, 11)]
    assert set(second.record.seen) == {digest_of(case) for case in every}
    assert second.record.data["learnt"] == [digest_of(square(11))]


def test_killed_and_resumed_it_is_the_same_and_must_have_the_same_beginning(before, tmp_path):
    cases = [square(i) for i in range(10, 13)]
    about = {"classes": TWO, "plan": planned(cases, overrides=SMALL, start=before.plan), "steps": 6}
    other = replace(before, record=Record(seed=1))

    def halfway(start):
        training = Training(cases, **about, start=start, folder=tmp_path / "halves")
        for step in training:
            if step.number == 3:
                training._checkpoint(tmp_path / "halves")
                break

    whole = Training(cases, **about, start=before)
    list(whole)
    halfway(before)
    for start in (None, other):
        with pytest.raises(
            OutputError, match=r"had other data \(from\): resume it with the same data, settings and --from"
        ):
            Training(cases, **about, start=start, folder=tmp_path / "halves", resume=True)
    again = Training(cases, **about, start=before, folder=tmp_path / "halves", resume=True)
    list(again)
    ours, theirs = whole.learnt.net.state_dict(), again.learnt.net.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    halfway(None)
    with pytest.raises(OutputError, match=r"had other data \(from\)"):
        Training(cases, **about, start=before, folder=tmp_path / "halves", resume=True)


def test_images_that_were_not_seen_are_held_out():
    cases = [square(i) for i in range(20)]
    known = [digest_of(case) for case in cases[:16]]
    learn_from, held_out = split_off(cases, seed=0, known=known)
    assert len(held_out) == 2
    assert {case.name for case in held_out} <= {case.name for case in cases[16:]}
    assert len(learn_from) == 18
    every = [digest_of(case) for case in cases]
    assert split_off(cases, seed=0, known=every) == split_off(cases, seed=0)


def test_groups_of_which_nothing_was_seen_are_held_out_whole():
    cases = [replace(square(i), group=f"patient{i // 2}") for i in range(12)]
    known = [digest_of(case) for case in cases[:8:2]]
    learn_from, held_out = split_off(cases, seed=0, known=known)
    assert len(learn_from) + len(held_out) == 12
    assert {case.group for case in held_out} in ({"patient4"}, {"patient5"})
    every = [digest_of(case) for case in cases[:10]]  # one patient is new, and needed to learn from
    assert split_off(cases, seed=0, known=every) == split_off(cases, seed=0)
    assert split_off(cases, seed=0, known=every)[1]


def test_validation_on_what_was_learnt_from_is_told_and_not_fitted_on(before, tmp_path):
    model = saved(before, tmp_path / "before")
    told = []
    after = delineate.train(
        [square(10)],
        val=[square(0), square(1)],
        from_model=model,
        steps=1,
        overrides=Overrides(batch=2),
        tell=told.append,
    )
    assert any("2 of the 2 images to validate on were learnt from by" in line for line in told)
    assert any(line.startswith(f"begins from {model}: 150 steps on 4 images") for line in told)
    assert after.learnt.fitted_on == ()


def test_audit_and_calibration_know_the_images_of_both(before, tmp_path):
    model = saved(begun(before, [square(10)], steps=1), tmp_path / "after")
    with pytest.raises(DataError, match="has learnt from 2 of these 2 images"):
        delineate.calibrate(model, [square(0), square(10)])
    with pytest.raises(ModelError, match="began from another model"):
        reseeded(model, [square(10)], out=tmp_path / "seeds")


def test_siblings_that_began_from_other_weights_are_said_to_be_none(before, tmp_path):
    subject = subject_of_method(UNetMethod.of(begun(before, [square(10)], steps=1)))
    evidence = Evidence(tuple(square(i) for i in range(20, 23)))

    def notes(start, name):
        one = begun(start, [square(10)], steps=1)
        saved(replace(one, record=replace(one.record, seed=1)), tmp_path / name)
        return seeds(subject, evidence, settings=SeedsSettings((str(tmp_path / name),))).notes

    assert not any("began from" in note for note in notes(before, "same"))
    assert any("began from other weights" in note for note in notes(None, "none"))


def test_what_cannot_be_begun_from_is_refused(tmp_path):
    cases = [square(0)]
    with pytest.raises(ModelError, match="there is no model folder"):
        delineate.train(cases, from_model=tmp_path / "none", steps=1)
    delineate.train(cases, method="otsu", out=tmp_path / "otsu")
    with pytest.raises(ModelError, match=r"is no U-Net of Delineate \(otsu\)"):
        delineate.train(cases, from_model=tmp_path / "otsu", steps=1)
    with pytest.raises(DataError, match="otsu knows nothing of --from"):
        delineate.train(cases, from_model=tmp_path / "otsu", method="otsu")


def test_the_folder_says_where_it_began(before, tmp_path):
    model = saved(before, tmp_path / "before")
    delineate.train(
        [square(10)], from_model=model, steps=1, out=tmp_path / "after", overrides=Overrides(batch=2)
    )
    about = json.loads((tmp_path / "after" / "model.json").read_text())
    assert about["record"]["data"]["from"]["steps"] == 150
    assert len(delineate.load(tmp_path / "after").learnt.record.seen) == 5
