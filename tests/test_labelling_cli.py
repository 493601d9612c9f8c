"""Scribbles, points and boxes from the command line: check, train, scribble, budget, next, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from commands import run
from delineate.data import samples

TINY = ["--steps", "2", "--width", "4", "--patch", "32"]


@pytest.fixture(scope="module")
def coins(tmp_path_factory) -> Path:
    """train/ and val/ of the coins, full masks."""
    folder = samples.write(tmp_path_factory.mktemp("work") / "coins")
    (folder / "test").rename(folder / "val")
    return folder


@pytest.fixture(scope="module")
def quick(coins) -> Path:
    """The coins with strokes in place of masks, in train/ and val/."""
    assert run("scribble", coins, "-o", coins.parent / "quick", "--share", "0.02", "--seed", "1") == 0
    return coins.parent / "quick"


def test_strokes_are_checked_and_taught_on(quick, tmp_path, capsys):
    assert run("check", quick) == 0
    said = capsys.readouterr().out
    assert "labels: 9 with scribbles" in said
    assert "strokes and points" in said
    assert run("train", quick, "-o", tmp_path / "model", *TINY) == 0
    assert (tmp_path / "model" / "model.json").is_file()


def test_the_user_says_which_labels_where_both_lie_there(coins, quick, tmp_path, capsys):
    both = tmp_path / "both"
    for kind, source in (("images", coins), ("masks", coins), ("scribbles", quick)):
        (both / kind).mkdir(parents=True)
        for path in (source / "train" / kind).iterdir():
            (both / kind / path.name).write_bytes(path.read_bytes())
    assert run("check", both) == 0
    assert "--labels scribbles takes the scribbles" in capsys.readouterr().out
    assert run("check", both, "--labels", "scribbles") == 0
    assert "labels: 6 with scribbles" in capsys.readouterr().out
    assert run("check", both, "--labels", "boxes") == 2
    assert "holds no boxes: it has masks and scribbles" in capsys.readouterr().err
    assert run("check", both, "--labels", "guesses") == 2
    assert (
        run("train", both, "--labels", "scribbles", "--val", coins / "val", "-o", tmp_path / "model", *TINY)
        == 0
    )
    assert "labels: scribbles for 6 images" in capsys.readouterr().err


def test_clicks_are_taught_on(coins, tmp_path, capsys):
    assert run("scribble", coins / "train", "-o", tmp_path / "clicked", "--points") == 0
    assert run("train", tmp_path / "clicked", "-o", tmp_path / "model", *TINY) == 0
    assert "labels: points for 6 images" in capsys.readouterr().err


def test_images_without_labels_join_or_stay_out_as_asked(quick, tmp_path, capsys):
    folder = tmp_path / "some"
    for kind in ("images", "scribbles"):
        (folder / kind).mkdir(parents=True)
        for path in sorted((quick / "train" / kind).iterdir())[: 6 if kind == "images" else 4]:
            (folder / kind / path.name).write_bytes(path.read_bytes())
    assert run("train", folder, "-o", tmp_path / "a", *TINY) == 0
    assert "2 images without labels join the training" in capsys.readouterr().err
    assert run("train", folder, "-o", tmp_path / "b", "--labelled-images", *TINY) == 0
    assert "2 images without a mask left out" in capsys.readouterr().err


def test_a_budget_is_one_page(coins, tmp_path, capsys):
    some = ["--shares", "0.02", "--images", "1", "--clicked", "2"]
    assert run("budget", coins, "-o", tmp_path / "worth", *TINY, *some) == 0
    assert "Full masks of all images reach a Dice of" in capsys.readouterr().out
    assert {"budget.html", "budget.png", "budget.json"} <= {p.name for p in (tmp_path / "worth").iterdir()}
    assert run("budget", coins, "-o", tmp_path / "other", *TINY, "--images", "1.5") == 2
    assert run("budget", coins, "-o", tmp_path / "worth", *TINY, *some) == 2
    assert "is not an empty folder" in capsys.readouterr().err


def test_next_lists_regions_and_draws_them(coins, quick, tmp_path, capsys):
    assert run("train", quick / "train", "-o", tmp_path / "model", *TINY) == 0
    capsys.readouterr()
    asked = [
        "next",
        tmp_path / "model",
        coins / "val" / "images",
        "-o",
        tmp_path / "ask",
        "--count",
        "2",
        "--region",
        "48",
    ]
    assert run(*asked, "--labelled", quick / "train") == 0
    assert "2 regions:" in capsys.readouterr().out
    assert (tmp_path / "ask" / "next.csv").read_text().count("\n") == 3
    assert run(*asked) == 2
    assert "is not an empty folder" in capsys.readouterr().err


def test_a_point_outside_its_image_is_one_sentence(quick, tmp_path, capsys):
    folder = tmp_path / "bad"
    (folder / "images").mkdir(parents=True)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 30), np.uint8)).save(
        folder / "images" / "a.png"
    )
    (folder / "points.csv").write_text("name,row,column,class\na,29,10,cell\na,3,3,background\n")
    assert run("train", folder, "-o", tmp_path / "model", *TINY) == 2
    told = capsys.readouterr().err
    assert "Traceback" not in told
    assert "line 2 of points.csv lies outside image a, at (29, 10) of 20 x 30 pixels" in told.replace(
        "a.png", "a"
    )


@pytest.mark.parametrize("verb", ["scribble", "train", "compare", "demo", "audit"])
def test_a_negative_seed_is_refused_by_every_verb_that_has_one(tmp_path, capsys, verb):
    words = {"demo": ["-o", tmp_path / "out"], "audit": ["m", "d", "-o", tmp_path / "out"]}
    assert run(verb, *words.get(verb, [tmp_path, "-o", tmp_path / "out"]), "--seed", "-1") == 2
    said = capsys.readouterr().err
    assert "--seed" in said
    assert "0" in said.rpartition("equal to")[2]
    assert not (tmp_path / "out").exists()
