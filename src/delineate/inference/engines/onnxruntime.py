"""ONNX Runtime: runs the exported graph on almost any processor, in float32."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from delineate.core import ModelError
from delineate.inference.engines import Engine
from delineate.inference.onnx import write_onnx


def converted(net: nn.Module, example: Tensor, *, low: bool) -> Engine:
    """`net` by way of an ONNX file. ONNX Runtime computes in float32 on a CPU: `low` changes nothing."""
    with tempfile.TemporaryDirectory(prefix="delineate-") as scratch:
        path = Path(scratch) / "network.onnx"
        write_onnx(net, path, example=example)
        ready = session(path)
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
