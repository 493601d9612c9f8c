"""Where the next scribble would help, as lists for people and programs and as pictures to draw by.

next.csv has the regions, the most helpful first; next.json these and the images; overlays/ each image with what the
network is unsure of, and its regions framed and numbered.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import written_whole
from delineate.report.overlay import Rgb, stretched
from delineate.report.picture import write_picture

UNSURE = (255, 120, 0)
FRAME = (255, 255, 255)


@dataclass(frozen=True)
class Suggestion:
    """One region to scribble on, or one image to label.

    rank: 1 is the most helpful. start, stop: first and past-last pixel along each axis. uncertainty: mean entropy, 0 to 1.
    """

    rank: int
    image: str
    start: tuple[int, ...]
    stop: tuple[int, ...]
    uncertainty: float


def write_suggestions(
    folder: Path, regions: Sequence[Suggestion], images: Sequence[Suggestion], *, model: str, region_px: int
) -> Path:
    """Write next.csv and next.json into `folder`; gives the CSV back."""
    axes = ("slice", "row", "column")[-len(regions[0].start) :] if regions else ("row", "column")
    held = io.StringIO()
    writer = csv.writer(held, lineterminator="\n")
    writer.writerow(("rank", "name", *axes, *(f"{axis}_stop" for axis in axes), "uncertainty"))
    for one in regions:
        writer.writerow((one.rank, one.image, *one.start, *one.stop, f"{one.uncertainty:.4f}"))
    content = {
        "format": "delineate-next",
        "version": 1,
        "model": model,
        "region_px": region_px,
        "axes": list(axes),
        "regions": [asdict(one) for one in regions],
        "images": [
            {"rank": one.rank, "image": one.image, "uncertainty": round(one.uncertainty, 6)} for one in images
        ],
    }
    with written_whole(folder / "next.json") as beside:
        beside.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    with written_whole(folder / "next.csv") as beside:
        beside.write_text(held.getvalue(), encoding="utf-8")
    return folder / "next.csv"


def draw_suggestions(
    image: NDArray[Any], entropy: NDArray[np.floating[Any]], regions: Sequence[Suggestion], path: Path
) -> Path:
    """Draw an image (*spatial, channels) with its entropy (*spatial, 0 to 1) and its regions, numbered by rank, as a PNG.

    Of a volume, the slice with the best of these regions is drawn, and the regions in it.

    >>> import tempfile
    >>> one = Suggestion(3, "a", (2, 2), (30, 30), 0.5)
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     place = Path(scratch) / "a.png"
    ...     draw_suggestions(np.zeros((40, 50, 1)), np.zeros((40, 50)), [one], place).name
    'a.png'
    """
    picture = stretched(image)
    if picture.ndim == 4:
        best = min(regions, key=lambda one: one.rank).start[0] if regions else len(picture) // 2
        picture, entropy = picture[best], entropy[best]
        regions = [one for one in regions if one.start[0] == best]
    return write_picture(path, _framed(_tinted(picture, entropy), regions))


def _tinted(picture: Rgb, entropy: NDArray[np.floating[Any]]) -> Rgb:
    strength = 0.8 * np.clip(entropy, 0, 1)[..., None]
    tinted: Rgb = np.round(picture + strength * (np.array(UNSURE) - picture)).astype(np.uint8)
    return tinted


def _framed(picture: Rgb, regions: Sequence[Suggestion]) -> Rgb:
    from PIL import Image, ImageDraw, ImageFont

    drawn = Image.fromarray(picture)
    pen = ImageDraw.Draw(drawn)
    font = ImageFont.load_default(size=max(12, min(picture.shape[:2]) // 20))
    for one in sorted(regions, key=lambda one: -one.rank):
        (top, left), (bottom, right) = one.start[-2:], one.stop[-2:]
        pen.rectangle((left, top, right - 1, bottom - 1), outline=(0, 0, 0), width=3)
        pen.rectangle((left + 1, top + 1, right - 2, bottom - 2), outline=FRAME, width=1)
        pen.text(
            (left + 5, top + 3), str(one.rank), fill=FRAME, font=font, stroke_width=2, stroke_fill=(0, 0, 0)
        )
    return np.asarray(drawn)
