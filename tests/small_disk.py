"""A verb on a real file system that is too small for it, which then grows.

It is mounted in a mount namespace of a process of its own, which takes it away with it and needs no rights.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest
import ready_process

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000  # linux/sched.h
OWN = ["unshare", "--map-root-user", "--mount"]  # what ``own_mounts`` does


def digests(folder: Path) -> dict[str, str]:
    files = [p for p in folder.rglob("*") if p.is_file()]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def on_small_disk(work: str, folder: Path, kib: int) -> dict:
    """What the error of ``work`` said, what was there after it, and what is there after the same work with room; each
    as digests of files.

    ``work`` is Python that makes what it makes in ``folder``, where a file system of ``kib`` is put.
    """
    if subprocess.run([*OWN, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody mount a small file system (unshare, tmpfs)")
    folder.mkdir()
    done = ready_process.run(f"import small_disk\nsmall_disk.fill({work!r}, {str(folder)!r}, {kib})")
    assert done.code == 0, done.said
    return json.loads(done.said.splitlines()[-1])


def own_mounts() -> None:
    """What this process mounts from now on, it and its children alone see."""
    users = {"uid_map": f"0 {os.getuid()} 1", "setgroups": "deny", "gid_map": f"0 {os.getgid()} 1"}
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    for name, value in users.items():
        Path("/proc/self", name).write_text(value)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


def fill(work: str, folder: str, kib: int) -> None:
    """Print what ``on_small_disk`` returns, as JSON."""

    def mount(*options: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", folder], check=True)

    own_mounts()
    mount(f"size={kib}k")
    said = ""
    try:
        exec(work, {"Path": Path})
    except OSError as err:
        said = str(err)
    found = {"said": said, "cut": digests(Path(folder))}
    mount("remount", "size=1g")
    exec(work, {"Path": Path})
    print(json.dumps(found | {"whole": digests(Path(folder))}))
