"""What skip connections contribute: the same U-Net with and without them, on the coins.

    python bench/skips.py [--steps 200] [--seeds 3] [--picture docs/images/skips.png]

Everything but `skips` is the same for both: crops, order, steps, rate of learning. Scores are those of the
held-out blocks. The net without skips has fewer weights (its decoder reads fewer channels); both are printed.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from delineate.core import Case
from delineate.data.augment import Augmentation, batch
from delineate.data.samples import coins
from delineate.learn.prepare import Normalisation, normalised, samples
from delineate.losses import cross_entropy, soft_dice
from delineate.nets import UNet
from delineate.report.overlay import mistakes, stretched
from delineate.score import dice, hausdorff

LEVELS, WIDTH, PATCH, BATCH = 5, 8, (96, 96), 8


def taught(*, skips: bool, steps: int, seed: int) -> UNet:
    """A U-Net after `steps` steps on the training blocks."""
    crops = [
        sample
        for case in coins()[0]
        for sample in samples(
            case, dims=2, normalisation=Normalisation(), grey=False, objects=False, seed=seed
        )
    ]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = UNet(1, 2, width=WIDTH, levels=LEVELS, skips=skips)
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=3e-3, total_steps=steps)
    for step in range(steps):
        given = batch(crops, size=BATCH, patch=PATCH, augmentation=Augmentation(), seed=seed, step=step)
        logits = net(given.images)
        loss = cross_entropy(logits, given.labels) + soft_dice(logits, given.labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return net.eval()


def outlined(net: UNet, case: Case) -> np.ndarray:
    """Class of every pixel (height, width)."""
    with torch.inference_mode():
        logits = net(torch.from_numpy(normalised(case.image, Normalisation()))[None])
    return logits[0].argmax(dim=0).numpy().astype(np.uint8)


def picture(nets: dict[str, UNet], case: Case, path: Path) -> None:
    """Side by side for each net: what it found (blue), missed (orange) and took for coin (magenta)."""
    from PIL import Image

    grey = stretched(case.image)
    panels = [mistakes(grey, case.labels, outlined(net, case)) for net in nets.values()]
    gap = np.full((case.spatial[0], 6, 3), 255, np.uint8)
    row = np.concatenate([panels[0], gap, panels[1]], axis=1)
    Image.fromarray(row.repeat(2, axis=0).repeat(2, axis=1)).save(path, optimize=True)


def main() -> None:
    """Train, score, print a Markdown table."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--steps", type=int, default=200)
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--picture", type=Path)
    given = asked.parse_args()
    held_out = coins()[1]
    last: dict[str, UNet] = {}
    print("| | weights | Dice, mean of held-out blocks | Hausdorff in px, mean | wrong pixels | s per seed |")
    print("|---|---|---|---|---|---|")
    for name, skips in (("with skips", True), ("without", False)):
        rows, start = [], time.perf_counter()
        for seed in range(given.seeds):
            net = last[name] = taught(skips=skips, steps=given.steps, seed=seed)
            guesses = [outlined(net, case) for case in held_out]
            pairs = [(case.labels, guess) for case, guess in zip(held_out, guesses, strict=True)]
            rows.append(
                (
                    np.mean([dice(truth, guess, label=1) for truth, guess in pairs]),
                    np.mean([hausdorff(truth, guess, label=1) for truth, guess in pairs]),
                    np.mean(np.concatenate([(truth != guess).ravel() for truth, guess in pairs])),
                )
            )
        seconds = (time.perf_counter() - start) / given.seeds
        weights = sum(p.numel() for p in net.parameters())
        low, high = np.min(rows, axis=0), np.max(rows, axis=0)
        middle = np.median(rows, axis=0)
        print(
            f"| {name} | {weights:,} | {middle[0]:.3f} ({low[0]:.3f} to {high[0]:.3f}) "
            f"| {middle[1]:.1f} ({low[1]:.1f} to {high[1]:.1f}) "
            f"| {middle[2]:.2%} ({low[2]:.2%} to {high[2]:.2%}) | {seconds:.0f} |",
            flush=True,
        )
    if given.picture:
        picture(last, held_out[2], given.picture)


if __name__ == "__main__":
    main()
