"""What results in a folder rest on, kept there, so that whoever goes on does so with the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from delineate.core import DataError, written_whole


def kept_settings(path: Path, settings: Mapping[str, Any], *, what: str) -> None:
    """Write settings to `path`, a JSON file; raises DataError where others are there already.

    what: that was begun, and with which kinds of settings, as in "the budget in runs was begun with other steps or images".

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     kept_settings(Path(scratch) / "a.json", {"steps": 1}, what="it was begun with other steps")
    ...     kept_settings(Path(scratch) / "a.json", {"steps": 1}, what="it was begun with other steps")
    ...     kept_settings(Path(scratch) / "a.json", {"steps": 2}, what="it was begun with other steps")
    Traceback (most recent call last):
    delineate.core.errors.DataError: it was begun with other steps: give the same, or another folder
    """
    text = json.dumps(settings, indent=1, default=str)
    if not path.is_file():
        with written_whole(path) as beside:
            beside.write_text(text)
    elif path.read_text() != text:
        raise DataError(f"{what}: give the same, or another folder")
