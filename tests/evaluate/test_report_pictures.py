"""The page in a real browser: on a phone nothing scrolls sideways, on paper no column is cut, pictures are drawn."""

import re
import shutil
import subprocess
from pathlib import Path

import browser
import matplotlib.image as mpimg
import numpy as np
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.chromium() is None, reason="no Chromium on this machine (apt-get install chromium)"),
]
PHONE, DESK, PAPER = 400, 1300, 703  # px: a phone, a desk, A4 without its margins of 12 mm


@pytest.fixture(scope="module")
def html(report_folder: Path) -> str:
    return (report_folder / "index.html").read_text()


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_the_page_never_scrolls_sideways_and_wide_tables_do(html, tmp_path, width):
    got = browser.measures(html, tmp_path, width)
    assert got["width"] <= width
    assert got["tables"] and all(t["right"] <= width or t["scrolls"] for t in got["tables"])
    assert len(got["pictures"]) == 3 * 8 + 5 + 1
    assert all(0 < p["right"] <= width and p["natural"] > 200 for p in got["pictures"])
    assert got["small"] >= 11  # px


def test_on_a_phone_figures_are_those_drawn_for_it(html, tmp_path):
    """A figure drawn 9.5 inches wide is unreadable at 370 px: there the narrow one stands, and it is not enlarged."""
    narrow = [p["natural"] for p in browser.measures(html, tmp_path, PHONE)["pictures"]]
    wide = [p["natural"] for p in browser.measures(html, tmp_path, DESK)["pictures"]]
    assert max(narrow) < 800 < max(wide)


def test_on_paper_no_column_is_cut(html, report_folder, tmp_path):
    on_screen = html.replace("@media print {", "@media all {")
    got = browser.measures(on_screen, tmp_path, PAPER)
    assert got["width"] <= PAPER
    assert all(t["right"] <= PAPER + 0.5 and not t["scrolls"] for t in got["tables"])
    assert max(t["columns"] for t in got["tables"]) > 10  # there is a wide table to be cut
    pdf = browser.printed(report_folder / "index.html", tmp_path)
    pages = len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes()))
    assert 3 <= pages <= 20
    if shutil.which("pdftotext"):  # poppler-utils, where it is installed: every heading is on the paper
        text = subprocess.run(["pdftotext", "-bbox", str(pdf), "-"], check=True, capture_output=True, text=True).stdout
        edges = [float(x) for x in re.findall(r'xMax="([\d.]+)"', text)]
        sheet = float(re.search(r'<page width="([\d.]+)"', text)[1])  # type: ignore[index]
        assert edges and max(edges) < sheet


def test_the_top_of_the_page_is_drawn(html, tmp_path):
    """Pictures of a phone and of a desk differ in size, and both hold more than an empty page."""
    for width, height in ((PHONE, 900), (DESK, 900)):
        pixels = mpimg.imread(browser.picture(html, tmp_path, width, height))[:, :width, :3]
        assert pixels.shape == (height, width, 3)
        assert (pixels.std((0, 1)) > 0.1).all() and len(
            np.unique((pixels * 15).astype(int).reshape(-1, 3), axis=0)
        ) > 30
