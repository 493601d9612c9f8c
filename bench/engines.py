"""Prediction by every engine, as a share of what this machine's convolutions can reach, beside MONAI, in one run.

    python bench/engines.py [--batch 8] [--side 256] [--turns 7]

The classic U-Net (width 32, 5 levels, transposed convolutions, 7.8 million weights), RGB, two classes, through
`delineate.inference.engines`: from a batch of float32 images to float32 logits, conversions included. The limit is the
best 3 x 3 convolution found here in bfloat16, channels last. All take turns, so that they meet the same machine; shares
and ratios are medians over the turns. int8 is calibrated on noise, which is enough for its speed; `delineate quantise`
measures what it costs. MONAI's BasicUNet has the same widths and is run as its users do, in float32; without MONAI its
row is missing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from delineate.core import ModelError
from delineate.inference.engines import Engine, installed, opened
from delineate.nets import UNet, folded
from peers import torchvision_stub

LIMIT, MONAI = "limit: the best convolution, bfloat16", "MONAI BasicUNet, float32"


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--turns", type=int, default=7)
    wanted = parser.parse_args()
    torchvision_stub()
    torch.manual_seed(0)
    images = torch.randn(wanted.batch, 3, wanted.side, wanted.side)
    net = UNet(3, 2, width=32, levels=5, up="transposed").eval()
    runs: dict[str, Callable[[], object]] = {
        name: lambda engine=engine: engine(images) for name, engine in engines(net, images).items()
    }
    if (other := monai()) is not None:
        runs[MONAI] = lambda: other(images)
    work = flops(net, images)
    print(f"U-Net of {sum(p.numel() for p in net.parameters()) / 1e6:.1f} million weights, ", end="")
    print(
        f"{work / wanted.batch / 1e9:.2f} GFLOP an image; batch {wanted.batch} of {wanted.side} x {wanted.side}; ",
        end="",
    )
    print(f"{torch.get_num_threads()} threads")
    kernels = convolutions()
    for run in (*runs.values(), *(kernel for kernel, _ in kernels)):
        run()
    turns: list[dict[str, float]] = []
    for _ in range(wanted.turns):
        times = {name: seconds(run, 1) for name, run in runs.items()}
        times[LIMIT] = work / max(done / seconds(kernel, 5) for kernel, done in kernels)
        turns.append(times)
    print(f"{'':40}{'images/s':>10}{'of the limit':>14}{'times ' + MONAI.split(',')[0]:>24}")
    for name in sorted(turns[0], key=lambda name: statistics.median(turn[name] for turn in turns)):
        rate = wanted.batch / statistics.median(turn[name] for turn in turns)
        share = statistics.median(turn[LIMIT] / turn[name] for turn in turns)
        ratio = (
            statistics.median(turn[MONAI] / turn[name] for turn in turns) if MONAI in runs else float("nan")
        )
        print(f"{name:40}{rate:10.2f}{share:14.1%}{ratio:24.2f}")
    if "OpenVINO, int8" in runs:
        gain = statistics.median(turn["OpenVINO, bfloat16"] / turn["OpenVINO, int8"] for turn in turns)
        print(f"int8 over bfloat16: {gain:.2f}")


def engines(net: UNet, images: torch.Tensor) -> dict[str, Engine]:
    """Every engine that is installed, in the precisions that it has."""
    plain = folded(net)
    found = {
        "torch, bfloat16": opened("torch", plain, images, low=True),
        "torch, float32": opened("torch", plain, images, low=False),
    }
    if installed("openvino"):
        found["OpenVINO, bfloat16"] = opened("openvino", plain, images, low=True)
        found["OpenVINO, float32"] = opened("openvino", plain, images, low=False)
        if (small := eight_bits(plain, images)) is not None:
            found["OpenVINO, int8"] = small
    try:
        found["ONNX Runtime, float32"] = opened("onnxruntime", plain, images, low=False)
    except ModelError as error:
        print(error, file=sys.stderr)
    return found


def eight_bits(net: torch.nn.Module, images: torch.Tensor) -> Engine | None:
    """The 8-bit engine, or None without nncf."""
    from delineate.inference.engines.openvino import compiled, library
    from delineate.learn.int8 import even_graph

    try:
        openvino = library()
        import nncf
    except ImportError as error:
        print(f"no int8 ({error})", file=sys.stderr)
        return None
    data = nncf.Dataset([image[None].numpy() for image in images])
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "int8.xml"
        openvino.save_model(nncf.quantize(even_graph(net, images), data, subset_size=len(images)), str(path))
        return compiled(openvino.Core().read_model(str(path)), low=True)


def monai() -> Engine | None:
    """MONAI's U-Net in float32, or None without MONAI."""
    try:
        from monai.networks.nets import BasicUNet
    except ImportError as error:
        print(f"no MONAI beside it ({error}): bench/peers.py says how to get it", file=sys.stderr)
        return None
    net = BasicUNet(2, 3, 2, features=(32, 64, 128, 256, 512, 32)).eval()

    def run(images: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return net(images)

    return run


def flops(net: torch.nn.Module, images: torch.Tensor) -> int:
    """Floating-point operations of one forward pass."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(images)
    return counter.get_total_flops()


def convolutions() -> list[tuple[Callable[[], object], int]]:
    """3 x 3 convolutions of the sizes that U-Nets are made of, each with its number of operations."""
    found = []
    for channels, side in ((64, 256), (128, 128), (256, 64)):
        layout = torch.channels_last
        picture = torch.randn(8, channels, side, side, dtype=torch.bfloat16).contiguous(memory_format=layout)
        weight = torch.randn(channels, channels, 3, 3, dtype=torch.bfloat16).contiguous(memory_format=layout)
        found.append(
            (lambda p=picture, w=weight: F.conv2d(p, w, padding=1), 2 * picture.numel() * channels * 9)
        )
    return found


def seconds(run: Callable[[], object], repeats: int) -> float:
    """The median time of a call."""
    times = []
    with torch.inference_mode():
        for _ in range(repeats):
            begun = time.perf_counter()
            run()
            times.append(time.perf_counter() - begun)
    return statistics.median(times)


if __name__ == "__main__":
    main()
