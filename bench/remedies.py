"""What the remedies of two audits are worth: labels of the weakest subgroup, and longer trainings against luck with seeds.

    python bench/remedies.py subgroup nuclei [--labelled 4] [--seeds 2]
    python bench/remedies.py seeds nuclei [--steps 100 400] [--seeds 3]

`subgroup` trains on fluorescence alone (nuclei/train), with a few stained images (of nuclei/histology) as well, and with both
balanced, as `train --balance` does; each is scored on fluorescence (nuclei/val) and on the stained images that none of them saw.
`seeds` trains with several seeds, briefly and for longer, and prints how far the mean Dice on nuclei/val spreads, and how many of
the pixels outlined by any are in dispute.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from delineate import data
from delineate.audits.conditions.shifted import with_channels
from delineate.core import Case, ClassTable
from delineate.data.balance import drawn_by_itself, times_alike
from delineate.learn import Overrides, Training, UNetMethod, planned
from delineate.score import mean_dice

SMALL = Overrides(objects=False, patch=160, batch=4, width=16)


def main() -> None:
    """Parse, train, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_subparsers(dest="what", required=True)
    one = what.add_parser("subgroup")
    one.add_argument("folder", type=Path, help="holds train, val and histology")
    one.add_argument("--labelled", type=int, default=4, help="images of the subgroup")
    one.add_argument("--seeds", type=int, default=2)
    one.add_argument("--steps", type=int, default=400)
    two = what.add_parser("seeds")
    two.add_argument("folder", type=Path, help="holds train and val")
    two.add_argument("--steps", type=int, nargs="+", default=[100, 400])
    two.add_argument("--seeds", type=int, default=3)
    wanted = parser.parse_args()
    (subgroup if wanted.what == "subgroup" else seeds)(wanted)


def subgroup(wanted: argparse.Namespace) -> None:
    """Without and with labels of the subgroup."""
    given, val, group = (plain(wanted.folder / part) for part in ("train", "val", "histology"))
    every = len(group) // wanted.labelled
    learnt = group[::every][: wanted.labelled]
    unseen = [case for case in group if case not in learnt]
    print(f"{'learnt from':>42s} seed  fluorescence ({len(val)})  stained ({len(unseen)})")
    for seed in range(wanted.seeds):
        for how, more in (("", []), ("", learnt), (", balanced", learnt)):
            kinds = {case.name: str(case in more) for case in [*given, *more]}
            weights = {case.name: drawn_by_itself(case.spatial, dims=2) for case in [*given, *more]}
            times = times_alike(kinds, weights) if how else None
            method = trained([*given, *more], steps=wanted.steps, seed=seed, times=times)
            found = [np.nanmean(scores(answers(method, cases), cases)) for cases in (val, unseen)]
            print(
                f"{f'{len(given)} fluorescent, {len(more)} stained{how}':>42s} {seed:4d}  {found[0]:17.3f}  {found[1]:12.3f}",
                flush=True,
            )


def seeds(wanted: argparse.Namespace) -> None:
    """Spread over seeds, by the number of steps."""
    given, val = (plain(wanted.folder / part) for part in ("train", "val"))
    for steps in wanted.steps:
        drawn = [answers(trained(given, steps=steps, seed=seed), val) for seed in range(wanted.seeds)]
        means = [np.nanmean(scores(one, val)) for one in drawn]
        several = [np.stack(case) > 0 for case in zip(*drawn, strict=True)]
        disputed = [(one.any(0) & ~one.all(0)).sum() / max(one.any(0).sum(), 1) for one in several]
        print(
            f"{steps} steps: mean Dice {', '.join(f'{mean:.4f}' for mean in means)}; standard deviation "
            f"{np.std(means, ddof=1):.4f}; in dispute {np.mean(disputed):.1%}",
            flush=True,
        )


def plain(folder: Path) -> list[Case]:
    """All cases of a folder without ids, colour as its brightness, which a model of grey images can be shown."""
    found = data.load(folder, classes=None)
    return [Case(case.name, with_channels(case.image, 1)[0], labels=case.labels) for case in found.cases]


def trained(
    cases: Sequence[Case], *, steps: int, seed: int, times: Mapping[str, int] | None = None
) -> UNetMethod:
    """A small network, learnt from these, each as often as `times` says."""
    run = Training(
        cases,
        classes=ClassTable.numbered(2),
        plan=planned(cases, overrides=SMALL),
        steps=steps,
        seed=seed,
        times=times,
    )
    for _ in run:
        pass
    return UNetMethod.of(run.learnt)


def answers(method: UNetMethod, cases: Sequence[Case]) -> list[Any]:
    """Labels of each case."""
    return [method.predict(case.image).argmax(0).astype(np.uint8) for case in cases]


def scores(labels: Sequence[Any], cases: Sequence[Case]) -> list[float]:
    """Dice of each case."""
    return [mean_dice(case.labels, one, classes=2) for case, one in zip(cases, labels, strict=True)]


if __name__ == "__main__":
    main()
