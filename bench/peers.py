"""Other people's packages beside ours: they live in an environment of their own, for Delineate needs none of them.

python3 -m venv peers
peers/bin/pip install -c constraints.txt torch torchvision monai segmentation-models-pytorch
peers/bin/pip install -c constraints.txt -e .
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import torch

_STUBS: list[torch.library.Library] = []  # a library's operators live as long as it does


def torchvision_stub() -> None:
    """Let torchvision, which segmentation_models_pytorch imports, load beside a torch without CUDA.

    Its wheel is linked to CUDA; without that its compiled operators are missing, and it stops at the first one that
    it describes. Declaring those by name is enough, for no bench calls them.
    """
    if _STUBS or torch.cuda.is_available():
        return
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _STUBS.append(library)


def peers() -> tuple[Any, Any]:
    """The modules (segmentation_models_pytorch, monai); without them, ends the script with a sentence."""
    torchvision_stub()
    try:
        return importlib.import_module("segmentation_models_pytorch"), importlib.import_module("monai")
    except ImportError as error:
        print(
            f"{sys.argv[0]} compares with MONAI and segmentation_models_pytorch, but one is missing here ({error}): "
            "make an environment as bench/peers.py says and run it there",
            file=sys.stderr,
        )
        raise SystemExit(2) from error
