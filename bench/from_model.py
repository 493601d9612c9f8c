"""What it is worth to begin from a model that is there already, by the number of images and of steps.

    python bench/from_model.py MODEL DATA [VAL] [--images 1 4 16] [--steps 100 300] [--seeds 3] [--rates 1e-3 3e-3]

For each seed, some images of DATA are drawn, and a network learns from them twice, with the same crops: from nothing, and
from MODEL. Both are judged on VAL, or without it on the images of DATA that were not drawn: mean Dice over images and
classes. Networks from nothing have the width of MODEL and the usual learning rate; `--rates` are those that the others
are given in place of the planned one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from delineate import data as files
from delineate.core import Case, ClassTable
from delineate.learn import Overrides, Training, UNetMethod, planned
from delineate.learn.from_model import kept_classes, shows_as_before
from delineate.learn.learnt import Learnt, loaded
from delineate.score import mean_dice


def main() -> None:
    """Parse, train, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("val", type=Path, nargs="?")
    parser.add_argument("--images", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--steps", type=int, nargs="+", default=[100, 300])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rates", type=float, nargs="*", default=[])
    parser.add_argument("--no-scratch", action="store_true", help="only from the model")
    given = parser.parse_args()
    before = loaded(given.model)
    found = files.load(given.data)
    apart = files.load(given.val, classes=found.classes).cases if given.val else ()
    print(f"{'images':>6}{'steps':>7}{'seed':>6}  {'begun from':22}{'Dice':>7}{'cpu s':>8}")
    for seed in given.seeds:
        order = np.random.default_rng(seed).permutation(len(found.cases))
        for images in given.images:
            drawn = [found.cases[place] for place in order[:images]]
            unseen = apart or [found.cases[place] for place in order[images:]]
            known = kept_classes(before, found.classes) == {
                place: place for place in range(len(found.classes))
            }
            if known and shows_as_before(before.plan, unseen):
                dice = judged(before, unseen, found.classes)
                print(f"{images:6}{0:7}{seed:6}  {'the model as it is':22}{dice:7.3f}", flush=True)
            for steps in given.steps:
                ways: list[tuple[str, Learnt | None, float | None]] = [
                    ("the model" + (f", rate {rate:g}" if rate else ""), before, rate)
                    for rate in given.rates or [None]
                ]
                for name, start, rate in ways if given.no_scratch else [("nothing", None, None), *ways]:
                    begun = time.process_time()
                    width = None if start else before.plan.width
                    plan = planned(
                        drawn,
                        overrides=Overrides(width=width, learning_rate=rate),
                        start=start.plan if start else None,
                    )
                    training = Training(
                        drawn, classes=found.classes, plan=plan, steps=steps, seed=seed, start=start
                    )
                    for _ in training:
                        pass
                    spent = time.process_time() - begun
                    dice = judged(training.learnt, unseen, found.classes)
                    print(f"{images:6}{steps:7}{seed:6}  {name:22}{dice:7.3f}{spent:8.0f}", flush=True)


def judged(learnt: Learnt, cases: Sequence[Case], classes: ClassTable) -> float:
    """The mean Dice on these cases."""
    method = UNetMethod.of(learnt)
    values = [
        mean_dice(case.labels, method.predict(case.image).argmax(0).astype(np.uint8), classes=len(classes))
        for case in cases
        if case.labels is not None
    ]
    return float(np.nanmean(values))


if __name__ == "__main__":
    main()
