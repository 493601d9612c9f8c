"""How near scribbles and points come to full masks: the same network and budget on weak labels and on whole ones.

    python bench/weak.py ../shared/data --out runs [--steps 800] [--seeds 3] [--only cardiac] [--ways full weak]

For every set and seed, three trainings that differ in nothing but labels and loss: `full` masks; `weak` labels as
Delineate learns from them by itself; `partial`, cross-entropy and Dice on the labelled pixels and nothing else. Each
finished training is kept in the folder `runs` as one JSON file, and is not done again. The ratio is mean Dice by
mean Dice over the validation cases, its interval from patients (or images) drawn again. Strokes are people's
where the set has them (cardiac), else simulated. Nothing here looks for a best checkpoint.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from delineate import data
from delineate.core import UNLABELLED, Case, written_whole
from delineate.learn import Overrides, Training, UNetMethod, planned
from delineate.score import dice
from delineate.score.interval import ratio_interval
from scribbles import scribbled

Weaken = Callable[[Case], Case]


@dataclass(frozen=True)
class Sort:
    """One set with one sort of weak labels. full: the name under which its full-mask trainings are shared."""

    folder: str
    full: str
    weaken: Callable[[Path], Weaken]
    overrides: Overrides
    aim: float


def by_people(root: Path) -> Weaken:
    """The strokes that lie beside the images, as label images in which 255 is unlabelled."""
    from delineate.data.formats import read_mask

    def weaken(case: Case) -> Case:
        (path,) = root.glob(f"*/scribbles/{case.name}.tif")
        return replace(case, labels=read_mask(path).array.astype(np.uint8))

    return weaken


def strokes(share: float) -> Callable[[Path], Weaken]:
    """Simulated strokes on so many of the pixels."""
    return lambda _: lambda case: scribbled(case, share=share, seed=seed_of(case))


def points(_: Path) -> Weaken:
    """A disc of 2 pixels radius somewhere near the middle of each object, and three strokes on the background."""

    def weaken(case: Case) -> Case:
        rng = np.random.default_rng(seed_of(case))
        labels = np.full_like(case.labels, UNLABELLED)
        rows, columns = np.indices(labels.shape)
        for number, box in enumerate(ndimage.find_objects(case.objects), start=1):
            if box is None:
                continue
            depth = ndimage.distance_transform_edt(np.pad(case.objects[box] == number, 1))[1:-1, 1:-1]
            places = np.argwhere(depth >= 0.6 * depth.max())
            row, column = places[rng.integers(len(places))] + [side.start for side in box]
            disc = (rows - row) ** 2 + (columns - column) ** 2 <= 4
            labels[disc & (case.objects == number)] = 1
        few = scribbled(case, share=240 / case.labels.size, seed=seed_of(case)).labels == 0
        labels[few] = 0
        return replace(case, labels=labels)

    return weaken


def seed_of(case: Case) -> int:
    """A seed of its own for every case."""
    return sum(map(ord, case.name)) % 65536


HEARTS = Overrides(objects=False, patch=160, batch=4, width=16, shuffle=1, augmentation="upright")
PIXELS = Overrides(objects=False)
SORTS = {
    "cardiac": Sort("cardiac", "cardiac", by_people, HEARTS, 0.95),
    "nuclei 1 %": Sort("nuclei", "nuclei", strokes(0.01), PIXELS, 0.98),
    "nuclei points": Sort("nuclei", "nuclei", points, PIXELS, 0.93),
    "membranes 2 %": Sort("membranes", "membranes", strokes(0.02), PIXELS, 0.95),
}
WAYS = ("full", "partial", "weak")


def trained(sort: Sort, root: Path, *, way: str, steps: int, seed: int, weak=None) -> dict[str, object]:
    """Train one way; the Dice of every validation case, and what each validation on the way saw."""
    folder = root / sort.folder
    found, val = data.load(folder / "train"), data.load(folder / "val", classes=None).cases
    weaken = sort.weaken(folder)
    cases = [replace(case, objects=None) for case in found.cases]
    if way != "full":
        cases = [replace(weaken(case), objects=None) for case in found.cases]
    hidden = {id(case.labels): weaken(case).labels for case in val}
    seen: list[tuple[float, list[list[int]]]] = []

    def judge(truth: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> float:
        strokes_ = hidden[id(truth)]
        known = strokes_ != UNLABELLED
        classes = len(found.classes)
        pairs = np.bincount(strokes_[known] * classes + predicted[known], minlength=classes**2)
        true = mean_dice(truth, predicted, classes)
        seen.append((true, pairs.reshape(classes, classes).tolist()))
        return true

    begun, plan = time.process_time(), planned(cases, overrides=overrides_of(sort, way))
    plan = replace(plan, weak=weak)
    training = Training(
        cases, classes=found.classes, plan=plan, steps=steps, seed=seed, validation=val, judge=judge
    )
    checks = []
    for step in training:
        if step.dice is not None:
            checks.append({"step": step.number, "dice": step.dice, "strokes": [pairs for _, pairs in seen]})
        seen.clear()
    method = UNetMethod.of(training.learnt)
    scores = []
    for case in val:
        predicted = method.predict(case.image).argmax(0).astype(np.uint8)
        each = [dice(case.labels, predicted, label=label) for label in range(len(found.classes))]
        scores.append({"name": case.name, "group": case.group, "dice": each})
    return {
        "way": way,
        "seed": seed,
        "steps": steps,
        "labelled": float(np.mean([np.mean(case.labels != UNLABELLED) for case in cases])),
        "seconds": time.process_time() - begun,
        "cases": scores,
        "checks": checks,
    }


def overrides_of(sort: Sort, way: str) -> Overrides:
    """The settings of a way."""
    return sort.overrides


def mean_dice(truth: NDArray[np.uint8], predicted: NDArray[np.uint8], classes: int) -> float:
    """Mean over the classes but background, nan where none is defined."""
    values = [dice(truth, predicted, label=label) for label in range(1, classes)]
    return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")


def main() -> None:
    """Parse, train what is missing, print a row for every set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="the folder that holds cardiac/, nuclei/ and membranes/")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=SORTS, nargs="+", default=list(SORTS))
    parser.add_argument("--ways", choices=WAYS, nargs="+", default=list(WAYS))
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    for seed in range(wanted.seeds):
        for name in wanted.only:
            for way in wanted.ways:
                sort = SORTS[name]
                stem = sort.full if way == "full" else name.replace(" %", "pc").replace(" ", "-")
                path = wanted.out / f"{stem}_{way}_{wanted.steps}_{seed}.json"
                if not path.exists():
                    result = trained(sort, wanted.data, way=way, steps=wanted.steps, seed=seed)
                    with written_whole(path) as temporary:
                        temporary.write_text(json.dumps(result))
                done = json.loads(path.read_text())
                print(
                    f"{name}, {way}, seed {seed}: mean Dice {np.mean(foreground(done)):.4f}, "
                    f"{done['seconds']:.0f} processor seconds",
                    flush=True,
                )


def foreground(done: dict) -> list[float]:
    """Mean Dice over the classes but background, for every case."""
    return [float(np.nanmean(case["dice"][1:])) for case in done["cases"]]


if __name__ == "__main__":
    main()
