"""What the page may ask for, asked of a server that runs, without a browser."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from delineate.core import UNLABELLED, DataError
from delineate.data import samples
from delineate.studio import Session, begun
from delineate.studio import project as project_module
from delineate.studio.rounds import begun_round
from delineate.studio.serving import _is_no_ending, listening
from served import KEY, served

NAME = "coins_y000_x077"


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Strokes on two pictures of coins, one training of two steps, and what was done with it."""
    folder = tmp_path_factory.mktemp("studio")
    place = samples.write(folder / "coins")
    project = begun(place / "train" / "images", out=folder / "project", names=("background", "coin"))
    for case in samples.coins()[0][:2]:
        drawn = np.full(case.spatial, UNLABELLED, np.uint8)
        drawn[::7] = case.labels[::7]
        project.draw(case.name, drawn, at=(0, 0, 0))
    session = Session(project, test=place / "test")
    session.train(steps=2)
    ended(session)
    return session


@pytest.fixture(scope="module")
def stranger(taught: Session) -> Iterator[httpx.Client]:
    with served(taught) as client:
        yield client


@pytest.fixture(scope="module")
def browser(taught: Session) -> Iterator[httpx.Client]:
    with served(taught) as client:
        client.get("/", params={"key": KEY})
        yield client


def ended(session: Session) -> None:
    assert session.work is not None
    session.work.wait(120)
    assert not session.work.running
    assert session.work.error == ""


def test_a_browser_without_the_key_sees_nothing(stranger: httpx.Client) -> None:
    for path in ("/", "/?key=guessed", "/api/state", "/static/main.js", f"/api/picture?name={NAME}"):
        assert stranger.get(path).status_code == 403


def test_another_page_cannot_speak_to_this_one_under_its_own_name(browser: httpx.Client) -> None:
    assert browser.get("/api/state").status_code == 200
    assert browser.get("/api/state", headers={"Host": "elsewhere.example:8421"}).status_code == 403


def test_a_page_at_another_port_of_this_machine_changes_nothing(browser: httpx.Client) -> None:
    for origin in ("http://127.0.0.1:8888", "http://elsewhere.example", "null"):
        assert browser.post("/api/stop", headers={"Origin": origin}).status_code == 403
    own = f"http://127.0.0.1:{browser.base_url.port}"
    assert browser.post("/api/stop", headers={"Origin": own}).status_code == 200


def test_who_comes_to_the_address_from_another_page_is_let_in(browser: httpx.Client) -> None:
    answer = browser.get("/", params={"key": KEY}, follow_redirects=False)
    assert "samesite=lax" in answer.headers["set-cookie"].lower()


def test_the_key_leaves_the_address(browser: httpx.Client) -> None:
    answer = browser.get("/", params={"key": KEY})
    assert answer.url.query == b""
    assert "<title>Delineate</title>" in answer.text


def test_every_file_that_the_page_names_is_served(browser: httpx.Client) -> None:
    scripts = [path.name for path in (files("delineate.studio") / "page").iterdir()]
    assert "main.js" in scripts
    for name in scripts:
        assert browser.get(f"/static/{name}").status_code == 200


def test_the_state_tells_images_classes_and_rounds(browser: httpx.Client, taught: Session) -> None:
    state = browser.get("/api/state").json()
    assert len(state["images"]) == 6
    assert [one["name"] for one in state["classes"]] == ["background", "coin"]
    assert state["rounds"][0]["number"] == 1
    assert sorted(state["counts"]) == sorted(taught.project.counts)
    assert {region["image"] for region in state["regions"]} <= set(state["images"])
    assert state["regions"]  # four pictures have no stroke


def test_pictures_come_as_they_are_to_be_seen(browser: httpx.Client) -> None:
    about = browser.get("/api/image", params={"name": NAME}).json()
    shown = Image.open(BytesIO(browser.get("/api/picture", params={"name": NAME}).content))
    assert (about["depth"], about["height"], about["width"]) == (1, 85, 170)
    assert shown.size == (170, 85)
    assert Image.open(BytesIO(browser.get("/api/thumbnail", params={"name": NAME}).content)).size[0] == 150


def test_a_long_list_leaves_the_picture_that_is_shown_in_memory(
    browser: httpx.Client, taught: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.get("/api/picture", params={"name": NAME})
    read: list[str] = []
    as_before = project_module.files.entry_image
    monkeypatch.setattr(
        project_module.files, "entry_image", lambda entry: (read.append(entry.name), as_before(entry))[1]
    )
    others = [name for name in taught.project.entries if name != NAME]
    for name in others:
        assert browser.get("/api/thumbnail", params={"name": name}).status_code == 200
    browser.get("/api/picture", params={"name": NAME})
    assert len(others) > 3
    assert NAME not in read


def test_a_stroke_arrives_where_it_was_drawn(browser: httpx.Client, taught: Session) -> None:
    name = "coins_y225_x077"
    patch = np.array([[1, UNLABELLED], [1, 0]], np.uint8)
    where = {"name": name, "z": 0, "row": 4, "column": 6, "height": 2, "width": 2}
    assert browser.put("/api/labels", params=where, content=patch.tobytes()).json() == {"counts": [1, 2]}
    height, width = taught.project.picture(name).spatial
    labels = np.frombuffer(browser.get("/api/labels", params={"name": name}).content, np.uint8)
    assert (labels.reshape(height, width)[4:6, 6:8] == patch).all()
    assert (labels != UNLABELLED).sum() == 3
    erased = np.full((2, 2), UNLABELLED, np.uint8).tobytes()
    assert browser.put("/api/labels", params=where, content=erased).json() == {"counts": None}


def test_strokes_that_were_cut_short_are_refused(browser: httpx.Client) -> None:
    where = {"name": NAME, "z": 0, "row": 0, "column": 0, "height": 2, "width": 2}
    answer = browser.put("/api/labels", params=where, content=b"\x01")
    assert answer.status_code == 409
    assert "cut short" in answer.json()["error"]


def test_what_a_model_says_is_its_most_probable_class(browser: httpx.Client, taught: Session) -> None:
    body = browser.get("/api/predicted", params={"name": NAME, "number": 1}).content
    labels, unsure = np.frombuffer(body, np.uint8).reshape(2, 85, 170)
    from delineate import load

    probabilities = load(taught.round().model).predict(taught.project.picture(NAME).array)
    assert (labels == probabilities.argmax(0)).all()
    half = np.abs(probabilities[0] - 0.5)
    assert unsure.ravel()[half.argmin()] >= unsure.ravel()[half.argmax()]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api/image?name=nobody", "no image nobody"),
        (f"/api/predicted?name={NAME}&number=9", "no round 9"),
        (f"/api/picture?name={NAME}&z=3", "no slice 3"),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(browser: httpx.Client, path: str, said: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 409
    assert said in answer.json()["error"]


@pytest.mark.parametrize("minutes", [0, -1, 1e9, "soon"])
def test_a_time_that_makes_no_sense_is_refused(browser: httpx.Client, minutes: object) -> None:
    assert browser.post("/api/train", json={"minutes": minutes}).status_code == 422


def test_classes_are_renamed_from_the_page(browser: httpx.Client, taught: Session) -> None:
    renamed = browser.post("/api/classes", json={"names": ["table", "coin"]}).json()
    assert [one["name"] for one in renamed["classes"]] == ["table", "coin"]
    browser.post("/api/classes", json={"names": ["background", "coin"]})
    assert taught.project.classes.names == ("background", "coin")


def test_all_images_are_outlined_and_the_test_images_scored(browser: httpx.Client, taught: Session) -> None:
    browser.post("/api/outline", json={"as": "objects"})
    ended(taught)
    browser.post("/api/judge", json={"number": 1})
    ended(taught)
    state = browser.get("/api/state").json()["rounds"][0]
    assert len(list(Path(state["outlined"][0]).glob("*.png"))) == 6
    report = browser.get(f"/rounds/{state['pages']['report']}")
    assert report.status_code == 200
    assert "coin" in report.text


def test_two_things_are_not_done_at_once(browser: httpx.Client, taught: Session) -> None:
    browser.post("/api/train", json={"minutes": 60})
    try:
        answer = browser.post("/api/outline", json={})
        assert answer.status_code == 409
        assert "training goes on" in answer.json()["error"]
        answer = browser.post("/api/classes", json={"names": ["table", "coin"]})
        assert "rename classes when it has ended" in answer.json()["error"]
    finally:
        browser.post("/api/stop")
        assert taught.work is not None
        taught.work.wait(120)
    state = browser.get("/api/state").json()
    assert state["work"]["error"] == "training was stopped"
    assert [one["number"] for one in state["rounds"]] == [1]  # what was stopped is no round


def test_a_session_without_test_images_says_how_to_give_some(taught: Session) -> None:
    with served(Session(taught.project)) as client:
        answer = client.post("/api/audit", params={"key": KEY}, json={})
    assert answer.status_code == 409
    assert "--test" in answer.json()["error"]


def test_rounds_are_there_when_the_project_is_opened_again(taught: Session) -> None:
    again = Session(taught.project)
    assert [one.number for one in again.rounds] == [1]
    assert again.rounds[0].said == taught.rounds[0].said
    assert (again.predicted(NAME)[0] == taught.predicted(NAME)[0]).all()


def test_a_training_that_left_nothing_does_not_count_as_a_round(tmp_path: Path) -> None:
    assert begun_round(tmp_path / "rounds").number == begun_round(tmp_path / "rounds").number == 1
    (tmp_path / "rounds" / "1" / "model").mkdir()
    assert begun_round(tmp_path / "rounds").number == 2


def test_who_stops_the_look_for_regions_is_told_that_the_model_is_there(
    taught: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(taught.project)

    def asked_to_stop(*_: object, progress: Callable[[int, int], None], **__: object) -> None:
        session.stop()
        progress(1, 2)

    monkeypatch.setattr("delineate.studio.session.flow.suggest", asked_to_stop)
    session.train(steps=1)
    assert session.work is not None
    session.work.wait(120)
    assert (
        session.work.error
        == f"looking for regions was stopped; the model of round {session.round().number} is there"
    )


def test_a_training_that_cannot_begin_ends_in_a_sentence(tmp_path: Path) -> None:
    place = samples.write(tmp_path / "coins")
    session = Session(begun(place / "train" / "images", out=tmp_path / "project"))
    with pytest.raises(DataError, match="nothing is drawn of background and object yet: draw a few strokes"):
        session.train(steps=1)
    assert session.rounds == []


def test_a_browser_that_is_quicker_than_the_server_waits_for_it() -> None:
    with listening(None) as listener, socket.create_connection(listener.getsockname(), timeout=5):
        pass


def test_an_answer_that_an_end_cuts_off_is_no_traceback() -> None:
    def line(error: BaseException) -> logging.LogRecord:
        return logging.LogRecord("", logging.ERROR, "", 0, "failed", (), (type(error), error, None))

    assert not _is_no_ending(line(asyncio.CancelledError()))
    assert _is_no_ending(line(ValueError()))


def test_a_project_that_is_named_alone_goes_on_and_no_coins_are_put_into_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import uvicorn

    from delineate.studio import serve

    place = samples.write(tmp_path / "coins") / "train" / "images"
    begun(place, out=tmp_path / "project", names=("background", "coin"))
    monkeypatch.setattr(uvicorn.Server, "run", lambda *_, **__: None)
    told: list[str] = []
    serve(out=tmp_path / "project", browse=False, tell=told.append)
    assert str(tmp_path / "project" / "scribbles") in told[0]
    assert not (tmp_path / "project" / "coins").exists()
