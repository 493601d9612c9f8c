"""What is read ahead and written behind keeps its order, and loses no error."""

import threading

import pytest

from delineate.core import Behind, ahead


def test_the_next_thing_is_worked_on_while_one_is_used():
    begun = {n: threading.Event() for n in range(3)}

    def work(n):
        begun[n].set()
        return n

    for n, future in ahead(work, range(3)):
        assert future.result() == n
        if n < 2:
            assert begun[n + 1].wait(5)
        if n < 1:
            assert not begun[n + 2].is_set()  # no more than one ahead


def test_an_error_ahead_belongs_to_its_own_thing():
    good = []
    for n, future in ahead(lambda n: 1 / n, [1, 0, 2]):
        if n == 0:
            with pytest.raises(ZeroDivisionError):
                future.result()
        else:
            good.append(future.result())
    assert good == [1.0, 0.5]


def test_nothing_ahead_of_nothing():
    assert list(ahead(str, [])) == []


def failing():
    raise OSError("disk")


def begun(*works):
    with Behind() as behind:
        for work in works:
            behind(work)


def test_an_error_behind_is_raised_by_the_next_call():
    later = []
    with pytest.raises(OSError, match="disk"):
        begun(failing, lambda: later.append(1))
    assert later == []


def test_the_last_error_behind_is_raised_at_the_end():
    with pytest.raises(OSError, match="disk"):
        begun(failing)


def test_what_was_begun_is_finished_when_the_block_fails():
    done = []

    def interrupted():
        with Behind() as behind:
            behind(lambda: done.append(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert done == [1]
