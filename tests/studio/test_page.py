"""The page in a real browser. Skipped without playwright (pip install playwright) and a Chromium on the path."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from delineate.core import UNLABELLED
from delineate.data import samples
from delineate.data.formats import read_mask
from delineate.studio import Project, Session, begun
from served import KEY, served

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
NAMES = ["coins_y000_x077", "coins_y085_x077"]

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
if CHROMIUM is None:
    pytest.skip("there is no Chromium on the path", allow_module_level=True)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    place = samples.write(tmp_path / "coins") / "train" / "images"
    return begun(place, out=tmp_path / "project", names=("background", "coin"))


@pytest.fixture
def page(project: Project) -> Iterator[Any]:
    with served(Session(project)) as client, sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        broken: list[str] = []
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.goto(f"{client.base_url}/?key={KEY}")
        page.wait_for_selector("nav [aria-current=true]")
        yield page
        assert broken == []
        browser.close()


def drag(page: Any, points: list[tuple[float, float]], *, button: str = "left") -> None:
    """Through the middles of these pixels (row, column)."""
    edge = page.locator("#layer-picture").bounding_box()
    scale = edge["width"] / page.locator("#layer-picture").evaluate("canvas => canvas.width")
    for i, (row, column) in enumerate(points):
        page.mouse.move(edge["x"] + (column + 0.5) * scale, edge["y"] + (row + 0.5) * scale, steps=5)
        if i == 0:
            page.mouse.down(button=button)
    page.mouse.up(button=button)


def on_disk(project: Project, name: str, expected: int) -> np.ndarray:
    """The strokes of an image, once as many pixels are drawn as are expected; what is there after ten seconds otherwise."""
    path = project.folder / "scribbles" / f"{name}.png"
    labels = np.full(project.picture(name).spatial, UNLABELLED, np.uint8)
    for _ in range(100):
        labels = read_mask(path).array if path.exists() else np.full_like(labels, UNLABELLED)
        if (labels != UNLABELLED).sum() == expected:
            break
        time.sleep(0.1)
    return labels


def test_a_stroke_is_the_pixels_under_the_pen_undone_and_done_again(page: Any, project: Project) -> None:
    page.locator("#width").fill("1")
    page.keyboard.press("2")
    drag(page, [(40, 50), (40, 60)])
    labels = on_disk(project, NAMES[0], 11)
    assert np.argwhere(labels == 1).tolist() == [[40, column] for column in range(50, 61)]
    page.keyboard.press("Control+z")
    assert (on_disk(project, NAMES[0], 0) == UNLABELLED).all()
    page.keyboard.press("Control+Shift+z")
    assert (on_disk(project, NAMES[0], 11) == labels).all()


def test_the_right_button_erases_and_a_stroke_beyond_the_edge_ends_there(page: Any, project: Project) -> None:
    page.locator("#width").fill("1")
    page.keyboard.press("1")
    drag(page, [(84, 0), (84, 200)])
    assert (on_disk(project, NAMES[0], 170)[84] == 0).all()
    drag(page, [(84, 10), (84, 19)], button="right")
    labels = on_disk(project, NAMES[0], 160)
    assert (labels[84, 10:20] == UNLABELLED).all()


def test_each_image_keeps_its_own_strokes(page: Any, project: Project) -> None:
    page.locator("#width").fill("1")
    drag(page, [(10, 10), (10, 14)])
    page.keyboard.press("ArrowDown")
    page.wait_for_selector(f"nav [aria-current=true][data-name={NAMES[1]}]")
    drag(page, [(20, 20), (20, 27)])
    assert (on_disk(project, NAMES[1], 8) == 1).sum() == 8
    assert (on_disk(project, NAMES[0], 5) == 1).sum() == 5


def test_what_cannot_be_done_yet_is_said_on_the_page(page: Any) -> None:
    page.locator("#train").click()
    page.wait_for_selector("#error", state="visible")
    assert "nothing is drawn of background and coin yet" in page.locator("#error").inner_text()


def test_an_image_that_cannot_be_read_is_marked_in_the_list(page: Any, project: Project) -> None:
    project.entry(NAMES[1]).images[0].write_bytes(b"no image")
    page.reload()
    page.wait_for_selector(f"nav [data-name={NAMES[1]}] .broken")
    page.locator(f"nav [data-name={NAMES[1]}]").click()
    page.wait_for_selector("#error", state="visible")
    assert "cannot be read" in page.locator("#error").inner_text()
    assert page.locator("nav .broken").count() == 1


def test_what_was_begun_in_another_tab_can_be_stopped_in_this_one(page: Any, project: Project) -> None:
    for name in NAMES:
        project.draw(name, np.array([[0, 1]], np.uint8), at=(0, 4, 4))
    assert page.request.post(f"{page.url}api/train", data={"minutes": 60}).ok
    page.locator("#train").click()
    page.wait_for_selector("#stop", state="visible")
    assert "training goes on: wait until it has ended, or stop it" in page.locator("#error").inner_text()
    page.locator("#stop").click()
    page.wait_for_selector("#stop", state="hidden", timeout=60_000)
    assert "training was stopped" in page.locator("#error").inner_text()
