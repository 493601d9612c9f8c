"""Lets `nav` in mkdocs.yml name a folder: `decisions/` stands for its pages in the order of their names (a hook)."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Called by MkDocs once, with mkdocs.yml."""
    config.nav = filled(config.nav, Path(config.docs_dir))
    return config


def filled(nav: Any, docs: Path) -> Any:
    """`nav` with every entry that ends in a slash replaced by the pages of that folder."""
    if isinstance(nav, dict):
        return {title: filled(inside, docs) for title, inside in nav.items()}
    if not isinstance(nav, list):
        return nav
    entries: list[Any] = []
    for entry in nav:
        if isinstance(entry, str) and entry.endswith("/"):
            entries += [page.relative_to(docs).as_posix() for page in sorted((docs / entry).glob("*.md"))]
        else:
            entries.append(filled(entry, docs))
    return entries
