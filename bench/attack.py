"""Attacks on one network, ours and torchattacks' in turns: how fast a PGD is, and whether any single attack beats the ensemble.

    python bench/attack.py MODEL nuclei/val [--images 45] [--part 1/3] [--eps 4] [--steps 20] [--only speed|strength|kept]

`--only kept` needs no torchattacks: what the ensemble leaves of a model, ordinary or adversarially trained.

torchattacks (`pip install --no-deps torchattacks`: it needs no torchvision to be imported) gets the network as anyone would
give it: float32, normalised by what the clean image measures, images from 0 to 1. Both take the same steps of the same length
from a random start. What an attack achieved is counted alike for both: the image is rounded to 8 bits and predicted in float32.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from delineate import data
from delineate.audits import Subject, subject_of_method
from delineate.audits.attack import OBJECTIVES, LInf, ensemble, pgd, quick
from delineate.audits.attack.files import Attacked, attacked, held
from delineate.audits.attack.outcome import outcome
from delineate.audits.attack.quick import counted_by
from delineate.data.grey import as_grey
from delineate.data.intensities import intensities
from delineate.learn import UNetMethod
from delineate.learn.normalisation import scale_of

STRIDE = 0.25  # of eps: the length of a step of the plain attacks


def main() -> None:
    """Parse, attack in turns, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=int, default=45, help="an even choice of so many")
    parser.add_argument("--part", default="1/1", help="2/3: of these each third, from the second on")
    parser.add_argument("--eps", type=float, default=4)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--only", choices=("speed", "strength", "kept"))
    wanted = parser.parse_args()
    found = data.load(wanted.data)
    cases = sorted([*found.cases, *found.validation], key=lambda case: case.name)
    count = min(wanted.images, len(cases))
    part, parts = map(int, wanted.part.split("/"))
    chosen = [cases[i * len(cases) // count] for i in range(count)][part - 1 :: parts]
    ones = [attacked(case, dims=2, grey=True) for case in chosen]
    valid = intensities(case.image for case in cases)
    run = Run(wanted.eps, wanted.steps, valid)
    subject = subject_of_method(UNetMethod.load(wanted.model), name=str(wanted.model))
    if wanted.only in (None, "speed"):
        run.speed(subject, ones)
    if wanted.only in (None, "strength"):
        run.strength(subject, ones)
    if wanted.only == "kept":
        run.kept(subject, ones, everything=[attacked(case, dims=2, grey=True) for case in cases])


class Public(nn.Module):
    """The network of a subject as torchattacks wants it: images from 0 to 1, normalised as the clean image measures."""

    def __init__(self, subject: Subject, one: Attacked) -> None:
        super().__init__()
        assert subject.method is not None
        learnt = subject.method.fitted()
        scale = scale_of(as_grey(one.case.image), learnt.plan.normalisation)
        self.net, self.count = learnt.net, len(learnt.classes)
        self.low, self.span, self.clipped = scale.low[0], scale.span[0], scale.clipped

    def forward(self, images: Tensor) -> Tensor:
        shown = (images * 255 - self.low) / self.span
        return self.net(shown.clamp(-1, 3) if self.clipped else shown)[:, : self.count]


class Run:
    """One comparison at one eps."""

    def __init__(self, eps: float, steps: int, valid: Any) -> None:
        self.eps, self.steps, self.valid, self.ball = eps, steps, valid, LInf(valid.of_255(eps))

    def speed(self, subject: Subject, ones: list[Attacked]) -> None:
        """Time, loss and pixels of one PGD, ours and theirs in turns."""
        torchattacks = peer()
        logits, predict = quick(subject), counted_by(subject)
        ratios: list[float] = []
        times, busy = ({"ours": 0.0, "theirs": 0.0} for _ in range(2))
        achieved: dict[str, list[Any]] = {"ours": [], "theirs": []}
        for i, one in enumerate(ones):
            theirs = torchattacks.PGD(
                Public(subject, one), eps=self.eps / 255, alpha=STRIDE * self.eps / 255, steps=self.steps
            )
            ways = {
                "ours": lambda one=one: pgd(
                    logits,
                    one.images,
                    one.labels,
                    ball=self.ball,
                    valid=self.valid,
                    steps=self.steps,
                    stride=STRIDE,
                ),
                "theirs": lambda one=one, theirs=theirs: theirs(one.images / 255, one.labels) * 255,
            }
            if i == 0:  # the first call of each pays for what is set up once
                for way in ways.values():
                    way()
            took = {}
            for name in sorted(ways, reverse=bool(i % 2)):
                begun, worked = time.perf_counter(), time.process_time()
                changed = ways[name]()
                took[name] = time.perf_counter() - begun
                times[name] += took[name]
                busy[name] += time.process_time() - worked
                achieved[name].append(self.counted(predict, one, changed))
            ratios.append(took["theirs"] / took["ours"])
        print(f"{self.steps} steps of PGD, eps {self.eps:g}/255, {len(ones)} images")
        print(f"time: ours {times['ours']:.1f} s, torchattacks {times['theirs']:.1f} s", end="; ")
        print(
            f"ratio {times['theirs'] / times['ours']:.2f}, median of the images {statistics.median(ratios):.2f}, "
            f"of processor time {busy['theirs'] / busy['ours']:.2f}"
        )
        for name, results in achieved.items():
            loss, wrong, dice = np.mean(results, axis=0)
            print(f"{name:7s}: cross-entropy {loss:.4f}, pixels wrong {wrong:.4f}, Dice {dice:.4f}")

    def strength(self, subject: Subject, ones: list[Attacked]) -> None:
        """Dice under the ensemble and under each single attack, image by image."""
        torchattacks = peer()
        logits, predict = quick(subject), counted_by(subject)
        rows: dict[str, list[float]] = {}
        for one in ones:
            public = Public(subject, one)
            eps, alpha = self.eps / 255, STRIDE * self.eps / 255
            singles: dict[str, Any] = {
                "torchattacks FGSM": torchattacks.FGSM(public, eps=eps),
                "torchattacks PGD": torchattacks.PGD(public, eps=eps, alpha=alpha, steps=self.steps),
                "torchattacks MI-FGSM": torchattacks.MIFGSM(public, eps=eps, alpha=alpha, steps=self.steps),
                "torchattacks NI-FGSM": torchattacks.NIFGSM(public, eps=eps, alpha=alpha, steps=self.steps),
            }
            for name, single in singles.items():
                changed = single(one.images / 255, one.labels) * 255
                rows.setdefault(name, []).append(self.counted(predict, one, changed)[2])
            for name in ("SegPGD", "CosPGD"):
                changed = pgd(
                    logits, one.images, one.labels, ball=self.ball, valid=self.valid, steps=self.steps,
                    stride=STRIDE, objective=OBJECTIVES[name],
                )  # fmt: skip
                rows.setdefault(f"{name} as published", []).append(self.counted(predict, one, changed)[2])
            rows.setdefault("ensemble", []).append(self.worst(subject, logits, predict, one))
            print(one.case.name, {name: round(values[-1], 4) for name, values in rows.items()}, flush=True)
        ours = np.array(rows.pop("ensemble"))
        strongest = np.min(list(rows.values()), axis=0)
        for name, values in rows.items():
            print(f"{name:24s} mean Dice {np.mean(values):.4f}")
        print(f"{'ensemble':24s} mean Dice {ours.mean():.4f}")
        print(
            f"ensemble at least as strong as the strongest single attack on {int((ours <= strongest).sum())} of {len(ours)} "
            f"images; largest shortfall {max(float((ours - strongest).max()), 0):.4f}"
        )

    def kept(self, subject: Subject, ones: list[Attacked], *, everything: list[Attacked]) -> None:
        """Clean Dice of all images; of some, clean Dice, Dice under the ensemble, and their ratio."""
        logits, predict = quick(subject), counted_by(subject)
        dice = [self.counted(predict, one, one.images)[2] for one in everything]
        print(f"{subject.name}: clean Dice of all {len(dice)} images {np.mean(dice):.4f}", flush=True)
        clean, worst = [], []
        for one in ones:
            clean.append(self.counted(predict, one, one.images)[2])
            worst.append(self.worst(subject, logits, predict, one))
            print(f"{one.case.name}: clean {clean[-1]:.4f}, under the ensemble {worst[-1]:.4f}", flush=True)
        print(
            f"{len(ones)} images: clean Dice {np.mean(clean):.4f}, under the ensemble {np.mean(worst):.4f}, "
            f"kept {np.mean(worst) / np.mean(clean):.3f}"
        )

    def worst(self, subject: Subject, logits: Any, predict: Any, one: Attacked) -> float:
        """Dice that the ensemble leaves of one image."""
        kept = partial(held, images=one.images, ball=self.ball, valid=self.valid)
        found = ensemble(
            logits, one.images, one.labels, ball=self.ball, valid=self.valid, steps=self.steps, held=kept,
            exact=quick(subject, low=False, like=one.images),
            judge=lambda _name, given: outcome(one.case, predict(one.image(given)).argmax(0)).harm,
        )  # fmt: skip
        return self.counted(predict, one, found.images)[2]

    def counted(self, predict: Any, one: Attacked, changed: Tensor) -> tuple[float, float, float]:
        """Cross-entropy, share of wrong pixels, Dice of what a file keeps of a changed image."""
        kept = held(changed.detach(), images=one.images, ball=self.ball, valid=self.valid)
        likely = predict(one.image(kept))
        truth = one.case.labels
        assert truth is not None
        of_truth = np.take_along_axis(likely, np.where(truth == 255, 0, truth)[None].astype(np.int64), 0)[0]
        result = outcome(one.case, likely.argmax(0))
        return (
            float(-np.log(np.maximum(of_truth, 1e-12))[truth != 255].mean()),
            1 - result.accuracy,
            result.dice,
        )


def peer() -> Any:
    """The module torchattacks; without it, ends the script with a sentence."""
    try:
        import torchattacks
    except ImportError as error:
        print(
            f"{sys.argv[0]} compares with torchattacks, which is missing here ({error}): pip install --no-deps torchattacks",
            file=sys.stderr,
        )
        raise SystemExit(2) from error
    return torchattacks


if __name__ == "__main__":
    main()
