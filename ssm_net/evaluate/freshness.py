"""Whether what was made still belongs to what it was made from: by name, size and time of the files, as make does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ssm_net.version import __version__


def fingerprint(paths: Iterable[Path], *settings: Any) -> str:
    """One short text for files, folders (all below them) and settings; it changes when any of them does."""
    seen = hashlib.sha256(json.dumps([__version__, *map(str, settings)]).encode())
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                at = file.stat()
                seen.update(f"{file}\0{at.st_size}\0{at.st_mtime_ns}\n".encode())
    return seen.hexdigest()[:16]


def same(folder: Path, want: str, name: str = "made_from.json") -> bool:
    """Whether ``folder`` says that it was made from ``want``."""
    file = folder / name
    return file.exists() and json.loads(file.read_text()).get("fingerprint") == want
