"""Plan of a download: which files are wanted, which are there, and how much is to come; printed as the dry run."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape

from ssm_net.config import DownloadConfig, parse_day
from ssm_net.core.boundary import domain_of
from ssm_net.core.days import ONE_DAY, runs
from ssm_net.download.archive_products import ARCHIVE_PRODUCTS, ArchiveProduct, chosen_products
from ssm_net.download.climate_store import CdsFile, cds_files
from ssm_net.download.search import Catalogue, RemoteFile
from ssm_net.grid import Domain
from ssm_net.ingest.products import product as product_of_folder
from ssm_net.prepare.plan import RAIN_BEFORE

CDS_NAMES = tuple(product.name for product in ARCHIVE_PRODUCTS if product.cds)
SAFETY = 1.05  # of the room asked for on the disk


@dataclass(frozen=True)
class DownloadPlan:
    """What ``download`` would fetch: ``wanted`` files, of which those of ``missing`` are not there, or not whole.

    ``windows`` are the first and last day of each product; ``unusable`` counts entries of the catalog that cannot be
    used, by why; ``damaged`` names files that have another size than the archive states, which are fetched again.
    """

    cfg: DownloadConfig
    domain: Domain
    windows: Mapping[str, tuple[dt.date, dt.date]]
    wanted: Sequence[RemoteFile]
    missing: Sequence[RemoteFile]
    requests: Sequence[CdsFile]  # of the Climate Data Store, that are missing
    damaged: Sequence[str]
    unusable: Mapping[str, int]

    @property
    def size(self) -> float:
        """Bytes that are to come, as far as the catalog states them."""
        return sum(file.about for file in self.missing)

    def lines(self) -> Iterator[str]:
        """The plan as text for a rich console."""
        cfg, (rows, cols) = self.cfg, self.domain.coarse_shape
        yield (
            f"domain {self.domain.name}: window {list(self.domain.window)}, {rows} x {cols} coarse cells; maps from "
            f"{cfg.start} to {cfg.end}; {cfg.lead} days before them for the memory of LST"
        )
        for name, window in self.windows.items():
            yield "  " + self._line(name, window)
        for name in self.damaged:
            yield f"  [yellow]{escape(name)} has another size than the archive states: it is fetched again[/]"
        for why, count in self.unusable.items():
            yield f"  [yellow]left out: {escape(why)} ({count})[/]"
        yield f"to fetch: {counted(len(self.missing), 'file')}, {_size(self.size)}" + (
            f", and {counted(len(self.requests), 'request')} to the Climate Data Store" if self.requests else ""
        )
        yield f"then: {self.next_command()}"

    def next_command(self) -> str:
        """The command that uses what was fetched."""
        first = parse_day(self.cfg.start, "start") - self.cfg.lead * ONE_DAY
        return escape(f"ssm-net prepare raw={self.cfg.raw} cube=cube.zarr {domain_keys(self.cfg)} start={first} "
                      f"end={self.cfg.end}")  # fmt: skip

    def _line(self, name: str, window: tuple[dt.date, dt.date]) -> str:
        wanted = [file for file in self.wanted if file.product == name]
        missing = [file for file in self.missing if file.product == name]
        asked = [file for file in self.requests if file.product == name]
        span = f"{window[0]} .. {window[1]}"
        if asked:
            return f"{name}: {counted(len(asked), 'request')} to the Climate Data Store, {span}"
        if name in CDS_NAMES:
            return f"{name}: all there, {span}"
        if not wanted:
            return (f"{name}: [yellow]none in the archive[/] for {span}: no such days, or a newer version of the "
                    "product; https://search.earthdata.nasa.gov shows both")  # fmt: skip
        days = {file.day for file in wanted if file.day}
        there = f"{len(wanted) - len(missing)} there" if missing else "all there"
        lacking = [d for d in days_of(window) if d not in days]
        if wanted[0].folder.startswith("static/"):
            return f"{name}: {counted(len(wanted), 'file')}, {there}; to fetch {_size(sum(f.about for f in missing))}"
        return (
            f"{name}: {counted(len(wanted), 'file')} on {counted(len(days), 'day')}, {there}; to fetch {len(missing)}, "
            f"{_size(sum(f.about for f in missing))}; {span}"
        ) + (f"; [yellow]none on {runs(lacking)}[/]" if lacking else "")


def make_plan(cfg: DownloadConfig, catalogue: Catalogue, rain_before: int = RAIN_BEFORE) -> DownloadPlan:
    """Ask the archives what they hold, and look what is there; nothing is written. ``rain_before`` is as of
    ``window_of``.

    Raises ``ConfigError`` where the domain is none, ``DownloadError`` where the search fails.
    """
    domain = domain_of(cfg.domain)
    first, last = parse_day(cfg.start, "start"), parse_day(cfg.end, "end")
    wanted: list[RemoteFile] = []
    requests: list[CdsFile] = []
    windows: dict[str, tuple[dt.date, dt.date]] = {}
    for product in chosen_products(cfg.products, first, last):
        windows[product.name] = window = window_of(product, first, last, cfg.lead, rain_before)
        if product.cds:
            requests += [f for f in cds_files(product.name, window, domain) if not f.is_there(Path(cfg.raw))]
        else:
            wanted += catalogue.files(product, window, domain)
    there = _sizes_below(Path(cfg.raw), wanted)
    damaged = [f.name for f in wanted if f.size is not None and there.get((f.folder, f.name), f.size) != f.size]
    missing = [f for f in wanted if (f.folder, f.name) not in there or f.name in damaged]
    return DownloadPlan(cfg, domain, windows, wanted, missing, requests, damaged, catalogue.unusable)


def window_of(
    product: ArchiveProduct, first: dt.date, last: dt.date, lead: int, rain_before: int = RAIN_BEFORE
) -> tuple[dt.date, dt.date]:
    """The days whose files ``prepare`` looks at for the days from ``first`` less ``lead`` to ``last``.

    Rain counts from ``rain_before`` days before them: 1 where the days before are in the cube already. Files are dated
    in UTC: those of the day before and after may hold views of a day, and the rain of the first one in the far east
    begins two days before it.
    """
    begin = first - lead * ONE_DAY
    if product.kind == "rain":
        return begin - (rain_before + 2) * ONE_DAY, last
    if product.kind in ("lst", "ssm", "reanalysis"):
        return begin - ONE_DAY, last + ONE_DAY
    return begin, last


def require_room(plan: DownloadPlan) -> None:
    """Raises ``OSError`` where the disk has less room than the files need."""
    folder = Path(plan.cfg.raw).absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < plan.size * SAFETY:
        raise OSError(
            f"raw={plan.cfg.raw}: {_size(plan.size)} are to come and {_size(free)} are free on this disk: make room, "
            "give another raw=, or fetch fewer days at a time"
        )


def domain_keys(cfg: DownloadConfig) -> str:
    """The keys of the command line that say where."""
    where = cfg.domain
    values = {"window": where.window, "bbox": where.bbox, "boundary": where.boundary}
    key, value = next((k, v) for k, v in values.items() if v is not None)
    text = value if isinstance(value, str) else "[" + ",".join(f"{v:g}" for v in value or ()) + "]"
    return (f"domain.name={where.name} " if where.name != "custom" else "") + f"'domain.{key}={text}'"


def days_of(window: tuple[dt.date, dt.date]) -> list[dt.date]:
    """All days of a window, first and last included."""
    return [window[0] + n * ONE_DAY for n in range((window[1] - window[0]).days + 1)]


def _sizes_below(raw: Path, wanted: Sequence[RemoteFile]) -> dict[tuple[str, str], int]:
    """The size of each wanted file that is there: in its folder, in another folder of the same product (``MYD11A1``
    for ``MYD11A1.061``), or in folders below these."""
    folders: dict[str, list[Path]] = {}
    for folder in {file.folder for file in wanted}:
        known = product_of_folder(folder)
        folders[folder] = [raw / folder] + [
            other for other in (raw.iterdir() if raw.is_dir() else ())
            if known is not None and other.is_dir() and product_of_folder(other.name) == known
        ]  # fmt: skip
    there: dict[tuple[str, str], int] = {}
    for folder, places in folders.items():
        names = {file.name for file in wanted if file.folder == folder}
        for place in places:
            for where, _, files in os.walk(place, followlinks=True):
                there |= {(folder, n): os.stat(os.path.join(where, n)).st_size for n in names.intersection(files)}
    return there


def counted(number: int, noun: str) -> str:
    """A number of things in words: ``1 file``, ``2 files``."""
    return f"{number} {noun}{'s' * (number != 1)}"


def _size(count: float) -> str:
    """Bytes in words."""
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"
