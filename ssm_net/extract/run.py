"""``extract(cfg)``: the maps of a folder at points or over areas, into a table or a CF file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import xarray as xr
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from ssm_net.config import ExtractConfig
from ssm_net.core.days import runs
from ssm_net.extract.points import Points
from ssm_net.extract.selection import Selection, select_areas, select_points
from ssm_net.extract.series import Maps, extracted
from ssm_net.extract.tables import check_writable, write_series

console = Console()


def extract(cfg: ExtractConfig) -> xr.Dataset | None:
    """Write the series of ``cfg`` and return them, as ``ssm_net.at_points`` does; None with ``plan=true``.

    Raises ``ExtractError``, ``BoundaryError`` or ``MosaicError`` where there is nothing to extract or to extract from,
    before anything is written.
    """
    target = Path(cfg.to)
    check_writable(target)
    maps = Maps.open(cfg.mosaics, start=cfg.start, end=cfg.end, domain=cfg.domain_name, format=cfg.format)
    selection = _selection(cfg, maps)
    if cfg.plan:
        console.print(escape(planned(cfg, maps, selection)), soft_wrap=True)
        return None
    dataset = extracted(maps, selection, _progress)
    write_series(dataset, target)
    places, days = dataset.sizes["place"], dataset.sizes["time"]
    kind = "areas" if selection.areas else "points"
    valued = float(dataset["ssm"].notnull().mean())
    console.print(f"[green]{places} {kind}, {days} days[/], {valued:.0%} of them with a value: {escape(str(target))}",
                  soft_wrap=True)  # fmt: skip
    return dataset


def _selection(cfg: ExtractConfig, maps: Maps) -> Selection:
    if cfg.areas is not None:
        return select_areas(cfg.areas, cfg.names, maps.grid)
    at = list(zip(cfg.at[::2], cfg.at[1::2], strict=True))
    return select_points(Points.of(cfg.points if cfg.points is not None else at), maps.grid)


def planned(cfg: ExtractConfig, maps: Maps, selection: Selection) -> str:
    """What would be done, as ``plan=true`` prints it."""
    outside = [name for name, inside in zip(selection.names, selection.inside, strict=True) if inside == 0]
    lines = [
        f"would extract {len(selection.names)} {'areas' if selection.areas else 'points'} of {len(selection.rows)} "
        f"pixels on {len(maps.days)} days, {maps.dates[0]} .. {maps.dates[-1]}, from {maps.mosaics.folder} "
        f"({maps.mosaics.domain_name}, {maps.mosaics.format}) into {cfg.to}",
    ]
    lines += [f"  outside the maps: {', '.join(outside)}"] if outside else []
    lines += [f"  days without a map: {runs(maps.missing)}"] if maps.missing else []
    return "\n".join(lines)


def _progress(days: Sequence[int]) -> Iterable[int]:
    return track(days, "extracting days", console=console)
