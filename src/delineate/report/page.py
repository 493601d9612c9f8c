"""What every page shares: its template, its pictures inside the file, the version that wrote it."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup


def template(name: str) -> Template:
    """The template of that name; what it is not given is an error there, not a blank. `version` is known to all."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("delineate.report")
    pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    pages.globals["version"] = _version()
    pages.filters["coded"] = coded
    return pages.get_template(name)


def coded(text: str) -> Markup:
    """A sentence for a page, with what stands between backticks as code.

    >>> print(coded("`predict` takes a < b"))
    <code>predict</code> takes a &lt; b
    """
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def source(png: bytes) -> str:
    """A PNG as an address that holds the picture itself."""
    return "data:image/png;base64," + b64encode(png).decode("ascii")


def picture_source(pixels: NDArray[np.uint8], *, kind: Literal["PNG", "JPEG"] = "PNG") -> str:
    """RGB (height, width, 3) uint8 as such an address.

    >>> picture_source(np.zeros((1, 1, 3), np.uint8), kind="JPEG")[:23]
    'data:image/jpeg;base64,'
    """
    from PIL import Image

    held = BytesIO()
    grey = bool((pixels == pixels[..., :1]).all())
    Image.fromarray(pixels[..., 0] if grey else pixels).save(held, kind, quality=88, compress_level=4)
    return source(held.getvalue()).replace("image/png", f"image/{kind.lower()}")


def themes(draw: Callable[[str], bytes]) -> dict[str, str]:
    """A figure drawn for light and for dark pages, as addresses by the name of the theme."""
    return {theme: source(draw(theme)) for theme in ("light", "dark")}


def _version() -> str:
    """Of this Delineate; empty where it is not installed."""
    try:
        return version("delineate")
    except PackageNotFoundError:
        return ""
