"""Whether two lots of cases, or two files, are the same: a short text for each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from delineate.core import Case


def fingerprint(cases: Iterable[Case]) -> str:
    """SHA-256 over names, pixels and labels, in order: the same data gives the same text.

    >>> from delineate.data.samples import coins
    >>> cases, _ = coins()
    >>> fingerprint(cases) == fingerprint(cases[:]), fingerprint(cases) == fingerprint(cases[1:])
    (True, False)
    """
    digest = hashlib.sha256()
    for case in cases:
        digest.update(case.name.encode())
        for array in (case.image, case.labels, case.objects):
            if array is not None:
                digest.update(f"{array.shape}{array.dtype}".encode())
                digest.update(array.tobytes())
    return digest.hexdigest()


def fingerprint_of(path: Path) -> str:
    """SHA-256 of what lies at `path`: of model.json where there is one (it has the sum of the weights), else of the names,
    sizes and times of all files; empty where nothing is there.

    >>> fingerprint_of(Path("nowhere"))
    ''
    """
    if (path / "model.json").is_file():
        return hashlib.sha256((path / "model.json").read_bytes()).hexdigest()
    if not path.exists():
        return ""
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    told = "".join(f"{one.name} {one.stat().st_size} {one.stat().st_mtime_ns}\n" for one in files)
    return hashlib.sha256(told.encode()).hexdigest()
