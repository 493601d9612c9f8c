"""delineate budget from masks to the page: what is tried, what is counted, interrupted and continued."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from delineate import flow
from delineate.core import UNLABELLED, Case, DataError
from delineate.learn import Overrides
from delineate.report.budget import Spent, budget_curve, verdict, write_budget

TINY = Overrides(patch=32, batch=1, width=4, levels=2)


def discs(seed: int) -> Case:
    """A noisy picture with two bright discs."""
    rng = np.random.default_rng(seed)
    grid = np.indices((48, 56))
    inside = np.zeros((48, 56), bool)
    for row, column in ((14, 14), (32, 38)):
        inside |= np.hypot(grid[0] - row, grid[1] - column - rng.integers(3)) < 8
    image = (50 + 120 * inside + rng.normal(0, 12, inside.shape)).clip(0, 255).astype(np.uint8)
    return Case(f"discs {seed}", image[..., None], labels=inside.astype(np.uint8))


LEARN_FROM, HELD_OUT = [discs(n) for n in range(3)], [discs(9)]


@pytest.fixture(scope="module")
def spent(tmp_path_factory):
    """Six trainings of one step."""
    said = []
    out = tmp_path_factory.mktemp("budget") / "out"
    found = flow.budget(
        LEARN_FROM, val=HELD_OUT, out=out, shares=[0.02, 0.05], images=[1], clicked=[1, 3], steps=1,
        overrides=TINY, tell=said.append,
    )  # fmt: skip
    return out, found, said


def test_the_cost_is_said_before_the_work_begins(spent):
    assert "6 trainings of 1 steps each, judged on 1 images" in spent[2]


def test_effort_is_what_was_drawn_and_clicked(spent):
    found = {(one.kind, one.asked): one for one in spent[1].spent}
    assert sorted(found) == [
        ("clicks", 1),
        ("clicks", 3),
        ("masks", 1),
        ("masks", 3),
        ("strokes", 0.02),
        ("strokes", 0.05),
    ]
    assert found["masks", 3].share == 1
    assert found["strokes", 0.02].share == pytest.approx(0.02, abs=0.002)
    assert (found["clicks", 1].clicks, found["clicks", 3].clicks) == (2, 6)
    assert found["masks", 1].images == 1


def test_the_ceiling_is_the_training_with_all_masks(spent):
    (full,) = [one.dice for one in spent[1].spent if (one.kind, one.asked) == ("masks", 3)]
    assert spent[1].ceiling == full


def test_page_picture_and_numbers_tell_the_same(spent):
    out, found, _ = spent
    content = json.loads((out / "budget.json").read_text())
    assert [point["dice"] for point in content["points"]] == pytest.approx(
        [one.dice for one in found.spent], abs=1e-6
    )
    assert (out / "budget.png").read_bytes()[:4] == b"\x89PNG"
    page = (out / "budget.html").read_text()
    assert verdict(found.spent, found.ceiling) in page
    head, _, body = page.partition("<tbody>")
    assert (
        head.count("<th") - head.count("<thead") == body.partition("</tr>")[0].count("<t") - 1
    )  # one cell under each title
    assert "http" not in page.replace("http-equiv", "")


def test_what_is_done_is_not_done_again_on_resume(spent, monkeypatch):
    out, found, _ = spent
    monkeypatch.setattr("delineate.flow.budgeting.train", lambda *a, **k: pytest.fail("taught again"))
    again = flow.budget(
        LEARN_FROM, val=HELD_OUT, out=out, shares=[0.02, 0.05], images=[1], clicked=[1, 3], steps=1,
        overrides=TINY, resume=True,
    )  # fmt: skip
    assert again.spent == found.spent
    with pytest.raises(DataError, match="was begun with other steps"):
        flow.budget(LEARN_FROM, val=HELD_OUT, out=out, steps=2, overrides=TINY, resume=True)
    with pytest.raises(DataError, match="was begun with other steps, minutes, images, labels"):
        flow.budget(LEARN_FROM, val=[discs(8)], out=out, steps=1, overrides=TINY, resume=True)


def test_fewer_images_are_among_the_more():
    from delineate.flow.budgeting import _labelled, _Labelling

    few, more = (
        {case.name for case in _labelled(LEARN_FROM, _Labelling("masks", n, 0))[0][0]} for n in (1, 2)
    )
    assert few < more


def test_images_that_nobody_clicked_on_join_without_labels():
    from delineate.flow.budgeting import _labelled, _Labelling

    (drawn, bare), _ = _labelled(LEARN_FROM, _Labelling("clicks", 1, 0))
    assert (len(drawn), len(bare)) == (1, 2)
    assert all(case.labels is None for case in bare)


@pytest.mark.parametrize("length", [{"steps": 3, "minutes": 1}, {"steps": 0}, {"minutes": -1}])
def test_trainings_without_one_length_are_refused_before_anything_is_said_or_written(tmp_path, length):
    said = []
    with pytest.raises(DataError, match="every training needs either minutes or steps, a positive number"):
        flow.budget(LEARN_FROM, val=HELD_OUT, out=tmp_path / "a", tell=said.append, **length)
    assert not said
    assert not (tmp_path / "a").exists()


def test_what_cannot_be_tried_is_refused(tmp_path):
    half = LEARN_FROM[0].labels.copy()
    half[:30] = UNLABELLED
    with pytest.raises(DataError, match="has no full mask"):
        flow.budget(
            [Case("half", LEARN_FROM[0].image, labels=half)], val=HELD_OUT, out=tmp_path / "a", steps=1
        )
    with pytest.raises(DataError, match="9 images shall be labelled, but there are 3"):
        flow.budget(LEARN_FROM, val=HELD_OUT, out=tmp_path / "b", images=[9], steps=1)
    with pytest.raises(DataError, match="between 0 and 1"):
        flow.budget(LEARN_FROM, val=HELD_OUT, out=tmp_path / "c", shares=[2], steps=1)
    with pytest.raises(DataError, match="no labelled image to judge on"):
        flow.budget(LEARN_FROM[:1], out=tmp_path / "d", steps=1)


def spent_on(kind, asked, dice, *, seed=0, clicks=0):
    return Spent(kind, asked, int(asked) if kind != "strokes" else 9, asked, clicks, seed, dice, {}, 1.0)


def test_the_verdict_names_the_cheapest_that_comes_near():
    some = [
        spent_on("masks", 9, 0.9),
        spent_on("masks", 4, 0.88),
        spent_on("masks", 2, 0.5),
        spent_on("strokes", 0.001, 0.7),
        spent_on("strokes", 0.003, 0.86),
        spent_on("clicks", 9, 0.4, clicks=90),
    ]
    assert verdict(some, 0.9) == (
        "Full masks of all images reach a Dice of 0.900; 95 % of that takes strokes on 0.3 % of the pixels or full "
        "masks of 4 images."
    )


def test_a_curve_is_drawn_where_a_score_is_undefined():
    some = [spent_on("masks", 9, 0.9), spent_on("strokes", 0.01, float("nan")), spent_on("strokes", 0.1, 0.5)]
    assert budget_curve(some, 0.9, theme="dark")[:4] == b"\x89PNG"


def banded(name: str, classes: int) -> Case:
    """A picture with bands of the classes 0 to `classes` - 1."""
    labels = np.repeat(np.arange(48) * classes // 48, 48).reshape(48, 48).astype(np.uint8)
    return Case(name, (60 * labels + 20)[..., None], labels=labels)


RARE = [*(banded(f"plain {n}", 2) for n in range(4)), banded("rare", 3)]


@pytest.mark.parametrize("seed", range(3))
def test_the_first_images_hold_every_class(seed):
    from delineate.flow.budgeting import _labelled, _Labelling

    one, two = ({c.name for c in _labelled(RARE, _Labelling("masks", n, seed))[0][0]} for n in (1, 2))
    assert "rare" in one
    assert one < two


def test_a_number_of_images_that_lacks_a_class_is_left_out_and_it_is_said(tmp_path):
    apart = [
        banded("one", 2),
        Case("two", RARE[-1].image, labels=np.where(RARE[-1].labels == 2, 2, 0).astype(np.uint8)),
    ]
    said = []
    found = flow.budget(
        apart, val=RARE[-1:], out=tmp_path / "out", shares=[], images=[1], clicked=[], steps=1, overrides=TINY,
        tell=said.append,
    )  # fmt: skip
    assert [(one.kind, one.asked) for one in found.spent] == [("masks", 2)]
    assert any(
        line.startswith("2 of 2: masks-1-seed0 is left out: it has no label of class_") for line in said
    )


def test_a_model_that_was_finished_but_not_judged_is_judged_on_resume(spent, monkeypatch):
    out, found, _ = spent
    result = out / "trainings" / "masks-1-seed0" / "result.json"
    result.unlink()
    monkeypatch.setattr("delineate.flow.budgeting.train", lambda *a, **k: pytest.fail("taught again"))
    again = flow.budget(
        LEARN_FROM, val=HELD_OUT, out=out, shares=[0.02, 0.05], images=[1], clicked=[1, 3], steps=1,
        overrides=TINY, resume=True,
    )  # fmt: skip
    assert result.is_file()
    assert [one.dice for one in again.spent] == pytest.approx([one.dice for one in found.spent], nan_ok=True)


def test_strokes_are_nothing_to_judge_on(tmp_path):
    from delineate.data import scribbled

    with pytest.raises(DataError, match="scores on strokes tell nothing"):
        flow.budget(LEARN_FROM, val=[scribbled(HELD_OUT[0])], out=tmp_path / "out", steps=1)


@pytest.mark.parametrize("ceiling", [0.0, float("nan")])
def test_a_budget_without_a_ceiling_is_written_and_says_so(tmp_path, ceiling):
    some = [
        replace(spent_on("masks", 9, ceiling), per_class={"cell": ceiling}),
        replace(spent_on("strokes", 0.1, float("nan")), per_class={"cell": float("nan")}),
        replace(spent_on("clicks", 2, 0.5, clicks=9), per_class={"cell": 0.5}),
    ]
    found = write_budget(tmp_path, some, judged=1, cost="1 step")
    assert found.lines[0].endswith("so that nothing can be compared: train longer.")
    assert all("undefined of full" in line for line in found.lines[1:])
    write_budget(tmp_path, [*some[1:2], replace(some[0], dice=float("nan"))], judged=1, cost="1 step")


def test_a_seed_without_a_score_does_not_take_the_others_along():
    some = [
        spent_on("masks", 9, 0.9),
        spent_on("strokes", 0.1, 0.9),
        spent_on("strokes", 0.1, float("nan"), seed=1),
    ]
    assert "strokes on 10 % of the pixels" in verdict(some, 0.9)
