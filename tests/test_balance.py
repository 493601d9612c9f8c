"""Few images of a scanner are drawn as often as the many of another, where a table tells them apart."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from delineate import flow
from delineate.cli import main
from delineate.core import Case, ClassTable, DataError, OutputError
from delineate.data import DataSet
from delineate.data.balance import by_digest, by_name, drawn_by_itself, times_alike
from delineate.flow.balancing import balanced
from delineate.learn import Overrides, Training, planned

CLASSES = ClassTable(("background", "square"))
SMALL = Overrides(patch=16, batch=2, width=4, levels=2, shuffle=1)


def square(seed: int, *, dark: bool = False) -> Case:
    labels = np.zeros((24, 24), np.uint8)
    labels[4 + seed : 14 + seed, 6:16] = 1
    image = (
        np.random.default_rng(seed).normal(100, 3, (24, 24, 1))
        + (-60.0 if dark else 60.0) * labels[..., None]
    )
    return Case(f"{'dark' if dark else 'light'}{seed}", image.astype(np.uint16), labels=labels)


def mixed() -> DataSet:
    cases = (*(square(i) for i in range(4)), square(0, dark=True))
    return DataSet(cases, (), CLASSES, (), {})


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "known.csv"
    path.write_text(
        "image,scanner,site\n" + "".join(f"light{i},old,here\n" for i in range(4)) + "dark0,new,here\n"
    )
    return path


def test_the_few_are_drawn_as_often_as_the_many(table, tmp_path):
    told: list[str] = []
    method = flow.train(
        mixed(),
        val=[square(5)],
        out=tmp_path / "model",
        steps=2,
        overrides=SMALL,
        balance="scanner",
        metadata=table,
        tell=told.append,
    )
    assert "balance: images are drawn by scanner: old (4 images) x 1, new (1 image) x 4" in told
    assert list(method.learnt.record.data["times"].values()) == [4]
    assert flow.load(tmp_path / "model").learnt.record.data["times"] == method.learnt.record.data["times"]


def test_what_is_drawn_follows_the_times():
    cases = mixed().cases
    plan = planned(cases, overrides=SMALL)
    training = Training(cases, classes=CLASSES, plan=plan, steps=1, times={"dark0": 4})
    assert len(training._samples) == 8
    assert len({id(sample) for sample in training._samples}) == 5, "pictures lie in memory once"


def test_trainings_of_other_seeds_are_balanced_alike(table, tmp_path):
    flow.train(
        mixed().cases,
        out=tmp_path / "model",
        steps=1,
        overrides=SMALL,
        balance="scanner",
        metadata=table,
        val=[square(5)],
    )
    (other,) = flow.reseeded(
        tmp_path / "model", mixed().cases, val=[square(5)], out=tmp_path / "others", number=1
    )
    first, second = (flow.load(folder).learnt.record.data["times"] for folder in (tmp_path / "model", other))
    assert first == second
    assert list(first.values()) == [4]


def test_what_was_drawn_is_known_again_where_grey_images_were_stored_in_colour():
    case = square(0)
    in_colour = replace(case, image=case.image.repeat(3, axis=-1))
    assert by_name(by_digest({"light0": 4}, [in_colour], ()), [case], ()) == {"light0": 4}


def test_a_training_begun_without_balance_is_not_gone_on_with_balanced(table, tmp_path):
    folder = tmp_path / "model"

    class Killed(Exception):
        pass

    def kill(_: object) -> None:
        raise Killed

    options = {"val": [square(5)], "out": folder, "steps": 3, "overrides": SMALL}
    with pytest.raises(Killed):
        flow.train(mixed().cases, watch=kill, **options)
    with pytest.raises(OutputError, match="had other data \\(times\\)"):
        flow.train(mixed().cases, resume=True, balance="scanner", metadata=table, **options)


def test_kinds_are_those_that_are_learnt_from_and_blank_cells_are_none(tmp_path):
    table = tmp_path / "known.csv"
    table.write_text("image,scanner\nlight0,old\nlight1,old\nlight2,n/a\nlight3,\ndark0,new\n")
    cases = mixed().cases
    told: list[str] = []
    ask = {"dims": 2, "balance": "scanner", "metadata": table, "data": None, "tell": told.append}
    assert balanced(mixed(), cases, **ask) == {"dark0": 2}
    assert told == [
        "balance: images are drawn by scanner: old (2 images) x 1, not stated (2 images) x 1, new (1 image) x 2"
    ]
    with pytest.raises(DataError, match="one kind \\(old\\)"):
        balanced(mixed(), cases[:4], **ask)  # the only new one is held out


def test_larger_pictures_which_more_crops_are_cut_from_count_more():
    values = {"a": "old", "b": "old", "c": "new"}
    weights = {
        name: drawn_by_itself((side, side), dims=2) for name, side in zip("abc", (16, 16, 32), strict=True)
    }
    assert times_alike(values, weights) == {"a": 1, "b": 1, "c": 1}


def test_numbers_are_balanced_by_the_ranges_of_the_audit(tmp_path):
    table = tmp_path / "known.csv"
    cases = [replace(square(0), name=f"a{i}") for i in range(12)]
    table.write_text("image,age\n" + "".join(f"a{i},{20 + i}\n" for i in range(12)))
    told: list[str] = []
    found = DataSet(tuple(cases), (), CLASSES, (), {})
    balanced(found, cases, dims=2, balance="age", metadata=table, data=None, tell=told.append)
    assert told[0].count(" to ") == 4


def test_what_cannot_be_balanced_is_said_in_one_sentence(table, tmp_path):
    def train(**options: object) -> None:
        flow.train(mixed(), steps=1, overrides=SMALL, **options)

    with pytest.raises(DataError, match="has no column stain: it has image, scanner and site"):
        train(balance="stain", metadata=table)
    with pytest.raises(
        DataError,
        match="all 4 images to learn from are of one kind \\(here\\), so there is nothing to balance",
    ):
        train(balance="site", metadata=table)
    with pytest.raises(DataError, match="needs a table that says it of each image: give --metadata FILE"):
        train(balance="scanner")
    with pytest.raises(DataError, match="there is no file"):
        train(balance="scanner", metadata=tmp_path / "none.csv")
    with pytest.raises(DataError, match="--balance which of it counts: give that too"):
        train(metadata=table)
    with pytest.raises(
        DataError, match="otsu knows nothing of --balance and --metadata: leave those options out"
    ):
        flow.train(mixed(), method="otsu", balance="scanner", metadata=table)


def test_the_table_in_the_data_folder_is_found(tmp_path, capsys, monkeypatch):
    from delineate.data.samples import write

    write(tmp_path / "coins")
    folder = tmp_path / "coins" / "train"
    names = sorted(path.stem for path in (folder / "images").iterdir())
    (folder / "metadata.csv").write_text(
        "name;light\n" + "".join(f"{name};{'dim' if i == 0 else 'bright'}\n" for i, name in enumerate(names))
    )
    options = ["--steps", "1", "--width", "4", "--patch", "32", "--batch", "1", "--balance", "light"]
    monkeypatch.setattr(
        "sys.argv", ["delineate", "train", str(folder), "-o", str(tmp_path / "model"), *options]
    )
    with pytest.raises(SystemExit) as leave:
        main()
    assert not leave.value.code
    assert "images are drawn by light: " in capsys.readouterr().err
