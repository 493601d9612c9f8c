"""Writing a torch module as an ONNX file that takes any batch and any size."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from delineate.core import ModelError, written_whole

OPSET = 18  # understood by every ONNX Runtime since 1.14
INPUT = "image"
AXES = {2: ("height", "width"), 3: ("depth", "height", "width")}


def write_onnx(net: nn.Module, path: Path, *, example: Tensor, outputs: Sequence[str] = ("logits",)) -> Path:
    """`net`, in evaluation mode, as one ONNX file from `image` to `outputs`, all (batch, channels, *spatial) float32.

    example: (n, channels, *spatial); only the number of axes and channels is remembered. Raises ModelError where
    onnx or onnxscript are missing, or the network holds something that cannot be written.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ModelError(
            f"ONNX files are written with the package {error.name}: pip install 'delineate[export]'"
        ) from error
    anything: Any = torch.export.Dim.DYNAMIC
    odd = torch.zeros(2, example.shape[1], *(19, 21, 23)[: example.ndim - 2])
    free = {axis: anything for axis in range(odd.ndim) if axis != 1}
    try:
        with _silence():
            program: Any = torch.onnx.export(
                net.cpu(),
                (odd,),
                dynamo=True,
                dynamic_shapes=(free,),
                input_names=[INPUT],
                output_names=list(outputs),
                opset_version=OPSET,
                verbose=False,
            )
            model = program.model_proto
    except Exception as error:
        raise ModelError(
            f"this network cannot be written as ONNX ({_reason(error)}): tell us of it, with the model's plan"
        ) from error
    for value in (*model.graph.input, *model.graph.output):
        shape = value.type.tensor_type.shape.dim
        for place, called in zip((0, *range(2, odd.ndim)), ("batch", *AXES[odd.ndim - 2]), strict=True):
            shape[place].dim_param = called
    onnx.checker.check_model(model, full_check=True)
    with written_whole(path) as beside:
        onnx.save_model(model, str(beside))
    return path


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """While it lasts torch tells nothing of its export: of torchvision, which nothing here needs, of graphs that it cannot trace.

    What goes wrong is raised.
    """
    loggers = [
        logging.getLogger(name)
        for name in ("torch", "torch.onnx", "torch.export", "torch._dynamo", "torch.fx")
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _reason(error: BaseException) -> str:
    """The first line of what was raised first, for torch wraps it in pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).splitlines() or [type(error).__name__])[0]
