"""The one table that is printed: against the truth, else at the stations, else against the coarse observation."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from ssm_net.evaluate.metrics.binnings import SKY
from ssm_net.evaluate.report.tables import Row, format_number

HEADINGS = {"coverage 68": "in 68%", "coverage 90": "in 90%"}


def headline(tables: dict[str, list[Row]], title: str) -> Table:
    """The table for the terminal; ``tables`` is what ``evaluate`` returns."""
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
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left",
                  box=box.SIMPLE, show_edge=False, pad_edge=False, padding=0)  # fmt: skip
    table.add_column("sky", no_wrap=True)
    table.add_column("method", no_wrap=True)
    for name in columns:
        table.add_column(HEADINGS.get(name, name), justify="right", no_wrap=True)
    for i, row in enumerate(rows):
        first = i == 0 or rows[i - 1]["stratum"] != row["stratum"]
        last = i + 1 == len(rows) or rows[i + 1]["stratum"] != row["stratum"]
        cells = [format_number(row.get(name), digits) for name, digits in columns.items()]
        table.add_row(row["stratum"] if first else "", row["method"], *cells, end_section=last)
    return table


def show(tables: dict[str, list[Row]], title: str) -> None:
    Console().print(headline(tables, title))
