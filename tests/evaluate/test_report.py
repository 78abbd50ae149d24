"""The report's page: found in an installed package, escaped, and marked for what is best."""

from ssm_net.evaluate.metrics.error import Bias, Correlation
from ssm_net.evaluate.report.page import TITLES, environment
from ssm_net.evaluate.report.tables import format_interval, format_number
from ssm_net.evaluate.report.views import card, table_view


def cells(view):
    return [[cell.text for cell in row.cells] for row in view.rows]


def test_all_templates_are_there_and_compile():
    names = environment().list_templates()
    assert {"page.html.jinja", "style.css.jinja", *(f"sections/{key}.html.jinja" for key in TITLES)} <= set(names)
    for name in names:
        environment().get_template(name)


def test_names_from_files_are_escaped():
    """A station, a folder or a domain may be named as it likes; the page stays as it is."""
    view = table_view([{"method": "ssm_net", "station": "<script>alert(1)</script>"}], {"station": ("station", 0)})
    text = str(environment().get_template("macros.html.jinja").module.table(view))  # type: ignore[attr-defined]
    assert "&lt;script&gt;" in text and "<script>" not in text and 'class="product"' in text


def test_a_card_marks_the_score_nearest_to_its_target():
    rows = [
        {"method": "ssm_net", "stratum": "all", "R": 0.7, "bias": -0.02},
        {"method": "bilinear", "stratum": "all", "R": 0.9, "bias": -0.03},
        {"method": "dispatch", "stratum": "all", "R": None, "bias": None},
    ]
    marked = {}
    for metric in (Correlation(), Bias()):
        view = card(rows, metric)
        marked[metric.name] = [row.cells[0].text for row in view.table.rows if row.cells[1].best]
        assert cells(view.table)[2] == ["dispatch", "–"]
    assert marked == {"R": ["bilinear"], "bias": ["ssm_net"]}


def test_numbers_and_intervals_for_people():
    assert [format_number(v) for v in (None, float("nan"), -0.0001, 7)] == ["–", "–", "0.000", "7"]
    row = {"R": 0.8, "R low": 0.7, "R high": 0.9, "bias": 0.01}
    assert format_interval(row, "R", 2).replace("\u00a0", " ") == "0.80 (0.70 to 0.90)"
    assert format_interval(row, "bias", 2) == "0.01" and format_interval(row, "slope", 2) == "–"
