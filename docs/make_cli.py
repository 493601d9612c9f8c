"""Writes docs/reference/cli.md from the command line itself; with --check, only says whether it is stale.

python docs/make_cli.py [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer.main

from delineate.cli import app

PAGE = Path(__file__).parent / "reference" / "cli.md"


def page() -> str:
    """The whole page as Markdown."""
    command: Any = typer.main.get_command(app)
    lines = [
        "# Command line",
        "",
        "<!-- Made by `python docs/make_cli.py`: do not edit, change delineate/cli and run it again. -->",
        "",
        *_described(command),
    ]
    for name, verb in command.commands.items():
        lines += [f"## delineate {name}", "", *_described(verb), *_usage(name, verb), *_parameters(verb)]
    return "\n".join(lines).rstrip() + "\n"


def _described(command: Any) -> list[str]:
    return [*(line.strip() for line in (command.help or "").splitlines()), ""]


def _usage(name: str, verb: Any) -> list[str]:
    needed = [
        parameter.name.upper() if _is_argument(parameter) else f"{parameter.opts[0]} {parameter.name.upper()}"
        for parameter in verb.params
        if parameter.required
    ]
    return ["```text", " ".join(["delineate", name, *needed, "[OPTIONS]"]), "```", ""]


def _parameters(verb: Any) -> list[str]:
    rows = [
        (_spelling(parameter), " ".join((parameter.help or "").split()), _default(parameter))
        for parameter in verb.params
        if not getattr(parameter, "hidden", False)
    ]
    if not rows:
        return []
    return [
        "| | | default |",
        "|---|---|---|",
        *(f"| {spelling} | {text.replace('|', '&#124;')} | {default} |" for spelling, text, default in rows),
        "",
    ]


def _spelling(parameter: Any) -> str:
    if _is_argument(parameter):
        return f"`{parameter.name.upper()}`"
    return ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    value = parameter.default
    if value is None or callable(value) or value is False or value == ():
        return ""
    return f"`{value}`"


def main() -> int:
    """Write the page, or compare it; exit status 1 where it is stale."""
    text = page()
    if sys.argv[1:] == ["--check"]:
        if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text:
            return 0
        print(f"{PAGE} is out of date: run python docs/make_cli.py and commit it", file=sys.stderr)
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
