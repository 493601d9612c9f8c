"""What `train --robust` is worth where stain and light are others, and what it costs where they are not.

    python bench/robust.py DATA/nuclei --steps 500 --robust stain --robust all --out models

Trains without and with, the same steps and seed, on DATA/train; scores DATA/val and every data set named by --shifted. None
of these is in training. A model of grey images is shown colour as its brightness; one that learnt other stains is shown it
so too, and as it is, by its dye. Models that lie in --out already are taken from there. Then one process makes batches
without and with, in turns, and prints what a batch costs beside a step.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from delineate import data
from delineate.audits.conditions.shifted import with_channels
from delineate.core import Case
from delineate.data.augment import batch
from delineate.flow import load, train
from delineate.learn import Overrides, planned
from delineate.learn.prepare import samples
from delineate.score import counted

BATCHES = 20  # timed, of each kind


def main() -> None:
    """Parse, train what is missing, score, print a table, then the cost of a batch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="holds train, val and what --shifted names")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--robust", action="append", help="families with commas between; repeat for more models"
    )
    parser.add_argument("--shifted", nargs="+", default=["histology", "brightfield"])
    parser.add_argument("--out", type=Path, help="where models are kept")
    wanted = parser.parse_args()
    kept = wanted.out or Path(tempfile.mkdtemp())
    rows = []
    for families in ("", *(wanted.robust or ["stain"])):
        method = _model(wanted, families, kept / (families.replace(",", "-") or "without"))
        for part in ("val", *wanted.shifted):
            cases = data.load(wanted.folder / part).cases
            for how, one in _shown(method, cases).items():
                rows.append((families or "without", part, how, *_dice(method, one)))
                print(
                    f"{rows[-1][0]:24s} {part:12s} {how:20s} {rows[-1][3]:.3f} {rows[-1][4]:.3f}", flush=True
                )
    print("\n| trained | on | shown as | mean Dice | pooled Dice |\n|---|---|---|---|---|")
    for families, part, how, mean, pooled in rows:
        print(f"| {families} | {part} | {how} | {mean:.3f} | {pooled:.3f} |")
    _batches(wanted)


def _model(wanted: argparse.Namespace, families: str, folder: Path) -> Any:
    """Trained, or taken from the folder."""
    if not (folder / "model.json").is_file():
        print(f"{families or 'without'}: {wanted.steps} steps ...", flush=True)
        overrides = Overrides(robust=tuple(families.split(","))) if families else None
        train(
            wanted.folder / "train",
            out=folder,
            val=wanted.folder / "val",
            steps=wanted.steps,
            seed=wanted.seed,
            overrides=overrides,
        )
    return load(folder)


def _shown(method: Any, cases: list[Case]) -> dict[str, list[Any]]:
    """(image, labels) of each case: as it is where the model takes it, colour as its brightness too."""
    plan = method.learnt.plan
    grey = all((case.image == case.image[..., :1]).all() for case in cases)
    bright = [(with_channels(case.image, 1)[0], case.labels) for case in cases]
    if grey or not plan.takes_colour:
        return {"grey" if grey else "its brightness": bright}
    return {"its brightness": bright, "colour": [(case.image, case.labels) for case in cases]}


def _dice(method: Any, cases: list[Any]) -> tuple[float, float]:
    """Mean over images, and over all pixels together."""
    found = [counted(labels, method.predict(image).argmax(0), label=1) for image, labels in cases]
    pooled = 2 * sum(one.both for one in found) / sum(one.truth + one.predicted for one in found)
    return float(np.nanmean([one.dice for one in found])), pooled


def _batches(wanted: argparse.Namespace) -> None:
    """Seconds of a batch, without and with all families, in turns."""
    cases = data.load(wanted.folder / "train").cases[:20]
    plain, robust = planned(cases), planned(cases, overrides=Overrides(robust=("all",)))
    ready = [
        sample
        for case in cases
        for sample in samples(
            case,
            dims=plain.dims,
            normalisation=plain.normalisation,
            grey=plain.grey,
            objects=plain.objects,
            seed=0,
        )
    ]
    seconds: dict[str, list[float]] = {"without": [], "all families": []}
    for step in range(BATCHES):
        for name, plan in (("without", plain), ("all families", robust)):
            begun = time.perf_counter()
            batch(ready, size=plan.batch, patch=plan.patch, augmentation=plan.augmentation, seed=0, step=step)
            seconds[name].append(time.perf_counter() - begun)
    for name, times in seconds.items():
        print(f"a batch {name}: median {statistics.median(times) * 1e3:.0f} ms of {len(times)}")


if __name__ == "__main__":
    main()
