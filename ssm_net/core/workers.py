"""Where days are worked on: processes of this machine, or the workers of a dask scheduler.

Both are ``concurrent.futures`` executors. A worker that dies takes nothing with it but what it was doing: that is done
again, by another. Dask sends functions and values as pickles, so a scheduler has to be as trusted as this process.
"""

from __future__ import annotations

import functools
import logging
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from ssm_net.config import EngineConfig
from ssm_net.errors import ConfigError, SsmNetError

A = TypeVar("A")
T = TypeVar("T")
log = logging.getLogger(__name__)

DEATHS = 3  # of workers over the same work, after which it is the work
ANSWERS = "30s"  # a scheduler that does not by then is not there


class WorkerError(SsmNetError):
    """Workers died one after the other; the message says over what, and the remedy."""


def in_order(work: Callable[[A], T], items: Sequence[A], engine: EngineConfig, workers: int) -> Iterator[T]:
    """``work`` of each item, in their order, made a few items ahead by ``workers`` processes (by those of the scheduler
    where the engine is dask)."""
    done = deaths = 0
    while done < len(items):
        with executor(engine, workers) as (pool, number):
            task = work if engine.name == "local" else functools.partial(_by_itself, work)
            coming: deque[Future[T]] = deque()
            try:
                while done < len(items):
                    for item in items[done + len(coming) : done + number + 1]:
                        coming.append(pool.submit(task, item))
                    with _naming_what_killed(items[done]):
                        result = coming[0].result()
                    coming.popleft()
                    done, deaths = done + 1, 0
                    yield result
            except BrokenProcessPool as err:
                deaths += 1
                if deaths == DEATHS:
                    raise _died(items[done], err) from err
                log.warning("a worker process died (was there memory left?): what it was doing is done again")
            finally:
                for future in coming:
                    future.cancel()


def as_they_come(work: Callable[[A], T], items: Sequence[A], engine: EngineConfig) -> Iterator[tuple[A, T]]:
    """Each item with ``work`` of it, in the order in which the scheduler's workers end."""
    with executor(engine, engine.workers) as (pool, _):
        of = {pool.submit(_by_itself, work, item): item for item in items}
        try:
            for future in as_completed(of):
                with _naming_what_killed(of[future]):
                    result = future.result()
                yield of[future], result
        finally:
            for future in of:
                future.cancel()


@contextmanager
def executor(engine: EngineConfig, workers: int) -> Iterator[tuple[Executor, int]]:
    """The executor and how many it works on at a time.

    Raises ``ConfigError`` where dask is not installed, no scheduler answers, it has no worker, or a worker has another
    version of ``ssm_net``.
    """
    if engine.name == "local":
        context = multiprocessing.get_context("forkserver")
        with ProcessPoolExecutor(workers, mp_context=context, initializer=_follow_parent) as pool:
            yield pool, workers
        return
    try:
        import distributed
    except ImportError as err:
        raise ConfigError("engine=dask needs dask.distributed: pip install 'ssm_net[distributed]'") from err
    logging.getLogger("distributed").setLevel(logging.WARNING)  # it tells of each worker that comes and goes
    if engine.scheduler is None:
        cores = max(1, (os.cpu_count() or 1) // engine.workers)
        # No limit of ours on memory: a day takes what it takes, and a worker that is ended for it begins the day again.
        with (
            distributed.LocalCluster(engine.workers, threads_per_worker=cores, memory_limit=0, dashboard_address=None,
                                     processes=True) as cluster,
            distributed.Client(cluster) as client,
        ):  # fmt: skip
            yield client.get_executor(pure=False), engine.workers
        return
    try:
        client = distributed.Client(engine.scheduler, timeout=ANSWERS)
    except (OSError, TimeoutError, ValueError) as err:
        raise ConfigError(f"engine.scheduler={engine.scheduler}: no dask scheduler answers there ({err})") from err
    with client:
        _check(client.run(_version, on_error="return"), engine.scheduler)
        yield client.get_executor(pure=False), len(client.ncores())


def _follow_parent() -> None:
    """In a worker of this machine. A terminal sends Ctrl-C to all processes, and the parent would wait for ever for one
    that left while it held the queue; a parent that is killed leaves workers that would wait for work for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()


def _by_itself(work: Callable[[A], T], item: A) -> T:
    """On a worker of dask: xarray would ask the scheduler for locks of files that are this task's alone, even in
    memory."""
    import dask

    with dask.config.set(scheduler="synchronous"):
        return work(item)


def _version() -> str:
    from ssm_net.version import __version__

    return __version__


def _check(found: dict[str, object], scheduler: str) -> None:
    """``found`` is each worker's version, or the error it raised."""
    here = _version()
    if not found:
        raise ConfigError(f"engine.scheduler={scheduler} has no workers yet; start some: dask worker {scheduler}")
    if wrong := {worker: said for worker, said in found.items() if said != here}:
        worker, said = next(iter(wrong.items()))
        raise ConfigError(
            f"engine.scheduler={scheduler}: worker {worker} has ssm_net {said}, here it is {here}; install the same "
            "version on all"
        )


@contextmanager
def _naming_what_killed(item: object) -> Iterator[None]:
    """Dask's error for work that workers died over says over what; its class is not here where dask is not."""
    try:
        yield
    except Exception as err:
        if type(err).__name__ != "KilledWorker":
            raise
        raise _died(item, err) from err


def _died(item: object, err: Exception) -> WorkerError:
    what = getattr(item, "day", item)
    return WorkerError(f"{DEATHS} workers died over {what} ({err}); they may have been out of memory: give fewer "
                       "workers, or more memory to each, and the same command again")  # fmt: skip
