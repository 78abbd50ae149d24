"""The tables that are printed: against the truth, else at the stations, else against the coarse observation; then
products of others, and dense stations inside coarse cells. The maps are named by the method that made them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from ssm_net.evaluate.metrics.binnings import SKY
from ssm_net.evaluate.referees.truth import PRODUCT
from ssm_net.evaluate.report.tables import Row, format_number

HEADINGS = {"coverage 68": "in 68%", "coverage 90": "in 90%"}


def headline(tables: dict[str, Any], title: str) -> Table:
    """The first table for the terminal; ``tables`` is what ``evaluate`` returns."""
    if tables.get("truth"):
        columns = {"RMSE": 4, "ubRMSE": 4, "bias": 4, "sub-grid R": 3, "coverage 68": 3, "coverage 90": 3, "CRPS": 4}
        rows = tables["truth"]
        caption = "Against the 1 km truth; m3 m-3; in 68% and in 90%: fraction of the truth in the stated intervals."
    elif tables["stations"]:
        columns = {"stations": 0, "R": 3, "ubRMSE": 4, "bias": 4}
        rows = sorted(tables["stations"], key=lambda row: SKY.labels.index(row["stratum"]))
        caption = "Medians over stations; m3 m-3. No 1 km truth was given."
    else:
        columns = {"cells": 0, "R": 3, "RMSD": 4, "bias": 4}
        rows = [{"stratum": "all", **row} for row in tables["coarse"]]
        caption = (
            "Footprint means against the coarse observation: consistency, not skill. No truth, and no station to score."
        )
    table = _table(title, caption, ("sky", "method"), columns)
    for row, first, last in _grouped(rows, "stratum"):
        cells = [format_number(row.get(name), digits) for name, digits in columns.items()]
        method = shown_name(tables, row["method"])
        table.add_row(row["stratum"] if first else "", method, *cells, end_section=last)
    return table


def shown_name(tables: dict[str, Any], name: str) -> str:
    """A method as a reader should see it: the evaluated maps by what made them."""
    model = str(tables.get("mosaic_attributes", {}).get("model", PRODUCT))
    return f"maps ({model})" if name == PRODUCT and model != PRODUCT else name


def beside_others(tables: dict[str, Any]) -> Table | None:
    """Products of others and the maps at the same stations and days, with 95 % intervals; None without any."""
    rows: list[Row] = tables.get("peers") or []
    if not rows:
        return None
    columns = {"R": 2, "ubRMSE": 3, "bias": 3, "G": 2}
    caption = (
        "Medians over stations [95 % interval]; m3 m-3. Each group: the same stations and days. G: gain over the "
        "undownscaled value, above 0 better."
    )
    table = _table("Products of others", caption, ("on days of", "product"), {"stations": 0, "days": 0} | columns)
    for row, first, last in _grouped(rows, "days of"):
        cells = [str(row["stations"]), str(row["days"])]
        cells += [_with_interval(row, name, digits) for name, digits in columns.items()]
        name = shown_name(tables, row["name"])
        table.add_row(row["days of"] if first else "", name, *cells, end_section=last)
    return table


def inside_cells(tables: dict[str, Any]) -> Table | None:
    """Scores of the pattern inside coarse cells, with 95 % intervals; None without dense stations."""
    rows: list[Row] = tables.get("inside cells") or []
    if not rows:
        return None
    columns = {"R static": 2, "R dynamic": 2, "slope": 2, "gain": 1}
    caption = (
        "Stations less the mean of the others in their cell [95 % interval over stations]. Static: of means over days; "
        "dynamic: of the rest; gain: % of RMSE less than without downscaling."
    )
    table = _table("Inside coarse cells", caption, ("on days of", "maps"), {"cells": 0, "stations": 0} | columns)
    for row, first, last in _grouped(rows, "days of"):
        cells = [str(row["cells"]), str(row["stations"])]
        cells += [_with_interval(row, name, digits) for name, digits in columns.items()]
        days_of = (row["days of"] or "all") if first else ""
        table.add_row(days_of, shown_name(tables, row["maps"]), *cells, end_section=last)
    return table


def show(tables: dict[str, Any], title: str) -> None:
    console = Console()
    for table in (headline(tables, title), beside_others(tables), inside_cells(tables)):
        if table is not None:
            console.print(table)


def _table(title: str, caption: str, names: Sequence[str], numbers: Iterable[str]) -> Table:
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left",
                  box=box.SIMPLE, show_edge=False, pad_edge=False, padding=0)  # fmt: skip
    for name in names:
        table.add_column(name, no_wrap=True)
    for name in numbers:
        table.add_column(HEADINGS.get(name, name), justify="right", no_wrap=True)
    return table


def _grouped(rows: Sequence[Row], key: str) -> Iterator[tuple[Row, bool, bool]]:
    """Each row, and whether it is the first and the last of those with the same ``key``."""
    for i, row in enumerate(rows):
        yield (row, i == 0 or rows[i - 1][key] != row[key], i + 1 == len(rows) or rows[i + 1][key] != row[key])


def _with_interval(row: Row, name: str, digits: int) -> str:
    value, interval = format_number(row.get(name), digits), row["intervals"].get(name)
    if interval is None or row.get(name) is None or any(v is None or v != v for v in interval):
        return value
    return f"{value} [{format_number(interval[0], digits)}, {format_number(interval[1], digits)}]"
