"""OpenVINO: on a CPU it reaches nearly all that the processor's convolutions can give, in bfloat16 or 8 bits."""

from __future__ import annotations

import contextlib
import importlib
import logging
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from delineate.core import ModelError, OutputError, written_whole
from delineate.inference.engines import Engine


def converted(net: nn.Module, example: Tensor, *, low: bool, keep: Path | None = None) -> Engine:
    """`net` as an OpenVINO graph of any size, compiled for this processor; kept in `keep`.xml and .bin."""
    if keep is None:
        return compiled(graph(net, example), low=low)
    path = keep.with_suffix(".xml")
    if path.is_file() and path.with_suffix(".bin").is_file():
        try:
            return compiled(path, low=low)
        except ModelError:
            path.unlink(missing_ok=True)  # damaged: converted again
    model = graph(net, example)
    with contextlib.suppress(OSError, OutputError, RuntimeError), tempfile.TemporaryDirectory() as scratch:
        library().save_model(model, str(Path(scratch) / path.name), compress_to_fp16=False)
        keep.parent.mkdir(parents=True, exist_ok=True)
        for suffix in (".bin", ".xml"):  # the one that is looked for comes last
            with written_whole(path.with_suffix(suffix)) as beside:
                shutil.copyfile((Path(scratch) / path.name).with_suffix(suffix), beside)
    return compiled(model, low=low)


def graph(net: nn.Module, example: Tensor) -> Any:
    """`net` as an `openvino.Model` whose batch and spatial axes are free."""
    openvino = library()
    odd = torch.zeros(1, example.shape[1], *(19, 21, 23)[: example.ndim - 2])
    anything = (-1, example.shape[1], *(-1 for _ in odd.shape[2:]))
    with (
        warnings.catch_warnings()
    ):  # of torch's tracer, about the sizes of an example that are not remembered
        warnings.simplefilter("ignore")
        try:
            return openvino.convert_model(net, example_input=odd, input=[anything])
        except Exception as error:
            logging.getLogger(__name__).debug("conversion", exc_info=True)
            raise ModelError(
                f"OpenVINO cannot take this network ({_first_line(error)}): predict with --engine torch"
            ) from error


def compiled(model: Any, *, low: bool) -> Engine:
    """An `openvino.Model`, or the path of one, compiled for this processor. low: bfloat16 where it can, else float32."""
    openvino = library()
    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": "bf16" if low else "f32",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    try:
        ready: Any = openvino.Core().compile_model(
            str(model) if isinstance(model, Path) else model, "CPU", settings
        )
    except RuntimeError as error:
        raise ModelError(
            f"OpenVINO cannot open the model ({_first_line(error)}): predict with --engine torch"
        ) from error

    def run(batch: Tensor) -> Tensor:
        request = ready.create_infer_request()  # one a call: calls from several threads do not meet
        outputs = request.infer([batch.contiguous().numpy()], share_inputs=True)
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
