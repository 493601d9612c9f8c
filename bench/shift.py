"""A training step of every way to sample, against max pooling with the same `shuffle`, in turns within one run.

    python bench/shift.py [--width 32] [--levels 4] [--shuffle 2] [--side 256] [--batch 4] [--dims 2]

Forward, loss, backward and step of the optimiser, channels_last, in bfloat16 where this machine has it: what training does,
without the making of crops. The price is the median of the ratios of each turn, so that a busy machine weighs on both alike.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from delineate.core import keep_big_blocks
from delineate.learn.learnt import memory_layout
from delineate.learn.machine import native_bfloat16
from delineate.losses import cross_entropy_and_dice
from delineate.nets import UNet

WAYS = {
    "max pooling": {"down": "max"},
    "strided convolution": {"down": "strided"},
    "blur pooling": {"down": "blur"},
    "equivariant, max": {"down": "max", "equivariant": True},
    "equivariant, blur": {"down": "blur", "equivariant": True},
}


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--levels", type=int, default=4)
    parser.add_argument("--shuffle", type=int, default=2)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--dims", type=int, default=2)
    parser.add_argument("--turns", type=int, default=7)
    given = parser.parse_args()
    keep_big_blocks()
    layout = memory_layout(given.dims)
    images = torch.randn(given.batch, 1, *(given.side,) * given.dims).contiguous(memory_format=layout)
    labels = torch.randint(0, 2, (given.batch, *(given.side,) * given.dims)).to(torch.uint8)
    steps = {}
    for name, way in WAYS.items():
        torch.manual_seed(0)
        net = UNet(
            1, 2, dims=given.dims, width=given.width, levels=given.levels, shuffle=given.shuffle, **way
        ).to(memory_format=layout)
        steps[name] = step_of(net, images, labels)
        steps[name]()
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(given.turns):
        for name, step in steps.items():
            begun = time.perf_counter()
            step()
            times[name].append(time.perf_counter() - begun)
    print(
        f"width {given.width}, {given.levels} levels, shuffle {given.shuffle}, batch {given.batch} of "
        f"{given.side} px in {given.dims}D, {torch.get_num_threads()} threads"
    )
    print("| sampling | ms per step | price |\n|---|---|---|")
    for name, seconds in times.items():
        ratios = [one / plain for one, plain in zip(seconds, times["max pooling"], strict=True)]
        print(f"| {name} | {1000 * statistics.median(seconds):.0f} | {statistics.median(ratios):.2f} |")


def step_of(net: UNet, images: torch.Tensor, labels: torch.Tensor):
    """One training step, to be called."""
    optimiser = torch.optim.AdamW(net.parameters(), fused=True)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=native_bfloat16()):
            logits = net(images)
        loss = cross_entropy_and_dice(logits, labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


if __name__ == "__main__":
    main()
