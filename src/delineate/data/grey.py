"""Grey pictures that are stored as colour: many programs export every PNG so, and folders mix both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.data.picture import Picture
from delineate.data.problem import counted


def as_grey(image: NDArray[Any]) -> NDArray[Any]:
    """The first channel alone where three channels are one and the same picture.

    >>> as_grey(np.ones((2, 2, 3))).shape
    (2, 2, 1)
    """
    if (
        image.shape[-1] == 3
        and np.array_equal(image[..., 0], image[..., 1])
        and np.array_equal(image[..., 0], image[..., 2])
    ):
        return image[..., :1]
    return image


def grey_note(stored: Sequence[int], shown: Sequence[int]) -> str:
    """What to say where images are to be read as grey since others are, or "" where they are not.

    stored, shown: of each image the number of channels in its file, and of those that say something of their own. Images of
    true colour beside grey ones stay what they are.

    >>> grey_note([1, 3, 3], [1, 1, 1])
    '2 colour images hold a grey picture three times: read as grey, as the others are'
    >>> grey_note([1, 3, 3], [1, 3, 1]), grey_note([3, 3], [1, 1])
    ('', '')
    """
    if set(stored) != {1, 3} or set(shown) != {1}:
        return ""
    count = stored.count(3)
    return (
        f"{counted(count, 'colour image')} {'hold' if count > 1 else 'holds'} a grey picture three times: "
        "read as grey, as the others are"
    )


def alike(pictures: Mapping[str, Picture]) -> tuple[Mapping[str, Picture], str]:
    """Pictures by name: grey ones that are stored as colour as the grey ones beside them are, and what to say of it."""
    stored = [picture.array.shape[-1] for picture in pictures.values()]
    if set(stored) != {1, 3}:
        return pictures, ""
    grey = {name: replace(picture, array=as_grey(picture.array)) for name, picture in pictures.items()}
    note = grey_note(stored, [picture.array.shape[-1] for picture in grey.values()])
    return (grey if note else pictures), note
