"""Turns formulas into MathML while the pages are built (an MkDocs hook), so that no script draws them.

Written between dollars as LaTeX, which GitHub shows too; every browser shows MathML by itself.
"""

from __future__ import annotations

import html
import re

from latex2mathml.converter import convert

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.S)


def on_page_content(content: str, /, **_: object) -> str:
    """Called by MkDocs with the HTML of each page.

    >>> on_page_content(r'<p><span class="arithmatex">\\(a &lt; 2\\)</span></p>')[:69]
    '<p><math xmlns="http://www.w3.org/1998/Math/MathML" display="inline">'
    """
    return FORMULA.sub(_mathml, content)


def _mathml(formula: re.Match[str]) -> str:
    return convert(html.unescape(formula[2]).strip(), display="block" if formula[1] == "div" else "inline")
