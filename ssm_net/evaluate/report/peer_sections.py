"""What the sections on other products and on the inside of coarse cells show; None where they were not scored."""

from __future__ import annotations

from collections.abc import Sequence

from ssm_net.evaluate.metrics.algebra import UNIT
from ssm_net.evaluate.report.sections import ReportData, SectionValues
from ssm_net.evaluate.report.tables import Row
from ssm_net.evaluate.report.views import Columns, TableView, table_view

AGAINST_TRUTH: Columns = {
    "name": ("name", 0), "days of": ("days of", 0), "stratum": ("sky", 0),
    **{key: (f"{key}, {UNIT}", 4) for key in ("RMSE", "ubRMSE", "bias")}, "R": ("R", 3),
    "sub-grid R": ("sub-grid R", 3), "gain": ("gain, %", 1), "n": ("pixels and days", 0),
}  # fmt: skip
COUNTS = ("stations", "footprints", "cells", "days")


def peers(data: ReportData) -> SectionValues | None:
    """Medians over stations of other products, the maps and the coarse product; triple collocation where there is; and
    all of them against the 1 km truth where it is known."""
    rows, triplets, of_truth = (data.rows(key) for key in ("peers", "triple collocation", "peers against truth"))
    if not rows and not of_truth:
        return None
    scores = {"R": ("R", 2), "ubRMSE": (f"ubRMSE, {UNIT}", 3), "bias": (f"bias, {UNIT}", 3), "G": ("G", 2)}
    errors = {"error": (f"error, {UNIT}", 3), "R truth": ("R with the truth", 2)}
    return {
        "table": _table(rows, ("name", "product"), scores) if rows else None,
        "triplets": _table(triplets, ("name",), errors) if triplets else None,
        "truth": table_view([row | {"method": row["name"]} for row in of_truth], AGAINST_TRUTH) if of_truth else None,
    }


def inside_cells(data: ReportData) -> SectionValues | None:
    """Stations of one coarse cell against each other: what is left when the cell's own value is taken out."""
    rows = data.rows("inside cells")
    if not rows:
        return None
    scores = {"R static": ("R static", 2), "R dynamic": ("R dynamic", 2), "slope": ("slope", 2), "gain": ("gain, %", 1)}
    return {"table": _table(rows, ("maps",), scores)}


def _table(rows: Sequence[Row], names: Sequence[str], scores: Columns) -> TableView:
    """The first name and the scores with their intervals, which a phone shows without scrolling; then the other names
    and the counts that any row has. ``intervals`` of a row are [low, high] by score."""
    flat = [row | _ends(row) | {"method": row[names[0]]} for row in rows]
    shown = [key for key in ("days of", *scores, *names[1:], *COUNTS, "note")
             if any(row.get(key) not in (None, "") for row in rows)]  # fmt: skip
    columns: Columns = {key: (scores.get(key, (key, 0))[0], 0) for key in (names[0], *shown)}
    return table_view(flat, columns, {key: digits for key, (_, digits) in scores.items()})


def _ends(row: Row) -> Row:
    return {f"{name} {end}": value for name, ends in row.get("intervals", {}).items()
            for end, value in zip(("low", "high"), ends, strict=True)}  # fmt: skip
