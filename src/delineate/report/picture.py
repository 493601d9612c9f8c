"""A picture as a file that appears whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate.core import written_whole


def write_picture(path: Path, picture: NDArray[np.uint8]) -> Path:
    """Write RGB (height, width, 3) uint8 as PNG; gives the path back.

    >>> import tempfile
    >>> write_picture(Path(tempfile.mkdtemp()) / "red.png", np.full((2, 3, 3), (255, 0, 0), np.uint8)).name
    'red.png'
    """
    from PIL import Image

    with written_whole(path) as beside:
        Image.fromarray(picture).save(beside, format="PNG")
    return path
