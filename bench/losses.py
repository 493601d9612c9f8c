"""Dice + cross-entropy, forward and backward: ours beside MONAI, segmentation_models_pytorch (smp) and plain torch.

    peers/bin/python bench/losses.py [--rounds 21] [--threads 2] [--only times|failures]

All in one process, in turns, so that what else the machine does hits everybody alike: the median of the times, and
the median over the rounds of a contender's time by ours. Where other programs keep the processor busy, two threads
wait for each other and neither times nor ratios mean much: see that it is idle, or give --threads 1. Memory is what
the process grew by at its highest during one pass, the gradient included. bench/peers.py says how to make the
environment.
"""

from __future__ import annotations

import argparse
import ctypes
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from delineate.losses import EPSILON, cross_entropy_and_dice, soft_dice
from peers import peers

Loss = Callable[[Tensor, Tensor], Tensor]


def eager(logits: Tensor, labels: Tensor) -> Tensor:
    """Our formula the way one writes it: one-hot, softmax, autograd."""
    logs = logits.float().log_softmax(1)
    true = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).float()
    p = logs.exp()
    over = 2 * (p * true).sum((0, 2, 3)) + EPSILON
    under = p.sum((0, 2, 3)) + true.sum((0, 2, 3)) + EPSILON
    return -(logs * true).sum() / labels.numel() + (1 - over / under)[1:].mean()


def contenders() -> dict[str, Loss]:
    """Every loss as (logits, int64 labels) -> scalar, each package with its own defaults."""
    smp, monai = peers()
    monai_loss = monai.losses.DiceCELoss(to_onehot_y=True, softmax=True)
    smp_dice = smp.losses.DiceLoss("multiclass")
    return {
        "Delineate": cross_entropy_and_dice,
        "MONAI DiceCELoss": lambda logits, labels: monai_loss(logits, labels[:, None]),
        "smp DiceLoss + torch cross_entropy": lambda x, y: smp_dice(x, y) + F.cross_entropy(x, y),
        "the formula in plain torch": eager,
    }


def once(loss: Loss, logits: Tensor, labels: Tensor) -> float:
    """Seconds for one forward and backward pass."""
    logits.grad = None
    start = time.perf_counter()
    loss(logits, labels).backward()
    return time.perf_counter() - start


def extra_mb(loss: Loss, logits: Tensor, labels: Tensor) -> float:
    """MB by which the process grew at its highest during one pass (Linux; nan elsewhere), the gradient included."""
    logits.grad = None
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
        before = _status_mb("VmRSS")
        once(loss, logits, labels)
        return _status_mb("VmHWM") - before
    except (OSError, AttributeError):
        return float("nan")


def _status_mb(key: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    return float("nan")


def times(losses: dict[str, Loss], *, rounds: int) -> None:
    """Print one table per shape and memory format."""
    formats = {
        "float32, contiguous": (torch.float32, torch.contiguous_format),
        "bfloat16, channels last": (torch.bfloat16, torch.channels_last),
    }
    for shape in ((8, 2, 512, 512), (2, 19, 512, 512)):
        for what, (dtype, layout) in formats.items():
            generator = torch.Generator().manual_seed(0)
            logits = torch.randn(shape, generator=generator).to(dtype, memory_format=layout).requires_grad_()
            labels = torch.randint(0, shape[1], (shape[0], *shape[2:]), generator=generator)
            for loss in losses.values():
                once(loss, logits, labels)
            taken = {name: [] for name in losses}
            for _ in range(rounds):
                for name, loss in losses.items():
                    taken[name].append(once(loss, logits, labels))
            ours = taken["Delineate"]
            print(f"\nlogits {shape}, {what}, {torch.get_num_threads()} threads, {rounds} rounds\n")
            print("| loss | median ms | min ms | times ours | extra MB |\n|---|---|---|---|---|")
            for name, seconds in taken.items():
                ratio = statistics.median(a / b for a, b in zip(seconds, ours, strict=True))
                print(
                    f"| {name} | {statistics.median(seconds) * 1e3:.1f} | {min(seconds) * 1e3:.1f} "
                    f"| {ratio:.2f} | {extra_mb(losses[name], logits, labels):.0f} |",
                    flush=True,
                )


def outcome(loss: Loss, logits: Tensor, labels: Tensor) -> str:
    """The value and whether the gradient is finite, or the exception."""
    logits = logits.clone().requires_grad_()
    try:
        value = loss(logits, labels)
        value.backward()
    except (RuntimeError, ValueError, IndexError) as error:
        return type(error).__name__
    finite = "" if logits.grad.isfinite().all() else ", gradient not finite"
    return f"{value.item():.4g}{finite}"


def failures(losses: dict[str, Loss]) -> None:
    """Print what each loss says where losses usually go wrong, (2, 3, 512, 512)."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 512, 512, generator=generator)
    labels = torch.randint(0, 3, (2, 512, 512), generator=generator)
    empty = torch.zeros_like(labels)
    right = torch.full_like(logits, -30.0)
    right[:, 0] = 30.0
    wrong = right.flip(1)
    huge = logits.sign() * 60000
    cases = {
        "float32": (logits, labels),
        "float16": (logits.half(), labels),
        "bfloat16": (logits.bfloat16(), labels),
        "float16, 60000": (huge.half(), labels),
        "absent classes, perfect": (right, empty),
        "absent classes, all wrong": (wrong, empty),
    }
    print("\nValues\n\n| loss |", " | ".join([*cases, "all unlabelled"]), "|")
    print("|---" * (len(cases) + 2) + "|")
    for name, loss in losses.items():
        said = [outcome(loss, *case) for case in cases.values()]
        said.append(outcome(unlabelled().get(name, loss), logits, torch.full_like(labels, 255)))
        print("|", " | ".join([name, *said]), "|", flush=True)
    print("\nOverlap alone: 50 of 512 x 512 pixels claimed for a class that the image does not have\n")
    dices = overlaps()
    claimed = right[:1].clone()
    claimed[0, :2, 0, :50] = claimed[0, :2, 0, :50].flip(0)
    print("| Dice | nothing claimed | 50 pixels claimed |\n|---|---|---|")
    for name, loss in dices.items():
        print(f"| {name} | {outcome(loss, right[:1], empty[:1])} | {outcome(loss, claimed, empty[:1])} |")


def unlabelled() -> dict[str, Loss]:
    """The losses that have to be told that 255 is to be left out, told so."""
    smp, _ = peers()
    smp_dice = smp.losses.DiceLoss("multiclass", ignore_index=255)
    return {
        "smp DiceLoss + torch cross_entropy": lambda x, y: (
            smp_dice(x, y) + F.cross_entropy(x, y, ignore_index=255)
        )
    }


def overlaps() -> dict[str, Loss]:
    """The Dice losses alone."""
    smp, monai = peers()
    monai_dice = monai.losses.DiceLoss(to_onehot_y=True, softmax=True)
    return {
        "Delineate": soft_dice,
        "MONAI DiceLoss": lambda logits, labels: monai_dice(logits, labels[:, None]),
        "smp DiceLoss": smp.losses.DiceLoss("multiclass"),
    }


def main() -> None:
    """Parse, race, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=["times", "failures"])
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    warnings.filterwarnings("ignore")  # of the peers' imports
    losses = contenders()
    if given.only != "failures":
        times(losses, rounds=given.rounds)
    if given.only != "times":
        failures(losses)


if __name__ == "__main__":
    main()
