"""What the README tells a newcomer to type, open and look for is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from ssm_net.cli.composition import SCHEMAS as SCHEMA
from ssm_net.cli.composition import composed as compose_verb
from ssm_net.cli.composition import settings
from ssm_net.ingest.catalog import OTHERS
from ssm_net.ingest.products import product

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", README, re.S)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line.startswith("python ")]
TARGETS = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)
CODE = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", README, flags=re.S))  # inline code


def composed(verb: str, keys: list[str]) -> object:
    return settings(verb, keys)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_understood(command: str) -> None:
    script, *keys = shlex.split(command, comments=True)[1:]
    assert (ROOT / script).is_file()
    if "-m" in keys:  # the first of each setting that is swept over
        given = OverridesParser.create().parse_overrides([k for k in keys if k != "-m" and not k.startswith("hydra/")])
        keys = [f"{o.key_or_group}={next(iter(o.sweep_string_iterator()))}" if o.is_sweep_override()
                else str(o.input_line) for o in given]  # fmt: skip
    composed(Path(script).stem, keys)


def test_all_verbs_are_shown() -> None:
    assert {command.split()[1] for command in COMMANDS} == {f"{verb}.py" for verb in SCHEMA}


def test_make_targets_are_there() -> None:
    named = set(re.findall(r"(?:^    |`)make ([a-z]+)", README, re.M))
    assert {"demo", "test", "env", "real", "help"} <= named <= set(TARGETS)


def test_keys_in_the_text_are_known() -> None:
    bare = {
        "simulate": ["raw=r"],
        "prepare": ["raw=r", "cube=c"],
        "train": ["cube=c"],
        "infer": ["cube=c"],
        "evaluate": ["cube=c"],
    }
    known: set[str] = set()
    for verb, keys in bare.items():
        tree = OmegaConf.to_container(compose_verb(verb, keys))
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
