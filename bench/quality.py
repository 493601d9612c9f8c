"""Train, predict and score through the same verbs a user has; one row per seed, then the median.

    python bench/quality.py TRAIN VAL --minutes 10 --seeds 0 1 2
    python bench/quality.py membranes/train membranes/val --minutes 10 --membranes

--membranes adds the pixel error and the adapted Rand error of the cells that membranes enclose (ISBI 2012 names
them so; Arganda-Carreras et al. 2015, doi:10.3389/fnana.2015.00142), here on connected cells without thinning.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from delineate import data, flow


def main() -> None:
    """Parse, run every seed, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("val", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tta", action="store_true")
    parser.add_argument("--membranes", action="store_true")
    parser.add_argument("--keep", type=Path, help="keep models and predictions here")
    wanted = parser.parse_args()
    rows = []
    for seed in wanted.seeds:
        with tempfile.TemporaryDirectory() as scratch:
            folder = (wanted.keep or Path(scratch)) / f"seed{seed}"
            row = figures(wanted.train, wanted.val, folder, minutes=wanted.minutes, seed=seed, tta=wanted.tta)
            if wanted.membranes:
                row |= membranes(folder / "outlined", wanted.val)
            print(f"seed {seed}: " + told(row), flush=True)
            rows.append(row)
    print(
        f"median of {len(rows)}: "
        + told({key: statistics.median(row[key] for row in rows) for key in rows[0]})
    )


def figures(
    train: Path, val: Path, folder: Path, *, minutes: float, seed: int, tta: bool
) -> dict[str, float]:
    """The scores of one training."""
    begun = time.monotonic()
    method = flow.train(train, out=folder / "model", minutes=minutes, seed=seed)
    trained = time.monotonic()
    objects = bool(method.learnt.plan.objects)
    flow.predict(folder / "model", val, out=folder / "outlined", objects=objects, tta=tta)
    predicted = time.monotonic()
    flow.score(folder / "outlined", val, out=folder / "report")
    scores = json.loads((folder / "report" / "scores.json").read_text())
    row: dict[str, float] = {}
    for name, values in scores["classes"].items():
        row[f"{name} mean Dice"] = values["dice"]["mean"]
        row[f"{name} pooled Dice"] = scores["pooled"][name]["dice"]
    if objects:
        row |= {key: scores["objects"][key] for key in ("ap50", "f1", "pq")}
    row |= {"steps": method.learnt.record.steps, "train s": trained - begun, "predict s": predicted - trained}
    return row


def membranes(predicted: Path, truth: Path) -> dict[str, float]:
    """Pixel error and adapted Rand error, means over images; cells are connected pixels that are no membrane."""
    from skimage.measure import label
    from skimage.metrics import adapted_rand_error

    guesses, truths = data.load_masks(predicted), data.load_masks(truth)
    pixel, rand = [], []
    for name, file in truths.files.items():
        true, guess = file.read().labels, guesses.files[name].read().labels
        pixel.append(float((true != guess).mean()))
        rand.append(
            adapted_rand_error(label(true == 1, connectivity=1), label(guess == 1, connectivity=1))[0]
        )
    return {"pixel error": float(np.mean(pixel)), "adapted Rand error": float(np.mean(rand))}


def told(row: dict[str, float]) -> str:
    """A row in words."""
    return ", ".join(
        f"{key} {value:.4f}" if abs(value) < 10 else f"{key} {value:.0f}" for key, value in row.items()
    )


if __name__ == "__main__":
    main()
