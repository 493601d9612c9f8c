"""Whether two lots of cases, or two files, are the same, and whether an image has been seen: a short text for each."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import Case
from delineate.data.grey import as_grey


def fingerprint(cases: Iterable[Case]) -> str:
    """SHA-256 over names, pixels and labels: the same data gives the same text, in whatever order the names come.

    Cases of one name are one image as several people labelled it, and count in their order.

    >>> from delineate.data.samples import coins
    >>> cases, _ = coins()
    >>> fingerprint(cases) == fingerprint(cases[::-1]), fingerprint(cases) == fingerprint(cases[1:])
    (True, False)
    """
    digest = hashlib.sha256()
    for case in sorted(cases, key=lambda case: case.name):
        digest.update(case.name.encode())
        for array in (case.image, case.labels, case.objects):
            if array is not None:
                digest.update(_bytes(array))
    return digest.hexdigest()


def digest_of(case: Case) -> str:
    """16 hexadecimal digits that tell the pixels of an image from those of others, whatever its name and labels are.

    They tell one channel from three that are equal as well; `digests_of` has both.
    """
    return _short(case.image)


def digests_of(case: Case) -> tuple[str, ...]:
    """All digests that an image may be known by: a grey one has those of one channel and of three, however it is stored.

    >>> grey = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    >>> digests_of(Case("a", grey)) == digests_of(Case("a", grey.repeat(3, axis=-1)))
    True
    """
    grey = as_grey(case.image)
    if grey.shape[-1] != 1:
        return (digest_of(case),)
    return _short(grey), _short(np.repeat(grey, 3, axis=-1))


def seen(cases: Iterable[Case], digests: Collection[str]) -> tuple[Case, ...]:
    """The cases whose image is among those of these digests, however it was stored then.

    >>> from delineate.data.samples import coins
    >>> learnt, others = coins()
    >>> known = [digest_of(case) for case in learnt]
    >>> len(seen(learnt, known)) == len(learnt), seen(others, known)
    (True, ())
    """
    known = set(digests)
    return tuple(case for case in cases if not known.isdisjoint(digests_of(case))) if known else ()


def fingerprint_of(path: Path) -> str:
    """SHA-256 of what lies at `path`: of model.json where there is one (it has the sum of the weights) and of ONNX files
    beside it; of an ONNX file and its sidecar; else of the names, sizes and times of all files. Empty where nothing is there.

    >>> fingerprint_of(Path("nowhere"))
    ''
    """
    if not path.exists():
        return ""
    if (path / "model.json").is_file():
        return _contents([path / "model.json", *sorted(path.glob("*.onnx*"))])
    if path.suffix == ".onnx" and path.is_file():
        return _contents([path, *sorted(path.parent.glob(f"{path.name}?*")), path.with_suffix(".json")])
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    told = "".join(f"{one.name} {one.stat().st_size} {one.stat().st_mtime_ns}\n" for one in files)
    return hashlib.sha256(told.encode()).hexdigest()


def _short(image: NDArray[Any]) -> str:
    return hashlib.blake2b(_bytes(image), digest_size=8).hexdigest()


def _bytes(array: NDArray[Any]) -> bytes:
    return f"{array.shape}{array.dtype}".encode() + array.tobytes()


def _contents(files: Iterable[Path]) -> str:
    """SHA-256 of the files that are there."""
    digest = hashlib.sha256()
    for one in files:
        if one.is_file():
            with one.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()
