"""The picture of a report for the docs: its page at a desk and on a phone, by a headless Chromium.

    python bench/report_picture.py demo/report/index.html docs/report.png                            # the top of it
    python bench/report_picture.py build/report_peers/report/index.html docs/report_peers.png peers  # one section

The report of `make demo`, or any other. Needs Chromium (`apt-get install chromium`); nothing goes to the network.
"""

from __future__ import annotations

import html
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

DESK, PHONE, HEIGHT = 1300, 400, 1500  # px
EDGE = 24  # px around and between the two
COLOURS = 256  # of the palette: the file stays small
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def shot(page: str, width: int, work: Path) -> Image.Image:
    """The top of the page in a frame of ``width``: a window of Chromium itself is not narrower than about 500 px."""
    program = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if program is None:
        raise SystemExit("no Chromium on this machine: apt-get install chromium")
    frame = f'<iframe style="border:0;width:{width}px;height:{HEIGHT}px" srcdoc="{html.escape(page)}"></iframe>'
    source, target = work / f"{width}.html", work / f"{width}.png"
    source.write_text(f'<meta charset="utf-8"><body style="margin:0">{frame}')
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
               "--hide-scrollbars", "--virtual-time-budget=10000", f"--user-data-dir={work / 'profile'}",
               f"--window-size={max(width, 500)},{HEIGHT}", f"--screenshot={target}"]  # fmt: skip
    subprocess.run([program, *options, source.as_uri()], check=True, capture_output=True, timeout=300)
    return Image.open(target).convert("RGB").crop((0, 0, width, HEIGHT))


def only(page: str, section: str) -> str:
    """The page with nothing but the section of that key."""
    style = (
        f"<style>header, nav, main > * {{display: none}} main > section:has(> h2#{section}) {{display: block}}</style>"
    )
    return page.replace("</head>", f"{style}</head>")


def main(page: Path, to: Path, section: str = "") -> None:
    text = only(page.read_text(), section) if section else page.read_text()
    with tempfile.TemporaryDirectory() as folder:
        pictures = [shot(text, width, Path(folder)) for width in (DESK, PHONE)]
    sheet = Image.new("RGB", (DESK + PHONE + 3 * EDGE, HEIGHT + 2 * EDGE), "#d5dcde")
    for left, picture in zip((EDGE, DESK + 2 * EDGE), pictures, strict=True):
        sheet.paste(picture, (left, EDGE))
    sheet.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(to, optimize=True)
    print(f"{to}: {sheet.width} x {sheet.height} px, {to.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:4])
