"""Crashes at named fault points (``ssm_net.core.faults``): SIGKILL in a process of its own, or an error in this one.

A crash happens where ``point`` is reached for the ``n``-th time with ``where`` in what the point is about. One that is
never reached fails the test: a moment that was renamed or removed must not make a test pass for nothing.
"""

from __future__ import annotations

import errno
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import ready_process

from ssm_net.core.faults import FaultPoint, Hook, hooked

KILLED = """
import os, signal
import crash
from ssm_net.core.faults import FaultPoint, hooked
with hooked(crash.at(FaultPoint[{point!r}], {where!r}, {n}, lambda: os.kill(os.getpid(), signal.SIGKILL))):
    exec({work!r})
"""


def at(point: FaultPoint, where: str, n: int, crash) -> Hook:  # type: ignore[no-untyped-def]
    """A hook that calls ``crash`` at the moment."""
    count = 0

    def hook(reached: FaultPoint, about: str) -> None:
        nonlocal count
        if reached is point and where in about:
            count += 1
            if count == n:
                crash()

    return hook


def killed_at(point: FaultPoint, work: str, where: str = "", n: int = 1) -> None:
    """Run ``work``, lines of Python that know ``Path`` and the helpers of tests/, and kill it (-9) at the moment."""
    done = ready_process.run(KILLED.format(point=point.name, where=where, n=n, work=work))
    assert done.code != 0, f"never reached: {point.name} {where}, {n} times"
    assert done.code == -signal.SIGKILL, done.said


@contextmanager
def failing_at(point: FaultPoint, error: BaseException, where: str = "", n: int = 1) -> Iterator[None]:
    """Raise ``error`` at the moment, once."""
    raised = False

    def fail() -> None:
        nonlocal raised
        raised = True
        raise error

    with hooked(at(point, where, n, fail)):
        yield
    assert raised, f"never reached: {point.name} {where}, {n} times"


def name_of(value: object) -> str | None:
    """The id of a test's parameter: of a moment its name."""
    return value.name if isinstance(value, FaultPoint) else None


def full_disk() -> OSError:
    """What the system says where a disk is full."""
    return OSError(errno.ENOSPC, "No space left on device")


# Who goes through which moment; tests/core/test_fault_points.py asserts that none is left out.
OF_FILES = (FaultPoint.FILE_WRITTEN_NOT_RENAMED, FaultPoint.FILE_RENAMED_NOT_SYNCED)
OF_CUBES = tuple(p for p in FaultPoint if p.name.startswith(("CUBE", "STATIC", "DAY", "SHARD")))
OF_STORES = tuple(p for p in FaultPoint if p.name.startswith("STORE"))
OF_MODELS = (FaultPoint.WEIGHTS_WRITTEN_NOT_RENAMED, FaultPoint.WEIGHTS_WITHOUT_DESCRIPTION)
OF_INFERENCE = (FaultPoint.QUICKLOOK_WITHOUT_MOSAIC,)
OF_RECORDS = (FaultPoint.PIXELS_HALF_DROPPED,)
