"""What is done with a project, without a browser and without a training."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from delineate.core import ClassTable
from delineate.data import samples
from delineate.studio import Session, begun
from delineate.studio.rounds import begun_round
from delineate.studio.work import Work


@pytest.mark.parametrize("judge", [Session.judge, Session.audit])
def test_test_masks_of_other_classes_are_refused_before_the_work_and_read_where_these_are_named(
    tmp_path: Path, judge: Callable[[Session], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    coins = samples.write(tmp_path / "coins")
    place, project = coins / "test", begun(coins / "train" / "images", out=tmp_path / "project")
    (place / "classes.json").unlink(missing_ok=True)
    for path in (place / "masks").iterdir():
        Image.fromarray(np.where(np.array(Image.open(path)) > 0, 255, 0).astype(np.uint8)).save(path)
    begun_round(project.folder / "rounds").keep([], images=1)
    session = Session(project, test=place)
    of_three = ClassTable(("background", "coin", "rust"))
    monkeypatch.setattr(session, "_method", lambda _: SimpleNamespace(classes=of_three))
    done: list[str] = []
    for verb in ("predict", "score", "audit"):
        monkeypatch.setattr(
            f"delineate.studio.session.flow.{verb}",
            lambda *_, verb=verb, **__: done.append(verb) or SimpleNamespace(page=""),
        )
    judge(session)
    assert session.work is not None
    session.work.wait(60)
    assert "give each of the former its value in a classes.json" in session.work.error
    assert done == []
    (place / "classes.json").write_text('{"background": 0, "coin": 255, "rust": 1}')
    judge(session)
    session.work.wait(60)
    assert session.work.error == ""
    assert done


def test_who_stops_something_sees_that_it_is_about_to_end() -> None:
    asked = threading.Event()

    def do(work: Work) -> None:
        asked.wait(10)
        work.tell("a step")

    work = Work("training", do)
    work.stop()
    assert work.state()["now"] == "training ends at its next step"
    asked.set()
    work.wait(10)
    assert work.error == "training was stopped"
