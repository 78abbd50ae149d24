"""Pieces of the report as values that its templates lay out: tables, cards, figures. Each also gives its ``numbers``
for ``report.json``, so that the two cannot differ."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ssm_net.evaluate.metrics.algebra import Metric, ScoreTable
from ssm_net.evaluate.referees.truth import PRODUCT
from ssm_net.evaluate.report.tables import Row, format_interval, format_number, with_minus

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MANY_COLUMNS = 9  # from these on a table is set small on paper


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
    """A table: headings and rows of formatted cells; the first column names the row. ``numbers`` are its rows."""

    headings: tuple[TableCell, ...]
    rows: tuple[TableRow, ...]
    numbers: tuple[Row, ...]

    @property
    def wide(self) -> bool:
        return len(self.headings) >= MANY_COLUMNS


@dataclass(frozen=True)
class CardView:
    """One metric of all methods and strata."""

    title: str
    about: str
    table: TableView

    @property
    def numbers(self) -> dict[str, Any]:
        return {"title": self.title, "rows": list(self.table.numbers)}


@dataclass(frozen=True)
class FigureView:
    """A picture inside the page, ``png`` and, for a phone, ``narrow``, as base64 text; no ``narrow`` where one serves
    both. ``numbers`` are what it shows."""

    png: str
    alt: str
    caption: str
    narrow: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)


Columns = dict[str, tuple[str, int]]  # key of a row: heading and digits


def table_view(rows: Sequence[Row], columns: Columns, intervals: Mapping[str, int] | None = None) -> TableView:
    """The ``columns`` of ``rows``; rows of the product are marked. ``intervals`` maps the columns that are shown with
    their 95 % interval to their digits."""
    with_interval = dict(intervals or {})

    def text(row: Row, key: str, digits: int) -> str:
        if key in with_interval:
            return with_minus(format_interval(row, key, with_interval[key]))
        number = format_number(row.get(key), digits)
        return number if isinstance(row.get(key), str) else with_minus(number)

    cells = [
        tuple(TableCell(text(row, key, digits), isinstance(row.get(key), str)) for key, (_, digits) in columns.items())
        for row in rows
    ]
    headings = tuple(
        TableCell(heading, any(isinstance(row.get(key), str) for row in rows)) for key, (heading, _) in columns.items()
    )
    marked = (TableRow(line, row.get("method") == PRODUCT) for line, row in zip(cells, rows, strict=True))
    shown = [*columns, *(f"{key} {end}" for key in with_interval for end in ("low", "high"))]
    numbers = tuple({key: row[key] for key in shown if key in row} for row in rows)
    return TableView(headings, tuple(marked), numbers)


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

    def cells(method: str) -> tuple[TableCell, ...]:
        scores = (
            TableCell(with_minus(format_number(value.get((method, s)), metric.digits)), best=best.get(s) == method)
            for s in strata
        )
        return (TableCell(method, is_text=True), *scores)

    table_rows = tuple(TableRow(cells(method), method == PRODUCT) for method in methods)
    numbers = tuple({"method": m} | {s: value.get((m, s)) for s in strata} for m in methods)
    about = f"{metric.unit}. {metric.about}" if metric.unit else metric.about
    view = TableView(tuple(map(TableCell, ("", *strata))), table_rows, numbers)
    return CardView(metric.title or metric.name, about, view)


def figure_view(
    draw: Callable[[bool], Figure], alt: str, caption: str = "", numbers: Mapping[str, Any] | None = None
) -> FigureView:
    """What ``draw`` gives, as a picture inside the page: wide, and narrow for a phone."""
    return FigureView(png_text(draw(False)), alt, caption, png_text(draw(True), 180), numbers or {})


def png_text(fig: Figure, dpi: int = 130) -> str:
    """The figure as a PNG in base64."""
    file = io.BytesIO()
    # Without the version and date the same scores give the same page.
    fig.savefig(file, format="png", dpi=dpi, metadata={"Software": None})
    return base64.b64encode(file.getvalue()).decode()
