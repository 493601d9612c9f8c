"""Weak labels: planned by themselves, taught beyond their strokes, repeatable to the byte; full masks stay as they were."""

import hashlib
import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from PIL import Image

from delineate.core import UNLABELLED, Case, ClassTable, DataError, OutputError
from delineate.data import scribbled
from delineate.data.marks import Box, with_boxes
from delineate.flow import load, reseeded, train
from delineate.learn import Overrides, Training, UNetMethod, planned
from delineate.learn.checkpoint import freeze
from delineate.learn.decisions import object_sizes
from delineate.learn.learnt import loaded, recalibrated, saved
from delineate.learn.normalisation import Normalisation
from delineate.learn.plan import Plan
from delineate.learn.prepare import samples
from delineate.learn.shares import FURTHEST, Labelled, correct, shares_in_images
from delineate.learn.weak import Weak, prepared

CLASSES = ClassTable(("background", "square"))
SMALL = Overrides(patch=32, batch=4, width=4, levels=2, shuffle=1, objects=False)


def square(seed: int, *, side: int = 48) -> Case:
    rng = np.random.default_rng(seed)
    image = rng.normal(100, 10, (side, side, 1))
    labels = np.zeros((side, side), np.uint8)
    y, x = rng.integers(4, side - 24, 2)
    labels[y : y + 18, x : x + 20] = 1
    image[labels == 1] += 60
    return Case(f"square{seed}", image.astype(np.uint16), labels=labels)


def strokes(seed: int) -> Case:
    return scribbled(square(seed), share=0.03, seed=seed)


def silent(seed: int) -> Case:
    return replace(square(seed), labels=None)


def trained(cases, *, folder=None, steps=6, overrides=SMALL, **more) -> Training:
    plan = planned(cases, overrides=overrides)
    training = Training(cases, classes=CLASSES, plan=plan, steps=steps, folder=folder, **more)
    list(training)
    return training


def digest(training: Training) -> str:
    """Of all weights but the last bias, which is corrected when a weak training is over."""
    state = {k: v for k, v in training.learnt.net.state_dict().items() if k != "head.bias"}
    return hashlib.sha256(b"".join(state[name].numpy().tobytes() for name in sorted(state))).hexdigest()


def test_strokes_are_recognised_and_said_and_full_masks_are_left_alone():
    weak = planned([strokes(i) for i in range(4)])
    assert weak.weak == Weak()
    assert weak.reasons["weak"].startswith("4 of 4 images are labelled on less than half of their pixels")
    full = planned([square(i) for i in range(4)])
    assert full.weak is None
    assert "weak" not in full.reasons


def test_full_masks_with_gaps_are_full_masks_and_some_strokes_among_them_are_weak():
    gap = square(0)
    gap.labels[:20] = UNLABELLED
    assert planned([gap]).weak is None
    assert planned([*(square(i) for i in range(4)), strokes(5)]).weak == Weak()


def test_whoever_knows_better_decides():
    assert planned([strokes(0)], overrides=replace(SMALL, weak=False)).weak is None
    asked = planned([square(0)], overrides=replace(SMALL, weak=True))
    assert asked.weak == Weak()
    assert asked.reasons["weak"] == "as you asked"


def test_the_plan_of_a_weak_training_and_of_an_older_model_can_be_read_again():
    plan = planned([strokes(0)])
    assert Plan.from_json(plan.to_json()) == plan
    older = planned([square(0)]).to_json()
    del older["weak"]
    assert Plan.from_json(older).weak is None
    had_a_teacher = plan.to_json()
    had_a_teacher["weak"] |= {"teacher": 0.5, "ramp": 0.3}
    assert Plan.from_json(had_a_teacher) == plan


def test_squares_are_learnt_from_strokes():
    method = UNetMethod(CLASSES, steps=150, overrides=SMALL).fit([strokes(i) for i in range(4)])
    new = square(99)
    found = method.predict(new.image).argmax(0) == 1
    assert 2 * (found & (new.labels == 1)).sum() / (found.sum() + (new.labels == 1).sum()) > 0.9


def test_the_same_seed_gives_the_same_bytes_and_a_resumed_training_too(tmp_path):
    cases = [strokes(i) for i in range(3)]
    whole = digest(trained(cases))
    assert digest(trained(cases)) == whole
    plan = planned(cases, overrides=SMALL)
    halves = Training(cases, classes=CLASSES, plan=plan, steps=6, folder=tmp_path / "model")
    for step in halves:
        if step.number == 3:
            halves._checkpoint(tmp_path / "model")
            break
    again = Training(cases, classes=CLASSES, plan=plan, steps=6, folder=tmp_path / "model", resume=True)
    assert [step.number for step in again] == [4, 5, 6]
    assert digest(again) == whole


def test_images_without_labels_join_a_weak_training_and_no_other():
    told, mute = [strokes(i) for i in range(2)], [silent(7), silent(8), silent(9)]
    assert digest(trained(told, unlabelled=mute)) != digest(trained(told))
    masks = [square(i) for i in range(2)]
    assert digest(trained(masks, unlabelled=mute)) == digest(trained(masks))


def test_labelled_samples_are_seen_as_often_as_those_without():
    training = trained([strokes(0), strokes(1)], unlabelled=[silent(i) for i in range(2, 7)], steps=1)
    told = [bool(sample.places) for sample in training._samples]
    assert (told.count(True), told.count(False)) == (6, 5)


def test_the_first_step_costs_the_roughness_of_its_answer_times_its_weight():
    cases = [strokes(i) for i in range(2)]

    def first_loss(smoothness: float) -> float:
        plan = replace(planned(cases, overrides=SMALL), weak=Weak(smoothness=smoothness))
        return next(iter(Training(cases, classes=CLASSES, plan=plan, steps=2))).loss

    alone, once, twice = (first_loss(weight) for weight in (0.0, 0.5, 1.0))
    assert once > alone
    assert twice - alone == pytest.approx(2 * (once - alone), rel=1e-3)


def test_full_masks_among_strokes_are_not_spread():
    samples = trained([square(0), strokes(1)], steps=1)._samples
    spread = prepared(samples, Weak())
    assert torch.equal(spread[0].labels, samples[0].labels)


def test_a_training_that_decays_on_held_out_strokes_gives_the_model_before_it_did(tmp_path):
    cases, scores = [strokes(i) for i in range(2)], iter([0.3, 0.8, 0.79, 0.5])
    plan = planned(cases, overrides=SMALL)
    training = Training(
        cases,
        classes=CLASSES,
        plan=plan,
        steps=4,
        validation=[strokes(3)],
        judge=lambda *_: next(scores),
        folder=tmp_path / "model",
    )
    models = [(step.dice, digest(training)) for step in training]
    assert [dice for dice, _ in models] == [0.3, 0.8, 0.79, 0.5]
    assert digest(training) == models[1][1] != models[3][1]
    assert training.learnt.record.data["kept_step"] == 2
    kept = UNetMethod.load(tmp_path / "model").learnt.net.state_dict()
    assert torch.equal(kept["head.weight"], training.learnt.net.state_dict()["head.weight"])


def test_full_masks_have_no_best_model_and_their_last_one_is_kept():
    scores = iter([0.8, 0.1])
    cases = [square(0), square(1)]
    training = Training(
        cases,
        classes=CLASSES,
        plan=planned(cases, overrides=SMALL),
        steps=2,
        validation=[square(2)],
        judge=lambda *_: next(scores, 0.1),
    )
    models = [digest(training) for _ in training]
    assert digest(training) == models[-1]
    assert "kept_step" not in training.learnt.record.data


def test_held_out_strokes_are_judged_with_what_they_imply():
    seen = []
    case = strokes(3)
    trained(
        [strokes(0)], steps=1, validation=[case, square(4)], judge=lambda truth, _: seen.append(truth) or 0.5
    )
    spread, full = seen
    assert (spread != UNLABELLED).sum() > 2 * (case.labels != UNLABELLED).sum()
    assert np.array_equal(spread[case.labels != UNLABELLED], case.labels[case.labels != UNLABELLED])
    assert np.array_equal(full, square(4).labels)


def test_labels_are_counted_without_those_that_nobody_gave():
    labelled = Labelled(2)
    assert labelled.shares.tolist() == [0.5, 0.5]
    labelled.count(torch.tensor([[0, 1, 1, 1, UNLABELLED]], dtype=torch.uint8))
    labelled.count(torch.full((1, 5), UNLABELLED, dtype=torch.uint8))
    assert labelled.shares.tolist() == [0.25, 0.75]


def test_shares_of_classes_are_found_from_answers_that_believe_the_strokes():
    # brightness is Gaussian around 0 or 1 with deviation 0.5: what a network taught on equal strokes would answer is known
    rng = np.random.default_rng(0)
    truth = rng.random(200_000) < 0.1
    brightness = rng.normal(truth, 0.5)
    bright = 1 / (1 + np.exp(-(2 * brightness - 1) / (2 * 0.5**2)))
    likely = np.stack([1 - bright, bright])
    assert likely.mean(1)[1] > 0.2
    assert abs(shares_in_images(likely, np.array([0.5, 0.5]))[1] - 0.1) < 0.005


def test_a_network_that_contradicts_its_labels_does_not_run_away():
    likely = np.array(
        [[0.8], [0.2]]
    )  # one answer for all pixels, of a network whose labels were nearly all background
    assert shares_in_images(likely, np.array([0.95, 0.05]))[1] < 0.7


def test_a_class_that_was_never_labelled_is_left_alone():
    likely = np.array([[0.6, 0.3], [0.3, 0.6], [0.1, 0.1]])
    assert shares_in_images(likely, np.array([0.5, 0.5, 0.0]))[2] == 0.0


def test_a_weak_training_ends_with_the_shares_that_it_found():
    training = trained([strokes(i) for i in range(4)], steps=40)
    shares = training.learnt.record.data["class_shares"]
    assert sum(shares["images"]) == pytest.approx(1)
    net = training.learnt.net
    before = net.head.bias.clone()
    seen = correct(net, training._samples, np.array(shares["labelled"]))
    moved = (net.head.bias - before).detach().numpy()
    expected = np.log((seen / np.array(shares["labelled"])).clip(1 / FURTHEST, FURTHEST))
    assert np.allclose(moved, expected, atol=1e-5)


def test_other_seeds_learn_from_images_without_labels_as_well(tmp_path):
    cases = [*(strokes(i) for i in range(3)), silent(3), silent(4)]
    train(cases, out=tmp_path / "model", steps=1, overrides=SMALL)
    [folder] = reseeded(tmp_path / "model", cases, out=tmp_path / "seeds", number=1)
    about = [load(one).learnt.record.data for one in (tmp_path / "model", folder)]
    assert [one["unlabelled"] for one in about] == [2, 2]
    assert about[0]["learnt"] == about[1]["learnt"]
    assert len(about[0]["learnt"]) == 5


def test_other_seeds_learn_from_the_labels_that_were_chosen(tmp_path):
    data = written(tmp_path / "data")
    train(data, out=tmp_path / "model", steps=1, overrides=SMALL, labels="scribbles")
    [folder] = reseeded(tmp_path / "model", data, out=tmp_path / "seeds", number=1)
    about = [load(one).learnt.record.data for one in (tmp_path / "model", folder)]
    assert [one["labels"] for one in about] == ["scribbles", "scribbles"]
    assert about[0]["fingerprint"] == about[1]["fingerprint"]


def test_other_seeds_hold_nothing_out_where_the_model_was_validated_on_other_data(tmp_path):
    cases = [square(i) for i in range(6)]
    train(cases, out=tmp_path / "model", steps=1, overrides=SMALL, val=[square(6)])
    [folder] = reseeded(tmp_path / "model", cases, out=tmp_path / "seeds", number=1)
    assert load(folder).learnt.record.data["cases"] == 6


def test_other_seeds_of_a_weak_training_keep_the_best_of_their_steps_by_the_same_images(tmp_path):
    cases, apart = [strokes(i) for i in range(3)], [square(6), square(7)]
    train(cases, out=tmp_path / "model", steps=1, overrides=SMALL, val=apart)
    with pytest.raises(DataError, match="name these images with --val"):
        reseeded(tmp_path / "model", cases, out=tmp_path / "seeds", number=1)
    [folder] = reseeded(tmp_path / "model", cases, out=tmp_path / "seeds", number=1, val=apart)
    first, other = (load(one).learnt.record for one in (tmp_path / "model", folder))
    assert other.data["validation"] == 2
    assert other.data["fingerprint"] == first.data["fingerprint"]
    assert "dice" in other.history[-1]


def test_other_data_than_those_of_the_training_are_refused_before_it_begins(tmp_path):
    train([square(i) for i in range(3)], out=tmp_path / "model", steps=1, overrides=SMALL)
    others = [square(i) for i in range(2, 6)]
    with pytest.raises(DataError, match="learnt from 1 of these 4 images"):
        reseeded(tmp_path / "model", others, out=tmp_path / "seeds", number=1)
    coloured = [replace(one, image=np.random.default_rng(0).integers(0, 9, (48, 48, 3))) for one in others]
    with pytest.raises(DataError, match="has 3 channels but the model learnt from 1"):
        reseeded(tmp_path / "model", coloured, out=tmp_path / "seeds", number=1)


def test_images_to_validate_on_are_refused_where_the_model_held_out_its_own(tmp_path):
    cases = [square(i) for i in range(6)]
    train(cases, out=tmp_path / "model", steps=1, overrides=SMALL)
    with pytest.raises(DataError, match="leave --val out"):
        reseeded(tmp_path / "model", cases, out=tmp_path / "seeds", number=1, val=[square(6)])


def written(folder: Path) -> Path:
    """Three images with their masks, and strokes beside them."""
    for i in range(3):
        case, few = square(i), strokes(i)
        parts = {"images": case.image[..., 0], "masks": case.labels, "scribbles": few.labels}
        for name, pixels in parts.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / name / f"{case.name}.png")
    return folder


def boxes(seed: int) -> Case:
    case = square(seed)
    rows, columns = np.nonzero(case.labels)
    frame = Box((rows.min(), columns.min()), (rows.max() + 1, columns.max() + 1), 1)
    return replace(case, labels=with_boxes(np.full_like(case.labels, UNLABELLED), [frame]))


def with_ids(seed: int) -> Case:
    case = square(seed)
    return replace(case, objects=case.labels.astype(np.int32))


def test_boxes_are_weak_though_most_pixels_are_labelled():
    plan = planned([boxes(i) for i in range(3)])
    assert plan.weak == Weak()
    assert plan.reasons["weak"] == "in 3 of 3 images only the middles of objects are labelled, as in boxes"


def test_strokes_in_the_middles_of_objects_are_not_called_boxes():
    cases = [square(i) for i in range(3)]
    strokes = [np.full_like(case.labels, UNLABELLED) for case in cases]
    for case, drawn in zip(cases, strokes, strict=True):
        rows, columns = np.nonzero(case.labels == 1)
        drawn[rows.mean().astype(int), columns.mean().astype(int)] = 1
        drawn[0] = 0
    plan = planned([replace(case, labels=drawn) for case, drawn in zip(cases, strokes, strict=True)])
    assert plan.reasons["weak"].startswith("3 of 3 images are labelled on less than half of their pixels")
    assert "boxes" not in plan.reasons["weak"]


def test_masks_with_an_open_line_around_each_object_are_full_masks():
    case = square(0)
    inside = case.labels == 1
    wide = np.zeros_like(inside)
    rows, columns = np.nonzero(inside)
    wide[rows.min() - 3 : rows.max() + 4, columns.min() - 3 : columns.max() + 4] = True
    lined = replace(case, labels=np.where(wide & ~inside, UNLABELLED, case.labels).astype(np.uint8))
    assert planned([lined]).weak is None


def test_images_without_labels_make_a_training_weak_unless_that_is_forbidden():
    masks = [square(0)]
    plan = planned(masks, unlabelled=2)
    assert plan.weak == Weak()
    assert plan.reasons["weak"] == "2 images have no labels"
    assert planned(masks, unlabelled=2, overrides=replace(SMALL, weak=False)).weak is None


@pytest.mark.parametrize("weak", [strokes, boxes])
def test_strokes_and_boxes_among_masks_with_ids_are_no_objects(weak):
    def offsets(case):
        (sample,) = samples(
            case, dims=2, normalisation=Normalisation(), grey=False, objects=True, seed=0, silent=True
        )
        return sample.offsets

    drawn = replace(weak(1), objects=None)
    assert offsets(drawn).shape == (2, 48, 48)
    assert offsets(drawn).isnan().all()
    assert not offsets(with_ids(0)).isnan().all()
    assert not offsets(square(0)).isnan().all()  # of a full mask, connected pieces stand in
    assert object_sizes([with_ids(0), drawn], 2).tolist() == [18 * 20]


def test_objects_are_not_asked_of_strokes_alone():
    with pytest.raises(DataError, match="do not tell objects apart"):
        planned([replace(strokes(0), objects=None)], overrides=Overrides(objects=True))


def test_the_strokes_of_each_person_are_spread():
    one, other = strokes(0), replace(scribbled(square(0), share=0.03, seed=9), name=strokes(0).name)
    (sample,) = samples(
        one,
        others=[other],
        dims=2,
        normalisation=Normalisation(),
        grey=False,
        objects=False,
        seed=0,
        silent=True,
    )
    (spread,) = prepared([sample], Weak())
    assert spread.labels.shape == sample.labels.shape == (2, 48, 48)
    for person in range(2):
        known = sample.labels[person] != UNLABELLED
        assert (spread.labels[person] != UNLABELLED).sum() > 2 * known.sum()
        assert torch.equal(spread.labels[person][known], sample.labels[person][known])


@pytest.mark.parametrize("annotators", ["random", "soft"])
def test_several_people_with_strokes_are_learnt_from(annotators):
    again = [replace(scribbled(square(i), share=0.03, seed=50 + i), name=strokes(i).name) for i in range(2)]
    cases = [strokes(0), *again, strokes(1)]
    training = trained(
        cases, unlabelled=[silent(7)], overrides=replace(SMALL, annotators=annotators), steps=2
    )
    assert [len(one.labels) for one in training._samples] == [2, 2, 1]


def test_undefined_numbers_are_null_in_the_file_and_nan_again_when_read(tmp_path):
    learnt = trained([square(0)], steps=1).learnt
    entry = {"step": 1, "seconds": 0.5, "loss": 0.7, "dice": math.nan}
    folder = saved(replace(learnt, record=replace(learnt.record, history=(entry,))), tmp_path / "model")
    recalibrated(learnt, folder, found={"ece": [math.nan, 0.1]})
    about = json.loads((folder / "model.json").read_text(), parse_constant=pytest.fail)
    assert about["record"]["history"][0]["dice"] is None
    assert about["calibration"]["found"]["ece"] == [None, 0.1]
    (again,) = loaded(folder).record.history
    assert math.isnan(again["dice"])
    assert again["loss"] == 0.7


def test_where_most_pixels_are_labelled_their_shares_are_believed():
    net, shares = ByBrightness(), np.array([0.7, 0.3])
    assert (correct(net, sampled([square(i) for i in range(3)]), shares) == shares).all()
    assert net.moved is None


def test_a_network_that_knows_its_strokes_is_asked_how_common_classes_are():
    net, shares = ByBrightness(), np.array([0.5, 0.5])
    seen = correct(net, sampled([sparse(i) for i in range(3)]), shares)
    assert seen[1] == pytest.approx(18 * 20 / 48**2, rel=0.1)
    assert net.moved == pytest.approx(np.log(seen / shares), rel=1e-6)


def test_a_network_that_misjudges_its_own_labels_is_not_asked_about_other_pixels():
    net, shares = ByBrightness(blind=True), np.array([0.8, 0.2])
    assert (correct(net, sampled([sparse(i) for i in range(3)]), shares) == shares).all()
    assert net.moved is None


def test_a_picture_that_is_read_window_by_window_is_asked_around_its_labels():
    case, right = sparse(0), ((0, 0), (0, 2000))
    image = np.pad(case.image, (*right, (0, 0)), constant_values=100)  # like the background
    labels = np.pad(case.labels, right, constant_values=UNLABELLED)
    (whole,) = sampled([Case("wide", image, labels=labels)])
    windows = Mock(
        spec=["part", "places", "spatial"], part=whole.part, places=whole.places, spatial=whole.spatial
    )
    seen = correct(ByBrightness(), [windows], np.array([0.5, 0.5]))
    assert seen[1] == pytest.approx(18 * 20 / (48 * 512), rel=0.1)
    unlabelled = Mock(spec=["places"], places=())
    assert (correct(ByBrightness(), [unlabelled], np.array([0.5, 0.5])) == 0.5).all()


def sampled(cases):
    read = {"dims": 2, "normalisation": Normalisation(), "grey": True, "objects": False, "seed": 0}
    return [one for case in cases for one in samples(case, **read)]


def sparse(seed: int) -> Case:
    """Ten pixels labelled in the square, and ten beside it."""
    case = square(seed)
    labels = np.full_like(case.labels, UNLABELLED)
    for label in (0, 1):
        labels[tuple(np.argwhere(case.labels == label)[::30][:10].T)] = label
    return replace(case, labels=labels)


class ByBrightness(torch.nn.Module):
    """A network that is sure of each pixel: bright ones are of the class 1, to a blind one all."""

    dims = 2

    def __init__(self, *, blind: bool = False) -> None:
        super().__init__()
        self.head, self.moved, self.blind = torch.nn.Conv2d(1, 2, 1), None, blind

    def forward(self, images):
        bright = 6 * (images - (images.amin() + images.amax()) / 2).sign()
        bright = bright.abs() if self.blind else bright
        return torch.cat([-bright, bright], dim=1)

    def shift_logits(self, by):
        self.moved = by.numpy()


def test_an_interrupted_training_that_had_a_teacher_is_not_continued_without(tmp_path):
    cases = [strokes(i) for i in range(2)]
    plan = planned(cases, overrides=SMALL)
    begun = Training(cases, classes=CLASSES, plan=plan, steps=4, folder=tmp_path)
    next(iter(begun))
    frozen = begun._frozen()
    frozen["identity"]["plan"] = frozen["identity"]["plan"] | {"weak": asdict(Weak()) | {"teacher": 0.5}}
    freeze(tmp_path, done={"steps": 1, "seconds": 1.0, "history": ()}, **frozen)
    with pytest.raises(OutputError, match=r"plan \(weak\)"):
        Training(cases, classes=CLASSES, plan=plan, steps=4, folder=tmp_path, resume=True)


def test_neighbours_count_as_alike_by_the_contrast_of_the_plan():
    cases = [strokes(i) for i in range(2)]

    def first_loss(contrast: float) -> float:
        plan = replace(planned(cases, overrides=SMALL), weak=Weak(smoothness=1.0, contrast=contrast))
        return next(iter(Training(cases, classes=CLASSES, plan=plan, steps=2))).loss

    assert first_loss(0.5) > first_loss(0.02)
