"""The errors of a download."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Literal

from ssm_net.errors import SsmNetError

Ends = Literal["file", "product", "host", "all"]


class DownloadError(SsmNetError):
    """A download cannot begin, or something is left of it; the message says what, and the remedy."""


class SetUpError(DownloadError):
    """A download cannot begin before its user has mended something: a library or a login."""


class FilesLeftError(DownloadError):
    """Files that the archive lists did not come; ``files`` are their names, with the first day of each, None where it
    is of no day."""

    def __init__(self, message: str, files: Mapping[str, dt.date | None]) -> None:
        super().__init__(message)
        self.files = dict(files)


class FileError(DownloadError):
    """A file that did not come: the message says why, and what to do.

    ``again``: another try may help, not before ``wait`` seconds where the archive says so. ``ends`` is what the
    same answer is to be expected for: this file, all of its product, all of its host, or everything.
    """

    def __init__(self, message: str, *, again: bool = False, wait: float | None = None, ends: Ends = "file") -> None:
        super().__init__(message)
        self.again, self.wait, self.ends = again, wait, ends
