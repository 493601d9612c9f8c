"""What two choices of the training are worth: Muon, and a finest level of 2 x 2 blocks. Same crops, same steps.

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
from delineate.learn import Overrides, Training, UNetMethod, planned, training
from delineate.score import dice

VARIANTS = {
    "blocks, Muon": (Overrides(), True),
    "blocks, AdamW alone": (Overrides(), False),
    "pixels (width 16, 5 levels), Muon": (Overrides(shuffle=1, width=16, levels=5), True),
    "pixels (width 16, 5 levels), AdamW alone": (Overrides(shuffle=1, width=16, levels=5), False),
}


def main() -> None:
    """Parse, train every variant, print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("val", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    wanted = parser.parse_args()
    found, val = data.load(wanted.train), data.load(wanted.val)
    parted = training.parted
    for name, (overrides, muon) in VARIANTS.items():
        training.parted = parted if muon else lambda net: ([], list(net.parameters()))
        run = Training(
            found.cases,
            classes=found.classes,
            plan=planned(found.cases, minutes=10, overrides=overrides),
            steps=wanted.steps,
        )
        begun = time.process_time()
        losses = [step.loss for step in run]
        seconds = (time.process_time() - begun) / wanted.steps
        method = UNetMethod.of(run.learnt)
        scores = [
            dice(case.labels, method.predict(case.image).argmax(0).astype(np.uint8), label=1)
            for case in val.cases
        ]
        print(
            f"{name:42s} median loss of the last third {statistics.median(losses[-wanted.steps // 3 :]):.4f}, "
            f"mean Dice {np.nanmean(scores):.4f}, {seconds:.2f} processor seconds a step",
            flush=True,
        )
    training.parted = parted


if __name__ == "__main__":
    main()
