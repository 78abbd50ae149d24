"""What is installed is what is here."""

import ast
import re
import sys
import tomllib
from pathlib import Path

from setuptools import find_packages

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def requirement_name(line: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\s<>=!~\[;]", line)[0]).lower()


def test_every_folder_with_modules_is_a_package_in_the_wheel():
    include = PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    packed = set(find_packages(str(ROOT), include=include))
    folders = {".".join(file.parent.relative_to(ROOT).parts) for file in (ROOT / "ssm_net").rglob("*.py")}
    assert folders == packed, "a folder without __init__.py is left out of the wheel"
    assert {"ssm_net.ingest", "ssm_net.formats"} <= packed


def test_every_requirement_has_its_version_in_the_constraints():
    extras = PROJECT["project"]["optional-dependencies"]
    asked = PROJECT["project"]["dependencies"] + [line for name in extras if name != "all" for line in extras[name]]
    fixed = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert {requirement_name(line) for line in asked} <= {requirement_name(line) for line in fixed}
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in fixed)


def test_what_is_imported_is_required():
    named_otherwise = {"hydra": "hydra-core", "odc": "odc-geo", "sklearn": "scikit-learn"}
    extras = PROJECT["project"]["optional-dependencies"]
    asked = {
        requirement_name(line) for lines in [PROJECT["project"]["dependencies"], *extras.values()] for line in lines
    }
    for file in [*(ROOT / "ssm_net").rglob("*.py"), *ROOT.glob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            tops = {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"ssm_net"}
            missing = {named_otherwise.get(top, top.replace("_", "-")) for top in tops} - asked
            assert not missing, f"{file}: {missing}: add to pyproject.toml"


def test_all_is_every_extra():
    extras = dict(PROJECT["project"]["optional-dependencies"])
    (everything,) = extras.pop("all")
    assert sorted(re.findall(r"\w+", everything.split("[")[1])) == sorted(extras)


def test_every_floor_has_its_reason():
    lines = [line for line in (ROOT / "pyproject.toml").read_text().splitlines() if re.match(r'    "[\w-]+[<>]=', line)]
    assert len(lines) > 25
    assert [line for line in lines if not re.search(r'",\s*# \w+', line)] == []
