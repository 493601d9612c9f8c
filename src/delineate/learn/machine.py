"""What the machine at hand can do for a network: whether it computes in bfloat16, and how much memory it has."""

from __future__ import annotations

import os

import torch


def native_bfloat16() -> bool:
    """Whether this machine (its GPU where there is one) computes in bfloat16 without emulating it."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())


def memory_bytes() -> float:
    """Memory of the machine or of the GPU: all of it, so that the plan does not depend on what else runs."""
    if torch.cuda.is_available():
        return float(torch.cuda.mem_get_info()[1])
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (ValueError, OSError, AttributeError):  # not told on this system
        return 4e9
