"""Makes our plain docstrings readable as Markdown, for mkdocstrings (a Griffe extension).

Doctests become fenced blocks, and lines that explain a parameter or an attribute (`width: channels at ...`)
become items of a list. Nothing else is touched.
"""

from __future__ import annotations

import re

import griffe


class ReadableDocstrings(griffe.Extension):
    """Rewrites the docstring of every object once it has been read."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        """Called by Griffe for each module, class, function and attribute."""
        if obj.docstring:
            obj.docstring.value = fenced(listed(obj.docstring.value, names=_explained(obj)))


def fenced(text: str) -> str:
    """`text` with each doctest, up to the next empty line, inside a fence.

    >>> fenced(">>> 1 + 1\\n2")
    '```pycon\\n>>> 1 + 1\\n2\\n```'
    """
    return re.sub(r"(?m)^>>> .*(?:\n(?!\s*$).*)*", lambda match: f"```pycon\n{match[0]}\n```", text)


def listed(text: str, *, names: set[str]) -> str:
    """`text` with lines `name: explanation` as a list, where every name before the colon is one of `names`.

    >>> print(listed("Cuts.\\n\\nsize: of a tile\\nwhere: the corner,\\nin pixels", names={"size", "where"}))
    Cuts.
    <BLANKLINE>
    - `size`: of a tile
    - `where`: the corner,
    in pixels
    """

    def item(match: re.Match[str]) -> str:
        if not set(re.split(r",\s*", match[1])) <= names:
            return match[0]
        return f"- `{match[1]}`: {match[2]}"

    return re.sub(r"(?m)^(\w+(?:, *\w+)*): (\S.*)$", item, text)


def _explained(obj: griffe.Object) -> set[str]:
    """Names that the docstring of `obj` may explain: parameters, or the fields of a class."""
    if isinstance(obj, griffe.Function):
        return {parameter.name for parameter in obj.parameters}
    if isinstance(obj, griffe.Class):
        made_by = obj.members.get("__init__")
        made_with = _explained(made_by) if isinstance(made_by, griffe.Function) else set()
        return set(obj.members) | made_with
    return set()
