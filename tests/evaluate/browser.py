"""A headless Chromium: pictures, PDFs and measures of a page, at any width."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MEASURE = """<script>addEventListener("load", () => setTimeout(() => {
const page = document.querySelector("iframe").contentDocument, root = page.documentElement;
const right = (e) => e.getBoundingClientRect().right;
const boxes = [...page.querySelectorAll("table")].map((t) => ({
  columns: t.rows[0].cells.length, right: Math.max(...[...t.rows[0].cells].map(right)),
  scrolls: getComputedStyle(t.parentElement).overflowX == "auto"}));
const pictures = [...page.images].filter((i) => i.offsetWidth).map((i) => ({
  right: right(i), width: i.offsetWidth, natural: i.naturalWidth, text: getComputedStyle(i).display}));
document.title = "measured";
document.body.innerHTML = "<pre>" + JSON.stringify({width: root.scrollWidth, tables: boxes, pictures,
  small: [...page.querySelectorAll("p, td, small, span.label")].map((e) => parseFloat(getComputedStyle(e).fontSize))
    .reduce((a, b) => Math.min(a, b), 99), height: root.scrollHeight}) + "</pre>";
}, 300));</script>"""


def chromium() -> str | None:
    """The program, or None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def run(work: Path, *options: str) -> str:
    """What Chromium prints with a profile of its own; nothing goes to the network."""
    command = [str(chromium()), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
               "--no-first-run", "--hide-scrollbars", f"--user-data-dir={work / 'profile'}",
               "--virtual-time-budget=10000", *options]  # fmt: skip
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


def framed(page: str, work: Path, width: int, height: int, measure: bool = False) -> Path:
    """A page that shows ``page`` in a frame of ``width``: a window of Chromium is not narrower than about 500 px."""
    frame = f'<iframe style="border:0;width:{width}px;height:{height}px" srcdoc="{html.escape(page)}"></iframe>'
    path = work / f"frame-{width}.html"
    path.write_text(f'<meta charset="utf-8"><body style="margin:0">{frame}{MEASURE if measure else ""}')
    return path


def measures(page: str, work: Path, width: int) -> dict:
    """Width and height of the page's content in a frame of ``width``, right edges of tables and pictures."""
    dom = run(work, "--window-size=1400,1000", "--dump-dom", framed(page, work, width, 1000, measure=True).as_uri())
    found = re.search(r"<pre>(.*?)</pre>", dom, re.DOTALL)
    assert found, "the page was not measured"
    return json.loads(html.unescape(found[1]))


def picture(page: str, work: Path, width: int, height: int) -> Path:
    """The top of the page in a frame of ``width``, as a PNG file."""
    path = work / f"page-{width}.png"
    run(work, f"--window-size={max(width, 500)},{height}", f"--screenshot={path}",
        framed(page, work, width, height).as_uri())  # fmt: skip
    return path


def printed(page: Path, work: Path) -> Path:
    """The page as a PDF file, as the browser's own print command makes it."""
    path = work / "page.pdf"
    run(work, f"--print-to-pdf={path}", "--no-pdf-header-footer", page.as_uri())
    return path
