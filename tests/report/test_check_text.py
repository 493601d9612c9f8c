"""What `delineate check` prints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from tifffile import imwrite

from delineate.data import check
from delineate.report.check_text import check_lines


def lines(root: Path, *, strays: int) -> list[str]:
    """Of a set with one labelled image and `strays` masks without an image."""
    for folder in ("images", "masks"):
        (root / folder).mkdir()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(root / "images" / "a.png")
    for name in ("a", *(f"stray{i}" for i in range(strays))):
        Image.fromarray(np.eye(8, dtype=np.uint8)).save(root / "masks" / f"{name}.png")
    return check_lines(check(root))


def test_a_data_set_is_told_in_a_line_per_fact(tmp_path: Path) -> None:
    assert lines(tmp_path, strays=0) == [
        f"{tmp_path}: 1 image, 1 with masks",
        "sizes: 8 x 8 (1)",
        "channels: 1 (1)",
        "values: uint8 from 0 to 63 (1 image)",
        "spacing: not told by the files (1)",
        "class background: 87.50% of the labelled pixels, in 1 mask",
        "class foreground: 12.50% of the labelled pixels, in 1 mask",
        "note: masks hold 0 and 1: read as background and foreground",
        "ready to train",
    ]


def test_spacings_that_no_file_tells_take_one_line(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for name, grey in (("a", np.arange(64).reshape(8, 8)), ("b", np.arange(256).reshape(4, 8, 8))):
        imwrite(tmp_path / "images" / f"{name}.tif", grey.astype(np.uint8), photometric="minisblack")
        imwrite(tmp_path / "masks" / f"{name}.tif", (grey > 9).astype(np.uint8), photometric="minisblack")
    told = [line for line in check_lines(check(tmp_path)) if line.startswith("spacing")]
    assert told == ["spacing: not told by the files (2)"]


def test_many_problems_of_one_kind_take_four_lines(tmp_path: Path) -> None:
    found = [line for line in lines(tmp_path, strays=9) if line.startswith("worth a look")]
    assert len(found) == 4
    assert found[-1].startswith("worth a look: 6 more like these, of masks/stray3.png, masks/stray4.png")


def test_four_problems_of_one_kind_are_all_written_out(tmp_path: Path) -> None:
    assert sum("has no image" in line for line in lines(tmp_path, strays=4)) == 4
