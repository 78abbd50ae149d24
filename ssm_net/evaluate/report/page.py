"""The report's page: one HTML file from a Jinja2 template, with its figures inside and nothing from the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from jinja2 import Environment, PackageLoader, StrictUndefined

from ssm_net.evaluate.daily_pass import Evaluation
from ssm_net.evaluate.metrics.algebra import UNIT, Scorecard
from ssm_net.evaluate.referees.stations import StationRow
from ssm_net.evaluate.report import figures, sections
from ssm_net.evaluate.report.sections import ReportData, SectionValues
from ssm_net.version import __version__


@dataclass(frozen=True)
class Section:
    """A section of the page. ``templates`` are tried in turn; ``values`` are what they show."""

    key: str
    title: str
    about: str
    values: SectionValues

    @property
    def templates(self) -> list[str]:
        return [f"sections/{self.key}.html.jinja", "sections/score_table.html.jinja"]


def render(out: dict[str, Any], result: Evaluation, stations: Sequence[StationRow], scorecard: Scorecard) -> str:
    """The page as text. ``out`` is what ``evaluate`` returns; the figures come from ``result``."""
    data = ReportData(out, result, stations)
    with mpl.rc_context(figures.STYLE):
        content = list(all_sections(data, scorecard))
    return environment().get_template("page.html.jinja").render(
        out=out,
        sections=content,
        key_numbers=sections.key_numbers(data),
        missing_days=sections.missing_days(data),
        unit=UNIT,
        version=__version__,
    )  # fmt: skip


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
    "coarse": ("Coarse observation", sections.coarse),
    "breaks": ("Change of sensor", sections.breaks),
    "lags": ("Days of the inputs", sections.lags),
    "coverage": ("Coverage", sections.coverage),
    "provenance": ("Provenance", sections.provenance),
}


def all_sections(data: ReportData, scorecard: Scorecard) -> Iterator[Section]:
    """The sections that have data: the tables of the scorecard, with maps and series after the first, then the rest."""
    for number, table in enumerate(scorecard.tables):
        if table.key == "calibration":
            values = sections.calibration(data)
        else:
            make = {"truth": sections.truth, "texture": sections.texture}.get(table.key, sections.score_table)
            values = make(data, table)
        if values:
            yield Section(table.key, table.title, table.about, values)
        if number == 0:
            yield from _others(data, "maps", "series")
    yield from _others(data, "stations", "coarse", "breaks", "lags", "coverage", "provenance")


def _others(data: ReportData, *keys: str) -> Iterator[Section]:
    for key in keys:
        title, make = TITLES[key]
        if values := make(data):
            yield Section(key, title, "", values)
