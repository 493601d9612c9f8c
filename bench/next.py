"""Which region next? Dice after each round of scribbles, where `delineate next` chooses the regions and where chance does.

    python bench/next.py nuclei/train nuclei/val --seeds 3
    python bench/next.py nuclei/train nuclei/val --also nuclei/histology nuclei/brightfield --regions 2 --rounds 2

Every round adds as many regions, each with simulated scribbles on the same share of its own pixels, and a small network is
taught anew on all that is labelled so far, as weak labels are, for as many steps. Both ways start from the same regions and
the same weights. Printed: mean Dice over the validation images after each round, labelled pixels, and the difference with
its standard error over seeds; then the mean over the rounds, with its interval and a test.

--also: images of other kinds; of each folder every other image joins those to choose from, the rest those to judge on.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import bootstrap, wilcoxon

from delineate import data
from delineate.core import UNLABELLED, Case, ClassTable
from delineate.data.scribbles import scribbled
from delineate.learn import Learnt, Overrides, Training, planned
from delineate.learn.answer import answered
from delineate.learn.suggest import Bounds, places, ranked, regions, survey
from delineate.score import mean_dice

Region = tuple[int, Bounds]


def main() -> None:
    """Parse, then measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("val", type=Path)
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="folders of other kinds of images")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--regions", type=int, default=4, help="per round")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--patch", type=int, default=96)
    parser.add_argument("--share", type=float, default=0.02)
    parser.add_argument("--json", type=Path, help="where to write the numbers as well")
    wanted = parser.parse_args()
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    loaded = data.load(wanted.train)
    cases, val = list(loaded.cases), list(data.load(wanted.val).cases)
    for folder in wanted.also:
        others = sorted(data.load(folder).cases, key=lambda case: case.name)
        cases += others[::2]
        val += others[1::2]
    print(f"{len(cases)} images to choose from, {len(val)} to judge on", flush=True)
    curves: dict[str, list[list[float]]] = {"next": [], "random": []}
    for seed in range(wanted.first_seed, wanted.first_seed + wanted.seeds):
        begun = time.perf_counter()
        found = one_seed(cases, val, loaded.classes, seed=seed, wanted=wanted)
        for way, dice in found.items():
            curves[way].append(dice)
        print(f"seed {seed}: {found} ({time.perf_counter() - begun:.0f} s)", flush=True)
    for n in range(wanted.rounds + 1):
        gains = [a[n] - b[n] for a, b in zip(curves["next"], curves["random"], strict=True)]
        error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else float("nan")
        mean = {way: statistics.mean(one[n] for one in curves[way]) for way in curves}
        print(
            f"{(n + 1) * wanted.regions:3d} regions: next {mean['next']:.3f}, random {mean['random']:.3f}, "
            f"difference {statistics.mean(gains):+.3f} (standard error {error:.3f})"
        )
    gains = [
        statistics.mean(a[1:]) - statistics.mean(b[1:])
        for a, b in zip(curves["next"], curves["random"], strict=True)
    ]
    if len(gains) > 1:
        low, high = bootstrap((gains,), np.mean, rng=0).confidence_interval
        print(
            f"mean of the rounds: {statistics.mean(gains):+.3f} ({low:+.3f} to {high:+.3f}, seeds drawn again), better for "
            f"{sum(gain > 0 for gain in gains)} of {len(gains)} seeds, Wilcoxon p = {wilcoxon(gains).pvalue:.3f}"
        )
    if wanted.json:
        wanted.json.write_text(json.dumps(curves))


def one_seed(
    cases: list[Case], val: list[Case], classes: ClassTable, *, seed: int, wanted: argparse.Namespace
) -> dict[str, list[float]]:
    """Mean Dice after the start and after each round, by who chooses."""
    every: list[Region] = [(i, box) for i, case in enumerate(cases) for box in regions(case.spatial, 128)]
    strokes = [drawn(case, regions(case.spatial, 128), share=wanted.share, seed=seed) for case in cases]
    first_plan = planned(
        strokes, overrides=Overrides(width=wanted.width, patch=wanted.patch, batch=4, objects=False)
    )
    rng = np.random.default_rng(seed)
    order = [every[i] for i in rng.permutation(len(every))]
    starts = (order[i : i + wanted.regions] for i in range(len(order)))
    start = next(found for found in starts if complete(strokes, found, classes))
    begin, before = taught(strokes, start, classes, first_plan, val, seed, wanted.steps)
    curves = {}
    for way in ("next", "random"):
        chosen, learnt, dice = list(start), begin, [before]
        for _ in range(wanted.rounds):
            left = [region for region in every if region not in chosen]
            if way == "random":
                more = [left[i] for i in rng.permutation(len(left))[: wanted.regions]]
            else:
                more = suggested(learnt, cases, chosen, wanted.regions)
            chosen += more
            learnt, now = taught(strokes, chosen, classes, first_plan, val, seed, wanted.steps)
            dice.append(now)
        pixels = sum(int((strokes[i].labels[slices(box)] != UNLABELLED).sum()) for i, box in chosen)
        print(
            f"  {way}: {len(chosen)} regions, {pixels} labelled pixels, Dice {np.round(dice, 3)}", flush=True
        )
        curves[way] = [round(float(d), 4) for d in dice]
    return curves


def drawn(case: Case, boxes: list[Bounds], *, share: float, seed: int) -> Case:
    """The case with strokes on `share` of the pixels of each region, drawn as if there were no other."""
    labels = np.full_like(case.labels, UNLABELLED)
    for box in boxes:
        part = replace(case, image=case.image[slices(box)], labels=case.labels[slices(box)], objects=None)
        labels[slices(box)] = scribbled(part, share=share, seed=seed).labels
    return replace(case, labels=labels, objects=None)


def complete(strokes: list[Case], chosen: list[Region], classes: ClassTable) -> bool:
    """Whether the strokes in these regions show every class: nothing can be taught without."""
    shown = {int(label) for i, box in chosen for label in np.unique(strokes[i].labels[slices(box)])}
    return shown >= set(range(len(classes)))


def slices(box: Bounds) -> tuple[slice, ...]:
    """A region as an index."""
    return tuple(slice(a, b) for a, b in box)


def suggested(learnt: Learnt, cases: list[Case], chosen: list[Region], count: int) -> list[Region]:
    """What `delineate next` would have people scribble on."""
    every, open_, unsure, views, share = [], [], [], [], []
    for i, case in enumerate(cases):
        found = survey(learnt, case.image, region_px=128)
        every += [(i, box) for box in found.bounds]
        open_ += [(i, box) not in chosen for box in found.bounds]
        unsure.append(found.uncertainty)
        views.append((found.look, found.features))
        share += [1 / len(found.bounds)] * len(found.bounds)
    points = places(*(np.concatenate(view) for view in zip(*views, strict=True)))
    left = np.flatnonzero(open_)
    best = ranked(
        np.concatenate(unsure)[left],
        points[left],
        count=count,
        known=points[np.logical_not(open_)],
        weight=np.array(share)[left],
    )
    return [every[left[i]] for i in best]


def taught(
    strokes: list[Case],
    chosen: list[Region],
    classes: ClassTable,
    plan: object,
    val: list[Case],
    seed: int,
    steps: int,
) -> tuple[Learnt, float]:
    """A network taught on the strokes in the chosen regions, and its mean Dice on the validation images."""
    labelled = []
    for i in sorted({i for i, _ in chosen}):
        labels = np.full_like(strokes[i].labels, UNLABELLED)
        for at, box in chosen:
            if at == i:
                labels[slices(box)] = strokes[i].labels[slices(box)]
        labelled.append(replace(strokes[i], labels=labels))
    training = Training(labelled, classes=classes, plan=plan, steps=steps, seed=seed)
    for _ in training:
        pass
    learnt, count = training.learnt, len(classes)
    dice = [
        mean_dice(case.labels, answered(learnt, case.image)[:count].argmax(0).astype(np.uint8), classes=count)
        for case in val
    ]
    return learnt, float(np.nanmean(dice))


if __name__ == "__main__":
    main()
