"""The tables of scores in the docs, from what the benchmarks wrote to bench/results.

    python bench/docs_tables.py [--check]

A table stands in its page between the lines ``<!-- table NAME -->`` and ``<!-- end -->``. This command writes it anew;
with --check it writes nothing and names the pages whose tables are not what the results give. What the text around a
table says of its numbers is not changed: read it again.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from provenance import ROOT

DOCS = ROOT / "docs"
RESULTS = ROOT / "bench" / "results"
TABLE = re.compile(r"<!-- table (\w+) -->\n(?:(?!<!-- ).)*<!-- end -->", re.DOTALL)
Scores = Mapping[str, Any]

PARTS = (
    "networks", "one member", "13 stations in one cell", "without regional slopes", "without last layer",
    "without either: the prior", "without the update", "without texture", "without texture, relief, water",
    "without reflectance", "without SWIR", "without NDVI", "without brightness", "without LST", "without today's LST",
    "without the fast memory", "without the slow memory", "without rain", "1 day without observations",
    "3 days without observations", "10 days without observations", "10 days without, and no LST",
)  # fmt: skip
STRENGTHS = {
    "last layer of 0.003": "last layer of 0.003", "networks": "last layer of 0.01 (default)",
    "last layer of 0.03": "last layer of 0.03", "level of 0.01, pattern of 0.003": "level of 0.01, pattern of 0.003",
    "level of 0.03, pattern of 0.003": "level of 0.03, pattern of 0.003",
    "drawn back where members disagree": "drawn back where members disagree",
}  # fmt: skip
UNOBSERVED = {
    "no observation in reach, not told what is usual": "not told what is usual", "no observation in reach": "told",
    "networks": "with the record's observations",
}  # fmt: skip
WHOLE_WORLDS = (
    "reference", "update-none", "update-exact", "box", "stations", "alone", "own-value", "own-value-none", "no-bias",
    "no-physics", "ridge",
)  # fmt: skip
DAYS_AHEAD = {"networks": "none", "1 day ahead": "1", "3 days ahead": "3", "6 days ahead": "6"}
AT_STATIONS = (
    "undownscaled", "LST of the day", "LST memory, 4 d", "LST memory, 30 d", "LST memory, 90 d", "LST memory, 365 d",
    "ridge, no static maps", "ssm_net, prior", "ssm_net, adapted", "ssm_net without texture, NDVI, prior",
    "ssm_net without texture, NDVI, adapted",
)  # fmt: skip
OF_A_PART = {"RMSE": 4, "RMSE inside": 4, "R inside": 3, "RMSE of cells": 4, "in 90 %": 3}


def rows(headings: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [headings, ["---"] * len(headings), *cells]
    return "\n".join("|" + "|".join(f" {c} " if c != "---" else c for c in line) + "|" for line in lines)


def numbers(scores: Scores, decimals: Mapping[str, int]) -> list[str]:
    return [f"{scores[name]:.{n}f}" for name, n in decimals.items()]


def families(results: Path) -> str:
    """A line a family: networks beside bilinear interpolation, slopes and oracle."""
    found = _read(results, "families")
    headings = ("family", "bilinear", "regional slopes alone", "networks", "oracle", "/ bilinear",
                "of the oracle's gain", "R inside cells", "/ oracle", "in 68 %", "in 90 %")  # fmt: skip
    lines = []
    for family, scores in {**found["families"], "all": found["all"]}.items():
        bilinear, slopes, ours, oracle = (
            scores[name]["RMSE"] for name in ("bilinear", "regional slopes alone", "networks", "oracle")
        )
        inside, its_inside = scores["networks"]["R inside"], scores["oracle"]["R inside"]
        gain = (bilinear - ours) / (bilinear - oracle)
        lines.append([
            family, *(f"{v:.4f}" for v in (bilinear, slopes, ours, oracle)), f"{ours / bilinear:.2f}", f"{gain:.2f}",
            f"{inside:.3f}", f"{inside / its_inside:.2f}", *numbers(scores["networks"], {"in 68 %": 3, "in 90 %": 3}),
        ])  # fmt: skip
    return rows(headings, lines)


def parts(results: Path) -> str:
    """A line for each part of the method or input that is left out."""
    every = _read(results, "families")["all"]
    headings = ("", "RMSE", "inside cells", "R inside", "of cells", "in 90 %", "stated error")
    return rows(headings, [[name, *numbers(every[name], OF_A_PART | {"stated error": 4})] for name in PARTS])


def unobserved(results: Path) -> str:
    """RMSE and what 90 % intervals hold by family, where no observation is in reach."""
    found = _read(results, "unobserved")
    families = {**found["families"], "all": found["all"]}
    lines = []
    for name, said in UNOBSERVED.items():
        of = [scores[name] for scores in families.values()]
        lines.append([f"{said}: RMSE", *(f"{scores['RMSE']:.4f}" for scores in of)])
        lines.append([f"{said}: in 90 %", *(f"{scores['in 90 %']:.3f}" for scores in of)])
    return rows(("", *families), lines)


def strengths(results: Path) -> str:
    """A line for each strength of the prior of the last layer."""
    every = _read(results, "families")["all"]
    headings = ("", "RMSE", "inside cells", "R inside", "of cells", "in 90 %")
    return rows(headings, [[said, *numbers(every[name], OF_A_PART)] for name, said in STRENGTHS.items()])


def lookahead(results: Path) -> str:
    """RMSE by days ahead and family."""
    found = _read(results, "lookahead-learned")
    headings = ("RMSE in family", *found["families"], "all", "cloudy", "in orbit gaps")
    lines = []
    for name, days in DAYS_AHEAD.items():
        by_family = [f"{scores[name]['RMSE']:.4f}" for scores in found["families"].values()]
        said = "near real time" if name == "networks" else f"{days} day{'s' * (days != '1')} ahead"
        together = numbers(found["all"][name], {"RMSE": 4, "RMSE, cloudy": 4, "RMSE, gap": 4})
        lines.append([said, *by_family, *together])
    return rows(headings, lines)


def lookahead_parts(results: Path) -> str:
    """Scores of all families by days ahead."""
    every = _read(results, "lookahead-learned")["all"]
    headings = ("days ahead", "RMSE", "inside cells", "of cells", "under cloud", "in orbit gaps",
                "in the 90 % interval")  # fmt: skip
    wanted = {"RMSE": 4, "RMSE inside": 4, "RMSE of cells": 4, "RMSE, cloudy": 4, "RMSE, gap": 4, "in 90 %": 3}
    return rows(headings, [[days, *numbers(every[name], wanted)] for name, days in DAYS_AHEAD.items()])


def ground(results: Path) -> str:
    """A line a method at the stations of one cell."""
    lines, found = [], _read(results, "ground")["methods"]
    for name, scores in ((name, found[name]) for name in AT_STATIONS):
        if scores.get("sub-grid r") is None:
            lines.append([name, "", f"{scores['RMSE']:.4f}", "0", ""])
            continue
        (low, high), (least, most) = scores["sub-grid r, 95 %"], scores["gain, 95 %"]
        seasons = ", ".join(f"{scores['gain by season'][s]:.1f}" for s in ("DJF", "MAM", "JJA", "SON"))
        r, bold = _short(scores["sub-grid r"], 3), "**" if name == "ssm_net, adapted" else ""
        name, r, rmse, gain = (
            f"{bold}{text}{bold}" for text in (name, r, f"{scores['RMSE']:.4f}", f"{scores['gain']:+.1f}")
        )
        ranges = f"[{_short(low, 2)}, {_short(high, 2)}]", f"[{least:.1f}, {most:.1f}]"
        lines.append([name, f"{r} {ranges[0]}", rmse, f"{gain} {ranges[1]}", seasons])
    return rows(("method", "sub-grid r", "RMSE", "gain, %", "DJF, MAM, JJA, SON"), lines)


def ground_parts(results: Path) -> str:
    """A line for each kind of feature that the networks do without at the stations of one cell."""
    lines, found = [], _read(results, "ground-ablations")["methods"]
    ours = [name for name in found if name.startswith(("without", "network "))]  # the others are baselines
    for name in ("ssm_net", *ours):
        scores = found[name]
        (low, high), (least, most) = scores["sub-grid r, 95 %"], scores["gain, 95 %"]
        seasons = ", ".join(f"{scores['gain by season'][s]:.1f}" for s in ("DJF", "MAM", "JJA", "SON"))
        parts = (f"{_short(scores[part], 3)}" for part in ("static r", "dynamic r"))
        lines.append([
            "as they are" if name == "ssm_net" else name,
            f"{_short(scores['sub-grid r'], 3)} [{_short(low, 2)}, {_short(high, 2)}]", *parts,
            f"{scores['gain']:+.1f} [{least:.1f}, {most:.1f}]", seasons,
        ])  # fmt: skip
    return rows(("networks", "sub-grid r", "static r", "dynamic r", "gain, %", "DJF, MAM, JJA, SON"), lines)


def ablations(results: Path) -> str:
    """RMSE by family, of whole worlds, for each thing that is done otherwise."""
    found = _read(results, "ablations")
    families = found["families"]
    lines = []
    for name in WHOLE_WORLDS:
        what = found["variants"][name]
        of = [scores["scores"].get(name, {}).get("RMSE", {}).get("mean") for scores in families.values()]
        lines.append([what, *(f"{v:.4f}" if v is not None else "" for v in of)])
    return rows(("RMSE in family", *families), lines)


def basins(results: Path) -> str:
    """A line a family: what 90 % intervals of basin means hold, and the error over the stated one, part by part."""
    found = _read(results, "basin_worlds")
    headings = ("family", "held of 90 %", "95 % interval over worlds", "in the worst world", "pixel", "inside cells",
                "shared by a cell", "region")  # fmt: skip
    lines = []
    for family, scores in {**found["coverage of 90 % intervals"], "all": found["all families"]}.items():
        low, high = scores["95 % interval"]
        parts = (f"{scores['error over stated error'][part]:.2f}" for part in ("pixel", "inside", "cell", "region"))
        lines.append([family, f"{scores['all']:.0%}", f"{low:.0%} to {high:.0%}", f"{scores['least']:.0%}", *parts])
    return _spaced(rows(headings, lines))


def basin_ranges(results: Path) -> str:
    """A line a distance over which cells share errors: what 90 % intervals hold with it, by family."""
    found = _read(results, "basin_worlds")
    families = {**found["coverage of 90 % intervals"], "all": found["all families"]}
    chosen = found["range of cells chosen by the other families"]
    ranges = sorted(families["all"]["by range"], key=lambda name: float(name.split()[0]))
    lines = [[name, *(f"{scores['by range'][name]:.0%}" for scores in families.values())] for name in ranges]
    lines.append(["chosen by the others", *(f"{chosen[family]['range']}: {chosen[family]['all']:.0%}"
                                            for family in families if family in chosen), ""])  # fmt: skip
    return _spaced(rows(("range", *families), lines))


def _spaced(table: str) -> str:
    return table.replace("%", " %").replace("  %", " %")


def skill(results: Path) -> str:
    """A line a family, of worlds that went through files."""
    headings = ("family", "bilinear", "ridge", "networks", "oracle", "/ bilinear", "of the oracle's gain",
                "R inside cells", "/ oracle", "in 68 %", "in 90 %")  # fmt: skip
    lines = []
    for family, scores in _read(results, "skill-small")["families"].items():
        of = {
            method: {score: value["mean"] for score, value in scores["scores"][method].items()}
            for method in ("bilinear", "ridge", "network", "oracle")
        }
        bilinear, ours, oracle = (of[method]["RMSE"] for method in ("bilinear", "network", "oracle"))
        inside, its_inside = of["network"]["sub-grid R"], of["oracle"]["sub-grid R"]
        lines.append([
            family, *(f"{s['RMSE']:.4f}" for s in of.values()), f"{ours / bilinear:.2f}",
            f"{(bilinear - ours) / (bilinear - oracle):.2f}", f"{inside:.3f}", f"{inside / its_inside:.2f}",
            *numbers(of["network"], {"coverage 68": 3, "coverage 90": 3}),
        ])  # fmt: skip
    return rows(headings, lines)


TABLES: dict[str, Callable[[Path], str]] = {
    "families": families, "skill": skill, "parts": parts, "strengths": strengths, "lookahead": lookahead,
    "lookahead_parts": lookahead_parts, "ground": ground, "ground_parts": ground_parts, "ablations": ablations,
    "basins": basins, "basin_ranges": basin_ranges, "unobserved": unobserved,
}  # fmt: skip


def renewed(text: str, results: Path) -> str:
    """A page with its tables as the results give them. Raises ``SystemExit`` where one is not known."""

    def table(found: re.Match[str]) -> str:
        name = found[1]
        if name not in TABLES:
            raise SystemExit(f"no table {name}: they are {', '.join(TABLES)}")
        return f"<!-- table {name} -->\n\n{TABLES[name](results)}\n\n<!-- end -->"

    return TABLE.sub(table, text)


def pages() -> list[Path]:
    """The pages that hold such tables."""
    return [page for page in sorted(DOCS.rglob("*.md")) if TABLE.search(page.read_text(encoding="utf-8"))]


def _read(results: Path, name: str) -> Any:
    return json.loads((results / f"{name}.json").read_text(encoding="utf-8"))


def _short(value: float, decimals: int) -> str:
    """A correlation without the 0 before its point."""
    return f"{value:.{decimals}f}".replace("0.", ".", 1)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a table is another")
    check, stale = parser.parse_args(argv).check, []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if (new := renewed(text, RESULTS)) != text:
            stale.append(page)
            if not check:
                page.write_text(new, encoding="utf-8")
    for page in stale:
        print(f"{page.relative_to(ROOT)}: its tables {'are not those of' if check else 'are written anew from'} "
              "bench/results")  # fmt: skip
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
