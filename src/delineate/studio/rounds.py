"""Rounds of a project: each training leaves a model, what was said about it, and what was then done with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delineate.core import made_folder, written_whole

PAGES = {"report": "report.html", "audit": "audit.html"}


@dataclass(frozen=True)
class Round:
    """One training. number: from 1. folder: where all of it lies; said: what the training told."""

    number: int
    folder: Path
    said: tuple[str, ...] = ()

    @property
    def model(self) -> Path:
        """The model folder."""
        return self.folder / "model"

    def keep(self, lines: Sequence[str], *, images: int) -> Round:
        """Write round.json: what was told, and from how many labelled images it learnt. From then on the round counts."""
        with written_whole(self.folder / "round.json") as beside:
            content = {"format": "delineate-round", "version": 1, "images": images, "said": list(lines)}
            beside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        return Round(self.number, self.folder, tuple(lines))

    def free(self, name: str) -> Path:
        """A folder of that name in the round that is not there yet: name, name-2, name-3 ..."""
        number, path = 1, self.folder / name
        while path.exists():
            number += 1
            path = self.folder / f"{name}-{number}"
        return path

    def regions(self) -> list[dict[str, Any]]:
        """Where to draw next, the most helpful first: image, start, stop. Nothing where that was not asked."""
        found = sorted(self.folder.glob("next*/next.json"), key=lambda path: path.stat().st_mtime)
        if not found:
            return []
        return list(json.loads(found[-1].read_text(encoding="utf-8"))["regions"])

    def state(self) -> dict[str, Any]:
        """All of it as JSON has it; pages: name -> path from the rounds' folder."""
        pages = {
            path.parent.name: path.relative_to(self.folder.parent).as_posix()
            for kind, page in PAGES.items()
            for path in sorted(self.folder.glob(f"{kind}*/{page}"))
        }
        outlined = [str(path) for path in sorted(self.folder.glob("outlined*"))]
        model = str(self.model)
        return {
            "number": self.number,
            "said": list(self.said),
            "model": model,
            "pages": pages,
            "outlined": outlined,
        }


def rounds_in(folder: Path) -> list[Round]:
    """The rounds that were finished, in their order."""
    found = []
    for path in folder.glob("*/round.json"):
        try:
            said = json.loads(path.read_text(encoding="utf-8"))["said"]
            found.append(Round(int(path.parent.name), path.parent, tuple(map(str, said))))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # not ours, or damaged: the model in it can still be used from the command line
    return sorted(found, key=lambda one: one.number)


def begun_round(folder: Path) -> Round:
    """A new round after all that hold something, be they finished or not."""
    tried = [path for path in folder.iterdir() if path.name.isdigit()] if folder.is_dir() else []
    there = [int(path.name) for path in tried if any(path.iterdir())]
    number = max(there, default=0) + 1
    return Round(number, made_folder(folder / str(number)))
