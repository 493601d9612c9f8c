"""ONNX Runtime: runs the exported graph on almost any processor, in float32."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from delineate.core import ModelError, OutputError
from delineate.inference.engines import Engine
from delineate.inference.onnx import write_onnx


def converted(net: nn.Module, example: Tensor, *, low: bool, keep: Path | None = None) -> Engine:
    """`net` by way of an ONNX file, kept as `keep`.onnx. On a CPU it computes in float32: `low` changes nothing."""
    path = None if keep is None else keep.with_suffix(".onnx")
    try:
        if path is not None and path.is_file():
            return _running(session(path))
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            return _running(session(write_onnx(net, path, example=example)))
    except (OSError, OutputError):
        pass  # a folder that cannot be written to: nothing is kept
    with tempfile.TemporaryDirectory(prefix="delineate-") as scratch:
        return _running(session(write_onnx(net, Path(scratch) / "network.onnx", example=example)))


def _running(ready: Any) -> Engine:
    name = ready.get_inputs()[0].name

    def run(batch: Tensor) -> Tensor:
        return torch.from_numpy(ready.run(None, {name: batch.contiguous().numpy()})[0])

    return run


def session(path: Path) -> Any:
    """An `onnxruntime.InferenceSession` of a file, with as many threads as torch has; raises ModelError."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what fails is raised; nothing else is printed
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(
            f"{path} cannot be opened as an ONNX model ({error}): restore it from a copy or export it again"
        ) from error
