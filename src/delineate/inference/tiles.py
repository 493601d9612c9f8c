"""Cutting a large image into tiles without anyone noticing.

Every tile carries as much context (halo) as one output pixel can depend on, and starts at a multiple of the
network's divisor, so that it is sampled on the same grid as the whole. Only the core of each tile is kept:
nothing is blended, and the result equals that of the whole image within float rounding.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tile:
    """`read` is the window to run the network on; `keep`, inside it, is the part whose result is kept."""

    read: tuple[slice, ...]
    keep: tuple[slice, ...]

    @property
    def inside(self) -> tuple[slice, ...]:
        """Where `keep` lies within `read`."""
        return tuple(
            slice(keep.start - read.start, keep.stop - read.start)
            for read, keep in zip(self.read, self.keep, strict=True)
        )


def tiles(spatial: tuple[int, ...], *, core: tuple[int, ...], halo: tuple[int, ...]) -> Iterator[Tile]:
    """Tiles that cover an image of shape `spatial`, each pixel kept once.

    core: pixels kept per tile and axis; halo: context on each side, clipped at the border of the image. For a
    network both are multiples of its divisor.

    >>> [(t.read[0], t.keep[0]) for t in tiles((10,), core=(4,), halo=(2,))]
    [(slice(0, 6, None), slice(0, 4, None)), (slice(2, 10, None), slice(4, 8, None)), (slice(6, 10, None), slice(8, 10, None))]
    """
    axes = [
        [
            (
                slice(max(start - around, 0), min(start + step + around, length)),
                slice(start, min(start + step, length)),
            )
            for start in range(0, length, step)
        ]
        for length, step, around in zip(spatial, core, halo, strict=True)
    ]
    for pairs in itertools.product(*axes):
        yield Tile(tuple(read for read, _ in pairs), tuple(keep for _, keep in pairs))


def tiled(
    run: Callable[[Tensor, tuple[slice, ...]], Tensor],
    image: Tensor,
    *,
    core: tuple[int, ...],
    halo: tuple[int, ...],
) -> Tensor:
    """`run` over the tiles of `image` (channels, *spatial), put together: (outputs, *spatial) float32.

    `run` maps (1, channels, *window), and the part of the window that is wanted, to (1, outputs, *part).

    >>> tiled(lambda x, part: x[(..., *part)] + 1, torch.zeros(1, 5, 7), core=(2, 4), halo=(1, 1)).unique()
    tensor([1.])
    """
    spatial = tuple(image.shape[1:])
    whole: Tensor | None = None
    for tile in tiles(spatial, core=core, halo=halo):
        answer = run(image[(slice(None), *tile.read)][None], tile.inside)[0]
        if whole is None:
            whole = torch.empty((len(answer), *spatial), dtype=torch.float32)
        whole[(slice(None), *tile.keep)] = answer.float()
    if whole is None:
        raise ValueError(f"an image of shape {tuple(image.shape)} has no pixels: nothing to predict")
    return whole
