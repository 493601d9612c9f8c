"""The audits of probabilities: planted overconfidence, broken promises, and answers that depend on what should not matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from delineate.audits import (
    AUDITS,
    THRESHOLDS,
    Evidence,
    Section,
    Subject,
    subject_of_method,
    subject_of_module,
)
from delineate.audits.calibration import calibration
from delineate.audits.determinism import DeterminismSettings, determinism
from delineate.audits.guarantee import GuaranteeSettings, guarantee
from delineate.audits.seeds import SeedsSettings, seeds
from delineate.core import Case, ClassTable, DataError, ModelError
from delineate.learn import Overrides, Record, UNetMethod, planned
from delineate.learn.learnt import Guarantee, Learnt, network
from delineate.learn.weak import Weak

CLASSES = ClassTable.numbered(2)


def honest_cases(count: int, *, seed: int = 0, spatial: tuple[int, ...] = (40, 50)) -> list[Case]:
    """Images that hold the true probability of foreground of each pixel, and truth drawn from it."""
    draw = np.random.default_rng(seed)
    cases = []
    for number in range(count):
        likely = 1 / (1 + np.exp(-draw.normal(0, 2, spatial)))
        cases.append(
            Case(
                f"c{number}",
                likely[..., None].astype(np.float32),
                labels=(draw.random(spatial) < likely).astype(np.uint8),
            )
        )
    return cases


def reader(*, sharper: float = 1.0, lower: float = 0.0) -> Subject:
    """A model that reads the probability off the image, its logits multiplied by `sharper` and lowered."""

    def predict(image: np.ndarray) -> np.ndarray:
        p = np.clip(image[..., 0], 1e-6, 1 - 1e-6).astype(np.float64)
        one = 1 / (1 + np.exp(-(sharper * np.log(p / (1 - p)) - lower)))
        return np.stack([1 - one, one]).astype(np.float32)

    return Subject("a reader", CLASSES, predict=predict)


def judged(section: Section) -> dict[str, str]:
    assert {finding.name for finding in section.findings} <= set(THRESHOLDS)
    for picture in section.pictures:
        assert picture.pixels.dtype == np.uint8
        assert picture.pixels.shape[2] == 3
        assert 300 <= picture.pixels.shape[1] <= 900
    return {finding.name: finding.verdict for finding in section.findings}


def test_each_of_them_is_registered() -> None:
    assert {"calibration", "guarantee", "determinism", "seeds"} <= set(AUDITS)


def test_an_honest_model_is_found_honest() -> None:
    section = calibration(reader(), Evidence(tuple(honest_cases(6))))
    assert judged(section) == {"calibration.ece": "pass", "calibration.border_ece": "pass"}
    assert section.numbers["temperature"] == pytest.approx(1, abs=0.05)


def test_planted_overconfidence_is_found_and_its_temperature_named() -> None:
    section = calibration(reader(sharper=3), Evidence(tuple(honest_cases(6))))
    assert judged(section) == {"calibration.ece": "fail", "calibration.border_ece": "fail"}
    assert section.numbers["temperature"] == pytest.approx(3, rel=0.08)
    [found] = section.numbers["classes"].values()
    before, after = found["border_ece"]
    assert after < 0.02 < before
    assert "too sure" in section.sentence
    assert section.remedies[0].command.startswith("delineate calibrate FOLDER DATA")
    assert section.pictures


def test_where_the_borders_are_well_and_the_rest_is_not_the_answer_says_so() -> None:
    labels = np.zeros((40, 50), np.uint8)
    labels[:20] = 1
    image = np.where(labels == 1, 0.6, 0.4).astype(np.float32)  # right everywhere, and never sure
    image[16:24] = labels[16:24]
    section = calibration(reader(), Evidence((Case("a", image[..., None], labels=labels),)))
    assert "Over all pixels" in section.sentence


def test_the_gain_of_a_temperature_is_not_measured_on_what_it_was_fitted_on() -> None:
    sharp, dull = honest_cases(1, seed=1)[0], honest_cases(1, seed=2)[0]
    inverted = replace(dull, name="other", group="other", labels=1 - dull.labels)
    section = calibration(reader(), Evidence((sharp, inverted)))
    first, second = section.numbers["temperatures_of_halves"]
    assert {round(first), round(second)} == {1, 20}  # one wants to be believed, the other not at all


def test_what_no_temperature_mends_is_not_called_well_and_has_a_remedy() -> None:
    """Borders a pixel too far out, and as sure of them as of anything."""
    labels = np.zeros((40, 40), np.uint8)
    labels[10:30, 10:30] = 1
    drawn = np.zeros((40, 40, 1), np.float32)
    drawn[8:32, 8:32] = 0.62
    drawn[10:30, 10:30] = 0.999
    section = calibration(reader(), Evidence(tuple(Case(f"c{n}", drawn, labels=labels) for n in range(4))))
    assert section.verdict in ("warn", "fail")
    assert "The model is as sure as it should be:" not in section.sentence
    assert section.remedies


def test_a_volume_and_unlabelled_pixels_are_no_hindrance() -> None:
    cases = honest_cases(2, spatial=(4, 20, 20))
    for case in cases:
        case.labels[:, :5] = 255
    section = calibration(reader(sharper=2), Evidence(tuple(cases)))
    assert section.findings[0].value > 0.02
    assert section.pictures


def test_masks_of_another_tool_have_no_probabilities() -> None:
    case = honest_cases(1)[0]
    with pytest.raises(ModelError, match="folder of predictions"):
        calibration(Subject("masks", CLASSES, masks={case.name: case.labels}), Evidence((case,)))
    with pytest.raises(DataError, match="no image has a mask"):
        calibration(reader(), Evidence((replace(case, labels=None),)))


def test_the_promise_holds_on_groups_that_had_no_part_in_it() -> None:
    section = guarantee(reader(lower=2), Evidence(tuple(honest_cases(30))))
    assert judged(section)["guarantee.excess"] == "pass"
    missed = section.numbers["missed_of_groups"]
    assert 0.05 < np.mean(missed) <= 0.1
    assert section.numbers["threshold"] < 0.5
    assert "--alpha 0.1" in section.remedies[0].command
    assert section.charts[0].marks == {"alpha 0.1": 0.1}
    assert any("exchangeable" in note for note in section.notes)


def test_of_few_cases_the_price_is_not_held_against_the_model() -> None:
    few = guarantee(reader(), Evidence(tuple(honest_cases(10))))
    price = next(one for one in few.findings if one.name == "guarantee.precision")
    assert price.verdict in ("open", "pass")
    assert "in reserve" in price.sentence
    assert "Label more" in few.remedies[0].sentence
    many = guarantee(reader(), Evidence(tuple(honest_cases(24))))
    assert "Label more" not in many.remedies[0].sentence


def test_a_broken_guarantee_in_a_model_is_found() -> None:
    cases = honest_cases(30)
    method = UNetMethod.of(untaught())
    method.learnt = replace(method.learnt, guarantees=(Guarantee(0.1, 0.9, groups=30),))
    section = guarantee(replace(reader(), method=method), Evidence(tuple(cases)))
    assert judged(section)["guarantee.stored"] == "fail"
    method.learnt = replace(method.learnt, guarantees=(Guarantee(0.1, 0.01, groups=30),))
    section = guarantee(replace(reader(), method=method), Evidence(tuple(cases)))
    assert judged(section)["guarantee.stored"] == "pass"


def test_another_kind_of_image_breaks_the_promise_and_the_table_shows_it() -> None:
    cases = honest_cases(20)
    dark = [replace(case, name=f"dark {case.name}", image=case.image / 8) for case in honest_cases(5, seed=9)]
    section = guarantee(reader(), Evidence(tuple(cases), shifted=tuple(dark)))
    row = section.tables[0].rows[-1]
    assert row[0] == "the same threshold on the second data set"
    assert row[2] > 0.3


def test_a_second_data_set_that_the_model_cannot_read_leaves_the_rest_as_it_is() -> None:
    cases = honest_cases(20)
    two = [replace(case, image=np.repeat(case.image, 2, -1)) for case in honest_cases(5, seed=9)]

    def predict(image: np.ndarray) -> np.ndarray:
        if image.shape[-1] != 1:
            raise ModelError(f"the image has {image.shape[-1]} channels but the model takes 1")
        return reader().asked()(image)

    subject = replace(reader(lower=2), channels=1, predict=predict)
    alone = guarantee(subject, Evidence(tuple(cases)))
    section = guarantee(subject, Evidence(tuple(cases), shifted=tuple(two)))
    assert (section.findings, section.tables) == (alone.findings, alone.tables)
    assert "could not be looked at: the image has 2 channels" in section.notes[0]
    bare = tuple(replace(case, labels=None) for case in honest_cases(2))
    section = guarantee(subject, Evidence(tuple(cases), shifted=bare))
    assert "has a mask with foreground" in section.notes[0]
    colour = [replace(case, image=np.repeat(case.image, 3, -1)) for case in honest_cases(5, seed=9)]
    section = guarantee(subject, Evidence(tuple(cases), shifted=tuple(colour)))
    assert section.notes[0] == "On the second data set colour was shown to the model as its brightness."


def test_the_second_data_set_is_shown_as_predict_shows_it() -> None:
    """A model that reads colour by what one channel of it holds, where its brightness would tell another story."""
    cases = honest_cases(20)
    others = [
        replace(
            case, image=np.concatenate([case.image, np.ones((*case.image.shape[:-1], 2), np.float32)], -1)
        )
        for case in cases
    ]
    section = guarantee(replace(reader(), channels=1), Evidence(tuple(cases), shifted=tuple(others), most=20))
    there = section.numbers["shifted"]
    threshold = section.numbers["threshold"]
    for case in cases:
        ahead = reader().asked()(case.image)[1]
        assert there[case.name] == pytest.approx((ahead[case.labels == 1] < threshold).mean(), abs=1e-3)


def test_too_few_cases_promise_nothing() -> None:
    with pytest.raises(DataError, match="give 9 or more"):
        guarantee(reader(), Evidence(tuple(honest_cases(8))))
    with pytest.raises(DataError, match="give 19 or more"):
        guarantee(reader(), Evidence(tuple(honest_cases(12))), settings=GuaranteeSettings(alpha=0.05))
    section = guarantee(reader(), Evidence(tuple(honest_cases(9))))  # enough, but not to leave one out
    assert "guarantee.excess" not in judged(section)


def untaught(*, seed: int = 0, levels: int = 2) -> Learnt:
    """A tiny network that was not taught but has opinions."""
    draw = np.random.default_rng(0)
    case = Case("a", draw.random((64, 64, 1)), labels=np.ones((64, 64), np.uint8))
    plan = planned(
        [case],
        overrides=Overrides(width=4, levels=levels, shuffle=1, patch=32, objects=False, precision="32-true"),
    )
    net = network(plan, CLASSES, seed=seed).eval()
    with torch.no_grad():
        net.head.weight *= 100
    return Learnt(net, plan, CLASSES, Record(seed=seed))


QUICK = DeterminismSettings(cases=1, tile_px=(32,), engines=())


def test_our_network_is_the_same_in_any_batch_tile_or_thread() -> None:
    section = determinism(
        subject_of_method(UNetMethod.of(untaught())), Evidence(tuple(honest_cases(1))), settings=QUICK
    )
    verdicts = judged(section)
    assert set(verdicts) >= {
        f"determinism.{kind}" for kind in ("twice", "batch", "threads", "tiles", "precision")
    }
    assert {kind: v for kind, v in verdicts.items() if kind != "determinism.precision"} == dict.fromkeys(
        verdicts.keys() - {"determinism.precision"}, "pass"
    )
    rows = [row[0] for row in section.tables[0].rows]
    assert "tiles that keep 32 px" in rows


def test_an_equivariant_model_says_that_it_is_asked_about_whole_images() -> None:
    plain = untaught()
    plan = replace(plain.plan, equivariant=True)
    learnt = replace(plain, net=network(plan, CLASSES, seed=0).eval(), plan=plan)
    section = determinism(
        subject_of_method(UNetMethod.of(learnt)), Evidence(tuple(honest_cases(1))), settings=QUICK
    )
    assert "determinism.tiles" not in judged(section)
    assert any("whole images only" in note and "no export" in note for note in section.notes)


def test_the_engines_that_were_not_asked_are_named() -> None:
    section = determinism(
        subject_of_method(UNetMethod.of(untaught())), Evidence(tuple(honest_cases(1))), settings=QUICK
    )
    assert any(note.startswith("Not asked: compiled") for note in section.notes)


def test_an_onnx_file_is_cut_into_tiles_and_opened_with_other_threads(tmp_path, monkeypatch) -> None:
    pytest.importorskip("onnxruntime"), pytest.importorskip("onnxscript")
    from delineate.inference.engines import onnxruntime
    from delineate.inference.onnx import write_onnx
    from delineate.learn.foreign import OnnxModel

    path = write_onnx(untaught(levels=1).net, tmp_path / "a.onnx", example=torch.zeros(1, 1, 32, 32))
    opened = []
    session = onnxruntime.session
    monkeypatch.setattr(
        onnxruntime, "session", lambda path: opened.append(torch.get_num_threads()) or session(path)
    )
    subject = subject_of_method(OnnxModel(path), name="a", source=path)
    section = determinism(subject, Evidence(tuple(honest_cases(1))), settings=QUICK)
    assert set(judged(section)) == {f"determinism.{kind}" for kind in ("twice", "tiles", "threads")}
    assert len(set(opened)) > 1
    remedies = calibration(subject, Evidence(tuple(honest_cases(6)))).remedies
    assert all("a.onnx" not in one.command for one in remedies)  # such a file cannot be calibrated


def test_an_exported_folder_is_the_onnx_file_in_it(tmp_path) -> None:
    pytest.importorskip("onnxruntime"), pytest.importorskip("onnxscript")
    from delineate import flow
    from delineate.flow.subject import opened, subject_of

    UNetMethod.of(untaught(levels=1)).save(tmp_path / "model")
    flow.export(tmp_path / "model", out=tmp_path / "exported", onnx=True)
    cases = honest_cases(1)
    folder, classes = tmp_path / "exported", ClassTable.numbered(2)
    subject = subject_of(opened(folder), folder, cases, classes, unlabelled=None, masks_are=None)
    section = determinism(subject, Evidence(tuple(cases)), settings=QUICK)
    assert set(judged(section)) == {"determinism.twice", "determinism.threads"}
    assert any("tiles" in note and "normalises what it is given by its own" in note for note in section.notes)


def test_threads_are_not_tried_where_torch_does_not_compute() -> None:
    section = determinism(replace(reader(), network=None), Evidence(tuple(honest_cases(1))), settings=QUICK)
    assert set(judged(section)) == {"determinism.twice"}
    assert any("threads" in note and "its own affair" in note for note in section.notes)


def test_a_model_that_rolls_dice_is_found() -> None:
    draw = np.random.default_rng(0)
    calm = reader()
    shaky = replace(
        calm, predict=lambda image: calm.predict(image) + draw.normal(0, 0.01, (2, 40, 50)).astype(np.float32)
    )
    cases = Evidence(tuple(honest_cases(2)))
    assert judged(determinism(shaky, cases))["determinism.twice"] == "fail"
    assert judged(determinism(calm, cases))["determinism.twice"] == "pass"


def test_batch_norm_that_was_left_in_training_mode_is_found() -> None:
    class Careless(nn.Module):
        def __init__(self, *, careless: bool) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.first, self.norm, self.last = (
                nn.Conv2d(1, 4, 3, padding=1),
                nn.BatchNorm2d(4),
                nn.Conv2d(4, 2, 1),
            )
            self.careless = careless

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.norm.train(self.careless)
            return 9 * self.last(self.norm(self.first(x)))

    draw = np.random.default_rng(0)
    image = np.cumsum(draw.normal(0, 1, (24, 30)), axis=1)[..., None].astype(np.float32)
    cases = Evidence((Case("walk", image),))
    with torch.random.fork_rng():
        found = {
            careless: judged(
                determinism(subject_of_module(Careless(careless=careless), channels=1), cases, settings=QUICK)
            )
            for careless in (False, True)
        }
    assert found[False]["determinism.batch"] == "pass"
    assert found[True]["determinism.batch"] == "fail"


def test_a_sloppy_program_is_found_and_one_that_cannot_start_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from delineate.inference.engines import ENGINES, Kind, pytorch

    def sloppy(net, example, *, low, keep=None):
        return lambda batch: (
            pytorch.Eager(net, example, low=False)(batch).mul(100).round().div(100).roll(1, -1)
        )

    def broken(net, example, *, low, keep=None):
        raise ModelError("its library is of another year")

    for name, maker in (("sloppy", sloppy), ("broken", broken)):
        monkeypatch.setattr(pytorch, name, maker, raising=False)
        monkeypatch.setitem(ENGINES, name, Kind(f"delineate.inference.engines.pytorch:{name}", "torch"))
    settings = replace(QUICK, engines=("sloppy", "broken", "unheard of"))

    class Tuple(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = untaught().net

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            logits = self.net(x)
            return logits.mean((2, 3)), logits.softmax(1)

    for subject in (
        subject_of_method(UNetMethod.of(untaught())),
        subject_of_module(Tuple(), channels=1, white=1),
    ):
        section = determinism(subject, Evidence(tuple(honest_cases(1))), settings=settings)
        assert judged(section)["determinism.engine"] == "fail"
        assert section.pictures
        assert any("another year" in note for note in section.notes)


def test_trainings_that_agree_pass_and_one_that_failed_is_found(tmp_path) -> None:
    cases = Evidence(tuple(honest_cases(4)))
    model = UNetMethod.of(untaught())
    same = UNetMethod.of(replace(untaught(), record=Record(seed=1))).save(tmp_path / "same")
    other = UNetMethod.of(untaught(seed=5)).save(tmp_path / "other")
    section = seeds(subject_of_method(model), cases, settings=SeedsSettings((str(same),)))
    assert judged(section) == {"seeds.spread": "pass", "seeds.disagreement": "pass"}
    assert section.numbers["standard_deviation"] == 0
    section = seeds(subject_of_method(model), cases, settings=SeedsSettings((str(same), str(other))))
    assert judged(section) == {"seeds.spread": "fail", "seeds.disagreement": "fail"}
    assert not any("plan" in note for note in section.notes)
    low, _ = section.numbers["next"]
    assert low <= min(section.numbers["mean_dice"])
    assert section.pictures
    with pytest.raises(DataError, match="one training only"):
        seeds(subject_of_method(model), cases)
    with pytest.raises(DataError, match="the same seed, 5: give a training with another"):
        seeds(subject_of_method(model), cases, settings=SeedsSettings((str(other), str(other))))


def test_of_a_folder_of_predictions_no_other_trainings_are_asked_for() -> None:
    cases = honest_cases(3)
    masks = {case.name: case.labels for case in cases if case.labels is not None}
    subject = Subject("masks", ClassTable.numbered(2), masks=masks)
    with pytest.raises(ModelError, match=r"masks is a folder of predictions.*: audit the model itself"):
        seeds(subject, Evidence(tuple(cases)))


def test_trainings_that_find_nothing_differ_in_nothing(tmp_path) -> None:
    dark = [replace(case, image=np.zeros_like(case.image)) for case in honest_cases(3)]
    cases = [replace(dark[0], labels=np.zeros_like(dark[0].labels)), *dark[1:]]
    blind = untaught()
    with torch.no_grad():
        blind.net.head.bias[: len(blind.net.head.bias) // 2] += 1e3
    same = UNetMethod.of(replace(blind, record=Record(seed=1))).save(tmp_path / "same")
    settings = SeedsSettings((str(same),))
    section = seeds(subject_of_method(UNetMethod.of(blind)), Evidence(tuple(cases)), settings=settings)
    assert judged(section) == {"seeds.spread": "pass", "seeds.disagreement": "open"}
    assert section.findings[1].sentence == "None of them outlines anything."
    with pytest.raises(DataError, match="no Dice to compare"):
        seeds(subject_of_method(UNetMethod.of(blind)), Evidence(tuple(cases[:1])), settings=settings)


def test_calibration_needs_foreground_and_does_without_borders() -> None:
    full = [replace(case, labels=np.ones_like(case.labels)) for case in honest_cases(2)]
    section = calibration(subject_of_method(UNetMethod.of(untaught())), Evidence(tuple(full)))
    assert judged(section)["calibration.border_ece"] == "open"
    assert "nan" not in section.sentence + section.findings[1].sentence
    empty = [replace(case, labels=np.zeros_like(case.labels)) for case in honest_cases(2)]
    with pytest.raises(DataError, match="any class but background"):
        calibration(subject_of_method(UNetMethod.of(untaught())), Evidence(tuple(empty)))


def test_siblings_of_another_plan_are_told_by_what_differs(tmp_path) -> None:
    plan = replace(untaught().plan, object_radius_px=7.0)
    other = replace(untaught(seed=1), plan=plan)
    for folder, learnt in (("a", other), ("b", replace(other, plan=replace(plan, learning_rate=0.5)))):
        UNetMethod.of(learnt).save(tmp_path / folder)
    said = [
        seeds(
            subject_of_method(UNetMethod.of(untaught())),
            Evidence(tuple(honest_cases(1))),
            settings=SeedsSettings((str(tmp_path / folder),)),
        ).notes
        for folder in ("a", "b")
    ]
    assert ["(learning_rate)" in " ".join(notes) for notes in said] == [False, True]
    assert not any("plan" in note for note in said[0])


def test_siblings_of_other_data_and_those_that_chose_their_step_otherwise_are_told(tmp_path) -> None:
    weak = replace(untaught(), plan=replace(untaught().plan, weak=Weak()))
    first = replace(weak, record=Record(seed=0, data={"fingerprint": "f", "learnt": [], "validation": 2}))
    for folder, data in (
        ("a", {"fingerprint": "f", "learnt": [], "validation": 3}),
        ("b", {"fingerprint": "g", "learnt": [], "validation": 0}),
    ):
        UNetMethod.of(replace(weak, record=Record(seed=1, data=data))).save(tmp_path / folder)
    said = [
        " ".join(
            seeds(
                subject_of_method(UNetMethod.of(first)),
                Evidence(tuple(honest_cases(1))),
                settings=SeedsSettings((str(tmp_path / folder),)),
            ).notes
        )
        for folder in ("a", "b")
    ]
    assert ["other data" in notes for notes in said] == [False, True]
    assert ["kept the best of their steps" in notes for notes in said] == [False, True]


def test_the_next_training_lies_where_student_says() -> None:
    from delineate.audits.seeds import _next

    # means 0.8, 0.9: mean 0.85, s 0.0707; t(0.975, 1) = 12.706; half 12.706 * 0.0707 * sqrt(1.5) = 1.1: cut at 0 and 1
    assert _next(np.array([0.8, 0.9])) == (0.0, 1.0)
    # means 0.90, 0.91, 0.92: s 0.01, t(0.975, 2) = 4.3027, half 4.3027 * 0.01 * sqrt(4/3) = 0.04968
    assert _next(np.array([0.90, 0.91, 0.92])) == pytest.approx((0.86032, 0.95968), abs=1e-5)
