"""Memory that was freed goes back to the system when it is asked to."""

import sys
from pathlib import Path

import pytest

from delineate.core import release_freed


def resident_bytes():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) << 10


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere nothing is asked")
def test_what_was_freed_beneath_what_is_kept_goes_back():
    blocks = [bytearray(60_000) for _ in range(2000)]
    kept = blocks[::50]  # the last among them: what lies at the top of the heap stays
    kept.append(blocks[-1])
    full = resident_bytes()
    del blocks
    before = resident_bytes()
    release_freed()
    assert full - resident_bytes() > 80_000_000
    assert before > resident_bytes() + 20_000_000  # it would not have gone by itself
    assert len(kept) == 41
