"""What the scripts in bench and docs take from Delineate is there: nobody runs them all after each change."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = [*sorted((ROOT / "bench").glob("*.py")), *sorted((ROOT / "docs").glob("*.py"))]


def taken(script: Path) -> list[tuple[str, str]]:
    """(module, name) of everything that a script imports from Delineate, wherever in it."""
    found = ast.walk(ast.parse(script.read_text(encoding="utf-8")))
    return [
        (node.module, name.name)
        for node in found
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "delineate"
        for name in node.names
    ]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: str(script.relative_to(ROOT)))
def test_what_a_script_imports_is_there(script):
    for module, name in taken(script):
        assert hasattr(importlib.import_module(module), name) or importlib.import_module(f"{module}.{name}")
