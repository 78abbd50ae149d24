"""Whether results are up to date with their inputs: by name, size and time of the files, as make does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ssm_net.version import __version__


def fingerprint(paths: Iterable[Path], *settings: Any) -> str:
    """A short digest of files, folders (all below them) and settings; it changes when any of them does."""
    digest = hashlib.sha256(json.dumps([__version__, *map(str, settings)]).encode())
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                stat = file.stat()
                digest.update(f"{file}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def is_up_to_date(folder: Path, fingerprint_now: str, name: str = "made_from.json") -> bool:
    """Whether the file ``name`` in ``folder`` states the fingerprint of the present inputs."""
    try:
        stored = json.loads((folder / name).read_bytes())
    except (FileNotFoundError, ValueError):  # damaged: what was made is made again
        return False
    return isinstance(stored, dict) and stored.get("fingerprint") == fingerprint_now
