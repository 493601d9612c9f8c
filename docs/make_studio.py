"""Makes docs/images/studio.png: a real browser draws strokes on coins, trains a minute, and goes to the next region.

    pip install playwright
    python docs/make_studio.py /usr/bin/chromium

Needs a Chromium; everything else starts and ends here.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from delineate.data import samples

PICTURE = Path(__file__).parent / "images" / "studio.png"
SIZE = {"width": 1280, "height": 760}
TABLE = [[(3, 3), (0.97, 4)], [(5, 0.35), (4, 0.9)]]  # shares of the sides where below 1, else pixels


def main(chromium: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "delineate.cli", "studio", "--no-browse", "-o", "coins"]
        server = subprocess.Popen(command, cwd=scratch, stderr=subprocess.PIPE, text=True)
        try:
            address = next(
                found[0] for line in server.stderr or () if (found := re.search(r"http://\S+", line))
            )
            with sync_playwright() as play:
                browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                page = browser.new_page(viewport=SIZE)
                page.goto(address)
                page.wait_for_selector("nav [aria-current=true]")
                for case in samples.coins()[0][:2]:
                    page.locator(f"nav [data-name={case.name}]").click()
                    page.wait_for_timeout(1500)
                    draw(page, case)
                page.locator("#train").click()
                page.wait_for_selector("#stop", state="visible")
                page.wait_for_selector("#stop", state="hidden", timeout=300_000)
                page.locator("#next").click()
                page.wait_for_timeout(3000)
                page.locator(f"nav [data-name={samples.coins()[0][1].name}]").click()
                page.wait_for_timeout(3000)
                page.screenshot(path=PICTURE)
                browser.close()
        finally:
            server.terminate()
            server.wait()
    print(PICTURE)


def draw(page: Any, case: Any) -> None:
    """A bent stroke in each coin, two on the table."""
    page.keyboard.press("2")
    for coin in range(1, int(case.objects.max()) + 1):
        rows, columns = (case.objects == coin).nonzero()
        if len(rows):
            y, x, far = rows.mean(), columns.mean(), 0.45 * (rows.max() - rows.min()) / 2
            stroke(page, [(x - far, y - far / 2), (x, y + far / 2), (x + far, y - far / 3)])
    page.keyboard.press("1")
    height, width = case.spatial
    for line in TABLE:
        stroke(page, [(x * width if x < 1 else x, y * height if y < 1 else y) for x, y in line])


def stroke(page: Any, points: list[tuple[float, float]]) -> None:
    """Through these points (x, y) in pixels of the image."""
    edge = page.locator("#layer-picture").bounding_box()
    scale = edge["width"] / page.locator("#layer-picture").evaluate("canvas => canvas.width")
    for i, (x, y) in enumerate(points):
        page.mouse.move(edge["x"] + x * scale, edge["y"] + y * scale, steps=8)
        if i == 0:
            page.mouse.down()
    page.mouse.up()
    page.wait_for_timeout(200)


if __name__ == "__main__":
    main(sys.argv[1])
