"""HDF4 files as a process of its own reads them: a file that ends that process costs itself, and is named.

The functions are those of ``hdf4``, on an ``Hdf4File`` in place of pyhdf's ``SD``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ssm_net.core import reader_process
from ssm_net.core.reader_process import ReaderDied
from ssm_net.ingest import hdf4
from ssm_net.ingest.raster import GranuleError, naming_damage

Call = tuple[Callable[..., Any], tuple[Any, ...]]


@dataclass
class Hdf4File:
    """An HDF4 file that the reader process holds open, and what was asked of it."""

    path: Path
    calls: list[Call] = field(default_factory=list)

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """``function(sd, *args)`` of the open file. Raises ``GranuleError`` where it is damaged, or ends the process
        that reads it."""
        self.calls.append((function, args))
        return self._apart(_call, function, args)

    def close(self) -> None:
        """Raises as ``call``: some damage shows only now."""
        if not reader_process.running():
            return  # it ended over this file, and with it the open file
        try:
            reader_process.apart_once(str(self.path), _close)
        except ReaderDied:
            self._apart(_again, self.calls)

    def _apart(self, function: Callable[..., Any], *args: Any) -> Any:
        try:
            return reader_process.apart(str(self.path), function, *args)
        except ReaderDied as err:
            raise GranuleError(self.path, f"damaged: {err}") from err


@contextmanager
def open_hdf4(path: Path) -> Iterator[Hdf4File]:
    """An HDF4 file, open in the reader process.

    Raises ``GranuleError`` where it is missing, of another format or damaged, ``ImportError`` without pyhdf.
    """
    file = Hdf4File(path)
    file.call(_nothing)
    try:
        with naming_damage(path):
            yield file
    finally:
        file.close()


def first_layer(file: Hdf4File, names: Sequence[str]) -> str | None:
    """As ``hdf4.first_layer``."""
    name: str | None = file.call(hdf4.first_layer, tuple(names))
    return name


def read_window(
    path: Path, file: Hdf4File, name: str, shape: Sequence[int], window: tuple[slice, slice]
) -> tuple[np.ndarray, dict[str, Any]]:
    """As ``hdf4.read_window``."""
    read: tuple[np.ndarray, dict[str, Any]] = file.call(_read_window, path, name, tuple(shape), window)
    return read


def text_attributes(file: Hdf4File, pattern: str) -> str:
    """As ``hdf4.text_attributes``."""
    return str(file.call(hdf4.text_attributes, pattern))


# ---- in the reader process -----------------------------------------------------------------------------------------

_open: dict[str, Any] = {}  # pyhdf's SD by path


def _call(path: str, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    if path not in _open:
        _open[path] = hdf4.open_hdf4(Path(path))
    with naming_damage(Path(path)):
        return function(_open[path], *args)


def _close(path: str) -> None:
    if path in _open:
        _open.pop(path).end()


def _again(path: str, calls: Sequence[Call]) -> None:
    for function, args in calls:
        _call(path, function, args)
    _close(path)


def _nothing(sd: Any) -> None:
    """Asked for to open a file."""


def _read_window(sd: Any, path: Path, *args: Any) -> tuple[np.ndarray, dict[str, Any]]:
    return hdf4.read_window(path, sd, *args)
