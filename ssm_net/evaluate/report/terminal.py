"""The tables that are printed: against the truth, else at the stations, else against the coarse observation; then
products of others, their independent errors, and dense stations inside coarse cells. The maps are named by the method
that made them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
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
    for i, row in enumerate(rows):
        first = i == 0 or rows[i - 1]["stratum"] != row["stratum"]
        last = i + 1 == len(rows) or rows[i + 1]["stratum"] != row["stratum"]
        cells = [format_number(row.get(name), digits) for name, digits in columns.items()]
        method = shown_name(tables, row["method"])
        table.add_row(row["stratum"] if first else "", method, *cells, end_section=last)
    return table


def shown_name(tables: dict[str, Any], name: str) -> str:
    """A method as a reader should see it: the evaluated maps by what made them."""
    model = str(tables.get("mosaic_attributes", {}).get("model", PRODUCT))
    return f"maps ({model})" if name == PRODUCT and model != PRODUCT else name


BESIDE = (
    "Medians over stations and [95 % interval]; m3 m-3. G: gain over the undownscaled value, above 0 better. All of a "
    "table are of the same stations and days."
)
TRIPLE = (
    "Triple collocation, medians over stations and [95 % interval]: error is the standard deviation of the random "
    "error, m3 m-3, in the scale of each; R truth the correlation with the unknown truth."
)
AGAINST_TRUTH = (
    "All of a table are of the same pixels and days; m3 m-3. gain: by how many % the RMSE is below that of the "
    "undownscaled value."
)
INSIDE = (
    "Stations less the mean of the others in their cell, and [95 % interval] over stations. Static: of means over "
    "days; dynamic: of the rest; gain: by how many % the RMSE is below that without downscaling."
)


def beside_others(tables: dict[str, Any]) -> list[Table]:
    """Products of others and the maps, a table for each set of stations and days; none without such products."""
    columns = {"R": 2, "ubRMSE": 3, "bias": 3, "G": 2}
    out = []
    for rows in _groups(tables.get("peers") or []):
        one = rows[0]
        where = f"stations {one['stations']}, coarse cells {one.get('footprints')}, days {one['days']}"
        title = f"Beside {one['days of']}: {where if one['stations'] else one['note']}"
        out.append(_scores_table(tables, rows, (title, BESIDE), ("product", "name"), columns))
    return out


def independent_errors(tables: dict[str, Any]) -> list[Table]:
    """Triple collocation, a table for each product that shares no instrument with the maps; none without one."""
    out = []
    for rows in _groups(tables.get("triple collocation") or []):
        one = rows[0]
        where = f"stations {one['stations']}, coarse cells {one['footprints']}, days {one['days']}"
        title = f"Independent errors with {one['days of']}: {where}"
        out.append(_scores_table(tables, rows, (title, TRIPLE), ("of", "name"), {"error": 3, "R truth": 2}))
    return out


def others_against_truth(tables: dict[str, Any]) -> list[Table]:
    """Products of others and the maps against the 1 km truth, a table for each set of pixels and days."""
    columns = {"RMSE": 4, "ubRMSE": 4, "bias": 4, "sub-grid R": 3, "gain": 1}
    out = []
    for rows in _groups([row for row in tables.get("peers against truth") or [] if row["stratum"] == "all"]):
        one = rows[0]
        count = f"pixels and days {one['n']}" if one["n"] else "no pixel in common"
        words = f"{one['days of']} against the 1 km truth: {count}", AGAINST_TRUTH
        out.append(_scores_table(tables, rows, words, ("product", "name"), columns))
    return out


def inside_cells(tables: dict[str, Any]) -> list[Table]:
    """The pattern inside coarse cells at dense stations, a table for each set of days; none without dense stations."""
    columns = {"R static": 2, "R dynamic": 2, "slope": 2, "gain": 1}
    out = []
    for rows in _groups(tables.get("inside cells") or []):
        one = rows[0]
        days_of = f" with {one['days of']}" if one["days of"] else ""
        where = f"stations {one['stations']}, coarse cells {one['cells']}, days {one['days']}"
        title = f"Inside coarse cells{days_of}: {where}"
        out.append(_scores_table(tables, rows, (title, INSIDE), ("maps", "maps"), columns))
    return out


def show(tables: dict[str, Any], title: str) -> None:
    console = Console()
    console.print(headline(tables, title))
    kinds = (beside_others, independent_errors, others_against_truth, inside_cells)
    for kind in (tables_of(tables) for tables_of in kinds):
        for number, table in enumerate(kind, 1):
            table.caption = table.caption if number == len(kind) else None  # once is enough
            console.print(table)


def _groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows by whose days they are of."""
    return [list(group) for _, group in groupby(rows, key=lambda row: row["days of"])]


def _scores_table(
    tables: dict[str, Any], rows: Sequence[Row], words: tuple[str, str], name: tuple[str, str], columns: dict[str, int]
) -> Table:
    """Scores with their intervals below them; ``words`` are title and caption, ``name`` the heading and the key of the
    first column."""
    table = _table(*words, name[:1], columns)
    for row in rows:
        table.add_row(shown_name(tables, row[name[1]]), *(_with_interval(row, k, n) for k, n in columns.items()))
    return table


def _table(title: str, caption: str, names: Sequence[str], numbers: Iterable[str]) -> Table:
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left",
                  box=box.SIMPLE, show_edge=False, pad_edge=False, padding=0)  # fmt: skip
    for name in names:
        table.add_column(name, no_wrap=True)
    for name in numbers:
        table.add_column(HEADINGS.get(name, name), justify="right", no_wrap=True)
    return table


def _with_interval(row: Row, name: str, digits: int) -> str:
    value, interval = format_number(row.get(name), digits), row.get("intervals", {}).get(name)
    if interval is None or row.get(name) is None or any(v is None or v != v for v in interval):
        return value
    return f"{value}\n\\[{format_number(interval[0], digits)}, {format_number(interval[1], digits)}]"
