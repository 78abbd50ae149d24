"""A reader process: it calls functions of libraries that a damaged file can end, so that their end costs one file.

HDF4 is one: a byte that was changed makes it free memory twice, and the system ends the process, at once or at a later
file. The process is started when it is first needed, and serves until it dies or an answer was an error: after one, its
memory may be damaged, and what comes next is read by a new one. It costs a second to start, and its answers pass
through a pipe.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import logging
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from typing import IO, Any

from ssm_net.errors import SsmNetError

log = logging.getLogger(__name__)

SERVE = "import sys; sys.path[:] = {path!r}; from ssm_net.core.reader_process import serve; serve()"
PIPE_BYTES = 1 << 20  # where the system allows it: fewer changes between the two processes


class ReaderDied(SsmNetError):
    """The process that was reading ended; the message says how, in the words of the system."""


class ReaderProcess:
    """One process that calls functions, one after the other."""

    def __init__(self) -> None:
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVE.format(path=sys.path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
        )  # fmt: skip
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests: IO[bytes] = self._process.stdin
        self._answers: IO[bytes] = self._process.stdout
        with contextlib.suppress(AttributeError, OSError):
            fcntl.fcntl(self._answers, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def call(self, function: Callable[..., Any], *args: Any) -> tuple[Any, Exception | None]:
        """What the function (of a module, not one made on the way) returns, or the exception that it raised.

        Raises ``ReaderDied`` where the process ends over it.
        """
        try:
            pickle.dump((function, args), self._requests, 5)
            self._requests.flush()
            answer: tuple[Any, Exception | None] = pickle.load(self._answers)
        except (OSError, EOFError, pickle.UnpicklingError) as err:
            raise ReaderDied(self._end()) from err
        except BaseException:  # Ctrl-C between a request and its answer: the next answer would be that of another
            self.stop()
            raise
        return answer

    def _end(self) -> str:
        """How it ended."""
        self.stop(wait=5.0)
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        code = self._process.returncode
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"the process that read it ended ({how}{': ' + said[-1] if said else ''})"

    def stop(self, wait: float = 0.0) -> None:
        """End it, after ``wait`` seconds in which it may end by itself."""
        for pipe in (self._requests, self._answers):
            with contextlib.suppress(OSError):
                pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(wait)
            return
        self._process.kill()
        self._process.wait()


_current: tuple[int, ReaderProcess] | None = None  # with the process that started it: a fork would share its pipes
_read_before = ["none", "none"]  # the last two files
_one_at_a_time = threading.RLock()


def apart(path: str, function: Callable[..., Any], *args: Any) -> Any:
    """``function(path, *args)``, which reads the file ``path``, in the reader process of this one. An argument, a
    result and an exception are pickled.

    Where the process dies over it, the function is called once more in a new one: the cause may be what was read
    before, and is named then. Raises ``ReaderDied`` where that dies, too, and what the function raises.
    """
    with _one_at_a_time:
        try:
            result = apart_once(path, function, *args)
        except ReaderDied as death:
            result = apart_once(path, function, *args)
            log.warning("%s: %s, but a new one reads it: the file that was read before may be damaged, %s",
                        path, death, _read_before[0 if path == _read_before[1] else 1])  # fmt: skip
        if path != _read_before[1]:
            _read_before[:] = [_read_before[1], path]
        return result


def apart_once(path: str, function: Callable[..., Any], *args: Any) -> Any:
    """As ``apart``, but ``ReaderDied`` is raised at once."""
    global _current
    with _one_at_a_time:
        if _current is None or _current[0] != os.getpid():
            _current = os.getpid(), ReaderProcess()
        try:
            result, error = _current[1].call(function, path, *args)
        except BaseException:
            _current = None
            raise
        if error is not None:
            stop()
            raise error
        return result


def running() -> bool:
    """Whether there is a reader process."""
    return _current is not None and _current[0] == os.getpid()


def stop() -> None:
    """End the reader process, where there is one; the next file is read by a new one."""
    global _current
    if _current is not None and _current[0] == os.getpid():
        _current[1].stop()
    _current = None


atexit.register(stop)


def serve() -> None:
    """The work of the reader process, until its parent closes the pipe or ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to all; the parent decides
    requests, answers = os.fdopen(0, "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    while True:
        try:
            function, args = pickle.load(requests)
        except EOFError:
            return
        try:
            answer: tuple[Any, Exception | None] = function(*args), None
        except Exception as err:
            answer = None, err if _can_be_sent(err) else RuntimeError(f"{type(err).__name__}: {err}")
        try:
            pickle.dump(answer, answers, 5)
            answers.flush()
        except BrokenPipeError:
            return


def _can_be_sent(err: Exception) -> bool:
    try:
        pickle.loads(pickle.dumps(err))
    except Exception:
        return False
    return True
