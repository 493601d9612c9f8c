"""An audit from end to end: from the command line to the page, with audits that find what was planted."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from typer.testing import CliRunner

import delineate
from delineate.audits import AUDITS, THRESHOLDS, Evidence, Picture, Section, Subject, Threshold
from delineate.cli import app
from delineate.core import DataError, DelineateError
from delineate.data.samples import coins, write
from delineate.flow import audit, train
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
    assert "[darkness.share]" in (out / "thresholds.toml").read_text()


@pytest.mark.parametrize(("level", "status"), [("warn", 1), ("fail", 0)])
def test_the_exit_status_tells_ci_how_bad_it_is(
    model: Path, data: Path, tmp_path: Path, level: str, status: int
) -> None:
    asked = ["audit", str(model), str(data / "test"), "-o", str(tmp_path / "audit"), "--fail-on", level]
    assert CliRunner().invoke(app, asked).exit_code == status


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
    assert audited["darkness"].sentence.endswith("; please report it")
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


def test_a_model_that_has_seen_the_images_is_told_so(data: Path, tmp_path: Path) -> None:
    from delineate.learn import Overrides

    tiny = Overrides(patch=32, batch=2, width=4, levels=2, precision="32-true")
    method = delineate.train(coins()[1], steps=1, overrides=tiny)
    audit(method, coins()[1], out=tmp_path / "seen", only=["darkness"])
    assert "never saw" in (tmp_path / "seen" / "audit.html").read_text()
