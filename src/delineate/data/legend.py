"""What the user has written down about the values of the masks.

nnU-Net's `dataset.json`, or a `classes.json` or `classes.txt` beside the image folder:

    classes.json    {"background": 0, "cell": 128}            or {"0": "background", "128": "cell"}
                    {"background": "#ffffff", "cell": "#ff0000"} for masks in colour
                    ["background", "cell"]                    values 0, 1
    classes.txt     one name per line, values 0, 1, ...

What is named unlabelled, ignore or void is no class: nobody said anything about its pixels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delineate.core import DataError
from delineate.data.problem import listed

UNSAID = ("unlabelled", "unlabeled", "ignore", "void")
BACKGROUND = "background"


@dataclass(frozen=True)
class Legend:
    """Names by value, or by packed colour (`colours`), background first; `ignore` is the value that means unlabelled."""

    source: str
    names: Mapping[int, str]
    ignore: int | None = None
    colours: bool = False

    @property
    def background(self) -> bool:
        """Whether a value is named background."""
        return any(name.lower() == BACKGROUND for name in self.names.values())


def read_legend(folder: Path) -> Legend | None:
    """The legend in `folder`, or None where there is none; raises DataError where it cannot be read.

    A dataset.json without `labels`, or with nnU-Net's regions (sets of values), names nothing: None. Where regions are given
    together with a value to ignore, all values that they hold are classes by number.
    """
    for name in ("classes.json", "classes.txt", "dataset.json"):
        path = folder / name
        if not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8-sig")
            if path.suffix == ".txt":
                return _legend(name, [line.strip() for line in text.splitlines() if line.strip()])
            content = json.loads(text)
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise DataError(f"{path} cannot be read ({error}): mend it or remove it") from error
        if name == "classes.json":
            return _legend(name, content)
        labels = content.get("labels") if isinstance(content, dict) else None
        if not isinstance(labels, dict) or not labels:
            continue
        if not any(isinstance(v, list) for v in labels.values()):
            return _legend(name, labels)
        if numbered := _by_number(labels):
            return _legend(name, numbered)
    return None


def _by_number(regions: Mapping[str, Any]) -> dict[str, int]:
    """The values in nnU-Net's regions, each a class by its number, and the one to ignore; nothing where there is none.

    >>> _by_number({"background": 0, "tumour": [1, 2], "core": 2, "ignore": 3})
    {'background': 0, 'class_1': 1, 'class_2': 2, 'ignore': 3}
    """
    unsaid = {name: v for name, v in regions.items() if name.lower() in UNSAID and isinstance(v, int)}
    held = (v if isinstance(v, list) else [v] for name, v in regions.items() if name not in unsaid)
    values = sorted({v for some in held for v in some if isinstance(v, int)} - {0})
    return {BACKGROUND: 0, **{f"class_{v}": v for v in values}, **unsaid} if unsaid else {}


def _legend(source: str, content: Any) -> Legend:
    wrong = DataError(
        f'{source} does not name the values of the masks: write for example {{"background": 0, "cell": 1}}'
    )
    if isinstance(content, list):
        content = {str(i): name for i, name in enumerate(content)}
    if not isinstance(content, dict) or not content:
        raise wrong
    names: dict[int, str] = {}
    for left, right in content.items():
        value, name = _value(left), right
        if value is None or not isinstance(name, str):
            value, name = _value(right), left
        if value is None or not isinstance(name, str) or value in names:
            raise wrong
        names[value] = name
    unsaid = {v: name for v, name in names.items() if name.lower() in UNSAID}
    if len(unsaid) > 1:
        raise DataError(
            f"{source} says of several values that they are unlabelled ({listed(unsaid.values())}): give them one value in "
            "the masks, and name that"
        )
    kept = {v: name for v, name in names.items() if v not in unsaid}
    if not kept:
        raise wrong
    ignore = next(iter(unsaid), None)
    first = next((v for v, name in kept.items() if name.lower() == BACKGROUND), 0 if 0 in kept else None)
    rest = [v for v in kept if v != first]
    order = rest if first is None else [first, *rest]
    colours = any(str(word).startswith("#") for pair in content.items() for word in pair)
    return Legend(source, {v: kept[v] for v in order}, ignore, colours)


def _value(thing: Any) -> int | None:
    """A mask value written as 3, "3" or "#rrggbb"."""
    if isinstance(thing, bool):
        return None
    if isinstance(thing, int):
        return thing
    text = str(thing)
    try:
        return int(text[1:], 16) if text.startswith("#") and len(text) == 7 else int(text)
    except ValueError:
        return None
