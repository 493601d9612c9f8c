"""People with known habits: does the audit find what was planted, and which way of learning from them is best?

    python bench/annotators.py recover nuclei/val
    python bench/annotators.py learn nuclei/train nuclei/val --out models [--steps 300] [--only random]

`recover` redraws real nuclei as five people would: one faithfully, one 2 px larger, one 2 px smaller, one who leaves out a tenth
of the small nuclei, one whose masks lie a pixel lower; and prints what was planted beside what was found. With --polygons the
borders are moved by Shapely, on outlines instead of pixels, so that planting and finding share no code. `learn` trains one model
on the first person alone and one in each way of learning from three people, with the same steps and seed, and one on the truth;
each is judged on other images, against the truth and against what the same three people would have drawn there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate.audits import Evidence, Subject
from delineate.audits.annotators import AnnotatorsSettings, annotators
from delineate.audits.annotators.style import drawn, joined
from delineate.core import Case
from delineate.data import Style, load, simulated
from delineate.score import dice


def small_px(cases: Sequence[Case]) -> float:
    """The size below which a quarter of the objects lie."""
    sizes = [np.unique(case.objects[case.objects > 0], return_counts=True)[1] for case in cases]
    return float(np.percentile(np.concatenate(sizes), 25))


def moved_polygons(case: Case, by: float) -> Case:
    """Every object's outline moved by `by` px with Shapely, and filled again; of overlapping ones the later lies on top."""
    try:
        from shapely.geometry import Polygon
    except ImportError:
        sys.exit("shapely is not installed: pip install shapely, or leave --polygons out")
    from skimage.draw import polygon2mask
    from skimage.measure import find_contours

    known = np.pad(case.objects, 8, mode="edge")  # what the edge of the picture cuts goes on beyond it
    ids = np.zeros_like(known)
    for index in np.unique(known)[1:]:
        rows, columns = np.nonzero(known == index)
        low = np.array([rows.min(), columns.min()]) - 6
        shape = tuple(np.array([rows.max(), columns.max()]) - low + 7)
        mask = np.zeros(shape)
        mask[rows - low[0], columns - low[1]] = 1
        outline = Polygon(max(find_contours(mask, 0.5), key=len)).buffer(0).simplify(0.75).buffer(by)
        for part in getattr(outline, "geoms", [outline]):
            if part.is_empty:
                continue
            at = np.argwhere(polygon2mask(shape, np.array(part.exterior.coords))) + low
            at = at[(at >= 0).all(1) & (at < ids.shape).all(1)]
            free = (ids[tuple(at.T)] == 0) & np.isin(known[tuple(at.T)], (0, index))
            ids[tuple(at[free].T)] = index
    ids = ids[8:-8, 8:-8]
    return replace(case, labels=(ids > 0).astype(np.uint8), objects=ids)


def recover(data: Path, *, polygons: bool, every: int) -> None:
    """What was planted, and what the audit found."""
    found = load(data)
    cases = list(found.cases)[::every]
    small = small_px(cases)
    styles = {
        "faithful": Style(),
        "2 px larger": Style(larger_px=2),
        "2 px smaller": Style(larger_px=-2),
        "a tenth of the small missed": Style(misses=0.1, small_px=small),
        "a pixel lower": Style(moved_px=(1, 0)),
    }
    people = {
        name: [
            moved_polygons(case, style.larger_px)
            if polygons and style.larger_px
            else simulated(case, style, seed=i)
            for case in cases
        ]
        for i, (name, style) in enumerate(styles.items())
    }
    section = annotators(
        Subject("no model", found.classes, masks={}),
        Evidence(tuple(cases), annotators=people),
        settings=AnnotatorsSettings(small_px=small),
    )
    objects = sum(len(np.unique(case.objects)) - 1 for case in cases)
    print(f"{len(cases)} images, {objects} nuclei; small: below {small:.0f} px")
    print("| planted | border (px) | 95 % interval | small left out | 95 % interval | lower (px) |")
    print("|---|---|---|---|---|---|")
    for name, habit in section.numbers["habits"].items():
        low, high = habit["larger_interval"]
        few, many = habit["small_interval"]
        print(
            f"| {name} | {habit['larger_px']:+.2f} | {low:+.2f} to {high:+.2f} | {habit['small_missed']:.1%} | "
            f"{few:.1%} to {many:.1%} | {habit['moved_px'][0]:+.2f} |"
        )


PEOPLE = {"ben": Style(larger_px=2, unsteady_px=0.5), "cy": Style(larger_px=-2, unsteady_px=0.5)}
"""And dee, who leaves out three in ten of the small ones; ben comes first, and is the one who is learnt from alone."""


def redrawn(cases: Sequence[Case]) -> dict[str, list[Case]]:
    """The cases as the three people would label them."""
    styles = {**PEOPLE, "dee": Style(unsteady_px=0.5, misses=0.3, small_px=small_px(cases))}
    return {
        name: [simulated(case, style, seed=i) for case in cases]
        for i, (name, style) in enumerate(styles.items())
    }


def learn(data: Path, val: Path, *, steps: int, out: Path, only: Sequence[str], every: int) -> None:
    """One model in each way, judged on `val`."""
    from delineate import train
    from delineate.learn import Overrides, UNetMethod

    to_learn, to_judge = list(load(data).cases)[::every], list(load(val).cases)[::every]
    for way in only:
        if not (out / way / "model.json").exists():
            people = redrawn(to_learn)
            chosen = {
                "truth": to_learn,
                "one person": people["ben"],
            }.get(way) or [case for own in people.values() for case in own]
            asked_for = way if way in WAYS else None
            overrides = Overrides(patch=128, width=16, objects=False, annotators=asked_for)
            train(chosen, out=out / way, steps=steps, overrides=overrides)
    hands = redrawn(to_judge)
    print(
        "| learnt from | Dice with truth | Dice with people | border (px) | small missed | squared error of the share |"
    )
    print("|---|---|---|---|---|---|")
    for way in only:
        method = UNetMethod.load(out / way)
        print(f"| {way} | " + " | ".join(judged(method, to_judge, hands)) + " |", flush=True)


def judged(method: object, cases: Sequence[Case], hands: dict[str, list[Case]]) -> list[str]:
    """Mean Dice with truth and with people, border and small objects beside truth, and how far the probability is from the
    share of people who drew a pixel."""
    predict = method.predict  # type: ignore[attr-defined]
    small, with_truth, with_people, seen, errors = small_px(cases), [], [], [], []
    for i, case in enumerate(cases):
        likely: NDArray[np.float32] = predict(case.image)[1]
        mask = (likely > 0.5).astype(np.uint8)
        with_truth.append(dice(case.labels, mask, label=1))
        with_people += [dice(own[i].labels, mask, label=1) for own in hands.values()]
        seen.append(drawn(case.objects, {"model": mask > 0})["model"])
        share = np.mean([own[i].labels for own in hands.values()], axis=0)
        errors.append(float(((likely - share) ** 2).mean()))
    objects = joined(seen)
    missed = objects.missed[objects.sizes <= small].mean()
    return [
        f"{np.nanmean(with_truth):.3f}",
        f"{np.nanmean(with_people):.3f}",
        f"{np.nanmean(objects.larger_px):+.2f}",
        f"{missed:.1%}",
        f"{np.mean(errors):.4f}",
    ]


WAYS = ("random", "soft", "consensus")

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("recover")
    one.add_argument("data", type=Path)
    one.add_argument("--polygons", action="store_true")
    one.add_argument("--every", type=int, default=1, help="Every so many images only.")
    two = verbs.add_parser("learn")
    two.add_argument("data", type=Path)
    two.add_argument("val", type=Path)
    two.add_argument("--steps", type=int, default=300)
    two.add_argument("--out", type=Path, required=True)
    two.add_argument("--only", nargs="+", default=["one person", *WAYS, "truth"])
    two.add_argument("--every", type=int, default=1, help="Every so many images only.")
    asked = parser.parse_args()
    if asked.verb == "recover":
        recover(asked.data, polygons=asked.polygons, every=asked.every)
    else:
        learn(asked.data, asked.val, steps=asked.steps, out=asked.out, only=asked.only, every=asked.every)
