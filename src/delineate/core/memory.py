"""How much memory this process may still take, and what the C allocator keeps of what was freed.

It may take what the machine has left, and no more than a container or job allows.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_ALLOWED = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)
_UNTOLD = 4 << 30  # where a system does not say


def available_bytes() -> int:
    """Bytes that can be taken without swapping; the least of what the machine and its control group leave.

    >>> available_bytes() > 1 << 20
    True
    """
    left = [_machine()]
    for limit, used in _ALLOWED:
        try:
            left.append(int(limit.read_text()) - int(used.read_text()))
        except (OSError, ValueError):  # no such group, or no limit ("max")
            continue
    return max(min(left), 0)


def release_freed() -> None:
    """Hand back to the system what was freed, which the C allocator keeps otherwise; a millisecond or two. glibc only.

    Blocks of one size leave holes that blocks of another do not fit into: worth it where sizes change.
    """
    if sys.platform.startswith("linux"):
        malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if malloc_trim is not None:
            malloc_trim(0)


def keep_big_blocks() -> None:
    """Ask the C allocator to keep large blocks, which every step needs again, instead of returning them.

    Without, each step pays for fresh pages; with, a training step is up to a tenth faster. glibc only.
    """
    if sys.platform.startswith("linux"):
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            m_trim_threshold, m_mmap_max = -1, -4
            mallopt(m_mmap_max, 0)
            mallopt(m_trim_threshold, 2**31 - 1)


def _machine() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (ValueError, OSError, AttributeError):
        return _UNTOLD
