"""What the first steps of a training are worth: a short warm-up, and a first guess of how common the classes are.

    python bench/first_steps.py nuclei/train nuclei/val --steps 60 150 --seeds 3

Every way sees the same batches; printed: mean Dice over the images of VAL for each way, number of steps and seed.
"""

from __future__ import annotations

import argparse
import logging
import statistics
from pathlib import Path

import numpy as np
import torch

from delineate import data
from delineate.core import Case, ClassTable
from delineate.learn import Training, UNetMethod, descent, planned, training
from delineate.score import mean_dice

WAYS = {  # name: (steps of warm-up, whether classes begin as common as they are)
    "as it is": (descent.WARM_UP, True),
    "classes begin alike": (descent.WARM_UP, False),
    "a warm-up of 50 steps": (50, True),
    "both, as it was": (50, False),
}
FIRST_GUESS = training.first_guess


def main() -> None:
    """Parse, train every way, print a line for each and a table of means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("val", type=Path)
    parser.add_argument("--steps", type=int, nargs="+", default=[60, 150])
    parser.add_argument("--seeds", type=int, default=1)
    wanted = parser.parse_args()
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    found, val = data.load(wanted.train), data.load(wanted.val)
    for steps in wanted.steps:
        for way in WAYS:
            reached = [one(found.cases, val.cases, found.classes, way, steps, s) for s in range(wanted.seeds)]
            each = ", ".join(f"{dice:.4f}" for dice in reached)
            print(f"{steps:4d} steps, {way:24s} {statistics.mean(reached):.4f} ({each})", flush=True)


def one(
    cases: tuple[Case, ...], val: tuple[Case, ...], classes: ClassTable, way: str, steps: int, seed: int
) -> float:
    """Mean Dice of one training."""
    descent.WARM_UP, guesses = WAYS[way]
    training.first_guess = FIRST_GUESS if guesses else lambda _labels, count: torch.zeros(count)
    run = Training(cases, classes=classes, plan=planned(cases, minutes=10), steps=steps, seed=seed)
    for _ in run:
        pass
    method = UNetMethod.of(run.learnt)
    found = ((case, method.predict(case.image).argmax(0).astype(np.uint8)) for case in val)
    return float(np.nanmean([mean_dice(case.labels, labels, classes=len(classes)) for case, labels in found]))


if __name__ == "__main__":
    main()
