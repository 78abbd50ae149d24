"""The report's page: one HTML file from a Jinja2 template, with its figures inside and nothing from the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from jinja2 import Environment, PackageLoader, StrictUndefined

from ssm_net.evaluate.answers.answer import COARSE
from ssm_net.evaluate.metrics.algebra import UNIT, Scorecard
from ssm_net.evaluate.report import figures, peer_sections, sections
from ssm_net.evaluate.report.map_panels import draw_places
from ssm_net.evaluate.report.numbers import page_numbers
from ssm_net.evaluate.report.opening import opening
from ssm_net.evaluate.report.sections import MAP_DPI, ReportData, Section, SectionValues
from ssm_net.evaluate.report.views import FigureView, png_text
from ssm_net.version import __version__


@dataclass(frozen=True)
class Report:
    """The page, and the numbers it shows (``report.json``)."""

    html: str
    numbers: dict[str, Any]


def render(data: ReportData, scorecard: Scorecard) -> Report:
    """The page of an evaluation, and all its numbers."""
    out = data.out
    with mpl.rc_context(figures.STYLE):
        content = list(all_sections(data, scorecard))
        map_of_places = _places(data)
    html = environment().get_template("page.html.jinja").render(
        out=out,
        sections=content,
        questions=opening(out["answers"], bool(out.get("truth") or out.get("stations")), COARSE in out["methods"]),
        places=map_of_places,
        missing_days=sections.missing_days(data),
        unit=UNIT,
        version=__version__,
    )  # fmt: skip
    return Report(html, page_numbers(out, content) | {"places": dict(map_of_places.numbers) if map_of_places else {}})


def _places(data: ReportData) -> FigureView | None:
    """The map of where the maps are better; None where the coarse product was not scored."""
    places = data.places
    if places.cells is None and not places.stations:
        return None
    numbers: dict[str, Any] = {"stations": [
        {"name": name, "lon": lon, "lat": lat, "change": change} for name, (lon, lat, change) in places.stations.items()
    ]}  # fmt: skip
    if places.cells is not None:
        numbers |= {"cells": places.cells.tolist(), "lon": places.lon.tolist(), "lat": places.lat.tolist()}
    caption = "Green: the maps' error is smaller than that of the coarse product; brown: it is larger."
    return FigureView(png_text(draw_places(places), MAP_DPI), "where the maps are better", caption, numbers=numbers)


def environment() -> Environment:
    """Jinja2 with the report's templates; all values are escaped, and an unknown name is an error."""
    return Environment(
        loader=PackageLoader("ssm_net.evaluate.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


TITLES: dict[str, tuple[str, Callable[[ReportData], SectionValues | None]]] = {
    "maps": ("Maps", sections.maps),
    "series": ("Time series", sections.series),
    "stations": ("Stations", sections.stations),
    "peers": ("Other products", peer_sections.peers),
    "inside_cells": ("Inside coarse cells, at stations", peer_sections.inside_cells),
    "coarse": ("Coarse observation", sections.coarse),
    "breaks": ("Change of sensor", sections.breaks),
    "lags": ("Days of the inputs", sections.lags),
    "coverage": ("Coverage", sections.coverage),
    "provenance": ("Provenance", sections.provenance),
}


def all_sections(data: ReportData, scorecard: Scorecard) -> Iterator[Section]:
    """The sections that have data: maps, series, stations, other products, the tables of the scorecard, the rest."""
    yield from _others(data, "maps", "series", "stations", "peers", "inside_cells")
    for table in scorecard.tables:
        if table.key == "calibration":
            values = sections.calibration(data)
        else:
            make = {"truth": sections.truth, "texture": sections.texture}.get(table.key, sections.score_table)
            values = make(data, table)
        if values:
            yield Section(table.key, table.title, table.about, values)
    yield from _others(data, "coarse", "breaks", "lags", "coverage", "provenance")


def _others(data: ReportData, *keys: str) -> Iterator[Section]:
    for key in keys:
        title, make = TITLES[key]
        if values := make(data):
            yield Section(key, title, "", values)
