"""Libraries that end their process, or raise, over files of a given name: put before the real ones on the path.

They count in processes that are started later (readers, workers), where the library has not been imported yet.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

PYHDF = """
import os
__path__ = [{real!r}]
from pyhdf import SD as _module
class SD(_module.SD):
    def __init__(self, path, *args):
        if os.path.basename(path) in {names!r}:
            {act}
        super().__init__(path, *args)
_module.SD = SD
"""
H5NETCDF = """
import os
__path__ = [{real!r}]
exec(compile(open({real!r} + "/__init__.py").read(), "h5netcdf", "exec"))
_File = File
class File(_File):
    def __init__(self, path, *args, **kwargs):
        if os.path.basename(str(path)) in {names!r}:
            {act}
        super().__init__(path, *args, **kwargs)
"""
RASTERIO = """
import os
__path__ = [{real!r}]
exec(compile(open({real!r} + "/__init__.py").read(), {real!r} + "/__init__.py", "exec"))
_open = open
def open(path, *args, **kwargs):
    if os.path.basename(str(path)) in {names!r}:
        {act}
    return _open(path, *args, **kwargs)
"""
CODE = {"pyhdf": PYHDF, "h5netcdf": H5NETCDF, "rasterio": RASTERIO}


def stub(folder: Path, library: str, names: list[str], act: str = "os.abort()") -> Path:
    """A folder with a ``library`` that does ``act`` when it opens a file of these names."""
    spec = importlib.util.find_spec(library)
    assert spec is not None and spec.origin is not None
    package = folder / "stubs" / library
    package.mkdir(parents=True)
    code = CODE[library].format(real=str(Path(spec.origin).parent), names=names, act=act)
    (package / "__init__.py").write_text(code)
    return folder / "stubs"
