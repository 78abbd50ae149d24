"""The lag doctor: the table of lags of a record, and a warning where an input lies on another day than it should."""

from __future__ import annotations

import logging

from rich import box
from rich.console import Console
from rich.table import Table

from ssm_net.cube.json_files import DamagedError
from ssm_net.cube.lags import LAGS, LagRow, lag_table
from ssm_net.cube.store import Cube
from ssm_net.prepare.products import by_platform, other_places

log = logging.getLogger(__name__)


def report_lags(cube: Cube, console: Console) -> list[LagRow]:
    """Print the table of ``cube`` and log a warning of each input that fits another day clearly better than its own;
    returns the rows, none of a record that is too short to tell, or of which a day is damaged, which is logged."""
    try:
        rows = lag_table(cube)
    except DamagedError as err:
        log.warning("the table of lags is left out: %s", err)
        return []
    if rows:
        console.print(_table(cube, rows))
    for row in rows:
        if row.clear:
            log.warning("%s", advice(cube, row))
    return rows


def _table(cube: Cube, rows: list[LagRow]) -> Table:
    table = Table(
        title="Lags: correlation with the coarse soil moisture, the input taken so many days later", box=box.SIMPLE,
        caption="Rain: with the change between two overpasses. LST: anomalies. Lag 0 should be best, or near it.",
        title_justify="left", caption_justify="left", show_edge=False, pad_edge=False,
    )  # fmt: skip
    table.add_column("input", no_wrap=True)
    for lag in LAGS:
        table.add_column(f"{lag:+d} d" if lag else "0 d", justify="right", no_wrap=True)
    table.add_column("pairs", justify="right", no_wrap=True)
    for row in rows:
        cells = [f"[bold]{r:.2f}[/]" if lag == row.best else f"{r:.2f}" for lag, r in zip(LAGS, row.r, strict=True)]
        table.add_row(f"{row.name} ({_product(cube, row)})", *cells, str(row.pairs))
    return table


def _product(cube: Cube, row: LagRow) -> str:
    if row.name == "rain" or "_other" not in row.name:
        return str(cube.attrs.get("rain" if row.name == "rain" else "lst", ""))
    others = str(cube.attrs.get("other_lst", "")).split()
    platforms = dict(zip(other_places(others), by_platform(others).values(), strict=True))
    return " ".join(platforms.get(row.name.partition("_other")[2], ()))


def advice(cube: Cube, row: LagRow) -> str:
    """What is wrong with an input whose ``best`` lag is not 0, the likely cause, and the setting that mends it."""
    days = "a day" if abs(row.best) == 1 else f"{abs(row.best)} days"
    late = row.best > 0
    found = (
        f"{_product(cube, row)}: {row.name} lies {days} too {'late' if late else 'early'} against the coarse soil "
        f"moisture (correlation {row.r[LAGS.index(row.best)]:.2f} there, {row.r[LAGS.index(0)]:.2f} as it is)."
    )
    if row.name == "rain":
        cause = (
            "The likely cause: a sum that ends on its time stamp is taken for one that begins there" if late
            else "The likely cause: a sum that begins on its time stamp is taken for one that ends there"
        )  # fmt: skip
        now = cube.attrs.get("rain_day") or "auto"
        mend = (
            f", or days of local time. Prepare a new cube with rain_day={'ends' if late else 'begins'} or the hour at "
            f"which a day of the file ends, such as rain_day=20:00+08:00 (now {now}); where files have time bounds, "
            "which count before it, correct these"
        )  # fmt: skip
    else:
        other = "local" if cube.attrs.get("modis_day") == "utc" else "utc"
        cause = "The likely cause: file names that state local days instead of UTC days, or the other way round"
        mend = (
            f", or views of a platform at other hours than are assumed. Prepare a new cube with modis_day={other} (now "
            f"{cube.attrs.get('modis_day')}), and see that the folder holds the product of its name"
        )
    return f"{found} {cause}{mend}"
