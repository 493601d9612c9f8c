"""The parts of an attack: limits hold, objectives count what they say, climbs find what is there, files keep what they can."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from delineate.audits.attack import L2, OBJECTIVES, LInf, ensemble, fgsm, lost, pgd, square
from delineate.audits.attack.climb import climbed, fading
from delineate.audits.attack.ensemble import CLEAN, MEMBERS
from delineate.audits.attack.files import attacked, held, windowed
from delineate.audits.attack.objectives import cospgd, masked_cross_entropy, segpgd
from delineate.audits.attack.targeted import Target, achieved, appearing, targeted, vanishing
from delineate.core import UNLABELLED, Case, DataError
from delineate.data.intensities import Intensities
from delineate.nets import UNet
from delineate.score import dice

EIGHT = Intensities(0, 255, whole=True)


def bright(images: torch.Tensor) -> torch.Tensor:
    """Class 1 where it is brighter than 100."""
    return torch.cat([100 - images, images - 100], 1)


def picture() -> tuple[torch.Tensor, torch.Tensor]:
    """A square of 103 in 97, and its labels."""
    labels = torch.zeros(1, 12, 10, dtype=torch.long)
    labels[0, 3:8, 2:7] = 1
    return 97.0 + 6.0 * labels[:, None].float(), labels


@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_unlabelled_pixel_gives_no_slope(name):
    logits = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.randint(0, 3, (2, 4, 5), generator=torch.Generator().manual_seed(1))
    labels[:, 1] = UNLABELLED
    (slope,) = torch.autograd.grad(OBJECTIVES[name](logits, labels, 0.5).sum(), logits)
    assert slope[:, :, 1].abs().max() == 0
    assert slope[:, :, 2:].abs().max() > 0


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_is_larger_where_a_right_pixel_is_less_sure(name):
    sure = torch.tensor([[[4.0, 4.0, -4.0], [-4.0, -4.0, 4.0]]])
    less = torch.tensor([[[4.0, 1.0, -4.0], [-4.0, -1.0, 4.0]]])
    labels = torch.tensor([[0, 0, 1]])
    assert OBJECTIVES[name](less, labels, 0.5) > OBJECTIVES[name](sure, labels, 0.5)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_image_does_not_change_what_another_of_its_batch_is_worth(name):
    logits = torch.randn(3, 2, 7, generator=torch.Generator().manual_seed(0))
    labels = torch.randint(0, 2, (3, 7), generator=torch.Generator().manual_seed(1))
    alone = torch.stack([OBJECTIVES[name](logits[i : i + 1], labels[i : i + 1], 0.5)[0] for i in range(3)])
    torch.testing.assert_close(OBJECTIVES[name](logits, labels, 0.5), alone)


def test_segpgd_weighs_right_and_wrong_pixels_as_published():
    logits, labels = torch.tensor([[[2.0, 2.0], [0.0, 0.0]]]), torch.tensor([[0, 1]])  # right, wrong
    right, wrong = math.log(1 + math.exp(-2)), math.log(1 + math.exp(2))
    assert float(segpgd(logits, labels, 0.0)) == pytest.approx(right / 2)
    assert float(segpgd(logits, labels, 0.5)) == pytest.approx((0.75 * right + 0.25 * wrong) / 2)


def test_cospgd_weighs_by_the_cosine_between_probabilities_and_truth():
    logits, labels = torch.tensor([[[math.log(3.0)], [0.0]]]), torch.tensor([[0]])  # 3/4 and 1/4
    assert float(cospgd(logits, labels, 0.0)) == pytest.approx(math.log(4 / 3) * 3 / math.sqrt(10), rel=1e-5)


def test_masked_cross_entropy_leaves_wrong_pixels_out():
    logits, labels = torch.tensor([[[2.0, 2.0], [0.0, 0.0]]]), torch.tensor([[0, 1]])
    assert float(masked_cross_entropy(logits, labels, 0.0)) == pytest.approx(math.log(1 + math.exp(-2)) / 2)


@pytest.mark.parametrize("ball", [LInf(3.0), L2(3.0)])
@pytest.mark.parametrize("shape", [(2, 1, 9, 8), (1, 2, 4, 6, 5)])
def test_a_climb_stays_within_the_ball_and_the_valid_intensities(ball, shape):
    net = UNet(shape[1], 3, dims=len(shape) - 2, width=4, levels=2).eval()
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 10
    labels = torch.randint(0, 3, (shape[0], *shape[2:]), generator=torch.Generator().manual_seed(1))
    found = pgd(net, images, labels, ball=ball, valid=Intensities(0, 10, whole=False), steps=4)
    assert ball.size(found - images).max() <= 3 + 1e-4
    assert found.min() >= 0
    assert found.max() <= 10
    assert (found - images).abs().max() > 0.5


def test_one_step_on_a_linear_model_is_the_best_there_is():
    images, labels = picture()
    found = fgsm(bright, images, labels, ball=LInf(4), valid=EIGHT)
    assert torch.equal(found, images + 4 - 8 * labels[:, None])


def test_an_l2_ball_spends_its_change_where_it_hurts():
    images, labels = picture()
    weights = torch.zeros(1, 1, 12, 10)
    weights[..., 4, 4] = 1.0  # the only pixel that the model looks at
    change = pgd(lambda x: bright(x * weights), images, labels, ball=L2(1.0), valid=EIGHT, seed=None) - images
    assert change[0, 0, 4, 4] == pytest.approx(-math.sqrt(120), rel=1e-3)
    assert change.abs().sum() == pytest.approx(math.sqrt(120), rel=1e-3)


def test_the_worst_point_is_kept_not_the_last():
    images, labels = picture()
    far = climbed(
        bright, images, labels, objective=lambda *given: -OBJECTIVES["cross-entropy"](*given), ball=LInf(4),
        valid=EIGHT, strides=[0.5] * 3, start=images + 4 - 8 * labels[:, None], harm=lost,
    )  # fmt: skip
    assert lost(bright(far), labels) > 0.9  # it started at the worst point, and climbed away from it


def test_lost_is_one_less_dice_as_the_score_has_it():
    logits = torch.randn(1, 2, 9, 9, generator=torch.Generator().manual_seed(0))
    labels = torch.randint(0, 2, (1, 9, 9), generator=torch.Generator().manual_seed(1))
    labels[0, 0] = UNLABELLED
    predicted = logits.argmax(1)[0].numpy()
    wrong = (predicted != labels[0].numpy())[1:].mean()
    expected = 1 - dice(labels[0].numpy(), predicted, label=1) + 1e-3 * wrong
    assert float(lost(logits, labels)) == pytest.approx(expected, abs=1e-5)


def test_the_ensemble_is_at_least_as_bad_as_each_member_and_as_the_clean_image():
    images, labels = picture()
    noisy = images + torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    seen: list[tuple[str, float]] = []

    def judge(name: str, given: torch.Tensor) -> float:
        seen.append((name, float(lost(bright(given), labels))))
        return seen[-1][1]

    found = ensemble(bright, noisy, labels, ball=LInf(2.5), valid=EIGHT, steps=3, judge=judge)
    assert (
        found.harm
        == max(harm for _, harm in seen)
        == pytest.approx(float(lost(bright(found.images), labels)))
    )
    assert list(dict.fromkeys(name for name, _ in seen)) == [CLEAN, *MEMBERS]
    assert found.each == {  # what each found is judged last
        name: harm for name, harm in seen if name != CLEAN
    }


def test_a_judged_climb_keeps_the_point_that_its_judge_finds_worst():
    images, labels = picture()
    asked: list[torch.Tensor] = []

    def judge(given: torch.Tensor) -> float:
        asked.append(given.clone())
        return -abs(len(asked) - 2.0)  # the second point

    found = climbed(
        bright, images, labels, objective=OBJECTIVES["cross-entropy"], ball=LInf(4), valid=EIGHT, strides=[0.25] * 4,
        harm=lost, judge=judge,
    )  # fmt: skip
    assert len(asked) == 5  # where it started, and after each step
    assert torch.equal(found, asked[1])
    assert not torch.equal(found, asked[0])


def test_rounding_to_the_file_never_leaves_the_ball():
    clean = torch.full((2, 1, 30, 30), 100.0)
    change = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)) * 3
    for ball in (LInf(1.5), L2(1.0)):
        kept = held(clean + ball.inside(change), images=clean, ball=ball, valid=EIGHT)
        assert torch.equal(kept, kept.round())
        assert ball.size(kept - clean).max() <= ball.eps + 1e-6
        assert (kept != clean).float().mean() > 0.3


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
def test_a_case_goes_to_tensors_and_back_in_its_own_type(dtype):
    image = np.arange(60).reshape(5, 4, 3).astype(dtype)
    one = attacked(Case("a", image, labels=np.zeros((5, 4), np.uint8)), dims=2, grey=False)
    back = one.image(one.images)
    assert one.images.shape == (1, 3, 5, 4)
    assert back.dtype == dtype
    assert np.array_equal(back, image)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_what_a_file_cannot_hold_is_cut_off_and_does_not_wrap(dtype):
    image, wide = np.full((3, 4, 1), 40, dtype), Intensities(-1e6, 1e6, whole=True)
    one = attacked(Case("a", image, labels=np.ones((3, 4), np.uint8)), dims=2, grey=True)
    assert (one.image(one.images + 70000) == np.iinfo(dtype).max).all()
    seen = []

    def predict(x):
        seen.append(x)
        return np.stack([x[..., 0] < 40, x[..., 0] >= 40]).astype(np.float32)

    square(predict, image, np.ones((3, 4), np.uint8), eps=70000, valid=wide, queries=10)
    assert set(np.unique(seen[1:])) <= {np.iinfo(dtype).min, np.iinfo(dtype).max}


def test_a_grey_picture_in_three_channels_is_attacked_as_one():
    image = np.repeat(np.arange(20, dtype=np.uint8).reshape(5, 4, 1), 3, axis=-1)
    assert attacked(Case("a", image), dims=2, grey=True).images.shape == (1, 1, 5, 4)


def test_a_picture_in_colour_keeps_its_colours_even_for_a_model_of_one_channel():
    image = np.arange(60, dtype=np.uint8).reshape(5, 4, 3)
    assert np.array_equal(attacked(Case("a", image), dims=2, grey=True).case.image, image)


def test_of_a_stack_read_slice_by_slice_the_slice_that_shows_most_is_attacked():
    labels = np.zeros((4, 6, 5), np.uint8)
    labels[2, 1:4] = 1
    case = Case("stack", np.arange(120).reshape(4, 6, 5, 1), labels=labels)
    one = attacked(case, dims=2, grey=False)
    assert one.images.shape == (1, 1, 6, 5)
    assert np.array_equal(one.image(one.images), case.image[2:3])


def test_a_large_picture_is_attacked_around_what_is_labelled():
    labels = np.zeros((600, 40), np.uint8)
    labels[590:] = 1
    small = windowed(Case("tall", np.zeros((600, 40, 1)), labels=labels), dims=2)
    assert small.spatial == (512, 40)
    assert small.labels.sum() == labels.sum()


def test_the_black_box_keeps_the_limit_and_the_type_and_does_harm():
    images, labels = picture()
    image, truth = images[0].permute(1, 2, 0).numpy().astype(np.uint8), labels[0].numpy()

    def predict(x):
        return np.stack([x[..., 0] <= 100, x[..., 0] > 100]).astype(np.float32)

    found = square(predict, image, truth, eps=4.5, valid=EIGHT, queries=300)
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - image).max() <= 4
    assert dice(truth, predict(found).argmax(0), label=1) < 0.6
    assert dice(truth, predict(image).argmax(0), label=1) == 1


def test_an_object_vanishes_and_one_appears_where_the_limit_allows_it():
    labels = np.zeros((40, 40), np.uint8)
    labels[4:12, 4:12], labels[24:30, 24:30], labels[5:9, 30:34] = 1, 1, 1
    images = torch.from_numpy(97 + 6 * labels).float()[None, None]
    for target, gone in ((vanishing(labels, labels), 0), (appearing(labels, labels), 1)):
        found = targeted(bright, images, target, ball=LInf(4), valid=EIGHT, steps=10)
        after = bright(found).argmax(1)[0].numpy().astype(np.uint8)
        what = achieved(labels, after, target)
        assert what.done
        assert what.elsewhere == 0
        assert (after[target.where[0].numpy()] == gone).all()
    assert vanishing(labels, labels).where.sum() == 36  # of the three, the one of middle size


def test_there_is_no_target_where_there_is_no_object():
    empty = np.zeros((9, 9), np.uint8)
    assert vanishing(empty, empty) is None
    assert appearing(empty, empty) is None


def test_what_cannot_be_climbed_is_said():
    images, labels = picture()
    with pytest.raises(DataError, match="eps 0"):
        pgd(bright, images, labels, ball=LInf(0), valid=EIGHT)
    with pytest.raises(DataError, match="no gradient"):
        pgd(lambda x: bright(x).detach(), images, labels, ball=LInf(1), valid=EIGHT)
    with pytest.raises(DataError, match="logits have shape"):
        pgd(lambda x: bright(x)[..., 1:], images, labels, ball=LInf(1), valid=EIGHT)


def test_any_torch_module_is_attacked_as_it_is():
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 1)
    ).eval()
    images, labels = torch.rand(2, 3, 8, 8), torch.randint(0, 5, (2, 8, 8))
    found = pgd(net, images, labels, ball=LInf(0.03), valid=Intensities(0, 1, whole=False), steps=3)
    loss = nn.CrossEntropyLoss()
    assert loss(net(found), labels) > loss(net(images), labels)
    assert all(p.grad is None for p in net.parameters())


def test_strides_fade_to_nearly_nothing():
    assert fading(2, first=0.5) == [0.5, 0.25]


def test_a_target_is_reached_in_a_volume():
    labels = torch.zeros(1, 4, 5, 6, dtype=torch.long)
    where = torch.zeros(1, 4, 5, 6, dtype=torch.bool)
    where[0, 1:3, 1:3, 1:3] = True
    found = targeted(
        bright,
        torch.full((1, 1, 4, 5, 6), 98.0),
        Target(labels + where, where),
        ball=LInf(4),
        valid=EIGHT,
        steps=6,
    )
    assert torch.equal(bright(found).argmax(1) == 1, where)
