"""What memory the prediction of a large image takes with tiles of a size, and so how large tiles may be.

`bytes_with` estimates from above; `sizes_for` takes the largest tiles whose estimate is allowed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from delineate.core import ModelError, available_bytes
from delineate.data.large import LargeImage
from delineate.data.large.labels import CHUNK
from delineate.data.large.sample import BLOCK
from delineate.learn.engine import low_precision
from delineate.learn.large_measure import measuring_bytes
from delineate.learn.learnt import Learnt
from delineate.learn.objects import margin_px

LARGEST = {2: 2048, 3: 192}  # pixels along each axis that a tile keeps, at most
PROGRAM = 520 << 20  # bytes that Python, torch and the model take before the first tile
DEFAULT = 2 << 30  # bytes, or a half of what is free


@dataclass(frozen=True)
class Sizes:
    """Pixels along each axis that a tile keeps, and the bytes that the whole process will take with such tiles."""

    core: tuple[int, ...]
    bytes: int


def sizes_for(
    learnt: Learnt,
    image: LargeImage,
    *,
    memory: float | None,
    tile: int | None = None,
    flips: bool = False,
    objects: bool = False,
) -> Sizes:
    """Tiles for a process that takes no more than `memory` bytes; None: 2 GB, or a half of what is free. Where 2 GB
    are too little for the smallest tiles, these may take that half.

    tile: pixels along each axis instead, rounded up to whole chunks. flips: mirrors are predicted too. objects: these
    are looked for as well; those of a stack that is predicted slice by slice are joined across slices, so its tiles
    have all slices.
    Raises ModelError where even the smallest tiles take more.
    """
    dims = learnt.plan.dims
    step = CHUNK[dims]
    sides = image.spatial[-dims:]
    depth = image.spatial[:-dims] if objects else (1,) * (len(image.spatial) - dims)
    half = available_bytes() // 2 + PROGRAM
    allowed = min(DEFAULT, half) if memory is None else memory
    most = min(LARGEST[dims], -(-max(sides) // step) * step)
    if tile is not None:
        asked = [(-(-tile // step) * step,) * 2]
    else:  # the largest first: squares, and those that are a chunk wider
        asked = [(side, min(side + more, most)) for side in range(most, 0, -step) for more in (step, 0)]
    for side, width in asked:
        core = (*depth, *(side,) * (dims - 1), width)
        needed = bytes_with(learnt, image, core, flips=flips, objects=objects)
        if needed <= allowed or (tile is not None and memory is None):
            return Sizes(core, needed)
    if memory is None and needed <= half:
        return Sizes(core, needed)
    deep = f" in all {depth[0]} slices, across which objects are joined" if math.prod(depth) > 1 else ""
    raise ModelError(
        f"{allowed / 1e9:.2g} GB of memory are too little: this model needs {needed / 1e9:.2g} GB with tiles of "
        f"{side} pixels{deep}; give --memory {math.ceil(needed / 1e8) / 10:g} or more"
    )


def bytes_with(
    learnt: Learnt, image: LargeImage, core: tuple[int, ...], *, flips: bool = False, objects: bool = False
) -> int:
    """An upper estimate of what the process takes with tiles that keep `core` pixels along each axis.

    flips: mirrors are parts of one window, turned one after the other. The network sees one slice of a stack after the
    other. What a file's decoder takes beside the window counts as well, and so does measuring the image before the first tile.
    """
    plan, halo = learnt.plan, learnt.net.halo + (margin_px(learnt) if objects else 0)
    dims = plan.dims
    around_core = 2 * halo + learnt.net.divisor * flips  # a mirror's grid begins elsewhere
    sides = [min(c + around_core, n) for c, n in zip(core[-dims:], image.spatial[-dims:], strict=True)]
    window = math.prod(sides)
    number = 2 if getattr(learnt.engine, "low", learnt.engine is None and low_precision(learnt)) else 4
    outputs = len(learnt.classes) + plan.dims * plan.objects
    inside = 9 * plan.width * number / plan.shuffle**dims
    around = 2 * image.channels * (image.dtype.itemsize + 8) + 12 * outputs + 8
    if flips:
        around += 4 * plan.channels + 8 * outputs
    around += 80 * objects  # maps of votes, hills and basins
    block = math.prod(min(BLOCK[dims], n) for n in image.spatial[-dims:])
    judged = block * image.channels * (image.dtype.itemsize + 1)  # whether it is empty
    slices = math.prod(core[:-dims])
    tiles = judged + window * (inside + slices * around)
    return int(PROGRAM + image.decoded + max(tiles, measuring_bytes(image, plan)))
