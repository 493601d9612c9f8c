"""Every Python block of README.md and of the pages in docs is executed, page by page, top to bottom.

A page is one namespace in an empty folder. A block with >>> is a dialogue, whose answers are compared. A block
that is only to be looked at is fenced as ```py.
"""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^(?P<indent> *)```(?:python|pycon)\b[^\n]*\n(?P<code>.*?)^(?P=indent)```", re.M | re.S)


def blocks(page: Path) -> list[tuple[int, str]]:
    """(line, code) of every block of `page` that is to be executed."""
    text = page.read_text(encoding="utf-8")
    return [
        (text.count("\n", 0, found.start("code")), textwrap.dedent(found["code"]))
        for found in FENCE.finditer(text)
    ]


PAGES = [page for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))] if blocks(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_python_block_of_the_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for line, code in blocks(page):
        if ">>> " not in code:
            exec(compile("\n" * line + code, str(page), "exec"), namespace)
            continue
        dialogue = parser.get_doctest(code, namespace, page.name, str(page), line)
        said = []
        failures = runner.run(dialogue, clear_globs=False, out=said.append).failed
        assert failures == 0, "".join(said)
        namespace.update(dialogue.globs)


def test_there_are_pages_with_python_blocks():
    assert ROOT / "README.md" in PAGES


def test_every_link_between_pages_leads_to_a_file():
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_the_command_line_reference_is_up_to_date():
    done = subprocess.run(
        [sys.executable, ROOT / "docs/make_cli.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("script", ["docstrings", "mathml"])
def test_the_examples_in_what_builds_the_pages_hold(script):
    done = subprocess.run(
        [sys.executable, "-m", "doctest", ROOT / f"docs/{script}.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""
    assert done.returncode == 0, done.stderr
