"""A section as files, so that an audit that was interrupted goes on where it stopped: JSON, and pictures as PNG.

Nothing is pickled. Numbers that are not finite are written as Python's json module writes them, for it alone reads them again.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from delineate.audits.section import Chart, Curve, Finding, Picture, Remedy, Section, Table
from delineate.core import made_folder, written_whole

NAME = "section.json"


def write_section(section: Section, folder: Path, *, asked: Any) -> None:
    """Write the section into `folder`, made if missing. asked: plain values; what the section is the answer to.

    >>> import tempfile
    >>> scratch = Path(tempfile.mkdtemp())
    >>> section = Section("shift", "Shifts", "Does a pixel matter?", "No.", findings=(Finding("a", 1.0, "All.", "pass"),))
    >>> write_section(section, scratch, asked={"seed": 0})
    >>> read_section(scratch, asked={"seed": 0}).verdict, read_section(scratch, asked={"seed": 1})
    ('pass', None)
    """
    from PIL import Image

    made_folder(folder)
    for number, picture in enumerate(section.pictures):
        with written_whole(folder / f"{number}.png") as beside:
            Image.fromarray(picture.pixels).save(beside, format="PNG")
    captions = [picture.caption for picture in section.pictures]
    content = asdict(replace(section, pictures=())) | {"pictures": captions}
    with written_whole(folder / NAME) as beside:
        beside.write_text(json.dumps({"asked": asked, "section": content}), encoding="utf-8")


def read_section(folder: Path, *, asked: Any) -> Section | None:
    """The section in `folder`, if it is there and answers what is asked; else None."""
    from PIL import Image

    try:
        content = json.loads((folder / NAME).read_text(encoding="utf-8"))
        if content["asked"] != json.loads(json.dumps(asked)):
            return None
        held = content["section"]
        pictures = []
        for number, caption in enumerate(held["pictures"]):
            with Image.open(folder / f"{number}.png") as opened:
                pictures.append(Picture(caption, np.asarray(opened.convert("RGB"))))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Section(
        **{key: held[key] for key in ("name", "title", "question", "sentence", "numbers")},
        notes=tuple(held["notes"]),
        findings=tuple(Finding(**one) for one in held["findings"]),
        tables=tuple(
            Table(one["title"], tuple(one["header"]), tuple(map(tuple, one["rows"])))
            for one in held["tables"]
        ),
        charts=tuple(Chart(**one | {"curves": tuple(map(_curve, one["curves"]))}) for one in held["charts"]),
        pictures=tuple(pictures),
        remedies=tuple(Remedy(**one) for one in held["remedies"]),
    )


def _curve(held: dict[str, Any]) -> Curve:
    band = held["band"]
    return Curve(
        held["name"],
        tuple(held["x"]),
        tuple(held["y"]),
        None if band is None else (tuple(band[0]), tuple(band[1])),
    )
