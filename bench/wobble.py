"""How much the answer trembles under shifts, for every way down and up, each taught alike and briefly.

    python bench/wobble.py [nuclei/train nuclei/val] [--steps 200] [--width 16] [--ways max strided blur equivariant]

Without data on pictures of coins. Every third image of TRAIN is learnt from, every third of VAL judged (those of at most 520
pixels along each side): Dice, labels kept and range of the Dice over shifts of 1, 2, 3, 5 and 9 pixels, each along both axes,
cut elsewhere and in a circle; and beside them the same network averaged over four shifts. `equivariant` is max pooling on grids
that move with the image.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from delineate import data
from delineate.audits.shift.moves import Moves, circled, framed
from delineate.core import ClassTable
from delineate.data.samples import coins
from delineate.learn import Overrides, Training, UNetMethod, planned

SHIFTS = [(by, by) for by in (1, 2, 3, 5, 9)]
MOST_PX = 520


def main() -> None:
    """Parse, teach each network, print its row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("train", type=Path, nargs="?")
    parser.add_argument("val", type=Path, nargs="?")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=3, help="take each so many-th image")
    parser.add_argument("--ways", nargs="+", default=["max", "strided", "blur", "equivariant"])
    parser.add_argument("--ups", nargs="+", default=["nearest", "linear", "transposed"])
    given = parser.parse_args()
    if given.train is None:
        (cases, judged), classes = coins(), ClassTable(("background", "coin"))
        crops = {"patch": 64, "batch": 8}
    else:
        found = data.load(given.train)
        cases, classes, crops = [*found.cases, *found.validation][:: given.every], found.classes, {}
        held_out = data.load(given.val, classes=classes)
        judged = [*held_out.cases, *held_out.validation][:: given.every]
        judged = [case for case in judged if max(case.spatial) <= MOST_PX]
    print(f"{len(cases)} images, {given.steps} steps, width {given.width}; judged on {len(judged)} images")
    print(
        "| down | up | Dice | kept, cut elsewhere | kept, in a circle | range of Dice, cut | averaged over 4: kept, cut | range |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for way in given.ways:
        for up in given.ups:
            overrides = Overrides(
                width=given.width,
                down="max" if way == "equivariant" else way,
                up=up,
                equivariant=way == "equivariant",
                objects=False,
                **crops,
            )
            plan = planned(cases, overrides=overrides)
            training = Training(cases, classes=classes, plan=plan, steps=given.steps, seed=given.seed)
            for _ in training:
                pass
            print(
                f"| {way} | {up} | " + " | ".join(row(UNetMethod.of(training.learnt), judged)) + " |",
                flush=True,
            )


def row(method: UNetMethod, cases: list) -> list[str]:
    """The figures of one network."""
    divisor = method.fitted().net.divisor
    cut = [framed(method.predict, case, SHIFTS, reach_px=None) for case in cases]
    round_ = [circled(method.predict, case, SHIFTS, divisor=divisor, reach_px=None) for case in cases]

    def steadier(image):
        return method.predict(image, shifts=4)

    averaged = [framed(steadier, case, SHIFTS, reach_px=None) for case in cases]
    dice = np.nanmean([moves.dice for moves in round_])
    return [
        f"{dice:.3f}",
        kept(cut),
        kept(round_),
        f"{np.nanmean([moves.wobble[0] for moves in cut]):.4f}",
        kept(averaged),
        f"{np.nanmean([moves.wobble[0] for moves in averaged]):.4f}",
    ]


def kept(answers: list[Moves]) -> str:
    """The share of labels that shifts leave as they were."""
    share = np.mean([move.agreement for moves in answers for move in moves.moves])
    return "100 %" if share == 1 else f"{100 * share:.3f} %"


if __name__ == "__main__":
    main()
