"""What is installed is what is here, and works from an empty folder."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest
import xarray as xr

import ssm_net
from ssm_net.cli.composition import SCHEMAS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def requirement_name(line: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\s<>=!~\[;]", line)[0]).lower()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: what an earlier build left in the checkout is not packed again."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for folder in ("ssm_net", "conf"):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "-w", str(built), str(source)], check=True, capture_output=True, timeout=120)
    (file,) = built.glob("*.whl")
    return file


def test_the_wheel_holds_every_module_setting_and_network(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(file.relative_to(ROOT)) for file in (ROOT / "ssm_net").rglob("*.py")}
    data = {f"ssm_net/{file.relative_to(ROOT)}" for file in (ROOT / "conf").rglob("*.yaml")}
    data |= {
        str(f.relative_to(ROOT)) for f in (ROOT / "ssm_net").rglob("*") if f.suffix in (".jinja", ".css", ".typed")
    }
    data |= {f"ssm_net/prior/{name}" for name in ("model.pt", "model.json")}
    assert modules | data <= packed
    assert {name.split("/")[0] for name in packed} == {"ssm_net", f"ssm_net-{ssm_net.__version__}.dist-info"}


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an empty environment with the wheel, which finds its dependencies where the tests have theirs."""
    home = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True, timeout=120)
    python = home / "bin" / "python"
    command = [sys.executable, "-m", "pip", "-q", "--python", str(python), "install", "--no-deps", "--no-index"]
    subprocess.run([*command, str(wheel)], check=True, capture_output=True, timeout=120)
    (own,) = (home / "lib").glob("python*/site-packages")
    # A path file adds the folder, but does not follow the path files in it: an editable ssm_net there is not found.
    (own / "dependencies.pth").write_text("\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}))
    return home / "bin"


@pytest.mark.slow
def test_the_wheel_works_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    """The command, her own conf/, and a road from simulated granules to a map that states the version."""
    (tmp_path / "conf" / "domain").mkdir(parents=True)
    (tmp_path / "conf" / "domain" / "loess.yaml").write_text("name: loess\nwindow: [72, 76, 772, 776]\n")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}

    def ssm(*words: str) -> str:
        done = subprocess.run([installed / "ssm-net", *words], cwd=tmp_path, env=environment, capture_output=True,
                              text=True, timeout=300, check=False)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    where = ["domain=loess", "start=2016-05-01", "end=2016-05-02"]
    text = ssm("--help")
    assert all(f"\n  {verb} " in text for verb in SCHEMAS)
    assert ssm("--version").split() == ["ssm-net", ssm_net.__version__]
    code = "import ssm_net; print(ssm_net.__file__)"
    found = subprocess.run(
        [installed / "python", "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert found.stdout.startswith(str(installed.parent)), "another ssm_net was tested"
    ssm("simulate", "raw=raw", *where)
    assert "2016-05-01" in ssm("prepare", "raw=raw", "cube=cube.zarr", *where, "plan=true")
    assert not (tmp_path / "cube.zarr").exists()
    ssm("prepare", "raw=raw", "cube=cube.zarr", *where)
    ssm("infer", "cube=cube.zarr", "mosaics=maps", "method=bilinear")
    maps = sorted(p.name for p in (tmp_path / "maps").glob("*.nc"))
    assert maps == ["ssm_loess_20160501.nc", "ssm_loess_20160502.nc"]
    with xr.open_dataset(tmp_path / "maps" / maps[0]) as day:
        assert day.attrs["product_version"] == ssm_net.__version__
    assert {p.name for p in tmp_path.iterdir()} == {"conf", "raw", "cube.zarr", "maps"}


def test_every_requirement_has_its_version_in_the_constraints():
    extras = PROJECT["project"]["optional-dependencies"]
    asked = PROJECT["project"]["dependencies"] + [line for name in extras if name != "all" for line in extras[name]]
    fixed = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert {requirement_name(line) for line in asked} <= {requirement_name(line) for line in fixed}
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in fixed)


def test_what_is_imported_is_required():
    # name of the import: name of the package
    named_otherwise = {"hydra": "hydra-core", "odc": "odc-geo", "sklearn": "scikit-learn"}
    extras = PROJECT["project"]["optional-dependencies"]
    users = {name: lines for name, lines in extras.items() if name not in ("all", "dev", "docs", "bench")}
    asked = {
        requirement_name(line) for lines in [PROJECT["project"]["dependencies"], *users.values()] for line in lines
    }
    for file in [*(ROOT / "ssm_net").rglob("*.py"), *(ROOT / f"{verb}.py" for verb in SCHEMAS)]:
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
