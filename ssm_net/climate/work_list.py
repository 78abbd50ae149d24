"""The files that are asked for, which of them are up to date, and how the others are made."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ssm_net.climate.anomalies import anomalies_digest, write_anomalies
from ssm_net.climate.cf_file import SOURCE_DIGEST, file_attributes
from ssm_net.climate.climatology import Reference, climatology_digest, write_climatology, years_of
from ssm_net.climate.errors import ClimateError
from ssm_net.climate.map_record import MapRecord
from ssm_net.climate.monthly import monthly_digest, write_month
from ssm_net.climate.percentiles import percentiles_digest, write_percentiles
from ssm_net.config import ClimateConfig, parse_day


@dataclass(frozen=True)
class Task:
    """``files`` of one product that are made together by ``make``; each is whole when it is there."""

    product: str
    files: Sequence[Path]
    make: Callable[[], object] = field(repr=False)


@dataclass(frozen=True)
class WorkList:
    """``files`` by product, of which those of ``tasks`` are to be made, in this order; ``again`` are there already, and
    were made of other maps or settings."""

    files: dict[str, list[Path]]
    tasks: list[Task]
    again: list[Path]


def work_list(cfg: ClimateConfig, record: MapRecord) -> WorkList:
    """Raises ``ClimateError`` where there is no map in the period, or where there are too few years."""
    months = _months(cfg, record)
    reference = Reference(record, *years_of(record, cfg.years), cfg.window)
    products = set(cfg.what)
    if products - {"monthly"}:
        _check_years(cfg, reference)
    folder, name = Path(cfg.out), record.maps.mosaics.domain_name
    products |= {"climatology"} if "anomalies" in products else set()
    out = WorkList({product: [] for product in ("monthly", "climatology", "anomalies", "percentiles")
                    if product in products}, [], [])  # fmt: skip

    def file_of(product: str, stem: str) -> Path:
        return folder / f"ssm_{name}_{product}_{stem}.nc"

    def add(product: str, path: Path, digest: str) -> bool:
        """Whether the file is to be made."""
        out.files[product].append(path)
        made_of = file_attributes(path).get(SOURCE_DIGEST)
        if made_of is not None and made_of != digest:
            out.again.append(path)
        return made_of != digest

    for year, month in months if "monthly" in products else ():
        path = file_of("monthly", f"{year}{month:02d}")
        if add("monthly", path, monthly_digest(record, year, month)):
            out.tasks.append(Task("monthly", [path], partial(write_month, record, year, month, path)))
    for month in sorted({month for _, month in months}):
        years = [year for year, other in months if other == month]
        climatology = file_of("climatology", f"month{month:02d}")
        if "climatology" in products and add("climatology", climatology, climatology_digest(reference, month)):
            make = partial(write_climatology, reference, month, climatology)
            out.tasks.append(Task("climatology", [climatology], make))
        for year in years if "anomalies" in products else ():
            path = file_of("anomalies", f"{year}{month:02d}")
            if add("anomalies", path, anomalies_digest(reference, cfg.min_years, year, month)):
                make = partial(write_anomalies, reference, cfg.min_years, (year, month), climatology, path)
                out.tasks.append(Task("anomalies", [path], make))
        paths = {}
        for year in years if "percentiles" in products else ():
            path = file_of("percentiles", f"{year}{month:02d}")
            if add("percentiles", path, percentiles_digest(reference, cfg.min_years, year, month)):
                paths[year] = path
        if paths:
            make_all = partial(write_percentiles, reference, cfg.min_years, month, paths)
            out.tasks.append(Task("percentiles", [*paths.values()], make_all))
    for files in out.files.values():
        files.sort()  # by time, as the names are
    return out


def _months(cfg: ClimateConfig, record: MapRecord) -> list[tuple[int, int]]:
    """Years and months of the period of which there is a map."""
    first = parse_day(cfg.start, "start").replace(day=1) if cfg.start else dt.date.min
    last = parse_day(cfg.end, "end") if cfg.end else dt.date.max
    months = sorted({(day.year, day.month) for day in record.days})
    wanted = [(y, m) for y, m in months if first <= dt.date(y, m, 1) <= last]
    if not wanted:
        raise ClimateError(f"{cfg.mosaics} has no map in the months from {cfg.start or 'the first'} to "
                           f"{cfg.end or 'the last'}; it holds {record.days[0]} .. {record.days[-1]}: change start= "
                           "and end=")  # fmt: skip
    return wanted


def _check_years(cfg: ClimateConfig, reference: Reference) -> None:
    days = (reference.record.days[n] for n in reference.record.of_years(reference.first, reference.last))
    years = len({day.year for day in days})
    if not years:
        raise ClimateError(f"{cfg.mosaics} has no map in years=[{reference.first},{reference.last}]; it holds "
                           f"{reference.record.days[0]} .. {reference.record.days[-1]}: change years=")  # fmt: skip
    needed = {"anomalies", "percentiles"} & set(cfg.what)
    if needed and years < cfg.min_years:
        raise ClimateError(
            f"{cfg.mosaics} has maps of {years} year{'s' * (years > 1)} in {reference.first} .. {reference.last}, and "
            f"{' and '.join(sorted(needed))} need {cfg.min_years}: give what=[monthly,climatology], or min_years="
            f"{years} if a comparison with so few years is what you want"
        )
