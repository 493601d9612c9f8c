"""Dice after 2, 5 and 10 minutes of training: Delineate beside segmentation_models.pytorch and MONAI, in one run.

    python bench/time_to_quality.py nuclei/train nuclei/val --marks 2 5 10

All three are trained on the same crops, drawn and augmented by Delineate, and validated on the same whole images.
They take turns of half a minute, each on a clock of its own that runs only while it trains; validation is not on
any clock. Delineate: its plan for the last mark. The others as they document it, float32 and their default layout:
smp.Unet("resnet34", encoder_weights=None), Dice loss, Adam 2e-4 with cosine annealing over the whole time (the
CamVid example); MONAI BasicUNet, DiceCELoss, Adam 1e-3 (the 2D segmentation tutorial). Needs the extra [bench].
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from delineate import data
from delineate.core import Case
from delineate.data.augment import batch
from delineate.data.grey import as_grey
from delineate.learn import Plan, Training, UNetMethod, planned
from delineate.learn.normalisation import normalised
from delineate.learn.prepare import samples
from delineate.score import dice
from peers import peers

TURN_SECONDS = 30.0


class Clock:
    """Seconds that pass only between `start` and `stop`."""

    def __init__(self) -> None:
        self.passed, self.since = 0.0, None

    def __call__(self) -> float:
        return self.passed + (0.0 if self.since is None else time.monotonic() - self.since)

    def start(self) -> None:
        self.since = time.monotonic()

    def stop(self) -> None:
        self.passed, self.since = self(), None


def main() -> None:
    """Parse, train in turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("val", type=Path)
    parser.add_argument("--marks", type=float, nargs="+", default=[2, 5, 10], help="minutes")
    wanted = parser.parse_args()
    smp, monai = peers()
    found, val = data.load(wanted.train), data.load(wanted.val)
    plan = planned(found.cases, minutes=max(wanted.marks))
    print({"patch": plan.patch, "batch": plan.batch, "width": plan.width, "levels": plan.levels})
    seconds = 60 * max(wanted.marks)
    clocks = {name: Clock() for name in ("Delineate", "smp Unet resnet34", "MONAI BasicUNet")}
    own = Training(
        found.cases, classes=found.classes, plan=plan, minutes=max(wanted.marks), clock=clocks["Delineate"]
    )
    first = monai.networks.nets.BasicUNet(2, plan.channels, 2)
    mixed = monai.losses.DiceCELoss(to_onehot_y=True, softmax=True)
    second = smp.Unet("resnet34", encoder_weights=None, in_channels=plan.channels, classes=1)
    shape = smp.losses.DiceLoss("binary", from_logits=True)
    runs: dict[str, tuple[Iterator[Any], Callable[[Case], np.ndarray]]] = {
        "Delineate": (iter(own), lambda case: UNetMethod.of(own.learnt).predict(case.image).argmax(0)),
        "smp Unet resnet34": peer(
            second,
            lambda z, y: shape(z, y),
            2e-4,
            found.cases,
            plan,
            clocks["smp Unet resnet34"],
            seconds,
            anneal=True,
        ),
        "MONAI BasicUNet": peer(
            first,
            lambda z, y: mixed(z, y[:, None]),
            1e-3,
            found.cases,
            plan,
            clocks["MONAI BasicUNet"],
            seconds,
            anneal=False,
        ),
    }
    steps = dict.fromkeys(runs, 0)
    for mark in sorted(wanted.marks):
        while any(clock() < 60 * mark for clock in clocks.values()):
            for name, (iterator, _) in runs.items():
                clock = clocks[name]
                until = min(clock() + TURN_SECONDS, 60 * mark)
                clock.start()
                while clock() < until and next(iterator, None) is not None:
                    steps[name] += 1
                clock.stop()
                clock.passed = max(clock.passed, until)
        for name, (_, predict) in runs.items():
            scores = [dice(case.labels, predict(case).astype(np.uint8), label=1) for case in val.cases]
            print(
                f"{mark:g} min  {name:20s} mean Dice {np.nanmean(scores):.4f}  steps {steps[name]}",
                flush=True,
            )


def peer(
    net: torch.nn.Module,
    loss_of: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    rate: float,
    cases: tuple[Case, ...],
    plan: Plan,
    clock: Clock,
    seconds: float,
    *,
    anneal: bool,
) -> tuple[Iterator[Any], Callable[[Case], np.ndarray]]:
    """A training loop as the peer's tutorial has it, and its prediction for a case."""
    pictures = [
        sample
        for case in cases
        for sample in samples(
            case, dims=plan.dims, normalisation=plan.normalisation, grey=plan.grey, objects=False, seed=0
        )
    ]
    optimiser = torch.optim.Adam(net.parameters(), lr=rate)

    def steps() -> Iterator[int]:
        number = 0
        while clock() < seconds:
            net.train()
            crops = batch(
                pictures,
                size=plan.batch,
                patch=plan.patch,
                augmentation=plan.augmentation,
                seed=0,
                step=number,
            )
            if anneal:
                for group in optimiser.param_groups:
                    group["lr"] = 1e-5 + (rate - 1e-5) * 0.5 * (1 + math.cos(math.pi * clock() / seconds))
            loss = loss_of(net(crops.images), crops.labels.long())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            number += 1
            yield number

    def predict(case: Case) -> np.ndarray:
        net.eval()
        image = normalised(as_grey(case.image) if plan.grey else case.image, plan.normalisation)
        height, width = case.spatial
        padded = F.pad(torch.from_numpy(image)[None], (0, -width % 32, 0, -height % 32), mode="replicate")
        with torch.inference_mode():
            logits = net(padded)[0, :, :height, :width]
        return (logits[0] > 0).numpy() if len(logits) == 1 else logits.argmax(0).numpy()

    return steps(), predict


if __name__ == "__main__":
    main()
