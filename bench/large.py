"""Images larger than memory: a 4096 x 4096 picture beside MONAI's sliding window, and cost against size.

    python bench/large.py beside [--side 4096] [--repeats 1]
    python bench/large.py sizes [--megapixels 1 4 16 64 256]
    python bench/large.py slide [--side 32768]
    python bench/large.py windows [--sides 128 256 512 1024]
    python bench/large.py reads [--side 4096]

`beside`: the classic U-Net of 7.8 million parameters, RGB to a label map, each path in a process of its own, in turns:
our stream (exact halo, no blending) and MONAI's sliding_window_inference (windows of 256, overlap 0.25, Gaussian), in
its float32 default and in bfloat16, channels last. Peak memory is what a run adds to a process that has loaded the
network and the picture and run one window. MONAI lives in the environment of bench/peers.py.
`sizes`, `slide`: prediction of tiled RGB TIFF files with pyramids, from the file to the OME-TIFF of labels, with a
quarter of the default width (8) so that what is not the network counts: processor seconds (of all threads, so that
other work on the machine tells little) and the peak memory of the whole process. `slide` sets 32,768 beside 4,096.
`windows`: whether a pixel costs more in a large window, where maps leave the caches, by engine, in turns.
`reads`: how many pixels are read for each pixel of an image, tiles, emptiness and mirrors included, and what reading takes.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

PATHS = {
    "delineate, tiles of 512": "ours 512 torch",
    "delineate, tiles of 1024": "ours 1024 torch",
    "delineate, OpenVINO, 512": "ours 512 openvino",
    "delineate, OpenVINO, 512 x 832": "ours 512x832 openvino",
    "delineate, OpenVINO, 512 x 1024": "ours 512x1024 openvino",
    "delineate, OpenVINO, 1024": "ours 1024 openvino",
    "delineate, OpenVINO, 2048": "ours 2048 openvino",
    "MONAI, float32 (its default)": "monai float32",
    "MONAI, bfloat16 channels last": "monai bfloat16",
}


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    beside = verbs.add_parser("beside")
    beside.add_argument("--side", type=int, default=4096)
    beside.add_argument("--repeats", type=int, default=1)
    beside.add_argument("--only", nargs="*", default=[], help="some of: " + ", ".join(PATHS.values()))
    beside.add_argument(
        "--peers", default=sys.executable, help="the Python that has MONAI, where it is another one"
    )
    one = verbs.add_parser("one")
    one.add_argument("path")
    one.add_argument("side", type=int)
    file = verbs.add_parser("file")
    file.add_argument("scratch", type=Path)
    file.add_argument("path", type=Path)
    sizes = verbs.add_parser("sizes")
    sizes.add_argument("--megapixels", type=int, nargs="*", default=[1, 4, 16, 64, 256])
    slide = verbs.add_parser("slide")
    slide.add_argument("--side", type=int, default=32768)
    windows = verbs.add_parser("windows")
    windows.add_argument("--sides", type=int, nargs="*", default=[128, 256, 512, 1024])
    reads = verbs.add_parser("reads")
    reads.add_argument("--side", type=int, default=4096)
    for verb in (sizes, slide, reads):
        verb.add_argument("--scratch", type=Path, default=None, help="folder for files of gigabytes")
    wanted = parser.parse_args()
    if wanted.verb == "one":
        measure_one(wanted.path, wanted.side)
    elif wanted.verb == "file":
        measure_file(wanted.scratch, wanted.path)
    elif wanted.verb == "windows":
        measure_windows(wanted.sides)
    elif wanted.verb == "reads":
        with tempfile.TemporaryDirectory(dir=wanted.scratch) as scratch:
            measure_reads(wanted.side, Path(scratch))
    elif wanted.verb == "beside":
        measure_beside(wanted.side, wanted.repeats, wanted.only, wanted.peers)
    else:
        sides = [wanted.side] if wanted.verb == "slide" else [math.isqrt(m << 20) for m in wanted.megapixels]
        with tempfile.TemporaryDirectory(dir=wanted.scratch) as scratch:
            measure_files([*([4096] if wanted.verb == "slide" else []), *sides], Path(scratch))


def picture(height: int, width: int) -> np.ndarray:
    """A structured picture (height, width, 3) uint8: waves and noise, with no empty part; it repeats every 1024 pixels."""
    rng = np.random.default_rng(0)
    rows, columns = np.ogrid[:1024, :1024]
    waves = 90 + 60 * np.sin(rows * math.tau * 4 / 1024) * np.cos(columns * math.tau * 3 / 1024)
    tile = np.clip(waves[..., None] + rng.integers(-40, 40, (1024, 1024, 3)), 0, 255).astype(np.uint8)
    return np.tile(tile, (-(-height // 1024), -(-width // 1024), 1))[:height, :width]


def network(*, width: int, levels: int, shuffle: int):
    """A model of RGB pictures with random weights, in bfloat16."""
    from delineate.core import Case, ClassTable
    from delineate.learn import Learnt, Overrides, Record, planned
    from delineate.learn.learnt import network as fresh

    case = Case("a", picture(512, 512), labels=np.ones((512, 512), np.uint8))
    overrides = Overrides(width=width, levels=levels, shuffle=shuffle, patch=256, precision="bf16-mixed")
    plan, classes = planned([case], overrides=overrides), ClassTable.numbered(2)
    return Learnt(fresh(plan, classes, seed=0).eval(), plan, classes, Record(seed=0))


def measure_one(path: str, side: int) -> None:
    """One path of `beside` in this process; prints seconds and megabytes as JSON."""
    import torch

    learnt = network(width=32, levels=5, shuffle=1)
    image = picture(side, side)
    kind, how, *engine = path.split()
    if kind == "ours":
        from delineate.data.large import LargeImage
        from delineate.learn.engine import engine_of
        from delineate.learn.large import LargePrediction

        scratch = tempfile.TemporaryDirectory()
        core = tuple(int(side) for side in (how.split("x") * 2)[:2])
        learnt = replace(learnt, engine=engine_of(learnt, engine[0]))
        small = LargeImage.of(image[:512, :512])
        warm = LargePrediction.begin(Path(scratch.name) / "warm", learnt, small, model="", core=(256, 512))
        list(warm.predicted(warm.tiles))  # two parts: a picture that is one tile goes another way

        def run() -> None:
            large = LargePrediction.begin(
                Path(scratch.name) / "all",
                learnt,
                LargeImage.of(image),
                model="",
                core=core,
                skip_empty=False,
            )
            for _ in large.predicted(large.tiles):
                pass
    else:
        try:
            from monai.inferers import sliding_window_inference
        except ImportError:
            print(
                "MONAI is not here: make an environment as bench/peers.py says and run it there",
                file=sys.stderr,
            )
            raise SystemExit(2) from None
        net = learnt.net
        if how == "bfloat16":
            net = net.bfloat16().to(memory_format=torch.channels_last)

        def predictor(x):
            if how == "bfloat16":
                return net(x.bfloat16().contiguous(memory_format=torch.channels_last)).float()
            return net(x)

        def windows(array: np.ndarray) -> np.ndarray:
            x = torch.from_numpy(array).permute(2, 0, 1)[None].float().div_(255)
            y = sliding_window_inference(x, 256, 8, predictor, overlap=0.25, mode="gaussian")
            return y.argmax(1)[0].to(torch.uint8).numpy()

        windows(image[:512, :512])

        def run() -> None:
            windows(image)

    with torch.inference_mode():
        Path("/proc/self/clear_refs").write_text("5")
        before = kilobytes("VmRSS")
        begun, cpu = time.perf_counter(), time.process_time()
        run()
        print(
            json.dumps(
                {
                    "seconds": time.perf_counter() - begun,
                    "cpu": time.process_time() - cpu,
                    "megabytes": (kilobytes("VmHWM") - before) / 1000,
                }
            )
        )


def kilobytes(name: str) -> int:
    """A figure of /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(name)))


def measure_beside(side: int, repeats: int, only: list[str], peers: str) -> None:
    """Every path in turns, medians and ratios."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in PATHS if not only or PATHS[name] in only}
    for _ in range(repeats):
        for name, runs in found.items():
            said = subprocess.run(
                [
                    peers if PATHS[name].startswith("monai") else sys.executable,
                    __file__,
                    "one",
                    PATHS[name],
                    str(side),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
            if said.returncode:
                print(said.stderr.strip().splitlines()[-1], file=sys.stderr)
                raise SystemExit(2)
            runs.append(json.loads(said.stdout.strip().splitlines()[-1]))
    median = {n: {k: statistics.median(r[k] for r in runs) for k in runs[0]} for n, runs in found.items()}
    print(f"{side} x {side} RGB to labels, U-Net of width 32 and 5 levels, median of {repeats}")
    best = min(m["seconds"] for n, m in median.items() if n.startswith("delineate")) if median else 1.0
    print(f"{'path':34}{'seconds':>9}{'cpu s':>9}{'extra MB':>10}{'times ours':>12}")
    for name, m in median.items():
        print(f"{name:34}{m['seconds']:9.1f}{m['cpu']:9.1f}{m['megabytes']:10.0f}{m['seconds'] / best:12.2f}")


def measure_windows(sides: list[int]) -> None:
    """Processor time for each pixel of a window of every size, the least of three turns."""
    import torch

    from delineate.learn.engine import engine_of

    learnt = network(width=32, levels=5, shuffle=1)
    print(f"{'ns per pixel, windows of':26}" + "".join(f"{side:>8}" for side in sides))
    for name in ("openvino", "torch"):
        engine = engine_of(learnt, name)
        least = dict.fromkeys(sides, math.inf)
        for turn in range(4):  # the first is not counted
            for side in sides:
                window, times = torch.rand(1, 3, side, side), max(1, (max(sides) // side) ** 2 // 2)
                begun = time.process_time()
                for _ in range(times):
                    engine(window)
                each = (time.process_time() - begun) / times / side**2 * 1e9
                least[side] = min(least[side], each) if turn else math.inf
        print(f"{name:26}" + "".join(f"{least[side]:8.0f}" for side in sides), flush=True)


def measure_reads(side: int, scratch: Path) -> None:
    """Bytes read for each byte of a compressed picture, and the processor time of the thread that reads."""
    from delineate.data.large import open_large
    from delineate.learn.large import LargePrediction

    learnt = network(width=8, levels=4, shuffle=2)
    print(f"{'tiles':>6}{'mirrors':>9}{'times read':>12}{'reading s':>11}{'all cpu s':>11}")
    for core in (512, 1024):
        for flips in (False, True):
            image = open_large(slide_file(scratch / f"{core}_{flips}.tif", side))
            spent = [0.0, 0.0]

            def read(box, level, inner=image.read, spent=spent):
                begun = time.thread_time()
                pixels = inner(box, level)
                spent[0] += pixels.nbytes
                spent[1] += time.thread_time() - begun
                return pixels

            store = scratch / f"{core}_{flips}.ome.zarr"
            prediction = LargePrediction.begin(
                store, learnt, replace(image, read=read), model="", core=(core, core), flips=flips
            )
            spent[:] = [0.0, 0.0]  # the sample is the same for all
            begun = time.process_time()
            for _ in prediction.predicted(prediction.tiles):
                pass
            took = time.process_time() - begun
            mirrors = "4" if flips else "none"
            print(
                f"{core:6}{mirrors:>9}{spent[0] / image.nbytes:12.2f}{spent[1]:11.2f}{took:11.1f}", flush=True
            )


def measure_files(sides: list[int], scratch: Path) -> None:
    """The prediction of one file after the other; the last line says how cost follows size."""
    from delineate.learn.learnt import saved

    saved(network(width=8, levels=4, shuffle=2), scratch / "model")
    slide_file(scratch / "warm.tif", 600)
    print(f"{'side':>7}{'megapixels':>12}{'wall s':>9}{'cpu s':>9}{'cpu ns/px':>11}{'peak MB':>9}")
    rows = []
    for side in sides:
        path = slide_file(scratch / f"{side}.tif", side)
        command = [sys.executable, __file__, "file", str(scratch), str(path)]
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        one = json.loads(said.stdout.strip().splitlines()[-1])
        path.unlink()
        rows.append((side * side, one["cpu"]))
        each = 1e9 * one["cpu"] / side**2
        row = f"{side:7}{side * side / 1e6:12.0f}{one['seconds']:9.1f}{one['cpu']:9.1f}{each:11.0f}"
        print(f"{row}{one['megabytes']:9.0f}", flush=True)
    if len(rows) > 2:
        sizes, costs = np.log(np.array(rows, float)).T
        print(f"cost grows as size to the power of {np.polyfit(sizes, costs, 1)[0]:.3f}")
    elif len(rows) == 2:
        (small, cheap), (large, dear) = rows
        print(
            f"cost per pixel of the large one over that of the small one: {dear / large / (cheap / small):.3f}"
        )


def measure_file(scratch: Path, path: Path) -> None:
    """One file in this process, after a small one; prints seconds and the peak of the whole process as JSON."""
    from delineate import flow

    flow.predict(
        scratch / "model", scratch / "warm.tif", out=scratch / f"warm_{path.stem}", suffix=".ome.tif"
    )
    begun, cpu = time.perf_counter(), time.process_time()
    flow.predict(
        scratch / "model", path, out=scratch / f"out_{path.stem}", suffix=".ome.tif", skip_empty=True
    )
    figures = {
        "seconds": time.perf_counter() - begun,
        "cpu": time.process_time() - cpu,
        "megabytes": kilobytes("VmHWM") / 1000,
    }
    print(json.dumps(figures))


def slide_file(path: Path, side: int) -> Path:
    """A tiled, compressed RGB TIFF with a pyramid, written tile by tile."""
    import tifffile

    tile = picture(1024, 1024)
    levels = 1 + max(0, math.ceil(math.log2(side / 1024)) // 2)
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for level in range(levels):
            length = side // 4**level
            few = np.ascontiguousarray(np.tile(tile, (1, 1, 1))[:: 4 ** min(level, 2), :: 4 ** min(level, 2)])
            few = np.tile(few, (-(-512 // len(few)), -(-512 // len(few)), 1))
            tiles = [
                few[r : r + 512, c : c + 512]
                for r in range(0, len(few), 512)
                for c in range(0, len(few), 512)
            ]
            across = -(-length // 512)
            turns = math.isqrt(len(tiles))

            def cut(across=across, tiles=tiles, turns=turns):
                for row in range(across):
                    for column in range(across):
                        yield tiles[row % turns * turns + column % turns]

            file.write(
                cut(),
                shape=(length, length, 3),
                dtype=np.uint8,
                tile=(512, 512),
                photometric="rgb",
                compression="jpeg",
                compressionargs={"level": 90},
                subifds=None if level else levels - 1,
                subfiletype=1 if level else 0,
                metadata=None,
            )
    return path


if __name__ == "__main__":
    main()
