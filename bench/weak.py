"""How near scribbles and points come to full masks: the same network and budget on weak labels and on whole ones.

    python bench/weak.py ../shared/data --out runs [--steps 800] [--seeds 3] [--only cardiac] [--ways full weak]

For every set and seed, three trainings that differ in nothing but labels and loss: `full` masks; `weak` labels as
Delineate learns from them by itself; `partial`, cross-entropy and Dice on the labelled pixels and nothing else. Each
finished training is kept in the folder `runs` as one JSON file, and is not done again (another version of Delineate wants
another folder). The ratio is mean Dice by mean Dice over the validation cases, its interval from patients (or images)
drawn again. Strokes are people's where the set has them (cardiac), else simulated. Checkpoints are chosen by held-out
strokes, never by masks.
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
from scipy.stats import spearmanr

from delineate import data
from delineate.core import UNLABELLED, Case, tempered, written_whole
from delineate.data import pointed, scribbled
from delineate.flow.nearness import nearness
from delineate.flow.tempering import fitted, probabilities_of
from delineate.learn import Overrides, Training, UNetMethod, planned
from delineate.learn.weak import held_out
from delineate.score import dice, mean_dice
from delineate.score.interval import intervals, ratio_interval
from weak_ways import WAYS, instead

Weaken = Callable[[Case], Case]


@dataclass(frozen=True)
class Sort:
    """One set with one sort of weak labels; aim: the ratio to reach."""

    folder: str
    weaken: Callable[[Path], Weaken]
    overrides: Overrides
    steps: int
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
    return lambda _: lambda case: scribbled(case, share=share)


def points(_: Path) -> Weaken:
    """A click on each object, and three strokes on the background of each image."""
    return pointed


SMALL = Overrides(objects=False, patch=160, batch=4, width=16)  # steps of a tenth of a second
HEARTS = replace(SMALL, width=32, augmentation="upright")
SORTS = {
    "cardiac": Sort("cardiac", by_people, HEARTS, 1200, 0.95),
    "nuclei 1 %": Sort("nuclei", strokes(0.01), SMALL, 400, 0.98),
    "nuclei points": Sort("nuclei", points, SMALL, 400, 0.93),
    "membranes 2 %": Sort("membranes", strokes(0.02), SMALL, 400, 0.95),
}


def trained(sort: Sort, root: Path, *, way: str, steps: int, seed: int) -> dict[str, object]:
    """Train one way; the Dice of every validation case, and what each validation on the way saw."""
    folder = root / sort.folder
    found, val = data.load(folder / "train"), data.load(folder / "val", classes=None).cases
    weaken = sort.weaken(folder)
    cases = [replace(case, objects=None) for case in found.cases]
    if way != "full":
        cases = [replace(weaken(case), objects=None) for case in found.cases]
    begun, classes = time.process_time(), len(found.classes)
    plan = replace(planned(cases, overrides=sort.overrides), weak=WAYS[way])
    scale = {"dims": plan.dims, "normalisation": plan.normalisation, "grey": plan.grey}
    strokes_ = [weaken(case) for case in val]
    known = {
        id(case.labels): (weak.labels, held_out(weak, **scale).labels)
        for case, weak in zip(val, strokes_, strict=True)
    }
    seen: list[list[float]] = []

    def judge(truth: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> float:
        seen.append([mean_dice(one, predicted, classes=classes) for one in (truth, *known[id(truth)])])
        return seen[-1][2]  # what a person with strokes alone would choose by

    checks = []
    with instead(way):
        run = Training(
            cases, classes=found.classes, plan=plan, steps=steps, seed=seed, validation=val, judge=judge
        )
        for step in run:
            if step.dice is not None:
                true, on_strokes, on_spread = np.nanmean(seen, axis=0).tolist()
                checks.append({"step": step.number, "dice": true, "strokes": on_strokes, "spread": on_spread})
            seen.clear()
        method = UNetMethod.of(run.learnt)
    scores, answers = [], probabilities_of(method, val)
    for case, answer in zip(val, answers, strict=True):
        predicted = answer.argmax(0).astype(np.uint8)
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
        "near": near(answers, val, [replace(case, labels=known[id(case.labels)][1]) for case in val]),
    }


def near(
    answers: list[NDArray[np.float32]], val: Sequence[Case], implied: Sequence[Case]
) -> dict[str, list[float]]:
    """What a training on strokes says of itself beside the truth: Dice, temperature, calibration errors without and with."""
    own, true = fitted(answers, implied, masks=False), fitted(answers, val)
    temperature = own.temperature.temperature
    dice_ = [nearness(answers, val, temperature=temperature, measured=measured) for measured in (False, True)]
    softer = fitted([tempered(one, temperature=temperature) for one in answers], val)
    return {
        "dice": [one.dice for one in dice_],
        "temperature": [temperature, true.temperature.temperature],
        "ece": [true.ece[0], softer.ece[0]],
        "border_ece": [true.border_ece[0], softer.border_ece[0]],
    }


def said(name: str, runs: list[dict]) -> str:
    """One line: what trainings on weak labels said of themselves, beside the truth."""
    seen = [run["near"] for run in runs if "near" in run]
    pairs = {key: np.mean([one[key] for one in seen], axis=0) for key in (seen[0] if seen else ())}
    return f"{name}: " + ", ".join(f"{key} {own:.3f} and {true:.3f}" for key, (own, true) in pairs.items())


def kept(out: Path, name: str, way: str, steps: int, seed: int) -> Path:
    """Where a finished training is kept; those on full masks are shared by all sorts of weak labels of a set."""
    stem = SORTS[name].folder if way == "full" else name.replace(" %", "pc").replace(" ", "-")
    return out / f"{stem}_{way}_{steps}_{seed}.json"


def per_case(runs: list[dict]) -> NDArray[np.float64]:
    """Mean Dice over the classes but background of every case, averaged over seeds."""
    return np.mean([[np.nanmean(case["dice"][1:]) for case in run["cases"]] for run in runs], axis=0)


def row(name: str, runs: dict[str, list[dict]]) -> str:
    """One line of the table: Dice of every way, the ratio and the gain with their intervals."""
    groups = [case["group"] for case in runs["full"][0]["cases"]]
    scores = {way: per_case(found) for way, found in runs.items()}
    low, high = ratio_interval(scores["weak"], scores["full"], groups) or (np.nan, np.nan)
    ratio, alone, gained = scores["weak"].sum() / scores["full"].sum(), "–", "–"
    if "partial" in scores:
        gain = scores["weak"] - scores["partial"]
        least, most = intervals(gain, groups).mean or (np.nan, np.nan)
        alone, gained = f"{scores['partial'].mean():.3f}", f"{gain.mean():+.3f} ({least:+.3f} to {most:+.3f})"
    return (
        f"| {name} | {np.mean([run['labelled'] for run in runs['weak']]):.2%} | {scores['full'].mean():.3f} "
        f"| {alone} | {scores['weak'].mean():.3f} | {ratio:.3f} ({low:.3f} to {high:.3f}) "
        f"| {SORTS[name].aim} | {gained} | {len(runs['weak'])} |"
    )


def correlation(runs: list[dict]) -> str:
    """Spearman's rank correlation with true Dice, over all validations of all these trainings."""
    checks = [check for run in runs for check in run["checks"]]
    told = [
        f"{what} {spearmanr([c['dice'] for c in checks], [c[key] for c in checks]).statistic:.2f}"
        for key, what in (("strokes", "Dice on held-out strokes"), ("spread", "on these, spread"))
    ]
    return f"{', '.join(told)} ({len(checks)} validations of {len(runs)} trainings)"


def cost(root: Path, *, turns: int = 15) -> None:
    """Print what smoothness, and a teacher, add to a step: steps in turns, so that all meet the same machine."""
    found = data.load(root / "nuclei" / "val")
    cases = [replace(scribbled(case), objects=None) for case in found.cases[:6]]
    parts = {"strokes alone": "partial", "smoothness": "only-smooth", "a teacher too": "smooth-taught"}
    for overrides in (Overrides(objects=False), SMALL):
        plan = planned(cases, overrides=overrides)
        runs = {
            name: iter(Training(cases, classes=found.classes, plan=replace(plan, weak=WAYS[way]), steps=999))
            for name, way in parts.items()
        }
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(turns):
            for name, run in runs.items():
                with instead(parts[name]):
                    begun = time.process_time()
                    next(run)
                    seconds[name].append(time.process_time() - begun)
        alone = seconds["strokes alone"]
        told = [f"{name} {np.median(np.divide(each, alone)[2:]) - 1:+.0%}" for name, each in seconds.items()]
        print(
            f"{plan.batch} crops of {plan.patch[0]} px, width {plan.width}, {np.median(alone) * 1e3:.0f} ms: "
            + ", ".join(told[1:])
        )


def main() -> None:
    """Parse, train what is missing, print a row for every set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="the folder that holds cardiac/, nuclei/ and membranes/")
    parser.add_argument("--out", type=Path, help="where finished trainings are kept")
    parser.add_argument("--steps", type=int, help="of every training; else as many as the set needs")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=SORTS, nargs="+", default=list(SORTS))
    parser.add_argument("--ways", choices=WAYS, nargs="+", default=["full", "partial", "weak"])
    parser.add_argument("--cost", action="store_true", help="time the parts of a step, and nothing else")
    wanted = parser.parse_args()
    if wanted.cost:
        cost(wanted.data)
        return
    if wanted.out is None:
        parser.error("--out says where finished trainings are kept")
    wanted.out.mkdir(parents=True, exist_ok=True)
    found: dict[str, dict[str, list[dict]]] = {name: {} for name in wanted.only}
    for seed in range(wanted.seeds):
        for name in wanted.only:
            for way in wanted.ways:
                sort, steps = SORTS[name], wanted.steps or SORTS[name].steps
                path = kept(wanted.out, name, way, steps, seed)
                if not path.exists():
                    result = trained(sort, wanted.data, way=way, steps=steps, seed=seed)
                    with written_whole(path) as temporary:
                        temporary.write_text(json.dumps(result))
                done = json.loads(path.read_text())
                found[name].setdefault(way, []).append(done)
                print(
                    f"{name}, {way}, {steps} steps, seed {seed}: mean Dice {per_case([done]).mean():.4f}, "
                    f"{done['seconds']:.0f} processor seconds",
                    flush=True,
                )
    if {"full", "weak"} <= set(wanted.ways):
        print(
            "\n| set | labelled | full | partial | weak | weak / full | to reach | gain over partial | seeds |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        for name, runs in found.items():
            print(row(name, runs))
    print(
        "\nDice that is expected and true, temperature by strokes and by truth, calibration error without it and with it"
    )
    for name, runs in found.items():
        print(said(name, runs.get("weak", [])))
    print("\nRank correlation with true Dice")
    for name, runs in found.items():
        print(f"{name}: {correlation([run for way, each in runs.items() if way != 'full' for run in each])}")


if __name__ == "__main__":
    main()
