"""``report.json``: every number that the page shows, section by section, with more digits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ssm_net.evaluate.report.sections import Section
from ssm_net.evaluate.report.views import CardView, FigureView, TableView

FROM_SCORES = ("domain", "basin", "data", "first", "last", "days", "missing_days", "methods", "pixels_scored",
               "pixels_offered", "notes", "command", "answers")  # fmt: skip


def page_numbers(out: dict[str, Any], sections: Sequence[Section]) -> dict[str, Any]:
    """What opens the page, and of each section its tables, cards and what its figures draw; maps are in the mosaics."""
    return {
        **{key: out[key] for key in FROM_SCORES if key in out},
        "sections": [
            {"key": s.key, "title": s.title, "content": {k: n for k, v in s.values.items() if (n := _numbers(v))}}
            for s in sections
        ],
    }


def _numbers(value: Any) -> Any:
    """The numbers of a piece of the page; empty for text and for pictures without any."""
    if isinstance(value, TableView):
        return list(value.numbers)
    if isinstance(value, CardView):
        return value.numbers
    if isinstance(value, FigureView):
        return dict(value.numbers)
    if isinstance(value, list | tuple):
        return [n for v in value if (n := _numbers(v))]
    if isinstance(value, dict):
        return {k: n for k, v in value.items() if (n := _numbers(v))}
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
