"""The docs are true: links and files exist, commands are understood, variables and decisions are those of the code."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest
from test_readme import README, ROOT, SCHEMA, TARGETS, composed

from ssm_net.cube.store import FORMAT
from ssm_net.cube.variables import COARSE, FINE
from ssm_net.version import __version__

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TEXT = {str(path.relative_to(ROOT)): path.read_text() for path in PAGES}
INSTALLED = sorted({line for text in TEXT.values() for line in re.findall(r"^ssm-net .*$", text, re.M)})


def result(name: str) -> Any:
    """What a benchmark wrote."""
    return json.loads((ROOT / "bench" / "results" / f"{name}.json").read_text(encoding="utf-8"))


def inline_code(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))


@pytest.mark.parametrize("command", INSTALLED)
def test_the_installed_command_takes_what_is_shown(command: str) -> None:
    verb, *keys = shlex.split(command, comments=True)[1:]
    assert verb in SCHEMA
    composed(verb, keys)


def test_make_targets_of_all_pages_are_there() -> None:
    named = {name for text in TEXT.values() for name in re.findall(r"(?:^    |^|`)make ([a-z]+)(?=[` \n])", text, re.M)}
    assert {"demo", "test", "env", "real", "help", "docs", "check"} <= named <= set(TARGETS)


@pytest.mark.parametrize("page", TEXT)
def test_files_and_links_are_there(page: str) -> None:
    """A reader who follows a link, or looks for a file that is named, finds it."""
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", TEXT[page]) if "://" not in link]
    assert not [link for link in links if not ((ROOT / page).parent / link).exists()]
    paths = [code for code in inline_code(TEXT[page]) if re.match(r"(docs|conf|bench|tests|ssm_net)/[\w/.-]+$", code)]
    examples = {"conf/domain/duero.yaml"}  # the reader's own
    assert not [path for path in {*paths} - examples if not (ROOT / path).exists()]


def test_readme_shows_the_picture_and_the_formats() -> None:
    assert "](docs/demo.png)" in README and "](docs/formats.md)" in README


def test_limitations_stand_before_the_end_and_are_linked_from_the_start() -> None:
    """Nobody uses a map without having met what was measured on real ground."""
    start = README.partition("## Start")[0]
    assert "(#limitations)" in start and "no downscaling" in start


def test_limitations_hold_the_figures_of_the_networks_that_ship() -> None:
    """A user decides by figures of other networks."""
    limitations = " ".join(README.partition("## Limitations")[2].partition("\n## ")[0].split())

    def short(value: float) -> str:
        return f"{value:.2f}".replace("0.", ".", 1)

    at_stations = result("ground")["methods"]["ssm_net, adapted"]
    low, high = at_stations["sub-grid r, 95 %"]
    assert f"correlation of {short(at_stations['sub-grid r'])} [{short(low)}, {short(high)}]" in limitations
    assert f"the RMSE is {at_stations['gain']:.1f} % below that of no downscaling" in limitations
    families = result("families")["families"]
    of_bilinear = {family: s["networks"]["RMSE"] / s["bilinear"]["RMSE"] for family, s in families.items()}
    for group in ("ABC", "DEF"):  # worlds whose maps are right, and wide ones
        ratios = [of_bilinear[family] for family in group]
        assert f"{short(min(ratios))}-{short(max(ratios))}" in limitations
    holds = [s["networks"]["in 90 %"] for s in families.values()]
    through_files = result("skill-small")["families"].values()
    holds += [s["scores"]["network"]["coverage 90"]["mean"] for s in through_files]
    assert f"90 % interval holds {100 * min(holds):.0f} to {100 * max(holds):.0f} %" in limitations
    ahead = result("lookahead-learned")["all"]
    for score in ("RMSE", "RMSE, gap"):
        assert f"{100 * (1 - ahead['3 days ahead'][score] / ahead['networks'][score]):.1f} %" in limitations


@pytest.mark.parametrize("script", sorted({m for t in TEXT.values() for m in re.findall(r"python (bench/\w+\.py)", t)}))
def test_a_benchmark_that_is_named_exists(script: str) -> None:
    assert (ROOT / script).is_file()


def test_every_variable_of_the_cube_is_described() -> None:
    """A user who opens a cube finds each variable on the page of formats."""
    text = TEXT["docs/formats.md"]
    names = {re.sub(r"^lst_(day|night)_", "lst_*_", name) for name in (*FINE, *COARSE)} - {"lst_*_seen"}
    assert not [name for name in names if f"`{name}`" not in text]
    assert f"reads format {FORMAT};" in " ".join(text.split())


def test_every_decision_is_dated_and_listed() -> None:
    listed = set(re.findall(r"\]\((\S+\.md)\)", TEXT["docs/decisions/index.md"])) - {"template.md"}
    pages = {path.name for path in (ROOT / "docs" / "decisions").glob("*.md")} - {"index.md", "template.md"}
    assert listed == pages
    for name in pages:
        text = TEXT[f"docs/decisions/{name}"]
        assert f"- Date: {name[:10]}\n" in text and "\n- Status: " in text and "\n- Measured by:" in text, name


def test_version_is_the_one_to_cite() -> None:
    cited = re.findall(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.M)
    assert cited == [__version__] and f"## {__version__} - " in TEXT["CHANGELOG.md"]
