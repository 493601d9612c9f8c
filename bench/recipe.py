"""What three choices of the training are worth: Muon, blocks of 2 x 2 pixels, averaged weights. Same crops, same steps.

    python bench/recipe.py nuclei/train nuclei/val --steps 300

Every variant sees the same batches in the same order (a batch is a function of seed and step), so losses can be
compared step by step; processor seconds per step are printed beside them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from delineate import data
from delineate.learn import Overrides, Training, UNetMethod, descent, planned
from delineate.score import dice, match_objects, pool_objects

PIXELS = Overrides(shuffle=1, width=16, levels=5)
VARIANTS = {  # name: (plan, Muon, share of the moving average)
    "as it is": (Overrides(), True, descent.AVERAGE),
    "the last weights, not their average": (Overrides(), True, 0.0),
    "AdamW alone": (Overrides(), False, descent.AVERAGE),
    "pixels (width 16, 5 levels)": (PIXELS, True, descent.AVERAGE),
    "pixels (width 16, 5 levels), AdamW alone": (PIXELS, False, descent.AVERAGE),
}


def main() -> None:
    """Parse, train every variant, print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("val", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    wanted = parser.parse_args()
    found, val = data.load(wanted.train), data.load(wanted.val)
    parted, average = descent.parted, descent.AVERAGE
    for name, (overrides, muon, share) in VARIANTS.items():
        descent.AVERAGE = share
        descent.parted = parted if muon else lambda net: ([], list(net.parameters()))
        run = Training(
            found.cases,
            classes=found.classes,
            plan=planned(found.cases, overrides=overrides),
            steps=wanted.steps,
        )
        begun = time.process_time()
        losses = [step.loss for step in run]
        seconds = (time.process_time() - begun) / wanted.steps
        method = UNetMethod.of(run.learnt)
        scores, objects = [], []
        for case in val.cases:
            likely, ids = method.outline(case.image)
            scores.append(dice(case.labels, likely.argmax(0).astype(np.uint8), label=1))
            if case.objects is not None:
                objects.append(match_objects(case.objects, ids))
        found_objects = f", AP@0.5 {pool_objects(objects).ap50:.4f}" if objects else ""
        print(
            f"{name:42s} median loss of the last third {statistics.median(losses[-wanted.steps // 3 :]):.4f}, "
            f"mean Dice {np.nanmean(scores):.4f}{found_objects}, {seconds:.2f} processor seconds a step",
            flush=True,
        )
    descent.parted, descent.AVERAGE = parted, average


if __name__ == "__main__":
    main()
