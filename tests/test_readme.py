"""The docs are true: commands are understood, links and files exist, keys and messages are those of the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from ssm_net.config import (
    EvaluateConfig,
    InferConfig,
    PrepareConfig,
    PretrainConfig,
    SimulateConfig,
    TrainConfig,
    load,
)
from ssm_net.cube.store import FORMAT
from ssm_net.cube.variables import COARSE, FINE
from ssm_net.ingest.catalog import OTHERS
from ssm_net.ingest.products import product
from ssm_net.version import __version__

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TEXT = {str(path.relative_to(ROOT)): path.read_text() for path in PAGES}
BLOCKS = re.findall(r"```bash\n(.*?)```", README, re.S)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line.startswith(("python ", "ssm-net "))]
SCHEMA = {
    "simulate": SimulateConfig,
    "prepare": PrepareConfig,
    "pretrain": PretrainConfig,
    "train": TrainConfig,
    "infer": InferConfig,
    "evaluate": EvaluateConfig,
}
TARGETS = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)


def inline_code(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))


CODE = inline_code(README)


def composed(verb: str, keys: list[str]) -> object:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return load(SCHEMA[verb], compose(verb, keys))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_understood(command: str) -> None:
    name, *keys = shlex.split(command, comments=True)[1:]
    script = name if name.endswith(".py") else f"{name}.py"  # python VERB.py or ssm-net VERB
    assert (ROOT / script).is_file()
    if "-m" in keys:  # the first of each setting that is swept over
        given = OverridesParser.create().parse_overrides([k for k in keys if k != "-m" and not k.startswith("hydra/")])
        keys = [f"{o.key_or_group}={next(iter(o.sweep_string_iterator()))}" if o.is_sweep_override()
                else str(o.input_line) for o in given]  # fmt: skip
    composed(Path(script).stem, keys)


def test_all_verbs_are_shown() -> None:
    assert {command.split()[1] for command in COMMANDS if command.startswith("python ")} == {f"{v}.py" for v in SCHEMA}
    assert {command.split()[1] for command in COMMANDS if command.startswith("ssm-net ")} <= set(SCHEMA)


def test_make_targets_are_there() -> None:
    named = {name for text in TEXT.values() for name in re.findall(r"(?:^    |^|`)make ([a-z]+)(?=[` \n])", text, re.M)}
    assert {"demo", "test", "env", "real", "help", "docs", "check"} <= named <= set(TARGETS)


@pytest.mark.parametrize("page", TEXT)
def test_files_and_links_are_there(page: str) -> None:
    """A reader who follows a link, or looks for a file that is named, finds it."""
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", TEXT[page]) if "://" not in link]
    assert not [link for link in links if not ((ROOT / page).parent / link).exists()]
    paths = [code for code in inline_code(TEXT[page]) if re.match(r"(docs|conf|bench|tests|ssm_net)/[\w/.-]+$", code)]
    examples = {"conf/domain/loess.yaml"}  # the reader's own
    assert not [path for path in {*paths} - examples if not (ROOT / path).exists()]


def test_readme_shows_the_picture_and_the_formats() -> None:
    assert "](docs/demo.png)" in README and "](docs/formats.md)" in README


def test_limitations_stand_before_the_end_and_are_linked_from_the_start() -> None:
    """Nobody uses a map without having met what was measured on real ground."""
    start = README.partition("## Start")[0]
    assert "(#limitations)" in start and "no downscaling" in start
    measured = README.partition("## Limitations")[2].partition("\n## ")[0]
    assert all(number in measured for number in ("-.11", "9.5 %", ".74-.76", "76 %"))


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


def test_keys_in_the_text_are_known() -> None:
    bare = {
        "simulate": ["raw=r"],
        "prepare": ["raw=r", "cube=c"],
        "train": ["cube=c"],
        "infer": ["cube=c"],
        "evaluate": ["cube=c"],
    }
    known: set[str] = set()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        for verb, keys in bare.items():
            tree = OmegaConf.to_container(compose(verb, keys))
            assert isinstance(tree, dict)
            known |= {str(k) for k in tree} | {f"{k}.{n}" for k, v in tree.items() if isinstance(v, dict) for n in v}
    named = {m[1] for code in CODE if (m := re.match(r"'?([a-z_.]+)=", code))}
    assert {"domain.bbox", "format", "update", "method", "workers", "modis_day"} <= named
    assert named <= known


def test_choices_in_the_text_are_accepted() -> None:
    for key in ("format", "update", "method"):
        for code in CODE:
            if code.startswith(f"{key}="):
                composed("infer", ["cube=c", "run=r", "mosaics=m", code])


def test_folders_are_known() -> None:
    table = README.partition("| folder (one of) |")[2].partition("\n\n")[0]
    folders = re.findall(r"`([\w.-]+)/`", table)
    assert len(folders) > 10
    assert not [f for f in folders if product(f) is None and f not in OTHERS]


def test_messages_are_those_of_the_code() -> None:
    code = "".join(path.read_text() for path in (ROOT / "ssm_net").rglob("*.py"))
    messages = re.findall(r"^\| `([^`]+)` \|", README.partition("| message")[2], re.M)
    assert len(messages) > 10
    assert not [message for message in messages if message not in code]
