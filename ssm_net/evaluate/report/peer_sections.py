"""What the sections on other products and on the inside of coarse cells show; None where they were not scored."""

from __future__ import annotations

from ssm_net.evaluate.metrics.algebra import UNIT
from ssm_net.evaluate.report.sections import ReportData, SectionValues
from ssm_net.evaluate.report.views import Columns, table_view


def peers(data: ReportData) -> SectionValues | None:
    """A row a product: the medians over stations of it, of the maps and of the coarse product, at the same pairs."""
    rows = data.rows("peers")
    if not rows:
        return None
    columns: Columns = {key: (key, 0) for key in ("name", "product", "stations", "days", "R")}
    columns |= {"ubRMSE": (f"ubRMSE, {UNIT}", 0), "bias": (f"bias, {UNIT}", 0), "G": ("G", 0)}
    return {"table": table_view(rows, columns, {"R": 2, "ubRMSE": 3, "bias": 3, "G": 2})}


def inside_cells(data: ReportData) -> SectionValues | None:
    """Stations of one coarse cell against each other: what is left when the cell's own value is taken out."""
    rows = data.rows("inside cells")
    if not rows:
        return None
    columns: Columns = {"maps": ("maps", 0), "cells": ("cells", 0), "stations": ("stations", 0)}
    columns |= {key: (key, 0) for key in ("R static", "R dynamic", "slope", "gain")}
    return {"table": table_view(rows, columns, {"R static": 2, "R dynamic": 2, "slope": 2, "gain": 2})}
