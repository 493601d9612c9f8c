"""Verdicts follow from a table that the user may change."""

from __future__ import annotations

from pathlib import Path

import pytest

from delineate.audits import THRESHOLDS, Section, Threshold, Thresholds, thresholds_in, thresholds_toml
from delineate.core import DataError

TABLE = Thresholds({"shift.agreement": Threshold(0.99, 0.95, "a pixel in a hundred")})


@pytest.mark.parametrize(
    ("value", "verdict"), [(1.0, "pass"), (0.99, "pass"), (0.98, "warn"), (0.95, "warn"), (0.9, "fail")]
)
def test_the_threshold_itself_still_passes(value: float, verdict: str) -> None:
    assert TABLE.judged("shift.agreement", value, "").verdict == verdict


def test_where_less_is_better_more_is_worse() -> None:
    low = Threshold(warn=0.05, fail=0.1, reason="of Dice")
    assert [low.verdict(value) for value in (0.01, 0.07, 0.2)] == ["pass", "warn", "fail"]


def test_what_is_undefined_is_not_judged() -> None:
    assert TABLE.judged("shift.agreement", float("nan"), "").verdict == "open"


def test_a_section_is_as_bad_as_its_worst_finding() -> None:
    findings = tuple(TABLE.judged("shift.agreement", value, "") for value in (1.0, 0.97))
    assert Section("a", "", "", "", findings=findings).verdict == "warn"
    assert Section("a", "", "", "").verdict == "open"


def test_the_file_that_an_audit_writes_is_read_again_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "thresholds.toml"
    path.write_text(thresholds_toml(thresholds_in(None)))
    again = thresholds_in(path).table
    assert {name: (one.warn, one.fail) for name, one in again.items()} == {
        name: (one.warn, one.fail) for name, one in THRESHOLDS.items()
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[nothing.known]\nwarn = 1\n", "is no finding"),
        ("[shift]\nagreement = 3\n", "is not understood"),
        ("[shift.agreement]\nwarn = 'a'\n", "is not understood"),
        ("[shift.agreement]\nworse = 1\n", "is not understood"),
        ("[shift.agreement]\nwarn = 0.1\n", "higher is better there: give both"),
        ("[shift.agreement]\nfail = 0.999\n", "would warn at 0.99 and fail at 0.999"),
        ("[calibration.ece]\nwarn = 0.1\nfail = 0.05\n", "lower is better there"),
        ("not toml", "are not TOML"),
    ],
)
def test_a_table_that_is_not_understood_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.setitem(THRESHOLDS, "shift.agreement", TABLE.table["shift.agreement"])
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        thresholds_in(path)


def test_a_table_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        thresholds_in(tmp_path / "none.toml")


def test_one_end_alone_may_be_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(THRESHOLDS, "shift.agreement", TABLE.table["shift.agreement"])
    path = tmp_path / "mine.toml"
    path.write_text("[shift.agreement]\nfail = 0.5\n")
    assert thresholds_in(path).judged("shift.agreement", 0.6, "").verdict == "warn"


def test_ends_that_are_equal_keep_the_side_that_is_better(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[calibration.ece]\nwarn = 0.1\nfail = 0.1\n")
    table = thresholds_in(path)
    assert [table.judged("calibration.ece", value, "").verdict for value in (0.05, 0.2)] == ["pass", "fail"]
