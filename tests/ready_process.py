"""Python in a process of its own that has loaded the large libraries: a copy of one that loads them once.

What is started here is killed, interrupted and waited for like any process, and need not load them again. Started as a
script this is the process that is copied: for each request, a line of JSON, it forks, and says how a copy ended when it
is asked.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent
PATH = [str(TESTS), str(TESTS / "cube"), str(TESTS / "train")]  # of helpers that the work imports
LOADED = ("ssm_net.prepare.run", "ssm_net.infer.run", "torch", "xarray", "zarr", "pandas")
MOST = 600  # seconds that work may take: SIGALRM ends it


@dataclass(frozen=True)
class Ended:
    """A process that has ended: its exit code, or minus the signal, and what it wrote to stdout and stderr."""

    code: int
    said: str


@dataclass(frozen=True)
class Started:
    pid: int
    writes_to: str

    def wait(self) -> Ended:
        code = int(_ask({"wait": self.pid}))
        said = Path(self.writes_to).read_text()
        os.unlink(self.writes_to)
        return Ended(code, said)


def start(work: str, cwd: Path | None = None) -> Started:
    """Begin ``work``, lines of Python that know ``Path`` and the helpers of tests/."""
    handle, path = tempfile.mkstemp()
    os.close(handle)
    asked = {"work": work, "cwd": str(cwd or Path.cwd()), "env": dict(os.environ) | {"OMP_NUM_THREADS": "1"}}
    return Started(int(_ask(asked | {"writes_to": path})), path)


def run(work: str, cwd: Path | None = None) -> Ended:
    """``work`` to its end."""
    return start(work, cwd).wait()


def run_script(script: Path, *words: str, cwd: Path) -> Ended:
    """``python SCRIPT WORDS`` in the folder ``cwd``."""
    work = f"import runpy\nsys.argv[:] = {[str(script), *words]!r}\nsys.path.insert(0, {str(script.parent)!r})\n"
    return run(f"{work}runpy.run_path({str(script)!r}, run_name='__main__')", cwd)


_server: subprocess.Popen[str] | None = None


def _ask(request: dict[str, Any]) -> Any:
    global _server
    if _server is None:
        command = [sys.executable, __file__]
        path = os.pathsep.join(filter(None, [str(TESTS.parent), os.environ.get("PYTHONPATH", "")]))
        env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path}
        _server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        atexit.register(_end, _server)
    assert _server.stdin is not None and _server.stdout is not None
    print(json.dumps(request), file=_server.stdin, flush=True)
    return json.loads(_server.stdout.readline())


def _end(server: subprocess.Popen[str]) -> None:
    assert server.stdin is not None
    server.stdin.close()  # it reads to the end
    server.wait()


def serve() -> dict[str, Any] | None:
    """Answer requests to their end. What it returns in a copy is the work that the copy is to do."""
    for module in LOADED:
        importlib.import_module(module)
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        elif not (answer := os.fork()):
            return request
        print(json.dumps(answer), flush=True)
    return None


def become(work: str, cwd: str, env: dict[str, str], writes_to: str) -> None:
    """Do the work as an interpreter would that has just started."""
    signal.alarm(MOST)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(writes_to, os.O_WRONLY), 1)
    os.dup2(1, 2)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.path[:0] = PATH
    exec(work, {"__name__": "__main__", "Path": Path, "sys": sys})


if __name__ == "__main__":
    if asked := serve():
        become(**asked)
