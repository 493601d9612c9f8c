"""The audit of attacks finds what was planted: low contrast, hidden gradients, a network left in training mode."""

import numpy as np
import pytest
import torch
from torch import nn

from delineate.audits import Evidence, Subject
from delineate.audits.attack.examine import attack
from delineate.audits.attack.settings import AttackSettings
from delineate.core import UNLABELLED, Case, ClassTable, DataError, ModelError
from delineate.learn import Overrides, UNetMethod

TWO = ClassTable.numbered(2)
QUICK = AttackSettings(steps=4, images=2, close=1, queries=20, by_steps=(1, 4), by_eps=(0.5, 1.0))


def evidence(
    *, contrast: float, labelled: bool = True, channels: int = 1, dtype=np.uint8, scale: float = 1
) -> Evidence:
    """Two pictures of a square that is brighter by `contrast` than its surroundings, around 100."""
    cases = []
    for i in range(2):
        labels = np.zeros((24, 20), np.uint8)
        labels[4 + i : 14, 3:13] = 1
        image = (100 + contrast * (labels[..., None] - 0.5)) * scale
        image = np.repeat(image, channels, axis=-1).astype(dtype)
        cases.append(Case(f"c{i}", image, labels=labels if labelled else None))
    return Evidence(tuple(cases))


def threshold(x: torch.Tensor) -> torch.Tensor:
    """Class 1 where it is brighter than 100."""
    distance = (x[:, :1] - 100) / 3
    return torch.cat([-distance, distance], 1)


def subject(logits=threshold, *, gradients: bool = True, network: nn.Module | None = None) -> Subject:
    def predict(image):
        with torch.no_grad():
            return (
                logits(torch.from_numpy(np.moveaxis(image, -1, 0)[None].astype(np.float32)))[0]
                .softmax(0)
                .numpy()
            )

    return Subject(
        "toy", TWO, channels=1, predict=predict, logits=logits if gradients else None, network=network
    )


def finding(section, name: str):
    return next(one for one in section.findings if one.name == name)


def test_high_contrast_withstands_and_passes():
    section = attack(subject(), evidence(contrast=40), settings=QUICK)
    assert finding(section, "attack.kept").value == 1
    assert section.verdict == "pass"
    assert finding(section, "attack.checks").value == 1
    for title, sizes in (("size of the change", ["2", "4"]), ("steps of the attack", ["1", "4"])):
        [table] = [one for one in section.tables if title in one.title]
        assert table.header[1:] == ("Dice", "IoU", "pixels right", "objects missed")
        assert [row[0] for row in table.rows] == sizes
        assert all(row[1:] == (1.0, 1.0, 1.0, "0 of 1") for row in table.rows)


def test_low_contrast_falls_apart_and_fails():
    section = attack(subject(), evidence(contrast=6), settings=QUICK)
    kept = finding(section, "attack.kept")
    assert kept.value < 0.1
    assert kept.verdict == "fail"
    assert "4 grey levels of 255" in kept.sentence
    assert section.numbers["images"]["c0"]["largest_change"] == 4
    assert [picture.pixels.dtype for picture in section.pictures] == [np.uint8] * len(section.pictures)
    assert section.pictures[0].pixels.shape[2] == 3


def test_a_model_that_finds_nothing_has_nothing_to_lose():
    section = attack(subject(lambda x: -threshold(x)), evidence(contrast=40), settings=QUICK)
    assert "do not overlap with the truth" in section.sentence
    assert finding(section, "attack.kept").verdict == "open"
    assert "nan" not in " ".join([section.sentence, *(one.sentence for one in section.findings)])


def test_what_only_a_climb_finds_is_not_found_by_noise():
    section = attack(
        subject(), evidence(contrast=6), settings=AttackSettings(eps=3.5, steps=4, images=1, close=0)
    )
    assert finding(section, "attack.noise").value > finding(section, "attack.kept").value


def test_hidden_gradients_are_noticed():
    def saturated(x: torch.Tensor) -> torch.Tensor:
        return threshold(x) * 1e4  # right beyond doubt: the softmax has no slope left

    section = attack(subject(saturated), evidence(contrast=6), settings=QUICK)
    checks = section.numbers["checks"]
    assert not checks["gradients are there"]
    assert finding(section, "attack.checks").verdict != "pass"
    assert "may be weaker than it looks" in finding(section, "attack.checks").sentence


def test_a_model_without_gradients_is_attacked_by_asking():
    section = attack(subject(gradients=False), evidence(contrast=6), settings=QUICK)
    assert finding(section, "attack.kept").value < 0.9
    assert "best case" in finding(section, "attack.kept").sentence
    assert not section.charts


def test_what_withstood_a_black_box_alone_has_proved_nothing():
    section = attack(subject(gradients=False), evidence(contrast=40), settings=QUICK)
    assert finding(section, "attack.kept").value == 1
    assert finding(section, "attack.kept").verdict == "open"
    assert "proves nothing" in section.sentence


def test_a_module_whose_answer_has_no_slope_is_attacked_by_asking():
    with torch.no_grad():
        section = attack(subject(lambda x: threshold(x.detach())), evidence(contrast=6), settings=QUICK)
    assert "square (no gradients)" in section.numbers["images"]["c0"]["outcomes"]
    assert not section.charts


def test_a_surrogate_may_be_any_subject_that_has_gradients():
    settings = AttackSettings(steps=4, images=1, queries=1, surrogate=subject())
    given = evidence(contrast=6)
    outcomes = attack(subject(gradients=False), given, settings=settings).numbers["images"]["c0"]["outcomes"]
    assert outcomes["transfer from the surrogate"]["dice"] < outcomes["noise of that size"]["dice"] - 0.05
    blind = AttackSettings(steps=4, images=1, queries=1, surrogate=subject(gradients=False))
    with pytest.raises(ModelError, match="gives no gradients"):
        attack(subject(), given, settings=blind)


@pytest.mark.parametrize("eps", [float("inf"), float("nan"), -1.0])
def test_an_eps_that_is_no_size_is_refused(eps: float):
    with pytest.raises(DataError, match="is no size of a change"):
        attack(subject(), evidence(contrast=6), settings=AttackSettings(eps=eps))


def test_images_of_one_bit_have_no_grey_levels_to_change():
    with pytest.raises(DataError, match="less than one step"):
        attack(subject(), evidence(contrast=6, dtype=np.bool_), settings=QUICK)


def test_eight_and_sixteen_bits_in_one_set_are_refused():
    both = Evidence((*evidence(contrast=6).cases, *evidence(contrast=6, dtype=np.uint16, scale=257).cases))
    with pytest.raises(DataError, match="have no common range: convert them to one type"):
        attack(subject(), both, settings=QUICK)


def test_attacks_on_a_surrogate_are_tried_on_a_model_without_gradients(tmp_path):
    given = evidence(contrast=6)
    overrides = Overrides(
        patch=16, batch=4, width=4, levels=1, shuffle=1, normalisation="bytes", objects=False
    )
    other = UNetMethod(TWO, steps=120, overrides=overrides).fit(given.cases)
    settings = AttackSettings(steps=4, images=1, queries=1, surrogate=str(other.save(tmp_path / "other")))
    outcomes = attack(subject(gradients=False), given, settings=settings).numbers["images"]["c0"]["outcomes"]
    transferred, noise = outcomes["transfer from the surrogate"], outcomes["noise of that size"]
    assert transferred["dice"] < noise["dice"] - 0.05


def test_without_masks_the_own_outlines_stand_in():
    section = attack(subject(), evidence(contrast=6, labelled=False), settings=QUICK)
    assert finding(section, "attack.kept").value < 0.1
    assert any("stand in for truth" in note for note in section.notes)


def test_grey_pictures_in_three_channels_stay_grey():
    section = attack(subject(), evidence(contrast=6, channels=3), settings=QUICK)
    assert finding(section, "attack.kept").value < 0.1


@pytest.mark.parametrize(("dtype", "scale"), [(np.uint16, 16), (np.float32, 1 / 255), (np.float64, 1)])
def test_eps_means_the_same_in_every_type(dtype, scale):
    def logits(x: torch.Tensor) -> torch.Tensor:
        return threshold(x / scale)

    section = attack(subject(logits), evidence(contrast=6, dtype=dtype, scale=scale), settings=QUICK)
    assert finding(section, "attack.kept").value < 0.1
    assert section.numbers["eps_intensities"] == pytest.approx(4 * scale, rel=0.01)


def test_unlabelled_pixels_are_neither_attacked_nor_counted():
    given = evidence(contrast=6)
    for case in given.cases:
        case.labels[:4] = UNLABELLED
    section = attack(subject(), given, settings=QUICK)
    assert finding(section, "attack.kept").value < 0.1


def test_several_classes_and_volumes_are_attacked():
    labels = np.zeros((5, 12, 10), np.uint8)
    labels[1:4, 2:6, 2:6], labels[1:4, 7:11, 2:6] = 1, 2
    case = Case("volume", (90 + 6 * labels[..., None]).astype(np.uint8), labels=labels)

    def logits(x: torch.Tensor) -> torch.Tensor:
        return torch.cat([-(x - level).square() / 9 for level in (90, 96, 102)], 1)

    def predict(image):
        return (
            logits(torch.from_numpy(np.moveaxis(image, -1, 0)[None].astype(np.float32)))[0].softmax(0).numpy()
        )

    three = Subject("three", ClassTable.numbered(3), dims=3, channels=1, predict=predict, logits=logits)
    section = attack(three, Evidence((case,)), settings=QUICK)
    assert finding(section, "attack.kept").value < 0.3


def test_a_network_left_in_training_mode_is_attacked_in_evaluation_mode_and_given_back_as_it_was():
    net = nn.Sequential(nn.BatchNorm2d(1), nn.Conv2d(1, 2, 1)).train()
    with torch.no_grad():
        net[0].running_mean.fill_(100)
        net[1].weight.copy_(torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1))
        net[1].bias.zero_()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    attack(subject(net, network=net), evidence(contrast=40), settings=QUICK)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert net.training
    assert net[0].training


def test_what_cannot_be_attacked_is_said():
    with pytest.raises(DataError, match="eps is 0"):
        attack(subject(), evidence(contrast=6), settings=AttackSettings(eps=0))
    with pytest.raises(DataError, match="in 0 steps"):
        attack(subject(), evidence(contrast=6), settings=AttackSettings(steps=0))
    with pytest.raises(DataError, match="less than one step"):
        attack(subject(), evidence(contrast=6), settings=AttackSettings(eps=0.5))
    with pytest.raises(DataError, match="nothing to take away"):
        attack(
            subject(),
            Evidence((Case("empty", np.full((8, 8, 1), 50, np.uint8), labels=np.zeros((8, 8), np.uint8)),)),
        )
    with pytest.raises(ModelError, match="cannot be asked"):
        attack(Subject("folder", TWO, masks={}), evidence(contrast=6))
