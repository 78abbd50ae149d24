"""Pieces of the report as values that its templates lay out: tables, cards, figures, key numbers."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssm_net.evaluate.metrics.algebra import Metric, ScoreTable
from ssm_net.evaluate.referees.truth import PRODUCT
from ssm_net.evaluate.report.tables import Row, format_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class TableCell:
    text: str
    is_text: bool = False  # aligned to the left, and may wrap
    best: bool = False


@dataclass(frozen=True)
class TableRow:
    cells: tuple[TableCell, ...]
    of_product: bool


@dataclass(frozen=True)
class TableView:
    """A table: headings and rows of formatted cells; the first column names the row."""

    headings: tuple[TableCell, ...]
    rows: tuple[TableRow, ...]


@dataclass(frozen=True)
class CardView:
    """One metric of all methods and strata."""

    title: str
    about: str
    table: TableView


@dataclass(frozen=True)
class FigureView:
    """A picture inside the page: ``png`` is base64 text."""

    png: str
    alt: str
    caption: str


@dataclass(frozen=True)
class KeyNumber:
    """A big number at the top of the page, and what to compare it with."""

    number: str
    label: str
    comparison: str = ""


Columns = dict[str, tuple[str, int]]  # key of a row: heading and digits


def table_view(rows: Sequence[Row], columns: Columns) -> TableView:
    """The ``columns`` of ``rows``; rows of the product are marked."""
    cells = [
        tuple(
            TableCell(format_number(row.get(key), digits), isinstance(row.get(key), str))
            for key, (_, digits) in columns.items()
        )
        for row in rows
    ]
    headings = tuple(
        TableCell(heading, any(isinstance(row.get(key), str) for row in rows)) for key, (heading, _) in columns.items()
    )
    marked = (TableRow(line, row.get("method") == PRODUCT) for line, row in zip(cells, rows, strict=True))
    return TableView(headings, tuple(marked))


def score_table_view(table: ScoreTable, rows: Sequence[Row]) -> TableView:
    """The rows of a table of the scorecard: its bins, the methods, and the metrics that any row has."""
    columns: Columns = {}
    if table.binning.column:
        columns[table.binning.column] = (table.binning.column, 0)
    if not table.product_only:
        columns["method"] = ("method", 0)
    columns |= {m.name: (m.heading, m.digits) for m in table.metrics if any(m.name in row for row in rows)}
    return table_view(rows, columns)


def card(rows: Sequence[Row], metric: Metric) -> CardView:
    """A row a method, a column a stratum; the score of each column that is nearest to the metric's target is marked."""
    strata = list(dict.fromkeys(r["stratum"] for r in rows))
    methods = list(dict.fromkeys(r["method"] for r in rows))
    value = {(r["method"], r["stratum"]): r.get(metric.name) for r in rows}
    best = {}
    for stratum in strata:
        known = {m: v for m in methods if (v := value.get((m, stratum))) is not None}
        if known:
            best[stratum] = min(known, key=lambda m, known=known: abs(known[m] - metric.target))  # type: ignore[misc]
    table_rows = tuple(
        TableRow(
            (
                TableCell(method, is_text=True),
                *(
                    TableCell(format_number(value.get((method, s)), metric.digits), best=best.get(s) == method)
                    for s in strata
                ),
            ),
            method == PRODUCT,
        )
        for method in methods
    )
    about = f"{metric.unit}. {metric.about}" if metric.unit else metric.about
    return CardView(metric.title or metric.name, about, TableView(tuple(map(TableCell, ("", *strata))), table_rows))


def figure_view(fig: Figure, alt: str, caption: str = "", dpi: int = 130) -> FigureView:
    """The figure as a picture inside the page."""
    file = io.BytesIO()
    # Without the version and date the same scores give the same page.
    fig.savefig(file, format="png", dpi=dpi, bbox_inches="tight", pad_inches=0.05, metadata={"Software": None})
    return FigureView(base64.b64encode(file.getvalue()).decode(), alt, caption)
