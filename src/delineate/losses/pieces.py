"""Walking through logits in pieces that stay in the processor's cache.

A loss in plain torch writes a dozen arrays of the size of the logits to memory and reads them back; that, not the
arithmetic, is what takes the time. So the losses here take a few ten thousand pixels at a time, do everything with
them while they are in the cache, and keep one number per pixel for the backward pass. A piece is a matrix
(classes, pixels) whatever the memory format of the logits: read it with `matrix`, write it with `store`.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from delineate.core import UNLABELLED

CACHED_ELEMENTS = 1 << 19
"""Elements of one piece: 2 MB as float32, shared by the cores' second-level caches. Measured in docs/decisions."""

Piece = tuple[slice, slice]
"""Which images of the batch, and which of their pixels."""


def pieces(flat: Tensor) -> Iterator[Piece]:
    """Pieces that cover logits (batch, classes, pixels) once: several small images, or a part of a large one.

    Away from the CPU there is one piece, since launching a kernel costs more there than memory does.

    >>> [(images, pixels) for images, pixels in pieces(torch.zeros(2, 4, 200_000))][-1]
    (slice(1, 2, None), slice(100000, 200000, None))
    """
    batch, classes, pixels = flat.shape
    if flat.device.type != "cpu":
        yield slice(0, batch), slice(0, pixels)
        return
    fitting = max(1, CACHED_ELEMENTS // classes)
    images = max(1, fitting // max(1, pixels))
    parts = max(1, -(-pixels // fitting))
    length = max(1, -(-pixels // parts))
    for first in range(0, batch, images):
        for start in range(0, pixels, length):
            yield slice(first, min(first + images, batch)), slice(start, min(start + length, pixels))


def matrix(flat: Tensor, piece: Piece, dtype: torch.dtype) -> Tensor:
    """The piece of logits (batch, classes, pixels) as a matrix (classes, pixels of the piece) of `dtype`.

    It may share memory with the logits: do not write to it.
    """
    images, pixels = piece
    part = flat[images, :, pixels].transpose(0, 1)
    if part.dtype != dtype:
        return torch.empty(part.shape, dtype=dtype, device=part.device).copy_(part).flatten(1)
    if part.stride(-1) != 1:  # channels last: a multiplication transposes three times faster than a copy does
        return torch.mul(part, 1, out=torch.empty(part.shape, dtype=dtype, device=part.device)).flatten(1)
    return part.flatten(1)


def store(rows: Tensor, flat: Tensor, piece: Piece) -> None:
    """Write a matrix (classes, pixels of the piece) to its place in `flat` (batch, classes, pixels)."""
    images, pixels = piece
    part = flat[images, :, pixels].transpose(0, 1)
    rows = rows.view(part.shape)
    if part.dtype == rows.dtype and part.stride(-1) != 1:
        torch.mul(rows, 1, out=part)
    else:
        part.copy_(rows)


def one_hot(labels: Tensor, piece: Piece, *, classes: int, dtype: torch.dtype) -> Tensor:
    """1 where a pixel has the class, (classes, pixels of the piece); a column of zeros where it is unlabelled.

    >>> one_hot(torch.tensor([[0, 1, 255]], dtype=torch.uint8), (slice(0, 1), slice(0, 3)),
    ...         classes=2, dtype=torch.float32)
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    images, pixels = piece
    found = labels[images, pixels].reshape(1, -1).to(dtype)
    index = torch.arange(classes, dtype=dtype, device=labels.device)[:, None]
    return torch.eq(found, index, out=torch.empty(classes, found.shape[1], dtype=dtype, device=labels.device))


def narrowed(labels: Tensor, *, classes: int) -> Tensor | None:
    """Labels as uint8, or None where one of them is neither a class nor UNLABELLED."""
    if labels.numel() == 0:
        return labels.to(torch.uint8)
    if labels.dtype != torch.uint8:
        if labels.dtype in (torch.uint16, torch.uint32, torch.uint64):  # of which torch asks no extremes
            labels = labels.to(torch.int64)
        low, high = labels.aminmax()
        if low < 0 or high > UNLABELLED:
            return None
        labels = labels.to(torch.uint8)
    return labels if int((labels + 1).max()) <= classes else None  # UNLABELLED + 1 wraps to 0
