"""Work spread over processes and machines with Dask: coordinates go out, a few numbers come back.

Workers read pixels and write results themselves. A worker that dies loses what it was doing, and another one does it.
Rocklin 2015, doi:10.25080/Majora-7b98e3ed-013.
"""

# distributed says that it is typed but leaves most of its calls untyped.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from delineate.core import DataError, DelineateError, OutputError

Result = TypeVar("Result")

_ANSWER_SECONDS = 10


@contextmanager
def crew(*, scheduler: str | None = None, workers: int | None = None) -> Iterator[Any]:
    """A Dask client: of the scheduler at an address, or of a cluster of `workers` processes on this machine.

    Local workers share the machine's cores evenly. Raises DataError where Dask is not installed or no scheduler
    answers.
    """
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise DataError(
            "Dask, which spreads work over processes, is not installed: pip install 'delineate[cluster]'"
        ) from error
    if workers is not None and workers < 1:
        raise DataError(f"{workers} workers cannot work: give at least 1")
    for name in [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "distributed"]:
        logging.getLogger(name).setLevel(
            logging.CRITICAL
        )  # what goes wrong is told below; some have a level of their own
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=_ANSWER_SECONDS)
        except (OSError, ValueError, TimeoutError) as error:
            raise DataError(
                f"no scheduler answers at {scheduler}: start one with `dask scheduler` and give the address that it prints"
            ) from error
        with client:
            try:
                client.wait_for_workers(1, timeout=_ANSWER_SECONDS)
            except TimeoutError as error:
                raise DataError(
                    f"the scheduler at {scheduler} has no workers: start some with `dask worker {scheduler} --nthreads 1`"
                ) from error
            yield client
        return
    count = workers or os.cpu_count() or 1
    threads = str(max(1, (os.cpu_count() or 1) // count))
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": dict.fromkeys(names, threads)}),
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            memory_limit=None,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def spread(
    client: Any, work: Callable[..., Result], tasks: Sequence[tuple[Any, ...]]
) -> Iterator[tuple[tuple[Any, ...], Result]]:
    """`work(*task)` for every task on the workers, each with its result as soon as it is there, in no order.

    work must be importable on the workers, and doing a task twice must do no harm. Raises what `work` raises where
    that is a sentence for the user, and OutputError where workers die of one task again and again.
    """
    from distributed import CancelledError, KilledWorker, as_completed

    futures = [client.submit(work, *task, pure=False) for task in tasks]
    known = dict(zip(futures, tasks, strict=True))
    try:
        for future in as_completed(futures):
            yield known[future], future.result()
    except DelineateError:
        raise
    except KilledWorker as error:
        raise OutputError(
            "workers died again and again of one piece of work: give each more memory, or smaller tiles with --memory; "
            "what was finished is kept"
        ) from error
    except (CancelledError, OSError) as error:
        raise OutputError(
            "the scheduler is gone: start it again and go on with --resume; what was finished is kept"
        ) from error
    finally:
        client.cancel(futures)
