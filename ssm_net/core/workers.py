"""Workers that days are computed on: processes of this machine, or the workers of a dask scheduler.

Both are ``concurrent.futures`` executors. When a worker dies, what was being computed is computed again, each item by a
process of its own: one that dies then, too, tells which item is to blame.

Dask executes pickles: whoever reaches the scheduler runs code as you. Never expose the scheduler to a network that you
do not trust.
"""

from __future__ import annotations

import functools
import itertools
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from typing import TypeVar

from ssm_net.config import EngineConfig
from ssm_net.errors import ConfigError, SsmNetError

A = TypeVar("A")
T = TypeVar("T")
log = logging.getLogger(__name__)

LOADED_ONCE = ["torch", "xarray", "zarr", "odc.geo.geobox"]  # none starts a thread that a copy would need
DEATHS = 2  # of workers over the same item, alone, after which the item is to blame
TIMEOUT = "30s"  # for the scheduler to answer


class WorkerError(SsmNetError):
    """Workers died over the same item, each with no other work beside it; the message names it and the remedy."""


def in_order(
    work: Callable[[A], T], items: Sequence[A], engine: EngineConfig, workers: int,
    fatal: Callable[[A], T] | None = None,
) -> Iterator[T]:  # fmt: skip
    """``work`` of each item, in their order, computed a few items ahead by ``workers`` processes, or by those of the
    scheduler where the engine is dask.

    ``fatal`` computes an item over which workers die. Without it ``WorkerError`` is raised then; what ``work`` raises
    is raised in any case.
    """
    done = 0
    while done < len(items):
        broken: list[Future[T]] = []
        with executor(engine, workers) as (pool, number):
            task = work if engine.name == "local" else functools.partial(_without_scheduler, work)
            pending: deque[Future[T]] = deque()
            try:
                while done < len(items):
                    for item in items[done + len(pending) : done + number + 1]:
                        pending.append(pool.submit(task, item))
                    result = _result_of(pending[0], items[done], fatal)
                    pending.popleft()
                    done += 1
                    yield result
            except BrokenProcessPool:
                _kill_workers(pool)
                log.warning("a worker process died (out of memory?): what was being done is done again")
                broken = list(pending)
            finally:
                for future in pending:
                    future.cancel()
        for future in broken:
            finished = future.done() and not future.cancelled() and future.exception() is None
            result = future.result() if finished else _by_itself(work, items[done], fatal)
            done += 1
            yield result


def _result_of(future: Future[T], item: A, fatal: Callable[[A], T] | None) -> T:
    try:
        with _naming_fatal_item(item):
            return future.result()
    except WorkerError:
        if fatal is None:
            raise
        return fatal(item)


def _by_itself(work: Callable[[A], T], item: A, fatal: Callable[[A], T] | None) -> T:
    """``work`` of one item with no other beside it, in a new process."""
    for _ in range(DEATHS):
        try:
            with executor(EngineConfig(), 1) as (pool, _number):
                return pool.submit(work, item).result()
        except BrokenProcessPool as err:
            death = err
    if fatal is None:
        raise _died(item, death) from death
    return fatal(item)


def those_that_kill(work: Callable[[A], object], items: Sequence[A]) -> list[A]:
    """The items over which a process of this machine dies, one process working on one after the other; what else
    ``work`` raises is left to those who do it again."""
    fatal: list[A] = []
    left = deque(items)
    while left:
        with executor(EngineConfig(), 1) as (pool, _number):
            for n in itertools.count():
                if not left:
                    break
                if isinstance(pool.submit(work, left[0]).exception(), BrokenProcessPool):
                    if n == 0:  # the first of a new process: nothing before it is to blame
                        fatal.append(left.popleft())
                    break
                left.popleft()
    return fatal


def as_they_come(work: Callable[[A], T], items: Sequence[A], engine: EngineConfig) -> Iterator[tuple[A, T]]:
    """Each item with ``work`` of it, in the order in which they are finished. Raises as ``in_order`` does."""
    with executor(engine, engine.workers) as (pool, _):
        items_of = {pool.submit(_without_scheduler, work, item): item for item in items}
        try:
            for future in as_completed(items_of):
                with _naming_fatal_item(items_of[future]):
                    result = future.result()
                yield items_of[future], result
        finally:
            for future in items_of:
                future.cancel()


def _kill_workers(pool: Executor) -> None:
    """End what is left of a broken pool. A worker that was being started while another died is not ended by the pool:
    it would wait for ever to hand over its result, and the pool for it."""
    for process in list((getattr(pool, "_processes", None) or {}).values()):
        process.kill()


def quick_processes() -> ForkServerContext:
    """What starts processes of this machine: copies of one that has loaded the large libraries, which would take each
    some seconds. On Linux only: elsewhere the system's own libraries may not live through a fork."""
    context = multiprocessing.get_context("forkserver")
    if sys.platform == "linux":
        context.set_forkserver_preload(LOADED_ONCE)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # it would end over Ctrl-C while it loads
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context


@contextmanager
def executor(engine: EngineConfig, workers: int) -> Iterator[tuple[Executor, int]]:
    """The executor, and the number of items that it works on at a time.

    Raises ``ConfigError`` where dask is not installed, no scheduler answers, it has no worker, or a worker has another
    version of ``ssm_net``.
    """
    if engine.name == "local":
        with ProcessPoolExecutor(workers, mp_context=quick_processes(), initializer=_follow_parent) as pool:
            yield pool, workers
        return
    try:
        import distributed
    except ImportError as err:
        raise ConfigError("engine=dask needs dask.distributed: pip install 'ssm_net[distributed]'") from err
    logging.getLogger("distributed").setLevel(logging.WARNING)  # it logs each worker that connects or leaves
    if engine.scheduler is None:
        cores = max(1, (os.cpu_count() or 1) // engine.workers)
        # No memory limit: a worker that is killed for exceeding one would start the same day again.
        with (
            distributed.LocalCluster(engine.workers, threads_per_worker=cores, memory_limit=0, dashboard_address=None,
                                     processes=True) as cluster,
            distributed.Client(cluster) as client,
        ):  # fmt: skip
            yield client.get_executor(pure=False), engine.workers
        return
    try:
        client = distributed.Client(engine.scheduler, timeout=TIMEOUT)
    except (OSError, TimeoutError, ValueError) as err:
        raise ConfigError(f"engine.scheduler={engine.scheduler}: no dask scheduler answers there ({err})") from err
    with client:
        check_versions(client.run(_version, on_error="return"), engine.scheduler)
        yield client.get_executor(pure=False), len(client.ncores())


def _follow_parent() -> None:
    """Set-up of a worker on this machine: it ignores Ctrl-C and ends with its parent.

    A terminal sends Ctrl-C to all processes, and a worker that ended while it held the queue would block the parent
    for ever; workers of a parent that was killed would wait for work for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()


def _without_scheduler(work: Callable[[A], T], item: A) -> T:
    """``work`` in a dask worker, without the scheduler: xarray would ask it for locks of files that only this task
    uses, even of those in memory."""
    import dask

    with dask.config.set(scheduler="synchronous"):
        return work(item)


def _version() -> str:
    from ssm_net.version import __version__

    return __version__


def check_versions(versions: dict[str, object], scheduler: str) -> None:
    """``versions`` holds each worker's version, or the error that it raised. Raises ``ConfigError``."""
    own = _version()
    if not versions:
        raise ConfigError(f"engine.scheduler={scheduler} has no workers yet; start some: dask worker {scheduler}")
    if different := {worker: version for worker, version in versions.items() if version != own}:
        worker, version = next(iter(different.items()))
        raise ConfigError(
            f"engine.scheduler={scheduler}: worker {worker} has ssm_net {version}, this process {own}; install "
            "the same version on all"
        )


@contextmanager
def _naming_fatal_item(item: object) -> Iterator[None]:
    """Turns dask's KilledWorker into a ``WorkerError`` that names the item; by name, as dask is optional."""
    try:
        yield
    except Exception as err:
        if type(err).__name__ != "KilledWorker":
            raise
        raise _died(item, err) from err


def _died(item: object, err: Exception) -> WorkerError:
    what = getattr(item, "day", item)
    return WorkerError(f"{DEATHS} workers died over {what}, with no other work beside it ({err}); they may have been "
                       "out of memory: give the machine more, and the same command again")  # fmt: skip
