"""A verb on a disk that is too small for it, which then grows: python small_disk.py WORK FOLDER KIB

``WORK`` is Python that makes what it makes in ``FOLDER``, where a file system of ``KIB`` is put: run it in a mount
namespace of its own (unshare --map-root-user --mount), which takes the file system away with it. Printed as JSON: what
the error said, what was there after it, and what is there after the same work with room; each as digests of files.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path


def digests(folder: Path) -> dict[str, str]:
    files = [p for p in folder.rglob("*") if p.is_file()]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def main(work: str, folder: str, kib: str) -> None:
    def mount(*options: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", folder], check=True)

    mount(f"size={kib}k")
    said = ""
    try:
        exec(work)
    except OSError as err:
        said = str(err)
    found = {"said": said, "cut": digests(Path(folder))}
    mount("remount", "size=1g")
    exec(work)
    print(json.dumps(found | {"whole": digests(Path(folder))}))


if __name__ == "__main__":
    main(*sys.argv[1:])
