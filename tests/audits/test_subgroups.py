"""A subgroup in which the model fails is found; a model that is as good everywhere passes."""

from __future__ import annotations

import numpy as np
import pytest

from delineate.audits import Evidence, Subject
from delineate.audits.subgroups import SIZE, by_subgroups
from delineate.core import Case, ClassTable, DataError

CELLS = ClassTable(("background", "cell"))


def squares(index: int) -> Case:
    labels = np.zeros((40, 40), np.uint8)
    side = 8 + index % 4
    labels[4 : 4 + side, 4 : 4 + side] = labels[24 : 24 + side, 24 : 24 + side] = 1
    return Case(f"c{index}", labels[..., None] * np.uint8(200), labels=labels)


CASES = tuple(squares(i) for i in range(16))
SCANNER = {case.name: "old" if i % 2 else "new" for i, case in enumerate(CASES)}


def subject(*, worse_on: str = "") -> Subject:
    masks = {}
    for case in CASES:
        assert case.labels is not None
        labels = case.labels.copy()
        if SCANNER[case.name] == worse_on:
            labels[20:] = 0  # one of two squares is missed
        masks[case.name] = labels
    return Subject("the model", CELLS, masks=masks)


def test_the_scanner_on_which_half_is_missed_is_found() -> None:
    section = by_subgroups(subject(worse_on="old"), Evidence(CASES, facts={"scanner": SCANNER}))
    (finding,) = section.findings
    assert finding.verdict == "fail"
    assert finding.value == pytest.approx(1 - 2 / 3)
    (remedy,) = section.remedies
    assert remedy.command == "delineate train DATA -o MODEL --balance scanner"
    assert finding.sentence.startswith(
        "Where scanner is old (8 cases), Dice of cell is 0.333 lower than elsewhere"
    )


def test_a_model_that_is_as_good_everywhere_passes() -> None:
    section = by_subgroups(subject(), Evidence(CASES, facts={"scanner": SCANNER}))
    assert section.verdict == "pass"
    assert "No subgroup is worse beyond chance" in section.sentence


def test_columns_that_have_nothing_to_do_with_it_hardly_ever_warn() -> None:
    verdicts = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        masks = {case.name: case.labels * (rng.random((40, 40)) < rng.uniform(0.4, 1)) for case in CASES[:12]}
        names = [case.name for case in CASES[:12]]
        facts = {title: dict(zip(names, rng.choice(list("abc"), 12).tolist(), strict=True)) for title in "xy"}
        section = by_subgroups(Subject("the model", CELLS, masks=masks), Evidence(CASES[:12], facts=facts))
        verdicts.append(section.verdict)
    assert sum(verdict in ("warn", "fail") for verdict in verdicts) <= 1


def test_of_too_few_cases_nothing_is_said_either_way() -> None:
    few = Evidence(CASES[:6], facts={"scanner": SCANNER})
    section = by_subgroups(subject(), few)
    assert section.findings[0].verdict == "open"
    assert "6 cases are too few to tell a worse subgroup from chance" in section.sentence


def test_the_page_says_how_chance_was_told() -> None:
    section = by_subgroups(subject(worse_on="old"), Evidence(CASES, facts={"scanner": SCANNER}))
    assert any(
        "corrected after Holm for all of them: where nothing differs, at most one audit in twenty" in note
        for note in section.notes
    )
    p = {row["value"]: row["p"] for row in section.numbers["scanner"] if row["score"] == "dice"}
    assert p["old"] == p["new"] < 0.01
    assert f"corrected p {p['old']:.3f}" in section.sentence


def test_without_facts_cases_are_told_apart_by_the_size_of_their_objects() -> None:
    section = by_subgroups(subject(), Evidence(CASES))
    assert {row["value"] for row in section.numbers[SIZE]} == {"64", "81", "100", "121"}


def test_cases_that_the_facts_lack_are_counted() -> None:
    some = {name: value for name, value in SCANNER.items() if name != "c0"}
    section = by_subgroups(subject(), Evidence(CASES, facts={"scanner": some}))
    assert "scanner is not stated for 1 of 16 cases." in section.notes


def test_a_column_that_cannot_be_judged_is_told() -> None:
    ages = {case.name: f"{20 + i} years" for i, case in enumerate(CASES)}
    section = by_subgroups(subject(), Evidence(CASES, facts={"age": ages, "scanner": SCANNER}))
    assert [note[:17] for note in section.notes if "is not judged" in note] == ["age is not judged"]


def test_without_truth_or_predictions_a_sentence_says_so() -> None:
    with pytest.raises(DataError, match="no image has a mask"):
        by_subgroups(subject(), Evidence((Case("a", np.zeros((4, 4, 1))),)))
    with pytest.raises(DataError, match="no prediction of any labelled image"):
        by_subgroups(Subject("the model", CELLS, masks={}), Evidence(CASES))
