"""What a mask file holds, before anybody says what it means.

`plain` brings the forms that masks come in (1-bit, float, grey stored as RGB, colour codes, transparency) to
one array of integers; `look` gathers from it what `delineate.data.masks` needs to tell conventions apart: the
values, whether each is one connected piece (objects are, classes seldom), and whether the values between the
common ones are only a blurred edge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import DataError
from delineate.data.edges import count, is_fringed, is_soft
from delineate.data.form import Form, form_of
from delineate.data.picture import Picture

PEN_PX, MOST_THIN, MOST_EVEN, MOST_STROKE_VALUES = 5, 0.1, 0.35, 64
SOFT_VALUES = 9  # of a file of strokes, from which it is asked whether a soft pen made most of them

CLEAR = -(1 << 30)
"""The value of transparent pixels where they are told apart from black ones, in scribbles."""

GREY = 0x010101
"""Grey level v as a packed colour is v * GREY."""


@dataclass(frozen=True)
class Evidence:
    """What one mask holds.

    where: the file's name. counts: pixels of each value, values in rising order; colours are packed 0xRRGGBB.
    colour: the values are colours. rgb: the file stores three channels, be they equal or not.
    inks: of a palette file, the packed colour of each value. pieces: how many values other than 0 were looked
    at, and how many of them are one connected piece; (0, 0) where there are fewer than two. fringed: the
    values are those of a blurred or JPEG-compressed mask. pen: "thin" or "evenly wide" where two values or more beside 0
    lie as strokes do, nowhere thicker than a pen or of one width. strokes: connected pieces of each value, where they were
    counted. form: how the values lie, where that was measured. soft: a pen with soft
    edges made most of the values."""

    where: str
    counts: Mapping[int, int]
    colour: bool = False
    rgb: bool = False
    inks: Mapping[int, int] | None = None
    pieces: tuple[int, int] = (0, 0)
    fringed: bool = False
    pen: str = ""
    strokes: Mapping[int, int] | None = None
    form: Form = field(default_factory=Form)
    soft: bool = False

    @property
    def values(self) -> list[int]:
        """The values, rising."""
        return list(self.counts)


def plain(mask: Picture, *, where: str, clear: int = 0) -> tuple[NDArray[np.integer[Any]], bool]:
    """The mask as integers (*spatial), and whether they are packed colours 0xRRGGBB.

    mask: of the form that `read_mask` gives. clear: the value of fully transparent pixels, by default black.
    Raises DataError, naming `where`, for values that are not whole numbers and for half-transparent pixels.

    >>> plain(Picture(np.array([[0.0, 2.0]]), (1.0, 1.0), "px", None, ".tif", ()), where="a.tif")
    (array([[0, 2]], dtype=int32), False)
    >>> plain(Picture(np.full((1, 1, 3), 255, np.uint8), (1.0, 1.0), "px", None, ".png", ()), where="a.png")
    (array([[255]], dtype=uint8), False)
    """
    array, axes = mask.array, len(mask.spacing)
    if array.dtype == np.bool_:
        array = array.view(np.uint8)
    if array.dtype.kind == "f":
        array = _whole(array, where=where)
    if array.dtype == np.uint64:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise DataError(f"mask {where} holds {array.dtype} values: save it with whole numbers")
    if array.ndim == axes:
        return array, False
    if array.ndim != axes + 1 or array.shape[-1] not in (3, 4):
        raise DataError(
            f"mask {where} has {array.shape[-1]} channels: save it with one channel, or as a colour-coded "
            "RGB picture"
        )
    unseen = _transparent(array, where=where) if array.shape[-1] == 4 else np.zeros((), bool)
    if unseen.any():
        array = np.where(unseen[..., None], 0, array).astype(array.dtype)
    red, green, blue = (array[..., i] for i in range(3))
    colour = not (np.array_equal(red, green) and np.array_equal(red, blue))
    if colour and array.dtype != np.uint8:
        raise DataError(f"mask {where} is a colour picture of {array.dtype}: save it with 8 bits per channel")
    ints = (red.astype(np.int32) << 16) | (green.astype(np.int32) << 8) | blue if colour else red
    if clear and unseen.any():
        return np.where(unseen, clear, ints.astype(np.int32)), colour
    return np.ascontiguousarray(ints), colour


def look(mask: Picture, *, where: str, closely: bool = True, strokes: bool = False) -> Evidence:
    """What the mask holds; raises as `plain` does for what cannot be a mask.

    closely: look at pieces and edges too, which takes longer and is of no use where the kind of mask is known.
    strokes: for scribbles; transparent pixels are CLEAR, and form and pieces are looked at, of which only scribbles have few.

    >>> seen = look(Picture(np.array([[0, 1, 1, 0, 2]]), (1.0, 1.0), "px", None, ".png", ()), where="a.png")
    >>> seen.counts, seen.pieces
    ({0: 2, 1: 2, 2: 1}, (2, 2))
    """
    ints, colour = plain(mask, where=where, clear=CLEAR if strokes else 0)
    counts = count(ints)
    marks = [v for v in counts if v > 0 and (v != 255 or 254 in counts)]
    inks = None
    if mask.palette is not None:
        packed = mask.palette.astype(np.int64) @ (1 << 16, 1 << 8, 1)
        inks = {v: int(packed[v]) if v < len(packed) else 0 for v in counts}
    pieces, fringed, pen = (0, 0), False, ""
    if closely and len(marks) > 1:
        share = _largest_piece(ints)
        if not colour:
            pieces = (len(marks), sum(share[v] >= 0.95 for v in marks))
        fringed = is_fringed(ints, counts, share) or (inks is not None and _fringed_inks(ints, inks))
        pen = "" if colour else _pen(ints, counts)
    fringed |= mask.suffix in (".jpg", ".jpeg") and len(counts) > 2
    soft = strokes and not fringed and len(counts) >= SOFT_VALUES and is_soft(ints, counts)
    few = strokes and len(counts) <= MOST_STROKE_VALUES
    return Evidence(
        where,
        counts,
        colour,
        mask.array.ndim > len(mask.spacing),
        inks,
        pieces,
        fringed,
        pen,
        _strokes(ints) if few else None,
        form_of(ints) if few else Form(),
        soft,
    )


def packed(value: int) -> int:
    """A grey level as a packed colour; what is no level (CLEAR) stays.

    >>> hex(packed(255)), packed(CLEAR) == CLEAR
    ('0xffffff', True)
    """
    return value * GREY if value > 0 else value


def in_colour(seen: Evidence) -> Evidence:
    """What the mask holds when a palette file is read by its colours (or grey levels), not its indices.

    >>> in_colour(Evidence("a.gif", {0: 9, 1: 4}, inks={0: 0xFFFFFF, 1: 0})).counts
    {0: 4, 255: 9}
    """
    if seen.inks is None:
        return seen
    totals: Counter[int] = Counter()
    for value, number in seen.counts.items():
        totals[seen.inks[value]] += number
    colour = any(ink % GREY for ink in totals)
    counts = {ink if colour else ink // GREY: totals[ink] for ink in sorted(totals)}
    return replace(seen, counts=counts, colour=colour, rgb=True, inks=None)


def _whole(array: NDArray[Any], *, where: str) -> NDArray[Any]:
    if not np.isfinite(array).all():
        raise DataError(
            f"mask {where} holds pixels that are NaN or infinite: give them a "
            "number of their own and name it with --unlabelled"
        )
    ints = array.astype(np.int64)
    if not np.array_equal(ints, array):
        odd = float(array[ints != array].flat[0])
        raise DataError(
            f"mask {where} holds {odd:.4g} and other values between whole numbers: threshold "
            "it, or resample the original mask by nearest neighbour"
        )
    small = ints.size == 0 or (ints.min() >= -(2**31) and ints.max() < 2**31)
    return ints.astype(np.int32) if small else ints


def _transparent(array: NDArray[Any], *, where: str) -> NDArray[np.bool_]:
    """Where RGBA pixels are transparent; alpha that is 0 under all of a picture says nothing."""
    alpha = array[..., 3]
    opaque, clear = alpha == alpha.max(initial=0), alpha == 0
    if not (opaque | clear).all():
        raise DataError(
            f"mask {where} has half-transparent pixels: draw it without soft edges and save it again"
        )
    if clear.all() and array[..., :3].any():
        return np.zeros(alpha.shape, bool)
    return np.asarray(clear, bool)


def _fringed_inks(ints: NDArray[np.integer[Any]], inks: Mapping[int, int]) -> bool:
    """Whether indices of a palette of greys line the edges of what is shown, as of a blurred mask that was given one."""
    if any(ink % GREY for ink in inks.values()):
        return False
    levels = np.zeros(max(inks) + 1, np.int64)
    levels[list(inks)] = [ink // GREY for ink in inks.values()]
    shown = levels[ints]
    return is_fringed(shown, count(shown), _largest_piece(shown))


def _largest_piece(ints: NDArray[np.integer[Any]]) -> dict[int, float]:
    """For each value but 0, the share of its pixels that lies in its largest connected piece."""
    from skimage import measure

    label: Any = measure.label
    pieces = label(ints, background=0, connectivity=ints.ndim).ravel()
    sizes = np.bincount(pieces)
    value_of = np.zeros(len(sizes), ints.dtype)
    value_of[pieces] = ints.ravel()
    values, inverse = np.unique(value_of[1:], return_inverse=True)
    largest, total = np.zeros(len(values)), np.zeros(len(values))
    np.maximum.at(largest, inverse, sizes[1:])
    np.add.at(total, inverse, sizes[1:])
    return dict(zip(values.tolist(), (largest / total).tolist(), strict=True))


def _pen(ints: NDArray[np.integer[Any]], counts: Mapping[int, int]) -> str:
    """How the values beside 0 are drawn, if as strokes: no square of 5 x 5 pixels, or all of one width; else ""."""
    from scipy import ndimage

    marks, zeros = [v for v in counts if v > 0], counts.get(0, 0) / max(ints.size, 1)
    if zeros < 1 - MOST_EVEN or not 2 <= len(marks) <= MOST_STROKE_VALUES:
        return ""
    size = (*(1,) * (ints.ndim - 2), PEN_PX, PEN_PX)
    if (
        zeros >= 1 - MOST_THIN
        and not (ndimage.minimum_filter(ints, size=size, mode="constant", cval=0) > 0).any()
    ):
        return "thin"
    return "evenly wide" if form_of(ints).brushed else ""


def _strokes(ints: NDArray[np.integer[Any]]) -> dict[int, int]:
    """Connected pieces of each value; of a stack in each slice, for people draw on slices."""
    from skimage import measure

    label: Any = measure.label
    found: Counter[int] = Counter()
    for plane in ints.reshape(-1, *ints.shape[-2:]).astype(np.int64):
        _, first = np.unique(label(plane, background=-(2**62), connectivity=2), return_index=True)
        found.update(plane.ravel()[first].tolist())
    return dict(found)
