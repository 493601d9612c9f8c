"""A whole training step of the plain U-Net as a share of what this machine's convolutions can reach, in one run.

    python bench/step.py [--width 32] [--levels 5] [--side 256] [--batch 8]

The limit is the best 3 x 3 convolution found here, forward, channels_last and bfloat16. The work of a step is
three times the multiply-adds of the forward pass (forward, gradient of inputs, gradient of weights), as is
usual; batch norm, activations, sampling, the loss and the optimiser count as overhead. Limit and step take turns,
so that both meet the same machine; the share is the median of the shares of each turn.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from delineate.core import keep_big_blocks
from delineate.losses import cross_entropy_and_dice
from delineate.nets import UNet


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--levels", type=int, default=5)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--turns", type=int, default=7)
    wanted = parser.parse_args()
    keep_big_blocks()
    torch.manual_seed(0)
    layout = torch.channels_last
    net = UNet(1, 2, dims=2, width=wanted.width, levels=wanted.levels).to(memory_format=layout)
    optimiser = torch.optim.AdamW(net.parameters(), fused=True)
    images = torch.randn(wanted.batch, 1, wanted.side, wanted.side).contiguous(memory_format=layout)
    labels = torch.randint(0, 2, (wanted.batch, wanted.side, wanted.side)).to(torch.uint8)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(images)
    work = 3 * counter.get_total_flops()

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(images)
        loss = cross_entropy_and_dice(logits, labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    kernels = []
    for channels, side in ((64, 256), (128, 128), (256, 64)):
        picture = torch.randn(8, channels, side, side, dtype=torch.bfloat16).contiguous(memory_format=layout)
        weight = torch.randn(channels, channels, 3, 3, dtype=torch.bfloat16).contiguous(memory_format=layout)
        kernels.append((picture, weight, 2 * picture.numel() * channels * 9))

    step()
    rates, limits = [], []
    for _ in range(wanted.turns):
        limits.append(
            max(work_ / seconds(lambda p=p, w=w: F.conv2d(p, w, padding=1), 5) for p, w, work_ in kernels)
        )
        rates.append(work / seconds(step, 1))
    shares = sorted(rate / limit for rate, limit in zip(rates, limits, strict=True))
    print(
        f"U-Net width {wanted.width}, {wanted.levels} levels, batch {wanted.batch} of {wanted.side} x {wanted.side}"
    )
    print(
        f"limit: {statistics.median(limits) / 1e9:.0f} GFLOP/s; step: {statistics.median(rates) / 1e9:.0f} GFLOP/s"
    )
    print(
        f"share of the limit: median {statistics.median(shares):.1%}, from {shares[0]:.1%} to {shares[-1]:.1%}"
    )
    print(f"images per second: {wanted.batch * statistics.median(rates) / work:.2f}")


def seconds(run, repeats: int) -> float:
    """The median time of a call."""
    times = []
    with torch.set_grad_enabled(repeats == 1):
        for _ in range(repeats):
            begun = time.perf_counter()
            run()
            times.append(time.perf_counter() - begun)
    return statistics.median(times)


if __name__ == "__main__":
    main()
