"""``climate(cfg)``: the statistics of a folder of maps over time, as CF files; and a function for each of them."""

from __future__ import annotations

import logging
from collections import Counter
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import track

from ssm_net.climate.map_record import MapRecord
from ssm_net.climate.work_list import WorkList, work_list
from ssm_net.config import ClimateConfig
from ssm_net.core.days import runs
from ssm_net.core.locks import held_alone

log = logging.getLogger(__name__)
console = Console()


def climate(cfg: ClimateConfig) -> dict[str, list[Path]] | None:
    """Write the files that ``cfg`` asks for and are not up to date. Returns all that it asks for, in order of time, by
    product; None with ``plan=true``.

    Raises ``ClimateError`` where there are no maps of the period or too few years, ``MosaicError`` where there are no
    maps or one is damaged, ``ConfigError`` where another run writes into the folder, ``OSError`` where the disk is
    full. A file is whole or absent: the same command again makes only what is missing.
    """
    out = Path(cfg.out)
    record = MapRecord.open(cfg.mosaics, cfg.domain_name, cfg.format, cfg.exclude)
    if cfg.plan:
        console.print(escape(planned(cfg, record, work_list(cfg, record))), soft_wrap=True)
        return None
    if record.maps.missing:
        log.warning("no map of %s: these days count in no statistic; infer makes them", runs(record.maps.missing))
    out.mkdir(parents=True, exist_ok=True)
    with held_alone(out / ".climate.lock", f"another run of climate writes into {out}: wait until it has ended"):
        work = work_list(cfg, record)
        for task in track(work.tasks, "making statistics", console=console, disable=not work.tasks):
            task.make()
    made = sum(len(task.files) for task in work.tasks)
    kept = sum(map(len, work.files.values())) - made
    console.print(f"[green]{made} files made[/], {kept} were up to date: {escape(str(out))}", soft_wrap=True)
    return work.files


def planned(cfg: ClimateConfig, record: MapRecord, work: WorkList) -> str:
    """What would be done, as ``plan=true`` prints it."""
    mosaics, made = record.maps.mosaics, Counter(task.product for task in work.tasks for _ in task.files)
    lines = [
        f"would make files in {cfg.out} from {len(record.days)} maps, {record.days[0]} .. {record.days[-1]}, of "
        f"{mosaics.folder} ({mosaics.domain_name}, {mosaics.format})"
    ]
    lines += [f"  {product}: {made[product]} of {len(files)}" for product, files in work.files.items()]
    lines += [f"  {len(work.again)} of them again: their maps or settings have changed"] if work.again else []
    lines += [f"  days without a map: {runs(record.maps.missing)}"] if record.maps.missing else []
    return "\n".join(lines)


def monthly_means(mosaics: str | PathLike[str], out: str | PathLike[str], **settings: Any) -> list[Path]:
    """The mean of each month of a folder of maps, a CF file a month in ``out``: soil moisture, its standard error, the
    number of days with a value and with each flag. Files that are up to date are not made again.

    ``settings`` are the other keys of ``ClimateConfig``, such as ``start`` and ``end``. Returns the files in order of
    time; raises as ``climate`` does.

        files = ssm_net.monthly_means("mosaics", "climate", start="2018-04-01")
    """
    return _files("monthly", mosaics, out, settings)


def climatology(mosaics: str | PathLike[str], out: str | PathLike[str], **settings: Any) -> list[Path]:
    """The mean and the spread of each day of the year, over the days of all years in a window around it: a CF file a
    calendar month in ``out``, with the number of days and years that each value rests on. 29 February has its own.

    ``settings`` are the other keys of ``ClimateConfig``: ``window=15`` days on each side, ``years=[first, last]``.
    Returns the files in order of months; raises as ``climate`` does.
    """
    return _files("climatology", mosaics, out, settings)


def anomalies(mosaics: str | PathLike[str], out: str | PathLike[str], **settings: Any) -> list[Path]:
    """Each daily map less the climatology of its day of the year, in m3 m-3 and in standard deviations: a CF file a
    month in ``out``. The climatology is made, too. Arguments, return and errors as of ``climatology``."""
    return _files("anomalies", mosaics, out, settings)


def percentiles(mosaics: str | PathLike[str], out: str | PathLike[str], **settings: Any) -> list[Path]:
    """The rank of each daily map among the days of all years in the window around its day of the year, 0 (driest) to
    100, and its class of drought: a CF file a month in ``out``. Arguments, return and errors as of ``climatology``."""
    return _files("percentiles", mosaics, out, settings)


def _files(
    product: str, mosaics: str | PathLike[str], out: str | PathLike[str], settings: dict[str, Any]
) -> list[Path]:
    made = climate(ClimateConfig(fspath(mosaics), fspath(out), what=[product], **settings))
    return made[product] if made is not None else []
