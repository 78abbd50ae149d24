"""Ways to install agree with the package: conda recipe, container file, and the page that describes them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from ssm_net.version import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
RECIPE = yaml.safe_load((ROOT / "recipe" / "recipe.yaml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PAGE = (ROOT / "docs" / "install.md").read_text()
ON_CONDA = {"torch": "pytorch", "matplotlib": "matplotlib-base"}  # names that differ
ANYWHERE = {"__unix", "pip"}


def requirements(lines: list[str]) -> dict[str, str]:
    """Names and version ranges, in conda's names and without blanks."""
    parts = (re.fullmatch(r"([\w.-]+)\s*(.*)", line.strip()) for line in lines)
    named = {match[1]: match[2].replace(" ", "") for match in parts if match}
    return {ON_CONDA.get(name, name): version for name, version in named.items() if name not in ANYWHERE}


def test_the_recipe_has_version_and_command_of_the_package() -> None:
    assert RECIPE["context"]["version"] == __version__ and RECIPE["package"]["name"] == PROJECT["name"]
    (entry,) = RECIPE["build"]["python"]["entry_points"]
    assert dict([entry.split(" = ")]) == PROJECT["scripts"]
    assert RECIPE["about"]["license"] == PROJECT["license"] and RECIPE["about"]["summary"] == PROJECT["description"]


def test_the_recipe_has_the_dependencies_of_the_package() -> None:
    python = {"python": PROJECT["requires-python"]}
    wanted = requirements(PROJECT["dependencies"] + EXTRAS["ingest"] + EXTRAS["eval"])
    assert requirements(RECIPE["requirements"]["run"]) == wanted | python
    others = requirements(EXTRAS["download"] + EXTRAS["extract"])
    assert requirements(RECIPE["requirements"]["run_constraints"]) == {
        n: v for n, v in others.items() if n not in wanted
    }
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert requirements(RECIPE["requirements"]["host"]) == requirements(build) | python


def instructions() -> list[tuple[str, str]]:
    """The instructions of the container file and their words."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE, flags=re.M).replace("\\\n", " ")
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in text.splitlines() if line.strip()]


def test_the_container_runs_the_command_and_not_as_root() -> None:
    steps = instructions()
    kinds = [kind for kind, _ in steps]
    assert kinds[0] == "FROM" and set(kinds) <= {
        "FROM",
        "ARG",
        "ENV",
        "RUN",
        "WORKDIR",
        "COPY",
        "USER",
        "ENTRYPOINT",
        "CMD",
    }
    assert ("ENTRYPOINT", '["ssm-net"]') in steps and "ssm-net" in PROJECT["scripts"]
    (user,) = [words for kind, words in steps if kind == "USER"]
    assert user not in ("root", "0") and kinds.index("USER") > max(n for n, kind in enumerate(kinds) if kind == "RUN")
    base = steps[0][1]
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", base) and tuple(map(int, re.findall(r"\d+", base)[:2])) >= (3, 11)


def test_the_container_copies_files_that_are_there_and_not_left_out() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [name for kind, words in instructions() if kind == "COPY" for name in words.split()[:-1]]
    assert set(copied) == kept and all((ROOT / name).exists() for name in copied)


def test_the_container_takes_the_torch_of_the_environment() -> None:
    arguments = dict(words.split("=", 1) for kind, words in instructions() if kind == "ARG")
    make = re.search(r"^TORCH \?= (\S+)$", (ROOT / "Makefile").read_text(), re.M)
    assert make and arguments["TORCH"] == make[1] and arguments["TORCH_INDEX"].endswith("/cpu")
    extras = re.search(r"'\.\[([\w,]+)\]'", DOCKERFILE)
    assert extras and set(extras[1].split(",")) <= set(EXTRAS)


@pytest.mark.parametrize("extras", sorted(set(re.findall(r"\.\[([\w,]+)\]", PAGE))))
def test_extras_of_the_page_exist(extras: str) -> None:
    assert set(extras.split(",")) <= set(EXTRAS)


def test_the_page_builds_what_is_there() -> None:
    argument = re.search(r"--build-arg (\w+)=", PAGE)
    assert argument and f"ARG {argument[1]}=" in DOCKERFILE
    assert argument[0] in DOCKERFILE and "rattler-build build --recipe recipe" in PAGE
    minimum = PROJECT["requires-python"].removeprefix(">=")
    assert f"Python {minimum} or newer" in PAGE
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.M)) >= {"ingest", "download", "eval", "extract"}
