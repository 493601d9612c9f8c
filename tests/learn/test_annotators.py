"""Learning from several people: each crop takes one of them, or all, or what they agree on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from delineate import cli, train
from delineate.core import UNLABELLED, Case, ClassTable, DataError
from delineate.data import Style, simulated, write_annotations
from delineate.data.augment import Augmentation, batch
from delineate.flow import load, reseeded
from delineate.learn import Overrides, Training, planned
from delineate.learn.normalisation import Normalisation
from delineate.learn.plan import Plan
from delineate.learn.prepare import samples

STILL = Augmentation(turn=0, flip=False, zoom=0, stretch=0, gain=0, offset=0, gamma=0, noise=0)
SMALL = Overrides(patch=32, batch=4, width=4, levels=2, shuffle=1)
CELLS = ClassTable(("background", "cell"))


def square(seed: int, *, side: int = 48) -> Case:
    rng = np.random.default_rng(seed)
    labels = np.zeros((side, side), np.uint8)
    y, x = rng.integers(4, side - 24, 2)
    labels[y : y + 18, x : x + 20] = 1
    image = rng.normal(100, 10, (side, side, 1)) + 60 * labels[..., None]
    return Case(f"s{seed}", image.astype(np.uint16), labels=labels, objects=labels.astype(np.int32))


def people(count: int = 6) -> dict[str, list[Case]]:
    cases = [square(i) for i in range(count)]
    return {
        "anna": cases,
        "ben": [simulated(case, Style(larger_px=3)) for case in cases],
        "cy": [simulated(case, Style(larger_px=-3)) for case in cases[: count // 2]],
    }


def everybody() -> list[Case]:
    return [case for own in people().values() for case in own]


def drawn_by(*fills: int) -> list:
    """The samples of one flat picture that each person labelled as one value throughout."""
    image = np.arange(256, dtype=np.float32).reshape(16, 16, 1)
    cases = [Case("a", image, labels=np.full((16, 16), fill, np.uint8)) for fill in fills]
    return samples(
        cases[0], others=cases[1:], dims=2, normalisation=Normalisation(), grey=False, objects=True, seed=0
    )


def test_a_crop_has_the_labels_of_one_person_and_everybody_has_a_turn() -> None:
    seen = [
        crop
        for step in range(20)
        for crop in batch(
            drawn_by(0, 1, 2), size=4, patch=(8, 8), augmentation=STILL, seed=0, step=step
        ).labels
    ]
    assert all(len(crop.unique()) == 1 for crop in seen)
    counts = np.bincount([int(crop[0, 0]) for crop in seen], minlength=3)
    assert counts.min() > 15  # of 80


def test_offsets_are_those_of_the_person_whose_labels_are_taken() -> None:
    labels, offsets = (
        getattr(batch(drawn_by(0, 1), size=8, patch=(8, 8), augmentation=STILL, seed=0, step=3), name)
        for name in ("labels", "offsets")
    )
    assert {int(one) for one in labels[:, 0, 0]} == {0, 1}
    assert torch.equal(offsets[:, 0].isnan(), labels == 0)


def test_asked_for_everybody_those_who_drew_nothing_are_unlabelled() -> None:
    several, alone = drawn_by(0, 1, 1), drawn_by(1)
    crops = batch(
        [*several, *alone], size=8, patch=(8, 8), augmentation=STILL, seed=0, step=0, everybody=True
    )
    assert crops.everybody is not None
    labels, offsets = crops.everybody
    assert labels.shape == (8, 3, 8, 8)
    assert offsets.shape == (8, 3, 2, 8, 8)
    assert {tuple(one) for one in labels[:, :, 0, 0].tolist()} == {(0, 1, 1), (1, UNLABELLED, UNLABELLED)}


def test_a_person_who_said_nothing_of_a_picture_is_never_drawn() -> None:
    assert len(drawn_by(1, UNLABELLED)[0].labels) == 1


def test_the_soft_loss_is_that_of_the_mean_of_people() -> None:
    cases = [case for own in people().values() for case in own[:3]]
    plan = planned(cases, overrides=replace(SMALL, annotators="soft", objects=False))
    training = Training(cases, classes=CELLS, plan=plan, steps=1)
    labels = torch.tensor([0, 0, 1, 1, 0, 1, 1, 1], dtype=torch.uint8).reshape(
        1, 2, 4
    )  # two people, four pixels
    crops = batch(drawn_by(0, 1), size=1, patch=(8, 8), augmentation=STILL, seed=0, step=0)
    crops = replace(crops, everybody=(labels[..., None], torch.zeros(1, 2, 0, 4, 1)))
    logits = torch.randn(1, 2, 4, 1, generator=torch.Generator().manual_seed(0))
    share = labels.float().mean(1)[..., None]  # of people who drew each pixel
    likely = logits.softmax(1)[:, 1]
    entropy = F.cross_entropy(logits, torch.stack([1 - share, share], 1))
    overlap = (2 * (likely * share).sum() * 2 + 1) / ((likely.sum() + share.sum()) * 2 + 1)
    assert float(training._loss(logits, crops)) == pytest.approx(float(entropy + 1 - overlap), rel=1e-5)


@pytest.mark.parametrize("way", ["random", "soft", "consensus"])
def test_a_folder_of_several_people_is_learnt_from_in_each_way(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_annotations(tmp_path / "data", people())
    words = ["--steps", "2", "--width", "4", "--levels", "2", "--patch", "32", "--batch", "2"]
    monkeypatch.setattr(
        "sys.argv", ["delineate", "train", str(data), "-o", str(tmp_path / "m"), "--annotators", way, *words]
    )
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code in (0, None), capsys.readouterr().err
    about = json.loads((tmp_path / "m" / "model.json").read_text(encoding="utf-8"))
    assert about["plan"]["annotators"] == way
    assert about["plan"]["reasons"]["annotators"] == "as you asked"
    learnt = 6 - 1  # images, of which one is held out
    at_least = learnt if way == "consensus" else 2 * learnt  # what each of two or three people drew of them
    assert about["record"]["data"]["cases"] in range(at_least, at_least + (1 if way == "consensus" else 4))
    assert about["record"]["data"]["validation"] == 1


def test_cases_of_one_name_are_one_image(tmp_path: Path) -> None:
    method = train(everybody(), steps=1, overrides=replace(SMALL, annotators="random"))
    assert method.learnt.plan.annotators == "random"
    training = Training(
        everybody(),
        classes=CELLS,
        plan=planned(everybody(), overrides=replace(SMALL, annotators="soft")),
        steps=1,
    )
    assert sorted(len(sample.labels) for sample in training._samples) == [2, 2, 2, 3, 3, 3]


def test_one_person_alone_is_no_several(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no image was labelled by two people"):
        train([square(i) for i in range(3)], steps=1, overrides=replace(SMALL, annotators="soft"))
    data = write_annotations(tmp_path / "data", {"anna": [square(0)]})
    with pytest.raises(DataError, match="put each one's masks into a folder of their own"):
        train(data, steps=1, overrides=replace(SMALL, annotators="soft"))


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(
        DataError, match="there is no annotators mean: choose from one, random, soft, consensus"
    ):
        train(everybody(), steps=1, overrides=replace(SMALL, annotators="mean"))


def test_an_old_way_learns_from_one_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["delineate", "train", str(tmp_path), "-o", str(tmp_path / "m"), "--method", "otsu"]
    monkeypatch.setattr("sys.argv", [*words, "--annotators", "soft"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 2
    assert "otsu knows nothing of --annotators: leave those options out" in capsys.readouterr().err


def test_a_model_saved_before_there_were_annotators_still_loads() -> None:
    values = planned([square(0)], overrides=SMALL).to_json()
    del values["annotators"]
    assert Plan.from_json(values).annotators == "one"


@pytest.mark.parametrize("choice", [{"labels": "masks"}, {"all_images": True}, {"all_images": False}])
def test_a_choice_of_labels_or_images_is_refused_and_not_forgotten(choice: dict[str, object]) -> None:
    with pytest.raises(DataError, match="leave --labels, --all-images and --labelled-images out"):
        train(everybody(), steps=1, overrides=replace(SMALL, annotators="random"), **choice)


@pytest.mark.parametrize("way", ["random", "soft", "consensus"])
def test_other_seeds_learn_from_the_same_people(tmp_path: Path, way: str) -> None:
    data = write_annotations(tmp_path / "data", people())
    how = replace(SMALL, annotators=way)
    train(data, out=tmp_path / "model", steps=1, overrides=how)
    [folder] = reseeded(tmp_path / "model", data, out=tmp_path / "seeds", number=1)
    assert load(folder).learnt.record.data == train(data, steps=1, seed=1, overrides=how).learnt.record.data
