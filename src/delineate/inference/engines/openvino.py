"""OpenVINO: on a CPU it reaches nearly all that the processor's convolutions can give, in bfloat16 or 8 bits."""

from __future__ import annotations

import contextlib
import importlib
import logging
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from delineate.core import ModelError, OutputError, written_whole
from delineate.inference.engines import Engine, cut
from delineate.inference.engines.pytorch import Eager

Run = Callable[..., Tensor]
"""Tensors in, the logits out."""


class Converted:
    """`net` as an OpenVINO graph of any size, compiled for this processor; kept in `keep`.xml and .bin.

    A network that can compute a part of its answer has a second graph, for parts, which is made when the first is asked for.
    An image with a side below `smallest_side` is computed by torch. low: see `compiled`.
    """

    def __init__(self, net: nn.Module, example: Tensor, *, low: bool, keep: Path | None) -> None:
        self.net, self.low, self._example, self._keep = net, low, example, keep
        self._whole = _kept(lambda: graph(net, example), keep, low=low)
        self._part: Run | None = None

    def __call__(self, batch: Tensor) -> Tensor:
        """Logits of a batch (n, channels, *spatial)."""
        return self._by_torch(batch) if self._thin(batch) else self._whole(batch)

    def _thin(self, batch: Tensor) -> bool:
        return min(batch.shape[2:]) < smallest_side(self.net)

    @cached_property
    def _by_torch(self) -> Eager:
        return Eager(self.net, self._example, low=self.low)

    def part(self, batch: Tensor, keep: tuple[slice, ...]) -> Tensor:
        """Logits of a part of a batch, a slice with start and stop along each spatial axis."""
        net: Any = self.net
        if not hasattr(net, "part_at"):
            return cut(self(batch), keep)
        if self._thin(batch):
            return self._by_torch.part(batch, keep)
        if self._part is None:
            path = None if self._keep is None else self._keep.with_name(f"{self._keep.stem}-parts")
            self._part = _kept(lambda: part_graph(net, self._example), path, low=self.low)
        return self._part(batch, net.cuts(keep, tuple(batch.shape[2:])))


def converted(net: nn.Module, example: Tensor, *, low: bool, keep: Path | None = None) -> Engine:
    """See `Converted`."""
    return Converted(net, example, low=low, keep=keep)


def _kept(made: Callable[[], Any], keep: Path | None, *, low: bool) -> Run:
    """The graph in the files `keep`, made and written where it is not there or damaged, compiled."""
    if keep is None:
        return compiled(made(), low=low)
    path = keep.with_suffix(".xml")
    if path.is_file() and path.with_suffix(".bin").is_file():
        try:
            return compiled(path, low=low)
        except ModelError:
            path.unlink(missing_ok=True)  # damaged: converted again
    model = made()
    with contextlib.suppress(OSError, OutputError, RuntimeError), tempfile.TemporaryDirectory() as scratch:
        library().save_model(model, str(Path(scratch) / path.name), compress_to_fp16=False)
        keep.parent.mkdir(parents=True, exist_ok=True)
        for suffix in (".bin", ".xml"):  # the one that is looked for comes last
            with written_whole(path.with_suffix(suffix)) as beside:
                shutil.copyfile((Path(scratch) / path.name).with_suffix(suffix), beside)
    return compiled(model, low=low)


def smallest_side(net: nn.Module) -> int:
    """The shortest side that OpenVINO takes, in pixels: it pools a side of one pixel to nothing."""
    return int(getattr(net, "divisor", 0)) // 2 + 1


def graph(net: nn.Module, example: Tensor) -> Any:
    """`net` as an `openvino.Model` whose batch and spatial axes are free."""
    odd = torch.zeros(1, example.shape[1], *(19, 21, 23)[: example.ndim - 2])
    return _traced(net, (odd,), (-1, example.shape[1], *(-1 for _ in odd.shape[2:])))


def part_graph(net: Any, example: Tensor) -> Any:
    """`net.part_at` as an `openvino.Model` of images and cuts, any batch, spatial size and part."""

    class Part(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, images: Tensor, cuts: Tensor) -> Tensor:
            part: Tensor = self.net.part_at(images, cuts)
            return part

    sides = [n * net.divisor + net.halo for n in (5, 6, 7)][: example.ndim - 2]
    odd = torch.zeros(1, example.shape[1], *(n - 1 for n in sides))
    cuts = net.cuts(tuple(slice(n // 8, n - n // 8) for n in sides), tuple(odd.shape[2:]))
    anything = (-1, example.shape[1], *(-1 for _ in sides))
    return _traced(Part().eval(), (odd, cuts), anything, tuple(cuts.shape))


def _traced(net: nn.Module, examples: tuple[Tensor, ...], *shapes: tuple[int, ...]) -> Any:
    with (
        warnings.catch_warnings()
    ):  # of torch's tracer, about the sizes of an example that are not remembered
        warnings.simplefilter("ignore")
        try:
            return _plain(library().convert_model(net, example_input=examples, input=list(shapes)))
        except Exception as error:
            logging.getLogger(__name__).debug("conversion", exc_info=True)
            raise ModelError(
                f"OpenVINO cannot take this network ({_first_line(error)}): predict with --engine torch"
            ) from error


def _plain(model: Any) -> Any:
    """The model with pooling that gives no indices: nobody asks for them, and yet they would be kept to the end."""
    opset = importlib.import_module("openvino.opset1")
    for node in model.get_ordered_ops():
        about = node.get_attributes()
        if node.get_type_name() != "MaxPool" or set(about["kernel"]) | set(about["strides"]) != {2}:
            continue
        pool = opset.max_pool(
            node.input_value(0),
            about["strides"],
            about["pads_begin"],
            about["pads_end"],
            about["kernel"],
            "ceil",
        )
        node.output(0).replace(pool.output(0))
    return model


def compiled(model: Any, *, low: bool) -> Run:
    """An `openvino.Model`, or the path of one, compiled for this processor. low: bfloat16 where it can, else float32."""
    openvino = library()
    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": "bf16" if low else "f32",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,  # or programs side by side would all sit on the first cores
    }
    try:
        ready: Any = openvino.Core().compile_model(
            str(model) if isinstance(model, Path) else model, "CPU", settings
        )
    except RuntimeError as error:
        raise ModelError(
            f"OpenVINO cannot open the model ({_first_line(error)}): predict with --engine torch"
        ) from error

    def run(*inputs: Tensor) -> Tensor:
        request = ready.create_infer_request()  # one a call: calls from several threads do not meet
        outputs = request.infer([tensor.contiguous().numpy() for tensor in inputs], share_inputs=True)
        return torch.from_numpy(outputs[0])

    return run


def library() -> Any:
    """The module `openvino`, kept from telling its makers of every import and conversion, as it does otherwise.

    OpenVINO and nncf send nothing where the package openvino_telemetry is not to be had. Raises ImportError.
    """
    sys.modules.setdefault("openvino_telemetry", cast(Any, None))
    return importlib.import_module("openvino")


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
