"""How wrong simulated strokes and clicks are, and how wrong those of people where both lie beside full masks.

    python bench/strokes.py nuclei/val cardiac/val membranes/val

Printed for each folder and class: the share of the pixels that are drawn on, and how many of these are of another class.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from delineate import data
from delineate.core import UNLABELLED, Case, ClassTable
from delineate.data.scribbles import pointed, scribbled


def main() -> None:
    """Parse, then count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--share", type=float, default=0.01)
    wanted = parser.parse_args()
    for folder in wanted.folders:
        full = data.load(folder, labels="masks")
        cases = sorted(full.cases, key=lambda case: case.name)
        told(
            f"{folder}, strokes", [scribbled(case, share=wanted.share) for case in cases], cases, full.classes
        )
        told(f"{folder}, clicks", [pointed(case) for case in cases], cases, full.classes)
        if "scribbles" in data.offered(data.find_folder(folder)):
            people = sorted(data.load(folder, labels="scribbles").cases, key=lambda case: case.name)
            told(f"{folder}, people", people, cases, full.classes)


def told(title: str, drawn: Iterable[Case], cases: list[Case], classes: ClassTable) -> None:
    """One line a class."""
    made, wrong, total = np.zeros(len(classes)), np.zeros(len(classes)), 0
    for one, case in zip(drawn, cases, strict=True):
        total += case.labels.size
        for label in range(len(classes)):
            here = one.labels == label
            made[label] += here.sum()
            wrong[label] += (here & (case.labels != label) & (case.labels != UNLABELLED)).sum()
    parts = [
        f"{name} {n / total:.3%} ({w / max(n, 1):.2%} wrong)"
        for name, n, w in zip(classes.names, made, wrong, strict=True)
    ]
    print(f"{title}: {made.sum() / total:.2%} of the pixels: {', '.join(parts)}", flush=True)


if __name__ == "__main__":
    main()
