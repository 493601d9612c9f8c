"""An audit from end to end: from the command line to the page, with audits that find what was planted."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

import delineate
from delineate.audits import AUDITS, THRESHOLDS, Evidence, Picture, Section, Subject, Threshold
from delineate.cli import app
from delineate.core import ClassTable, DataError, DelineateError, ModelError
from delineate.data import load_annotators, write_annotations, write_labels
from delineate.data.samples import coins, write
from delineate.flow import audit, evidence, train
from delineate.learn import Overrides
from delineate.report.picture import write_picture

CALLS: list[str] = []


def darkness(subject: Subject, evidence: Evidence) -> Section:
    """Finds a fault in any model: how dark the first image is."""
    CALLS.append("darkness")
    case = evidence.cases[0]
    dark = float((case.image < 60).mean())
    finding = evidence.thresholds.judged("darkness.share", dark, f"{dark:.0%} of the pixels are dark.")
    picture = Picture("the image", np.repeat(case.image[..., :1], 3, -1))
    return Section("darkness", "Darkness", "Is it dark?", finding.sentence, (finding,), pictures=(picture,))


def truth(subject: Subject, evidence: Evidence) -> Section:
    """Needs truth, and finds nothing."""
    CALLS.append("truth")
    evidence.labelled()
    return Section("truth", "Truth", "Is there truth?", "There is.")


@pytest.fixture(autouse=True)
def two_audits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two audits in place of the real ones, which have tests of their own."""
    module = ModuleType("two_audits")
    module.darkness, module.truth = darkness, truth  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "two_audits", module)
    for name in list(AUDITS):
        monkeypatch.delitem(AUDITS, name)
    monkeypatch.setitem(AUDITS, "darkness", "two_audits:darkness")
    monkeypatch.setitem(AUDITS, "truth", "two_audits:truth")
    monkeypatch.setitem(THRESHOLDS, "darkness.share", Threshold(0.01, 0.9, "of the image"))
    CALLS.clear()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    train(coins()[0], out=tmp_path / "model", method="otsu")
    return tmp_path / "model"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write(tmp_path / "data")


def test_the_command_ends_with_a_line_per_audit_and_the_page(model: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "audit"
    ran = CliRunner().invoke(app, ["audit", str(model), str(data / "test"), "-o", str(out)])
    assert ran.exit_code == 0, ran.output
    assert "warns       Darkness: " in ran.output
    assert "not judged  Truth: There is." in ran.output
    page = (out / "audit.html").read_text()
    assert "Is it dark?" in page
    assert page.count("data:image/png") == 1
    told = json.loads((out / "audit.json").read_text())
    assert told["verdict"] == "warn"
    assert told["sections"][0]["findings"][0]["name"] == "darkness.share"
    assert len(told["sections"][0]["pictures"]) == 1
    assert "[darkness.share]" in (out / "thresholds.toml").read_text()


@pytest.mark.parametrize(("level", "status"), [("warn", 1), ("fail", 0)])
def test_the_exit_status_tells_ci_how_bad_it_is(
    model: Path, data: Path, tmp_path: Path, level: str, status: int
) -> None:
    asked = ["audit", str(model), str(data / "test"), "-o", str(tmp_path / "audit"), "--fail-on", level]
    assert CliRunner().invoke(app, asked).exit_code == status


def test_what_was_not_judged_can_stop_ci_too(model: Path, data: Path, tmp_path: Path) -> None:
    for level, status in (("warn", 0), ("open", 1)):
        asked = ["audit", str(model), str(data / "test"), "-o", str(tmp_path / level), "--only", "truth"]
        assert CliRunner().invoke(app, [*asked, "--fail-on", level]).exit_code == status


def test_other_thresholds_give_another_verdict(model: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[darkness.share]\nwarn = 0.001\nfail = 0.002\n")
    audited = audit(
        model, data / "test", out=tmp_path / "audit", thresholds=tmp_path / "mine.toml", only=["darkness"]
    )
    assert audited.verdict == "fail"


def test_what_cannot_be_examined_is_named_and_the_others_still_run(model: Path, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    write_picture(tmp_path / "bare" / "a.png", np.repeat(coins()[1][0].image, 3, -1))
    audited = audit(model, tmp_path / "bare", out=tmp_path / "audit")
    assert audited["darkness"].verdict == "warn"
    assert audited["truth"].verdict == "open"
    assert "no image has a mask" in audited["truth"].sentence


def test_an_audit_that_breaks_leaves_its_traceback_and_the_others_still_run(
    model: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(subject: Subject, evidence: Evidence) -> Section:
        raise KeyError("a\nlong story")

    monkeypatch.setattr(sys.modules["two_audits"], "darkness", broken)
    audited = audit(model, data / "test", out=tmp_path / "audit")
    said = "Not examined: an error inside Delineate or the model, KeyError: "
    assert audited["darkness"].sentence.startswith(said)
    assert audited["darkness"].sentence.endswith("; please report it.")
    assert audited["darkness"].verdict == "open"
    assert audited["truth"].sentence == "There is."
    told = tmp_path / "audit" / "sections" / "darkness" / "error.txt"
    assert "in broken" in told.read_text()
    monkeypatch.setattr(sys.modules["two_audits"], "darkness", darkness)
    again = audit(model, data / "test", out=tmp_path / "audit", resume=True)
    assert again["darkness"].verdict == "warn"  # tried again, and only that
    assert CALLS == ["truth", "darkness"]
    assert not told.exists()


def test_ctrl_c_ends_all_audits(
    model: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(subject: Subject, evidence: Evidence) -> Section:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["two_audits"], "darkness", stopped)
    with pytest.raises(KeyboardInterrupt):
        audit(model, data / "test", out=tmp_path / "audit")
    assert CALLS == []


def test_a_training_without_a_model_yet_is_no_folder_of_predictions(data: Path, tmp_path: Path) -> None:
    (tmp_path / "training.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="interrupted before the first save of a model"):
        audit(tmp_path, data / "test", out=tmp_path / "out")


def test_an_interrupted_audit_goes_on_where_it_was(model: Path, data: Path, tmp_path: Path) -> None:
    asked = {"data": data / "test", "out": tmp_path / "audit"}
    first = audit(model, **asked, only=["darkness"])
    again = audit(model, **asked, resume=True)
    assert CALLS == ["darkness", "truth"]
    assert again["darkness"].findings == first["darkness"].findings
    assert (again["darkness"].pictures[0].pixels == first["darkness"].pictures[0].pixels).all()


def test_a_section_of_another_question_is_not_taken(model: Path, data: Path, tmp_path: Path) -> None:
    asked = {"data": data / "test", "out": tmp_path / "audit", "only": ["darkness"]}
    audit(model, **asked)
    audit(model, **asked, resume=True, seed=1)
    assert CALLS == ["darkness", "darkness"]


def test_a_folder_that_is_full_is_left_alone(model: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("precious")
    with pytest.raises(DelineateError, match="is not an empty folder"):
        audit(model, data / "test", out=tmp_path / "mine")


def test_an_audit_that_is_none_is_refused(model: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no audit taste: choose from darkness, truth"):
        audit(model, data / "test", out=tmp_path / "audit", only=["taste"])


def test_predictions_of_any_tool_are_audited_as_well(data: Path, tmp_path: Path) -> None:
    audited = audit(data / "test", data / "test", out=tmp_path / "audit")
    assert audited["truth"].sentence == "There is."


@pytest.mark.parametrize("option", ["taught_on", "val"])
def test_data_of_a_training_without_a_training_is_refused(
    model: Path, data: Path, tmp_path: Path, option: str
) -> None:
    with pytest.raises(DataError, match="say how many with --seeds"):
        audit(model, data / "test", out=tmp_path / "audit", **{option: data / "train"})


def test_other_trainings_for_an_audit_that_is_left_out_are_refused(
    model: Path, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="for the audit seeds, which --only leaves out"):
        audit(model, data / "test", out=tmp_path / "audit", only=["truth"], siblings=[str(model)])


def test_one_prediction_of_another_size_does_not_stop_the_audit(data: Path, tmp_path: Path) -> None:
    predicted = tmp_path / "predicted"
    shutil.copytree(data / "test" / "masks", predicted)
    spoilt = sorted(predicted.iterdir())[0]
    write_labels(spoilt, np.full((5, 7), 255, np.uint8))
    audited = audit(predicted, data / "test", out=tmp_path / "audit")
    assert audited["truth"].sentence == "There is."
    assert f"the prediction of {spoilt.stem} is 5 x 7" in (tmp_path / "audit" / "audit.html").read_text()


def test_a_model_that_has_seen_the_images_is_told_so(data: Path, tmp_path: Path) -> None:
    method = delineate.train(coins()[1], steps=1, overrides=tiny())
    audit(method, coins()[1], out=tmp_path / "seen", only=["darkness"])
    assert "never saw" in (tmp_path / "seen" / "audit.html").read_text()


def tiny() -> Overrides:
    return Overrides(patch=32, batch=2, width=4, levels=2, precision="32-true")


def test_evidence_that_does_not_fit_is_left_out_with_a_sentence(
    model: Path, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "facts.csv").write_text("image,scanner\nsomebody_else,Siemens\n")
    (tmp_path / "bare").mkdir()
    write_picture(tmp_path / "bare" / "a.png", np.repeat(coins()[1][0].image, 3, -1))
    out, said = tmp_path / "audit", list[str]()
    asked = {"metadata": tmp_path / "facts.csv", "shifted": tmp_path / "bare"}
    audited = audit(model, data / "test", out=out, tell=said.append, **asked)
    assert audited["truth"].sentence == "There is."
    page = (out / "audit.html").read_text()
    assert "names none of the cases" in page
    assert "no mask for any of them" in page
    assert sum(line.startswith("left out: ") for line in said) == 2
    told = json.loads((out / "audit.json").read_text())
    assert [f"left out: {note.removeprefix('left out: ')}" in said for note in told["notes"]] == [True, True]


@pytest.mark.parametrize("option", ["metadata", "shifted"])
def test_a_path_that_is_not_there_stops_the_audit(
    model: Path, data: Path, tmp_path: Path, option: str
) -> None:
    with pytest.raises(DataError, match=r"there is no .*nowhere"):
        audit(model, data / "test", out=tmp_path / "audit", **{option: tmp_path / "nowhere"})
    assert not (tmp_path / "audit").exists()


def test_images_that_were_learnt_from_are_counted_and_those_held_out_are_not(
    data: Path, tmp_path: Path
) -> None:
    learnt, others = coins()
    method = delineate.train(learnt, val=others, steps=1, overrides=tiny())
    said: list[str] = []
    audit(method, [*learnt[:1], *others], out=tmp_path / "some", tell=said.append)
    assert any(f"trained on 1 of these {1 + len(others)} images" in line for line in said)
    audit(method, data / "train", out=tmp_path / "all", tell=said.append)
    assert "trained on these very images" in (tmp_path / "all" / "audit.html").read_text()
    audit(method, others, out=tmp_path / "none")
    assert "never saw" not in (tmp_path / "none" / "audit.html").read_text()


def test_people_are_compared_on_images_that_are_held_out(tmp_path: Path) -> None:
    cases = [replace(case, group=case.name, objects=None) for case in coins()[0]]
    root = write_annotations(tmp_path / "data", {"anna": cases, "ben": cases}, instances=False)
    read = load_annotators(root)
    held_out = replace(read, held_out=frozenset({cases[0].name}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("delineate.data.load_annotators", lambda *_, **__: held_out)
        own = evidence.annotators(
            root, classes=read.classes, unlabelled=None, masks_are=None, tell=lambda _: None
        )
    assert {name: [case.name for case in cases] for name, cases in own.items()} == {
        "anna": [cases[0].name],
        "ben": [cases[0].name],
    }


def test_large_images_are_audited_window_by_window(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = coins()[0][0]
    for folder, array in (("images", case.image[..., 0]), ("masks", case.labels * 255)):
        (tmp_path / "data" / folder).mkdir(parents=True)
        tifffile.imwrite(tmp_path / "data" / folder / "a.tif", array, tile=(64, 64))
    monkeypatch.setattr("delineate.data.large_case.LOADED", 0)
    said: list[str] = []
    audited = audit(model, tmp_path / "data", out=tmp_path / "audit", tell=said.append)
    assert audited["truth"].sentence == "There is."
    assert "1 image too large to be loaded: 16 windows stand in." in said
    assert "16 windows stand in" in (tmp_path / "audit" / "audit.html").read_text()


def test_a_section_is_not_taken_once_the_surrogate_is_another(tmp_path: Path) -> None:
    from delineate.audits.attack.settings import AttackSettings
    from delineate.flow.questions import plain

    def asked() -> object:
        return plain(AttackSettings(surrogate=str(tmp_path / "other")))

    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "model.json").write_text("{}")
    before = asked()
    assert asked() == before
    (tmp_path / "other" / "model.json").write_text('{"weights": "others"}')
    assert asked() != before


def test_a_module_is_known_by_its_weights_and_what_cannot_be_known_is_examined_again(
    data: Path, tmp_path: Path
) -> None:
    import torch

    from delineate.audits import subject_of_module

    asked = {"data": data / "test", "only": ["darkness"], "resume": True}
    net = torch.nn.Conv2d(1, 2, 1)
    for _ in range(2):
        audit(subject_of_module(net, channels=1), out=tmp_path / "net", **asked)
    assert len(CALLS) == 1
    torch.nn.init.zeros_(net.weight)
    audit(subject_of_module(net, channels=1), out=tmp_path / "net", **asked)
    assert len(CALLS) == 2
    subject = Subject("a function", ClassTable.numbered(2), predict=lambda image: image)
    for _ in range(2):
        audit(subject, out=tmp_path / "function", **asked)
    assert len(CALLS) == 4


def test_what_is_no_model_is_refused_in_a_sentence(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="a function is no model"):
        audit(lambda image: image, data / "test", out=tmp_path / "audit")


def test_masks_without_foreground_are_told_beneath_the_verdicts(model: Path, tmp_path: Path) -> None:
    empty = [replace(case, labels=np.zeros_like(case.labels)) for case in coins()[1]]
    audit(model, empty, out=tmp_path / "audit")
    assert "No mask shows any class but background" in (tmp_path / "audit" / "audit.html").read_text()


def test_classes_that_the_model_does_not_know_are_refused(model: Path, tmp_path: Path) -> None:
    more = [replace(case, labels=case.labels * 3) for case in coins()[1]]
    with pytest.raises(DataError, match="go up to 3 but the model tells 2 classes apart"):
        audit(model, more, out=tmp_path / "audit")


def test_a_torch_module_is_audited_as_it_is(data: Path, tmp_path: Path) -> None:
    import torch

    done = audit(torch.nn.Conv2d(1, 2, 1), data / "test", out=tmp_path / "audit", only=["darkness"])
    assert "Conv2d" in done.page.read_text(encoding="utf-8")


def test_a_single_audit_leaves_the_others_on_the_page(model: Path, data: Path, tmp_path: Path) -> None:
    asked = {"data": data / "test", "out": tmp_path / "audit"}
    audit(model, **asked)
    again = audit(model, **asked, only=["truth"], resume=True)
    assert [section.name for section in again.sections] == ["darkness", "truth"]
    assert CALLS == ["darkness", "truth"]
    assert [one.name for one in audit(model, **asked, only=["truth"], resume=True, seed=1).sections] == [
        "truth"
    ]


def test_what_is_asked_by_name_is_put_into_the_settings_that_are_given() -> None:
    from delineate.audits.attack.settings import AttackSettings
    from delineate.flow.auditing import _wanted

    given = {"attack": AttackSettings(steps=3, images=2)}
    wanted = _wanted(given, 16.0, None, 0.2, None, (), every_shift=False)
    assert (wanted["attack"].eps, wanted["attack"].steps, wanted["attack"].images) == (16.0, 3, 2)
    assert wanted["guarantee"].alpha == 0.2
