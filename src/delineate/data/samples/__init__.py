"""A real picture with labels that we drew, so that everything can be tried without a download.

The picture is the one of 24 coins that scikit-image carries inside its wheel; its light falls from the bright
upper left to the dark lower right, so that no single threshold fits. The labels are ours: `coins.csv` holds
one outline per coin (README.md beside it says how they were drawn), and they are filled in at load time.

Read `coin_picture` for the whole, `coins` for the parts to learn from and to be judged on, `write` for the
same as folders of files.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate.core import Case, new_folder

Block = tuple[int, int, int, int]

TRAIN_BLOCKS: tuple[Block, ...] = (
    (0, 85, 77, 247),
    (85, 150, 77, 236),
    (85, 150, 236, 384),
    (150, 225, 77, 244),
    (150, 225, 244, 384),
    (225, 303, 77, 210),
)
"""(top, bottom, left, right) of the blocks to learn from: 15 coins."""

TEST_BLOCKS: tuple[Block, ...] = ((0, 303, 0, 77), (0, 85, 247, 384), (225, 303, 210, 384))
"""The blocks held out: 9 coins. The first is the whole left edge, where the light changes most."""


def coins() -> tuple[list[Case], list[Case]]:
    """Blocks of the coin picture as (to learn from, held out), each with labels and objects; no coin is cut.

    Images are (height, width, 1) uint8; labels are 0 for the table and 1 for a coin; objects are ids 1 to 24.
    All blocks come from one photograph: a score on the held-out ones says nothing about other photographs.

    >>> train, held_out = coins()
    >>> len(train), len(held_out), held_out[0].name, held_out[0].image.shape
    (6, 3, 'coins_y000_x000', (303, 77, 1))
    """
    image, objects = _picture()
    train, held_out = (
        [_case(_name(block), image[_inside(block)], objects[_inside(block)]) for block in blocks]
        for blocks in (TRAIN_BLOCKS, TEST_BLOCKS)
    )
    return train, held_out


def coin_picture() -> Case:
    """The whole picture: image (303, 384, 1) uint8, labels 0 or 1, objects 0 to 24.

    >>> case = coin_picture()
    >>> case.image.shape, int(case.objects.max()), round(float(case.labels.mean()), 3)
    ((303, 384, 1), 24, 0.337)
    """
    return _case("coins", *_picture())


def write(folder: str | Path) -> Path:
    """Write `coins()` as PNG files, folder/{train,test}/{images,masks,instances}/NAME.png; returns the folder.

    Masks are 0 and 255, instances 16-bit ids. Raises OutputError where `folder` holds something already or
    cannot be written.

    >>> import tempfile
    >>> folder = write(Path(tempfile.mkdtemp()) / "coins")
    >>> sorted(path.name for path in (folder / "test").iterdir()), len(list(folder.rglob("*.png")))
    (['images', 'instances', 'masks'], 27)
    """
    from PIL import Image

    folder = new_folder(Path(folder))
    image, objects = _picture()
    drawn = {
        "images": image,
        "masks": np.where(objects > 0, np.uint8(255), np.uint8(0)),
        "instances": objects,
    }
    for part, blocks in (("train", TRAIN_BLOCKS), ("test", TEST_BLOCKS)):
        for kind, whole in drawn.items():
            (folder / part / kind).mkdir(parents=True)
            for block in blocks:
                piece = np.ascontiguousarray(whole[_inside(block)])
                Image.fromarray(piece).save(folder / part / kind / f"{_name(block)}.png")
    return folder


def _picture() -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """The photograph (height, width) and the ids of its coins (height, width)."""
    from skimage import data

    image: NDArray[np.uint8] = data.coins()  # type: ignore[no-untyped-call]
    return image, _filled(_outlines(), image.shape)


def _case(name: str, image: NDArray[np.uint8], objects: NDArray[np.uint16]) -> Case:
    return Case(name, image[..., None], labels=(objects > 0).astype(np.uint8), objects=objects)


def _inside(block: Block) -> tuple[slice, slice]:
    top, bottom, left, right = block
    return slice(top, bottom), slice(left, right)


def _name(block: Block) -> str:
    top, _, left, _ = block
    return f"coins_y{top:03d}_x{left:03d}"


def _outlines() -> NDArray[np.float64]:
    """One row per coin: its id, row and column of its middle, and the radius every 10 degrees, in pixels."""
    with files(__package__).joinpath("coins.csv").open(encoding="utf-8") as table:
        return np.loadtxt(table, delimiter=",", skiprows=1)


def _filled(outlines: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.uint16]:
    """Ids (height, width) of the pixels whose middle lies within an outline; angles turn from right to up."""
    objects = np.zeros(shape, np.uint16)
    rows, columns = np.indices(shape)
    for coin, row, column, *radii in outlines:
        up, right = row - rows, columns - column
        angles_deg = np.rad2deg(np.arctan2(up, right))
        reach = np.interp(angles_deg, np.arange(0, 360, 360 / len(radii)), radii, period=360)
        objects[np.hypot(up, right) <= reach] = coin
    return objects
