"""Names and paths as users have them: what is typed is what is meant, and no name leads to another folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import road
from worlds import tiny_cube

import ssm_net
from ssm_net.cli import main
from ssm_net.config import (
    EvaluateConfig,
    InferConfig,
    PrepareConfig,
    PretrainConfig,
    SimulateConfig,
    TrainConfig,
    load,
)
from ssm_net.cube.json_files import CubeError
from ssm_net.cube.store import open_cube
from ssm_net.errors import ConfigError, SsmNetError
from ssm_net.grid import Domain, DomainError
from ssm_net.infer.plan import InferenceError
from ssm_net.infer.run import infer
from ssm_net.ingest.hdfeos import holds
from ssm_net.prepare.run import prepare

PATHS = [
    "/x/year=2016", "/a b#c", "/x,y", "/数据/土壤 水分", "maps (new)", "maps[1]", "[x]", "a;b", "a&b", "it's", 'a"b',
    "a'b\"c", "back\\slash", "ends\\", "{a:1}", "$HOME", "100%", "2016", "true", "~nobodyhere", "a~b", "x:y", "*", "é",
    "[red]bold[/]",
]  # fmt: skip


pytestmark = pytest.mark.usefixtures("fresh_hydra")


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[InferConfig]:
    """The settings that a verb is called with."""
    calls = list[InferConfig]()
    monkeypatch.setattr(ssm_net, "infer", calls.append, raising=False)
    monkeypatch.chdir(tmp_path)
    return calls


def typed(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["ssm-net", *words])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"P4-{path}")
def test_a_folder_works_as_it_is_typed(path: str, given: list[InferConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    assert typed(monkeypatch, "infer", f"cube={path}", f"mosaics={path}/out", "method=bilinear") == 0
    assert (given[0].cube, given[0].mosaics) == (path, f"{path}/out")


def test_what_is_quoted_already_stays_so(given: list[InferConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    assert typed(monkeypatch, "infer", "cube='a, b'", 'mosaics="c=d"', "method=bilinear", "start=null") == 0
    assert (given[0].cube, given[0].mosaics, given[0].start) == ("a, b", "c=d", None)


def test_the_home_folder_is_found(given: list[InferConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    """H1: not every shell replaces a ~ that stands behind an equals sign."""
    monkeypatch.setenv("HOME", "/home/李 四")
    assert typed(monkeypatch, "infer", "cube=~/raw=1", "mosaics=~", "method=bilinear") == 0
    assert (given[0].cube, given[0].mosaics) == ("/home/李 四/raw=1", "/home/李 四")


def test_a_sweep_divides_at_commas(given: list[InferConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    words = [
        "-m",
        "cube=土壤 a,b=1",
        "mosaics='x,y'",
        "run=runs/${part}",
        "parts=2",
        "part=range(1,3)",
        "hydra.sweep.dir=s",
    ]
    assert typed(monkeypatch, "infer", *words) == 0
    assert [(c.cube, c.mosaics, c.run, c.part) for c in given] == [
        (cube, "x,y", f"runs/{part}", part) for cube in ("土壤 a", "b=1") for part in (1, 2)
    ]


def test_the_help_takes_the_same_words(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(monkeypatch, "infer", "cube=/数据/a=1", "--help") == 0
    assert "/数据/a=1" in capsys.readouterr().out


NAMES = [
    "../../x",
    "a/b",
    "a" * 65,
    "a" * 250,
    "",
    "[x]",
    "a b",
    "x\n",
    ".",
    "..",
    "a.b",
    "土壤",
    "a\\b",
    "x\0",
    "/etc",
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: f"P2-{name[:12]!r}")
def test_a_name_that_could_not_be_a_file_is_refused(name: str, tiny_raw: Path, tmp_path: Path) -> None:
    with pytest.raises(DomainError, match=r"domain\.name=.*give 1 to 64 letters"):
        Domain(name, (0, 4, 0, 4))
    with pytest.raises(SsmNetError, match=r"domain\.name="):
        prepare(road.preparation(tiny_raw, tmp_path / "c.zarr", domain={"name": name, "window": road.WINDOW}))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["[x]", "../x", "a,b", "土壤", ""])
def test_a_name_on_the_command_line_is_refused_in_words(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["raw=.", "cube=c", "start=2016-05-01", "end=2016-05-02", f"domain.name={name}", "domain.window=[0,4,0,4]"]
    assert typed(monkeypatch, "prepare", *words) == 1
    err = capsys.readouterr().err
    assert "give 1 to 64 letters" in err and "Traceback" not in err


@pytest.mark.parametrize("name", ["a", "a" * 64, "loess-plateau_2", "0", "-"])
def test_other_names_are_taken(name: str) -> None:
    assert Domain(name, (0, 4, 0, 4)).name == name


@pytest.mark.parametrize(
    ("key", "value"),
    [("domain", "../../x"), ("domain", "a/b"), ("domain", 5), ("fine", ["../../../etc"]), ("static", ["a/b"]),
     ("coarse", ["."]), ("fine", [3]), ("days", ["x"]), ("days", [10**9]), ("window", [0]), ("grid", {})],
    ids=lambda v: f"P2-{v}",
)  # fmt: skip
def test_a_cube_from_others_leads_nowhere(key: str, value: object, tmp_path: Path) -> None:
    path = tiny_cube(tmp_path / "c.zarr", cells=(4, 4), days=1).path
    file = path / "cube.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))
    with pytest.raises(CubeError, match=r"cube\.json is damaged .*copy the cube again"):
        open_cube(path)


def test_a_record_from_others_removes_no_file_elsewhere(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", cells=(4, 4), days=1)
    maps = tmp_path / "maps"
    infer(road.inference(cube.path, maps))
    record = json.loads((maps / "made_by.json").read_text())
    (maps / "made_by.json").write_text(json.dumps(record | {"domain": "../../x"}))
    with pytest.raises(InferenceError, match=r"made_by\.json is damaged .*domain\.name"):
        infer(road.inference(cube.path, maps, method="dispatch", overwrite=True))


PERIOD = {"start": "2016-05-01", "end": "2016-05-02"}
EMPTY = [
    (PrepareConfig, {"raw": "r", "cube": "c", **PERIOD}, "raw"),
    (PrepareConfig, {"raw": "r", "cube": "c", **PERIOD}, "cube"),
    (InferConfig, {"cube": "c", "mosaics": "m", "method": "bilinear"}, "mosaics"),
    (TrainConfig, {"cube": "c", "run": "r"}, "run"),
    (InferConfig, {"cube": "c", "mosaics": "m", "method": "bilinear"}, "cube"),
    (SimulateConfig, {"raw": "r", **PERIOD}, "raw"),
    (EvaluateConfig, {"mosaics": "m", "cube": "c", "report": "r"}, "report"),
    (PretrainConfig, {"worlds": "w", "run": "r"}, "run"),
    (EvaluateConfig, {"mosaics": "m", "cube": "c", "report": "r"}, "truth"),
    (TrainConfig, {"cube": "c", "run": "r"}, "stations"),
]


@pytest.mark.parametrize(("schema", "keys", "empty"), EMPTY, ids=lambda v: f"P5-{v}" if isinstance(v, str) else "")
@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_path_is_refused(schema: type, keys: dict, empty: str, value: str) -> None:
    load(schema, keys)
    with pytest.raises(ConfigError, match=rf"^{empty}= is empty: give a path"):
        load(schema, keys | {empty: value})


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "1969-12-31", "2101-01-01", "0999-05-01"])
def test_impossible_years_are_refused(day: str) -> None:
    for schema, keys in ((PrepareConfig, {"raw": "r", "cube": "c"}), (SimulateConfig, {"raw": "r"})):
        with pytest.raises(ConfigError, match=rf"start={day}: give a day of the years 1970 to 2100"):
            load(schema, {**keys, "start": day, "end": day})
    with pytest.raises(ConfigError, match=rf"end={day}: give a day of the years"):
        load(InferConfig, {"cube": "c", "mosaics": "m", "method": "bilinear", "end": day})


@pytest.mark.parametrize("name", [b"\xff\xfe.hdf", "中文 [1] #.hdf".encode(), b"a=b,c;d&e.hdf"])
def test_a_file_of_any_name_is_read(name: bytes, tiny_raw: Path, tmp_path: Path) -> None:
    """F4: pyhdf takes no name that is not UTF-8."""
    import os

    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    path.symlink_to(next((tiny_raw / "MYD11A1.061").glob("*.hdf")))
    assert holds(path, ["LST_Day_1km"])


def test_the_road_through_folders_with_brackets(tmp_path: Path) -> None:
    """Rich takes what stands in brackets for colours: such a folder must not end or garble a run."""
    cube = tiny_cube(tmp_path / "[red] 中文 [" / "]c=1.zarr", cells=(4, 4), days=1)
    infer(road.inference(cube.path, tmp_path / "maps[" / "]x"))
    assert infer(road.inference(cube.path, tmp_path / "maps[" / "]x")) == []
    assert list((tmp_path / "maps[" / "]x").glob("*.nc"))
