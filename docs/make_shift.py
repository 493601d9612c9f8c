"""Draws docs/images/audit_shift.png: where two networks tremble when a picture of coins moves in a circle.

python docs/make_shift.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from delineate.audits.shift.moves import Moves, circled, shifts_of
from delineate.audits.shift.picture import tremble_picture
from delineate.data.samples import coins
from delineate.learn import Overrides, UNetMethod

STEPS = 100


def main() -> None:
    """Teach both, move the picture, draw what trembles below each other."""
    taught_on, held_out = coins()
    widest = max(held_out, key=lambda case: case.spatial[1] / case.spatial[0])
    pictures = []
    for equivariant in (False, True):
        overrides = Overrides(width=16, patch=64, batch=8, objects=False, equivariant=equivariant)
        method = UNetMethod(steps=STEPS, overrides=overrides).fit(taught_on)
        divisor = method.fitted().net.divisor
        for case in held_out:
            moves = circled(method.predict, case, shifts_of(divisor, dims=2), divisor=divisor, reach_px=None)
            print(f"{'equivariant' if equivariant else 'max pooling'}, {case.name}: {told(moves)}")
            if case is widest:
                pictures.append(tremble_picture(moves).pixels)
    gap = np.full((8, pictures[0].shape[1], 3), 255, np.uint8)
    out = Path(__file__).parent / "images" / "audit_shift.png"
    Image.fromarray(np.concatenate([pictures[0], gap, pictures[1]])).save(out, optimize=True)


def told(moves: Moves) -> str:
    """Its figures in a line."""
    kept = np.mean([move.agreement for move in moves.moves])
    furthest = max(move.furthest for move in moves.moves)
    return (
        f"Dice {moves.dice:.3f}, its range {moves.wobble[0]:.4f}; labels kept {kept:.4%}; a probability changes by up to "
        f"{furthest:.2g}"
    )


if __name__ == "__main__":
    main()
