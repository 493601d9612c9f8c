"""What skip connections contribute: the same U-Net with and without them, on the coins.

    python bench/skips.py [--steps 150] [--seeds 3] [--picture docs/images/skips.png]

Everything but `skips` is the same for both: crops, order, steps, rate of learning. Scores are those of the
held-out blocks: the median over seeds, and the range. The net without skips has fewer weights (its decoder reads
fewer channels); both are printed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from delineate.core import Case
from delineate.data.augment import Augmentation, batch
from delineate.data.samples import coins
from delineate.learn.normalisation import Normalisation, normalised
from delineate.learn.prepare import samples
from delineate.losses import cross_entropy, soft_dice
from delineate.nets import UNet
from delineate.report.overlay import mistakes, stretched
from delineate.score import dice, hausdorff

LEVELS, WIDTH, PATCH, BATCH, RIM_PX = 5, 8, (96, 96), 8, 3
FORMATS = ((3, ""), (2, " %"), (2, " %"), (1, " px"))


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
        net = UNet(1, 2, width=WIDTH, levels=LEVELS, skips=skips).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=3e-3, total_steps=steps)
    for step in range(steps):
        given = batch(crops, size=BATCH, patch=PATCH, augmentation=Augmentation(), seed=seed, step=step)
        logits = net(given.images.contiguous(memory_format=torch.channels_last))
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


def judged(case: Case, guess: np.ndarray) -> tuple[float, float, float, float]:
    """Dice, per cent of pixels wrong within RIM_PX of a true rim and elsewhere, Hausdorff distance in pixels."""
    coin = case.labels == 1
    at_rim = ndimage.binary_dilation(coin, iterations=RIM_PX) & ~ndimage.binary_erosion(
        coin, iterations=RIM_PX
    )
    wrong = case.labels != guess
    shares = (100 * (wrong & at_rim).mean(), 100 * (wrong & ~at_rim).mean())
    return dice(case.labels, guess, label=1), *shares, hausdorff(case.labels, guess, label=1)


def picture(nets: dict[str, UNet], case: Case, path: Path) -> None:
    """Side by side for each net: what it found (blue), missed (orange) and took for coin (magenta)."""
    from PIL import Image

    grey = stretched(case.image)
    panels = [mistakes(grey, case.labels, outlined(net, case)) for net in nets.values()]
    gap = np.full((case.spatial[0], 6, 3), 255, np.uint8)
    row = np.concatenate([panels[0], gap, panels[1]], axis=1)
    Image.fromarray(row.repeat(3, axis=0).repeat(3, axis=1)).save(path, optimize=True)


def main() -> None:
    """Train, score, print a Markdown table."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--steps", type=int, default=150)
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--picture", type=Path)
    given = asked.parse_args()
    held_out = coins()[1]
    last: dict[str, UNet] = {}
    print("| | weights | Dice, mean | wrong pixels at a rim | wrong pixels elsewhere | Hausdorff, mean |")
    print("|---|---|---|---|---|---|")
    for name, skips in (("with skips", True), ("without", False)):
        rows = []
        for seed in range(given.seeds):
            net = last[name] = taught(skips=skips, steps=given.steps, seed=seed)
            rows.append(np.mean([judged(case, outlined(net, case)) for case in held_out], axis=0))
        cells = [
            f"{middle:.{digits}f}{unit} ({low:.{digits}f} to {high:.{digits}f})"
            for middle, low, high, (digits, unit) in zip(
                np.median(rows, axis=0), np.min(rows, axis=0), np.max(rows, axis=0), FORMATS, strict=True
            )
        ]
        weights = sum(p.numel() for p in net.parameters())
        print(f"| {name} | {weights:,} | {' | '.join(cells)} |", flush=True)
    if given.picture:
        picture(last, held_out[2], given.picture)


if __name__ == "__main__":
    main()
