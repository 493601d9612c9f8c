from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from delineate.core import DataError
from delineate.score.processes import every


def root(number: float) -> float:
    if number < 0:
        raise DataError(f"{number} has no root: give one that is not negative")
    if number == 13:
        raise RuntimeError("bad luck")
    if number == 14:
        raise MemoryError
    return number**0.5


WHO = "__import__('os').getpid()"  # for eval, which other processes can import, as they cannot this file


def test_a_piece_that_fails_is_answered_with_a_sentence_and_the_others_are_done() -> None:
    found = every(root, {"a": 4.0, "b": -1.0, "c": 13.0, "d": 9.0, "e": 14.0})
    assert (found["a"], found["d"]) == (2.0, 3.0)
    assert found["b"] == "-1.0 has no root: give one that is not negative"
    assert found["c"] == "it could not be worked on (RuntimeError: bad luck)"
    assert "does not fit into memory" in str(found["e"])


def test_little_work_stays_in_this_process() -> None:
    assert set(every(eval, {"a": WHO, "b": WHO}, workers=4).values()) == {os.getpid()}


def test_much_work_is_handed_out_and_gives_the_same() -> None:
    told: list[int] = []
    pieces = {f"{i}": i - 1 for i in range(12)}
    found = every(math.sqrt, pieces, workers=2, patience_s=-1.0, progress=told.append)
    assert found == every(math.sqrt, pieces)
    assert str(found["0"]).startswith("it could not be worked on (ValueError")
    assert told == list(range(1, 13))
    handed = every(eval, {f"{i}": WHO for i in range(6)}, workers=2, patience_s=-1.0)
    assert os.getpid() not in handed.values()
    threads = every(
        eval,
        {f"{i}": "__import__('os').environ['OMP_NUM_THREADS']" for i in range(2)},
        workers=2,
        patience_s=-1.0,
    )
    assert set(threads.values()) == {"1"}


def test_a_process_that_is_killed_costs_its_piece_and_no_other() -> None:
    pieces = {f"{i}": "__import__('os')._exit(9)" if i == 2 else f"{i} * {i}" for i in range(6)}
    told: list[int] = []
    found = every(eval, pieces, workers=2, patience_s=-1.0, progress=told.append)
    assert "ended from outside" in str(found.pop("2"))
    assert found == {f"{i}": i * i for i in range(6) if i != 2}
    assert told == list(range(1, 7))


def test_what_does_not_fit_beside_others_is_done_alone(tmp_path: Path) -> None:
    mark = tmp_path / "tried"  # the first to come ends its process, and all that run beside it
    once = (
        f"(p := __import__('pathlib').Path({str(mark)!r})).exists() or (p.touch(), __import__('os')._exit(9))"
    )
    found = every(eval, {f"{i}": once for i in range(3)}, workers=2, patience_s=-1.0)
    assert found == {"0": True, "1": True, "2": True}


def test_a_script_without_a_guard_is_told_of_it(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"  # its processes import it, and must not start processes of their own
    script.write_text(
        "from delineate.score.processes import every\n"
        "print(set(every(len, {'a': 'x', 'b': 'y'}, workers=2, patience_s=-1.0).values()))"
    )
    said = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True).stdout
    assert said.startswith("{'no process could be started for it: use one worker, and guard a script")


def test_an_interruption_ends_all() -> None:
    def stop(number: int) -> None:
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        every(time.sleep, {f"{i}": 0.01 for i in range(2000)}, workers=2, patience_s=-1.0, progress=stop)
    assert time.monotonic() - started < 8
