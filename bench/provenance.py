"""Where the numbers of a benchmark come from: the code, the machine, the command."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[1]


def commit_of(folder: Path) -> str:
    """The commit of the code, with -dirty where it was changed since."""
    words = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown: not a git checkout"


def machine() -> dict[str, Any]:
    return {"processor": platform.processor() or platform.machine(), "cpus": os.cpu_count(),
            "threads": torch.get_num_threads(), "torch": torch.__version__, "python": platform.python_version(),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None}  # fmt: skip


def command_of(script: str, words: Sequence[str], folder: Path) -> str:
    """The command as another would type it: ``FOLDER`` for a folder of this machine."""
    return shlex.join(["python", f"bench/{script}", *("FOLDER" if w == str(folder) else w for w in words)])
