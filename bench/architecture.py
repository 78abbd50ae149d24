"""The picture of the architecture page: packages as boxes in the order of the import contracts, imports as arrows.

    python bench/architecture.py [docs/architecture.svg]

The order is read from the layers of the import-linter contracts in pyproject.toml, the imports from the code (grimp). A
number at an arrow counts the pairs of modules that import each other across two packages. Packages that nearly all
others rest on (config, core, grid, errors, version) get no arrows: the numbers are in the box of the importer. The
counts are in the file's metadata too, so that a test can tell whether the picture is up to date.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections import Counter
from pathlib import Path

import matplotlib as mpl
import numpy as np
from grimp import build_graph
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "architecture.svg"
FOUNDATION = ("core", "config", "footprint", "grid", "dateline", "errors", "version")
FACE = ("ssm_net", "cli")  # what only passes on: the public names, the command
WIDTH, HEIGHT = 1.75, 0.62  # of a box, in units of the picture
COLOURS = {-1: "#dbe9f6", 0: "#e8f3e1", 1: "#fbe9d0"}  # network side, shared, granule side
INK = "#33414e"
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "ssm_net", "font.family": "sans-serif", "font.size": 9}

BENDS = (0.0, 0.12, -0.12, 0.2, -0.2, 0.3, -0.3, 0.4, -0.4)

Counts = dict[str, int]  # "importer > imported" to pairs of modules
Point = tuple[float, float]


def imports() -> Counts:
    """ "importer > imported" of two packages to the number of pairs of modules, without imports for types only."""
    graph = build_graph("ssm_net", cache_dir=None, exclude_type_checking_imports=True)

    def package(module: str) -> str:
        return ".".join(module.split(".")[1:2]) or "ssm_net"

    pairs = Counter(
        (package(module), package(other))
        for module in graph.modules
        for other in graph.find_modules_directly_imported_by(module)
    )
    return {f"{a} > {b}": n for (a, b), n in sorted(pairs.items()) if a != b}


def layers() -> list[list[list[str]]]:
    """The layer contracts of pyproject.toml, top to bottom: packages that share a layer in one list."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return [
        [[name.strip().removeprefix("ssm_net.") for name in re.split("[|:]", layer)] for layer in c["layers"]]
        for c in contracts
        if c["type"] == "layers"
    ]


def places(contracts: list[list[list[str]]]) -> dict[str, tuple[float, float]]:
    """Centre of each package's box: as high as the contracts order it, left and right what one contract names alone."""
    below: dict[str, set[str]] = {}
    for contract in contracts:
        for upper, lower in zip(contract, [*contract[1:], []], strict=True):
            for name in upper:
                below.setdefault(name, set()).update(lower)

    def height(name: str) -> int:
        return 1 + max((height(other) for other in below[name]), default=-1)

    named = [{name for layer in contract for name in layer} for contract in contracts]
    rows: dict[tuple[int, int], list[str]] = {}
    for name in below:
        side = 0 if all(name in names for names in named) else -1 if name in named[0] else 1
        rows.setdefault((height(name), side), []).append(name)
    return {
        name: (
            side * 4.3 + (i - (len(names) - 1) / 2) * 2.1 + (side * (row % 2 - 0.5) * 1.5 if len(names) == 1 else 0),
            row * 1.2,
        )
        for (row, side), names in rows.items()
        for i, name in enumerate(names)
    }


def box(ax: Axes, name: str, at: tuple[float, float], counts: Counts, colour: str) -> None:
    """One package, with what it imports of the foundation."""
    x, y = at
    ax.add_patch(
        FancyBboxPatch((x - WIDTH / 2, y - HEIGHT / 2), WIDTH, HEIGHT, boxstyle="round,pad=0.02,rounding_size=0.08",
                       facecolor=colour, edgecolor=INK, linewidth=0.9, zorder=3)
    )  # fmt: skip
    rest = [f"{other} {counts[key]}" for other in FOUNDATION if (key := f"{name} > {other}") in counts]
    lines = [" · ".join(rest[:3]), " · ".join(rest[3:])]
    ax.text(x, y + (0.1 if rest else 0), name, ha="center", va="center", weight="bold", color=INK, zorder=4)
    ax.text(x, y - 0.14, "\n".join(filter(None, lines)), ha="center", va="center", size=5.8, color=INK, zorder=4)


def curve(start: Point, end: Point, bend: float) -> np.ndarray:
    """41 points, (41, 2), of the arrow that matplotlib draws as ``arc3,rad=bend``."""
    (x0, y0), (x1, y1) = start, end
    middle = np.array([(x0 + x1) / 2 + bend * (y1 - y0), (y0 + y1) / 2 - bend * (x1 - x0)])
    t = np.linspace(0, 1, 41)[:, None]
    return (1 - t) ** 2 * np.array(start) + 2 * t * (1 - t) * middle + t**2 * np.array(end)


def inside(points: np.ndarray, boxes: list[Point]) -> int:
    """How many of the points lie in a box."""
    return sum(int(((abs(points - np.array(b)) < (WIDTH / 2 + 0.05, HEIGHT / 2 + 0.05)).all(1)).sum()) for b in boxes)


def arrow(ax: Axes, start: Point, end: Point, count: int, boxes: list[Point], labels: list[Point]) -> None:
    """One arrow from importer to imported, bent as little as lets it pass beside ``boxes``; its count stands where it
    is farthest from other ``labels``, to which it is added."""
    tail, head = (start[0], start[1] - HEIGHT / 2), (end[0], end[1] + HEIGHT / 2)
    bend = min(BENDS, key=lambda b: (inside(curve(tail, head, b)[2:-2], boxes), abs(b)))
    ax.add_patch(
        FancyArrowPatch(tail, head, connectionstyle=f"arc3,rad={bend}", arrowstyle="-|>", mutation_scale=8,
                        color="#8b97a2", linewidth=0.5 + count / 10, zorder=1, shrinkA=1, shrinkB=1)
    )  # fmt: skip
    free = [p for p in curve(tail, head, bend)[8:32] if not inside(p[None], boxes)] or [curve(tail, head, bend)[20]]
    x, y = max(free, key=lambda p: min((float(np.hypot(*(p - q))) for q in labels), default=0.0))
    labels.append((float(x), float(y)))
    ax.text(x, y, str(count), ha="center", va="center", size=6.5, color=INK, zorder=2,
            bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none"})  # fmt: skip


def draw(counts: Counts) -> Figure:
    """The picture, without what only passes on (the public names, the command)."""
    at = {name: place for name, place in places(layers()).items() if name not in FACE}
    figure = Figure(figsize=(9.2, 8.8))
    ax = figure.add_axes((0, 0, 1, 1))
    for name, (x, y) in at.items():
        box(ax, name, (x, y), counts, COLOURS[(x > 2.6) - (x < -2.6)] if name not in FOUNDATION else "#eeeeee")
    labels: list[Point] = []
    for key, count in counts.items():
        a, b = key.split(" > ")
        if a in at and b in at and b not in FOUNDATION:
            arrow(ax, at[a], at[b], count, list(at.values()), labels)
    xs, ys = zip(*at.values(), strict=True)
    ax.set_xlim(min(xs) - 1.0, max(xs) + 1.0)
    ax.set_ylim(min(ys) - 0.45, max(ys) + 0.45)
    ax.set_aspect("equal")
    ax.set_axis_off()
    return figure


def stored(path: Path) -> Counts:
    """The counts in a picture's metadata."""
    found = re.search(r"<dc:description>(.*?)</dc:description>", path.read_text(), re.S)
    assert found, f"{path} holds no counts"
    return json.loads(found[1].replace("&gt;", ">").replace("&quot;", '"'))


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("picture", type=Path, nargs="?", default=PICTURE)
    path = parser.parse_args(words).picture
    counts = imports()
    with mpl.rc_context(STYLE):
        draw(counts).savefig(path, format="svg", metadata={"Date": None, "Description": json.dumps(counts)})
    print(f"{path}: {sum(counts.values())} imports between {len(counts)} pairs of packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
