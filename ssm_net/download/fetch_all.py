"""All files of a plan: a few at a time, on after a failure, but not where one answer stands for all that follow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ssm_net.config import DownloadConfig
from ssm_net.download.archive_session import ArchiveSession, Patience
from ssm_net.download.errors import FileError
from ssm_net.download.login import EarthdataLogin
from ssm_net.download.search import RemoteFile
from ssm_net.download.transfer import fetch_file

SILENT = 3  # files in a row for which a host did not answer, until it is taken to be down


@dataclass
class Closed:
    """Where nothing more is to be asked for in this run, and the message that said so; shared by all threads."""

    everything: str = ""
    products: dict[str, str] = field(default_factory=dict)
    hosts: dict[str, str] = field(default_factory=dict)
    silent: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def why(self, file: RemoteFile) -> str:
        """The message that speaks against asking for ``file``; empty where none does."""
        with self.lock:
            return self.everything or self.products.get(file.product, "") or self.hosts.get(_host(file), "")

    def answered(self, file: RemoteFile) -> None:
        """A file came from its host."""
        with self.lock:
            self.silent[_host(file)] = 0

    def failed(self, file: RemoteFile, err: FileError) -> None:
        """A file did not come, after all tries."""
        host = _host(file)
        with self.lock:
            if err.ends == "all":
                self.everything = str(err)
            elif err.ends == "product":
                self.products[file.product] = str(err)
            elif err.ends == "host":
                self.silent[host] = self.silent.get(host, 0) + 1
                if self.silent[host] >= SILENT or not err.again:
                    self.hosts[host] = str(err)


def fetch_all(
    files: Sequence[RemoteFile], cfg: DownloadConfig, login: EarthdataLogin, advance: Callable[[int], object]
) -> dict[RemoteFile, str]:
    """Fetch ``files`` into their folders; returns those that are left, with the reason of each. ``advance`` is called
    with each number of bytes that came.

    Raises ``OSError`` where the disk is full or cannot be written, and ``KeyboardInterrupt``, after the transfers that
    run were ended; what they had is continued by the next run.
    """
    patience, closed, here = Patience(cfg.tries, cfg.pause), Closed(), threading.local()
    raw = Path(cfg.raw)

    def one(file: RemoteFile) -> None:
        if why := closed.why(file):
            raise FileError(why)
        if not hasattr(here, "session"):
            here.session = ArchiveSession(cfg.earthdata, login)
        try:
            fetch_file(file, raw / file.folder / file.name, here.session, patience, advance)
            closed.answered(file)
        except FileError as err:
            closed.failed(file, err)
            raise

    left: dict[RemoteFile, str] = {}
    with ThreadPoolExecutor(cfg.connections, "download") as pool:
        futures: dict[Future[None], RemoteFile] = {pool.submit(one, file): file for file in files}
        try:
            for future in as_completed(futures):
                try:
                    future.result()
                except FileError as err:
                    left[futures[future]] = str(err)
        except BaseException:
            patience.stopped.set()
            pool.shutdown(cancel_futures=True)
            raise
    return left


def _host(file: RemoteFile) -> str:
    return urlsplit(file.url).hostname or ""
