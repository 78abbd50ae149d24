"""``report.json`` holds every number of the page, also of sections that only some evaluations have."""

import json
import re
from dataclasses import replace

import pytest

from ssm_net.evaluate.report import peer_sections
from ssm_net.evaluate.report.page import environment
from ssm_net.evaluate.report.sections import ReportData, Section

CELL = re.compile(r"<td[^>]*>(.*?)</td>")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
ONE = re.compile(rf"{NUMBER.pattern}(?: \({NUMBER.pattern}\sto\s{NUMBER.pattern}\))?")  # with its interval or without
# Made up, in the form of the scores of other products.
PEER = {"name": "spl", "product": "SPL2SMAP_S 1 km", "days of": "spl", "stations": 12, "footprints": 5, "days": 181,
        "R": 0.61, "ubRMSE": 0.055, "bias": 0.01, "G": None, "note": "",
        "intervals": {"R": [0.42, 0.7], "ubRMSE": [0.05, 0.062]}}  # fmt: skip
INSIDE = {"maps": "ssm_net", "cells": 2, "stations": 26, "days of": "", "R static": 0.31, "R dynamic": 0.17,
          "slope": 0.4, "gain": 1.2, "intervals": {"R static": [-0.2, 0.6]}}  # fmt: skip


def numbers_of(value) -> list[float]:
    if isinstance(value, dict):
        return [n for v in value.values() for n in numbers_of(v)]
    if isinstance(value, list):
        return [n for v in value for n in numbers_of(v)]
    return [float(value)] if isinstance(value, int | float) else []


def test_every_number_of_every_table_is_in_the_file(report_folder):
    page = (report_folder / "index.html").read_text().replace("\u2212", "-")
    stored = json.loads((report_folder / "report.json").read_text())
    numbers = numbers_of(stored)
    by_digits = {d: {f"{round(n, d) + 0.0:.{d}f}" for n in numbers} for d in range(5)}
    cells = [text for text in CELL.findall(page) if ONE.fullmatch(text)]
    assert len(cells) > 100 and any("(" in text for text in cells)
    for text in cells:
        for number in NUMBER.findall(text):
            assert number in by_digits[len(number.partition(".")[2])], text
    titles = re.findall(r'<h2 id="(\w+)">', page)
    assert [s["key"] for s in stored["sections"]] == titles
    assert {row["question"] for row in stored["answers"]} == {"better", "where", "when", "how much", "how sure"}
    series = next(s for s in stored["sections"] if s["key"] == "series")["content"]["figure"]
    assert len(series["days"]) == 14 == len(series["points"][0]["series"]["ssm_net"])


@pytest.mark.parametrize(
    ("key", "rows", "make", "words"),
    [
        ("peers", [PEER], peer_sections.peers, ("SPL2SMAP_S 1 km", "0.61 (0.42 to 0.70)", "181")),
        ("inside_cells", [INSIDE], peer_sections.inside_cells, ("0.31 (\u22120.20 to 0.60)", "0.17", "26", "1.2")),
    ],
)
def test_other_products_and_the_inside_of_cells_are_shown_where_they_were_scored(key, rows, make, words):
    data = ReportData({key.replace("_", " "): rows}, None, [], None)  # type: ignore[arg-type]
    values = make(data)
    section = Section(key, key, "", values)
    html = environment().get_template(section.templates[0]).render(section=section).replace("\u00a0", " ")
    assert all(word in html for word in words)
    assert values["table"].numbers[0]["R low" if key == "peers" else "R static low"] in (0.42, -0.2)
    assert make(replace(data, out={})) is None
