"""The docs are true: links and files exist, commands are understood, variables and decisions are those of the code."""

from __future__ import annotations

import re
import shlex

import pytest
from test_readme import README, ROOT, SCHEMA, TARGETS, composed

from ssm_net.cube.store import FORMAT
from ssm_net.cube.variables import COARSE, FINE
from ssm_net.version import __version__

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TEXT = {str(path.relative_to(ROOT)): path.read_text() for path in PAGES}
INSTALLED = sorted({line for text in TEXT.values() for line in re.findall(r"^ssm-net .*$", text, re.M)})


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
    measured = README.partition("## Limitations")[2].partition("\n## ")[0]
    assert all(number in measured for number in (".16 [-.07, .34]", "1.1 %", ".53-.57", ".77-.81", "81"))


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
