"""HDF4 files through pyhdf: opening, layers by name, windows of a layer, and text attributes.

pyhdf is not thread-safe, and a damaged file can end the process that reads it: only ``hdf4_apart`` calls these, in a
process of its own.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ssm_net.ingest import signature
from ssm_net.ingest.raster import GranuleError


def open_hdf4(path: Path) -> Any:
    """An HDF4 file as pyhdf's ``SD``, to be closed with ``end()``.

    Raises ``GranuleError`` where it is missing, of another format or damaged, ``ImportError`` without pyhdf.
    """
    try:
        from pyhdf.SD import SD, SDC
    except ImportError as err:
        raise ImportError("HDF4 files need pyhdf: pip install 'ssm_net[ingest]'") from err
    signature.require(path, "an HDF4 file", signature.HDF4)
    try:
        with _utf8_name(path) as name:
            return SD(name, SDC.READ)
    except Exception as err:
        raise GranuleError(path, f"not a whole HDF4 file ({err})") from err


@contextmanager
def _utf8_name(path: Path) -> Iterator[str]:
    """A name of the file that pyhdf can take: one that is no text (not UTF-8) it cannot."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with open(path, "rb") as file:
            yield f"/dev/fd/{file.fileno()}"
    else:
        yield str(path)


def first_layer(sd: Any, names: Sequence[str]) -> str | None:
    """The first of ``names`` that is a layer of the file; asked for by name, since listing all layers is slow."""
    from pyhdf.error import HDF4Error

    for name in names:
        try:
            sd.nametoindex(name)
        except HDF4Error:
            continue
        return name
    return None


def read_window(
    path: Path, sd: Any, name: str, shape: Sequence[int], window: tuple[slice, slice]
) -> tuple[np.ndarray, dict[str, Any]]:
    """Stored numbers of a layer in a window (rows, columns), and its attributes.

    Raises ``GranuleError`` where the layer does not have the ``shape`` of its grid.
    """
    sds = sd.select(name)
    try:
        stored_shape = tuple(np.atleast_1d(sds.info()[2]))
        if stored_shape != tuple(shape):
            raise GranuleError(path, f"has shape {stored_shape} where its grid has {shape}", layer=name)
        rows, cols = window
        data = np.asarray(
            sds.get(start=(rows.start, cols.start), count=(rows.stop - rows.start, cols.stop - cols.start))
        ).reshape(rows.stop - rows.start, cols.stop - cols.start)
        return data, sds.attributes()
    finally:
        sds.endaccess()


def text_attributes(sd: Any, pattern: str) -> str:
    """The joined text of the file attributes whose names match, in the order of their names.

    ``SD.attributes()`` would read all of them.
    """
    texts = {}
    for n in range(sd.info()[1]):
        name, _, length = sd.attr(n).info()[:3]
        if re.fullmatch(pattern, name):
            texts[name] = _read_text(sd, n, length)
    return "".join(texts[name] for name in sorted(texts))


def _read_text(sd: Any, n: int, length: int) -> str:
    """As ``sd.attr(n).get()``, which builds a text character by character: 10 ms for the usual 32000."""
    from pyhdf import hdfext
    from pyhdf.error import HDF4Error

    buffer = hdfext.array_byte(length)
    if hdfext.SDreadattr(sd._id, n, buffer) < 0:
        raise HDF4Error(f"attribute {n} cannot be read")
    return ctypes.string_at(int(buffer.cast()), length).decode("latin-1")
