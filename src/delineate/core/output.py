"""Results appear whole or not at all, and nothing of the user's is overwritten.

`written_whole` writes beside the target, then renames, `whole_folder` does so with a folder; `new_folder` refuses one that
holds something, `made_folder` does not; `linked` has a file in a second place.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from delineate.core.errors import OutputError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A path beside `path` (same suffix) to write to; it becomes `path` when the block ends without an error.

    Killed in the middle, `path` is what it was before. Raises OutputError where the system refuses to write.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with written_whole(target) as beside:
    ...     _ = beside.write_text("all of it")
    >>> target.read_text(), len(list(target.parent.iterdir()))
    ('all of it', 1)
    """
    beside = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield beside
        os.replace(beside, path)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; free space or choose another folder"
        ) from error
    finally:
        with suppress(OSError):  # why it cannot be written is said above
            beside.unlink(missing_ok=True)


def made_folder(path: Path) -> Path:
    """Create `path` with the folders on the way, or take it where it exists; raises OutputError where the system refuses."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make {path}: {error.strerror or error}; free space or choose another folder"
        ) from error
    return path


def new_folder(path: Path) -> Path:
    """Create `path`, or take it where it exists and is empty; raises OutputError otherwise."""
    try:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise OutputError(
                f"{path} exists already and is not an empty folder: choose another output folder or remove it"
            )
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(
            f"cannot write to {path}: {error.strerror or error}; choose another output folder"
        ) from error
    return path


@contextmanager
def folder_to_fill(path: Path) -> Iterator[Path]:
    """A new folder as `new_folder` makes it, which is not left behind where the block ends with an error and wrote nothing.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "out"
    >>> with folder_to_fill(target) as folder:
    ...     folder.is_dir()
    True
    """
    there = path.exists()
    folder = new_folder(path)
    try:
        yield folder
    except BaseException:
        if not there and not any(folder.iterdir()):
            folder.rmdir()
        raise


@contextmanager
def whole_folder(path: Path, *, last: str = "") -> Iterator[Path]:
    """A folder within `path`, new as of `folder_to_fill`; what is written there is moved up where the block ends well.

    last: the file that is moved last, so that it tells that all is there. Where the block ends with an error, nothing stays.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "out"
    >>> with whole_folder(target) as beside:
    ...     _ = (beside / "a.txt").write_text("all of it")
    >>> [path.name for path in target.iterdir()]
    ['a.txt']
    """
    with folder_to_fill(path) as folder:
        beside = folder / f".{os.getpid()}.begun"
        try:
            yield made_folder(beside)
            for one in sorted(beside.iterdir(), key=lambda one: one.name == last):
                os.replace(one, folder / one.name)
        except OSError as error:
            raise OutputError(
                f"cannot write {folder}: {error.strerror or error}; free space or choose another folder"
            ) from error
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def linked(source: Path, target: Path) -> Path:
    """The file or folder `source` at `target` as well, without a copy where the disk allows it; gives the target back.

    Raises OutputError where the system refuses.
    """
    try:
        if source.is_dir():
            shutil.copytree(source, target)
            return target
        try:
            os.link(source.resolve(), target)
        except OSError:  # another disk, or one without links
            shutil.copy2(source, target)
    except OSError as error:
        raise OutputError(
            f"cannot copy {source} to {target} ({error}): free space or choose another folder"
        ) from error
    return target
