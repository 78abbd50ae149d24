"""``download(cfg)``: the files that ``prepare`` needs, from the archives into ``raw/``."""

from __future__ import annotations

import importlib.util
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from ssm_net.config import DownloadConfig
from ssm_net.core.locks import held_alone
from ssm_net.download.archive_products import ARCHIVE_PRODUCTS
from ssm_net.download.errors import FileError, FilesLeftError, SetUpError
from ssm_net.prepare.plan import RAIN_BEFORE

if TYPE_CHECKING:
    from ssm_net.download.plan import DownloadPlan

console = Console()
LOCK = ".download.lock"
NAMED = 5  # files that are named for each reason


def download(cfg: DownloadConfig, rain_before: int = RAIN_BEFORE) -> DownloadPlan:
    """Fetch what is missing in ``raw/``; returns the plan that was carried out. With ``plan=true`` it is only printed.
    ``rain_before``: days before ``start`` whose rain is fetched, too.

    Raises ``SetUpError`` where a library or the login is missing, ``DownloadError`` where the search fails,
    ``FilesLeftError`` where files are left, which it lists with the reason of each; ``ConfigError`` where another
    download fills the same folder, ``OSError`` where the disk is or gets full.
    """
    _require_library("earthaccess")
    if any(product.cds for product in ARCHIVE_PRODUCTS if product.name in cfg.products):
        _require_library("cdsapi")
    # Only here, since they rest on libraries that come with the extra.
    from ssm_net.download.archive_session import ArchiveSession, Patience
    from ssm_net.download.plan import make_plan, require_room
    from ssm_net.download.search import Catalogue

    catalogue = Catalogue(ArchiveSession(cfg.earthdata, None), Patience(cfg.tries, cfg.pause))
    plan = make_plan(cfg, catalogue, rain_before)
    for line in plan.lines():
        console.print(line, soft_wrap=True)
    if cfg.plan:
        return plan
    raw = Path(cfg.raw)
    raw.mkdir(parents=True, exist_ok=True)
    with held_alone(raw / LOCK, f"raw={raw}: another download fills this folder; wait until it has ended"):
        require_room(plan)
        left = _fetch(plan)
    _report(plan, left)
    return plan


def _require_library(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        raise SetUpError(f"download needs the Python package {name}: pip install 'ssm_net[download]'")


def _fetch(plan: DownloadPlan) -> dict[str, list[str]]:
    """Fetch the files of the plan; the names of those that are left, by reason."""
    from ssm_net.download.climate_store import fetch_cds, require_key
    from ssm_net.download.fetch_all import fetch_all
    from ssm_net.download.login import log_in

    cfg, left = plan.cfg, defaultdict(list)
    if plan.requests:
        require_key()
    if plan.missing:
        login = log_in(cfg.earthdata)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(f"download: {len(plan.missing)} files", total=plan.size or None)
            reasons = fetch_all(plan.missing, cfg, login, lambda count: bar.advance(task, count))
        for file, why in reasons.items():
            left[why.replace(file.name, "the file")].append(f"{file.folder}/{file.name}")
    for request in plan.requests:
        span = f"{request.days[0]} .. {request.days[-1]}"
        console.print(f"Climate Data Store: {request.product} {span}; it may wait in a queue", soft_wrap=True)
        try:
            fetch_cds(request, Path(cfg.raw), cfg.tries)
        except FileError as err:
            left[str(err)].append(f"{request.folder}/{request.name}")
    return left


def _report(plan: DownloadPlan, left: Mapping[str, list[str]]) -> None:
    """Say what came; raises ``FilesLeftError`` where something is left."""
    from ssm_net.download.checks import can_check
    from ssm_net.download.plan import counted

    lost = {name for names in left.values() for name in names}
    came = [file for file in plan.missing if f"{file.folder}/{file.name}" not in lost]
    by_sum = sum(can_check(file.checksum) for file in came)
    there = len(plan.wanted) - len(plan.missing)
    console.print(
        f"[green]{counted(len(came), 'file')} came[/] into {escape(plan.cfg.raw)}, {by_sum} of them compared with the "
        f"checksum of the archive, the others by size and kind; {there} were there", soft_wrap=True,
    )  # fmt: skip
    if not left:
        console.print(f"then: {plan.next_command()}", soft_wrap=True)
        return
    number = sum(map(len, left.values()))
    are = "is" if number == 1 else "are"
    lines = [f"{counted(number, 'file')} {are} left; the same command goes on from here:"]
    for why, names in left.items():
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        lines.append(f"  {why}\n    {', '.join(sorted(names)[:NAMED])}{more}")
    days = {f"{file.folder}/{file.name}": file.day for file in plan.missing}
    days |= {f"{request.folder}/{request.name}": request.days[0] for request in plan.requests}
    raise FilesLeftError("\n".join(lines), {name: days[name] for name in lost})
