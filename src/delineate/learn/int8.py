"""The 8-bit version of a learnt network, beside it in its folder: faster on a CPU, and at what cost in Dice.

Integers need to know how large every activation becomes; that is read off on tiles of real images (calibration). What
is lost is measured on other images, those with masks, and written down in `int8.json`.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
import json
import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from delineate.core import Case, DataError, ModelError, written_whole
from delineate.inference.engines import Engine
from delineate.inference.engines.openvino import compiled, graph, library
from delineate.learn.answer import answered, ready
from delineate.learn.engine import engine_of, middle, weights_print
from delineate.learn.learnt import Learnt
from delineate.learn.machine import native_bfloat16
from delineate.learn.validation import Judge
from delineate.nets import folded

NAME = "int8"
TILES, SIDE = 64, {2: 256, 3: 64}  # of the calibration: how many at most, and how large
MOST_LOST = 0.003


@dataclass(frozen=True)
class Cost:
    """What 8 bits cost: mean Dice with and without them over `cases`, and the share of pixels of another class."""

    dice_float32: float
    dice_int8: float
    changed: float
    cases: int

    @property
    def lost(self) -> float:
        """Dice that is lost."""
        return self.dice_float32 - self.dice_int8

    def __str__(self) -> str:
        return (
            f"int8: Dice {self.dice_int8:.4f}, float32: {self.dice_float32:.4f}, on {self.cases} images; "
            f"{self.changed:.2%} of the pixels change their class"
        )


def quantised(
    learnt: Learnt,
    folder: Path,
    cases: Sequence[Case],
    *,
    judge: Judge,
    most_lost: float = MOST_LOST,
    progress: Callable[[int, int], None] | None = None,
) -> Cost:
    """Write int8.xml, int8.bin and int8.json into the model folder of `learnt`; returns what they cost.

    cases: two or more, labelled; every second one calibrates, the others are judged by `judge` (truth, predicted; nan
    where undefined). Raises DataError for fewer, ModelError where nncf is missing or more than `most_lost` of the Dice
    is lost, and then writes nothing.
    """
    if len(cases) < 2 or any(case.labels is None for case in cases):
        raise DataError(
            "8 bits are calibrated on some images and judged on others: give two or more with masks"
        )
    if not (folder / "model.json").is_file():
        raise ModelError(f"{folder} is no model folder: give that of a trained U-Net")
    plan = learnt.plan
    if plan.equivariant:
        raise ModelError(
            "an equivariant model has no 8-bit version, for rounding would choose other grids: use the engine that predict "
            "chooses"
        )
    calibrating, judging = cases[::2][:TILES], cases[1::2]
    with tempfile.TemporaryDirectory(prefix="delineate-") as scratch:
        path = Path(scratch) / f"{NAME}.xml"
        tiles = [
            middle(ready(plan, case.image, name=case.name), dims=plan.dims, side=SIDE[plan.dims])
            for case in calibrating
        ]
        _quantise(learnt, tiles, path)
        small, full = _opened(learnt, path), engine_of(learnt, low=False)
        truth, ours, theirs = [], [], []
        for done, case in enumerate(judging):
            if progress:
                progress(done, len(judging))
            truth.append(case.labels)
            theirs.append(_labels(learnt, case, full))
            ours.append(_labels(learnt, case, small))
        cost = Cost(
            dice_float32=_mean(judge, truth, theirs),
            dice_int8=_mean(judge, truth, ours),
            changed=float(
                sum(int((a != b).sum()) for a, b in zip(ours, theirs, strict=True))
                / sum(a.size for a in ours)
            ),
            cases=len(judging),
        )
        if not cost.lost <= most_lost:
            raise ModelError(
                f"{cost}: more than {most_lost:g} is lost, so it is not kept; give other images, or allow more"
            )
        texts = {suffix: path.with_suffix(suffix).read_bytes() for suffix in (".xml", ".bin")}
    about = asdict(cost) | {
        "weights": weights_print(learnt),
        "files": {f"{NAME}{suffix}": hashlib.sha256(text).hexdigest() for suffix, text in texts.items()},
    }
    for suffix, text in texts.items():
        with written_whole(folder / f"{NAME}{suffix}") as beside:
            beside.write_bytes(text)
    with written_whole(folder / f"{NAME}.json") as beside:
        beside.write_text(json.dumps(about, indent=1), encoding="utf-8")
    return cost


def opened_int8(learnt: Learnt, folder: Path | None) -> tuple[Engine, Cost]:
    """The 8-bit engine in the folder of `learnt`, and what it costs; raises ModelError where there is none that fits."""
    path = (folder or Path()) / f"{NAME}.json"
    if folder is None or not path.is_file():
        raise ModelError(
            "this model has no 8-bit version: make it with `delineate quantise MODEL DATA`, or choose another engine"
        )
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        cost = Cost(**{key: about[key] for key in ("dice_float32", "dice_int8", "changed", "cases")})
        fits = about["weights"] == weights_print(learnt) and all(
            hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
            for name, digest in about["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path} cannot be read ({error}): make it again with `delineate quantise`"
        ) from error
    if not fits:
        raise ModelError(f"{path} is of other weights: make it again with `delineate quantise MODEL DATA`")
    try:
        return _opened(learnt, folder / f"{NAME}.xml"), cost
    except ImportError as error:
        raise ModelError("the engine int8 needs OpenVINO: pip install 'delineate[fast]'") from error


def _opened(learnt: Learnt, path: Path) -> Engine:
    return filled_up(compiled(path, low=native_bfloat16()), learnt.net.divisor)


def even_graph(net: nn.Module, example: Tensor) -> Any:
    """A U-Net as an OpenVINO graph for sizes that are multiples of its divisor, without what odd sizes need.

    Nothing is cut off after up-sampling, and pooling never meets half a block. Both keep the values next to them from
    being integers, and cost a quarter of the speed.
    """
    opset: Any = importlib.import_module("openvino.opset1")
    model = graph(net, example)
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Slice":
            instead = node.input_value(0)
        elif node.get_type_name() == "MaxPool":
            how = node.get_attributes()
            pads = (how["pads_begin"], how["pads_end"])
            instead = opset.max_pool(
                node.input_value(0), how["strides"], *pads, how["kernel"], "floor"
            ).output(0)
        else:
            continue
        for reader in node.output(0).get_target_inputs():
            reader.replace_source_output(instead)
    model.validate_nodes_and_infer_types()
    return model


def filled_up(engine: Engine, divisor: int) -> Engine:
    """An engine for any size from one for multiples of `divisor`: edges are repeated, and their answers cut off.

    >>> import torch
    >>> filled_up(lambda batch: batch, 8)(torch.ones(1, 1, 5, 9)).shape
    torch.Size([1, 1, 5, 9])
    """

    def run(batch: Tensor) -> Tensor:
        answer = engine(repeated_edges(batch, divisor))
        for axis in range(2, batch.ndim):
            answer = answer.narrow(axis, 0, batch.shape[axis])
        return answer.contiguous()

    return run


def repeated_edges(batch: Tensor, divisor: int) -> Tensor:
    """A batch whose sides are multiples of `divisor`, its last pixels repeated where they were not."""
    short = [-n % divisor for n in batch.shape[2:]]
    pads = [pad for n in reversed(short) for pad in (0, n)]
    return F.pad(batch, pads, mode="replicate") if any(short) else batch


def _quantise(learnt: Learnt, tiles: Sequence[Tensor], path: Path) -> None:
    try:
        openvino = library()
        import nncf
    except ImportError as error:
        raise ModelError(
            f"8-bit versions are made with the package {error.name}: pip install 'delineate[int8]'"
        ) from error
    logging.getLogger("nncf").setLevel(logging.ERROR)
    data: Any = nncf.Dataset([repeated_edges(tile, learnt.net.divisor).numpy() for tile in tiles])
    plain = even_graph(folded(learnt.net), tiles[0])
    with contextlib.redirect_stdout(io.StringIO()):  # its progress bars
        small = nncf.quantize(plain, data, subset_size=len(tiles))
    openvino.save_model(small, str(path), compress_to_fp16=False)


def _labels(learnt: Learnt, case: Case, engine: Engine) -> NDArray[np.uint8]:
    likely = answered(replace(learnt, engine=engine), case.image)[: len(learnt.classes)]
    return np.asarray(likely.argmax(0), np.uint8)


def _mean(judge: Judge, truth: Sequence[Any], predicted: Sequence[NDArray[np.uint8]]) -> float:
    scores = [judge(one, other) for one, other in zip(truth, predicted, strict=True)]
    defined = [score for score in scores if not np.isnan(score)]
    if not defined:
        raise DataError("no class occurs in the images that 8 bits are judged on: give others")
    return float(np.mean(defined))
