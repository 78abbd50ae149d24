"""The settings: every file of conf/ composes and loads, nothing unknown passes, checks that belong together fire."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf

from ssm_net.cli.composition import SCHEMAS, composed, conf_folder, settings
from ssm_net.cli.help import documentation, verb_help
from ssm_net.config import DomainConfig, InferConfig, PrepareConfig, SimulateConfig, TrainConfig, load
from ssm_net.core.boundary import domain_of
from ssm_net.errors import ConfigError

CONF = conf_folder()
PERIOD = {"start": "2016-04-15", "end": "2016-06-13"}
NEEDED: dict[str, dict[str, Any]] = {
    "download": {"raw": "RAW", **PERIOD},
    "simulate": {"raw": "RAW", **PERIOD},
    "prepare": {"raw": "RAW", "cube": "CUBE", **PERIOD},
    "pretrain": {"worlds": "WORLDS", "run": "RUN"},
    "train": {"cube": "CUBE", "run": "RUN"},
    "infer": {"cube": "CUBE", "run": "RUN", "mosaics": "OUT"},
    "evaluate": {"mosaics": "OUT", "cube": "CUBE", "report": "REPORT"},
    "produce": {"raw": "RAW", "cube": "CUBE", "run": "RUN", "mosaics": "OUT", "start": "2016-04-15"},
    "climate": {"mosaics": "OUT", "out": "CLIMATE"},
    "extract": {"mosaics": "OUT", "points": "STATIONS.csv", "to": "SERIES.csv"},
}
GROUPS = [
    (verb, group, option.stem)
    for verb, groups in {
        "download": ["domain"],
        "simulate": ["domain"],
        "prepare": ["domain", "engine"],
        "train": ["model", "trainer"],
        "pretrain": ["model", "trainer"],
        "infer": ["engine"],
        "produce": ["domain"],
    }.items()
    for group in groups
    for option in sorted((CONF / group).glob("*.yaml"))
]
EXPERIMENTS: list[tuple[str, str, dict[str, Any]]] = [
    ("simulate", "demo", {"start": "2016-04-15", "end": "2016-06-13", "seed": 1, "family": "A"}),
    ("download", "demo", {"start": "2016-04-15", "end": "2016-06-13"}),
    ("prepare", "demo", {"start": "2016-04-15", "end": "2016-06-13"}),
    ("simulate", "record", {"start": "2011-08-01", "end": "2012-08-31", "record": True, "auxiliary": True}),
    ("train", "scratch", {"prior": "none", "lr": TrainConfig.lr}),
    ("train", "country", {"prior": "none", "seed": 1}),
    ("evaluate", "all_baselines", {"baselines": ["bilinear", "dispatch", "gwr", "forest", "ridge"]}),
]


def needed(verb: str) -> list[str]:
    return [f"{k}={v}" for k, v in NEEDED[verb].items()]


def test_every_file_is_reached() -> None:
    """No file of conf/ stands outside the tests below, nor are there more than a user can know."""
    files = {str(p.relative_to(CONF).with_suffix("")) for p in CONF.rglob("*.yaml")}
    tested = {f"{group}/{option}" for _, group, option in GROUPS} | {f"experiment/{name}" for _, name, _ in EXPERIMENTS}
    assert files == {*SCHEMAS, "common"} | tested
    assert len(files) <= 27


@pytest.mark.parametrize("verb", SCHEMAS)
def test_a_default_stands_in_one_place(verb: str) -> None:
    """A verb composes to the defaults of its schema, but for the domain; its file only chooses options of groups."""
    want = SCHEMAS[verb](**NEEDED[verb])
    got = settings(verb, needed(verb))
    assert got == dataclasses.replace(want, **({"domain": got.domain} if hasattr(want, "domain") else {}))
    assert list(OmegaConf.load(CONF / f"{verb}.yaml")) == ["defaults"]


@pytest.mark.parametrize(("verb", "group", "option"), GROUPS)
def test_every_option_of_a_group_loads(verb: str, group: str, option: str) -> None:
    got = dataclasses.asdict(settings(verb, [*needed(verb), f"{group}={option}"]))[group]
    written = OmegaConf.to_container(OmegaConf.load(CONF / group / f"{option}.yaml"))
    assert isinstance(written, dict)
    assert written.pop("defaults", None) is None or group == "model"
    assert got == got | written


def test_an_option_brings_all_its_settings_to_every_verb() -> None:
    """The size of the networks does not depend on which verb's default it replaces."""
    for option in ("small", "base", "prior"):
        sizes = [settings(verb, [*needed(verb), f"model={option}"]).model for verb in ("train", "pretrain")]
        assert sizes[0] == sizes[1]


@pytest.mark.parametrize(("verb", "name", "values"), EXPERIMENTS)
def test_experiments_hold_the_settings_of_published_results(verb: str, name: str, values: dict[str, Any]) -> None:
    keys = [k for k in needed(verb) if k.split("=")[0] not in values]
    got = settings(verb, [*keys, f"experiment={name}"])
    assert {k: getattr(got, k) for k in values} == values
    if name in ("demo", "record"):
        assert got.domain == DomainConfig("demo", [68, 76, 772, 780])
    if name == "country":
        assert (got.model.width, got.trainer.accelerator) == (64, "gpu")


@pytest.mark.parametrize("verb", SCHEMAS)
def test_help_explains_every_key_group_and_option(verb: str) -> None:
    text = verb_help(verb, [], f"python {verb}.py")
    schema = SCHEMAS[verb]
    for key in dataclasses.fields(schema):
        assert f"\n  {key.name} " in text, f"--help of {verb} does not say what {key.name} is"
        assert documentation(schema)[key.name].split()[0] in text
    for _, group, option in (g for g in GROUPS if g[0] == verb):
        assert f"\n  {group}={option} " in text
    mine = {name for v, name, _ in EXPERIMENTS if v == verb}
    assert {name for _, name, _ in EXPERIMENTS if f"experiment={name} " in text} == mine | (
        {"scratch"} if verb == "train" else set()
    )
    assert f"python {verb}.py" in text and "[needed]" in text


def test_help_shows_values_as_they_would_be() -> None:
    assert "[84]" in verb_help("train", ["model.width=84"])


def test_a_folder_of_her_own_is_searched_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """conf/domain/loess.yaml of the working folder gives domain=loess; what it does not hold comes with ssm_net."""
    folder = tmp_path / "conf" / "domain"
    folder.mkdir(parents=True)
    (folder / "loess.yaml").write_text("# The plateau.\nname: loess\nwindow: [72, 76, 772, 776]\n")
    (folder / "demo.yaml").write_text("name: mine\nwindow: [0, 4, 0, 4]\n")
    monkeypatch.chdir(tmp_path)
    assert settings("prepare", [*needed("prepare"), "domain=loess"]).domain == DomainConfig("loess", [72, 76, 772, 776])
    assert settings("prepare", [*needed("prepare"), "domain=demo"]).domain.name == "mine"
    assert settings("prepare", [*needed("prepare"), "domain=china"]).domain.name == "china"
    assert "domain=loess     The plateau." in verb_help("prepare")


def test_settings_need_no_hydra() -> None:
    code = (
        "import sys, ssm_net.config as c; c.InferConfig(cube='c', mosaics='m', run='r');"
        "sys.exit(any(m.split('.')[0] in ('hydra', 'omegaconf', 'torch') for m in sys.modules))"
    )
    where = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=where, check=False).returncode == 0


@pytest.mark.parametrize("verb", SCHEMAS)
def test_unknown_keys_are_refused(verb: str) -> None:
    with pytest.raises(ConfigCompositionException, match="rw"):
        composed(verb, [*needed(verb), "rw=x"])
    with pytest.raises(ConfigError, match="rw"):
        settings(verb, [*needed(verb), "+rw=x"])


def test_unknown_keys_inside_a_group_are_refused() -> None:
    with pytest.raises(ConfigCompositionException, match="widht"):
        composed("train", [*needed("train"), "model.widht=3"])
    with pytest.raises(ConfigError, match=r"model\.widht"):
        settings("train", [*needed("train"), "+model.widht=3"])


def test_a_wrong_type_is_named() -> None:
    with pytest.raises(ConfigCompositionException, match="workers=two"):
        composed("prepare", [*needed("prepare"), "workers=two"])
    with pytest.raises(ConfigError, match=r"workers: .*'two'"):
        load(PrepareConfig, {**NEEDED["prepare"], "workers": "two"})


@pytest.mark.parametrize("verb", SCHEMAS)
def test_what_is_needed_is_asked_for(verb: str) -> None:
    for key in NEEDED[verb]:
        left = [k for k in needed(verb) if not k.startswith(f"{key}=")]
        with pytest.raises(ConfigError, match=f"nothing given for {key}: add {key}="):
            settings(verb, left)


WRONG = [
    ("simulate", ["start=2016-13-01"], r"start=2016-13-01 is not a day; write yyyy-mm-dd"),
    ("prepare", ["end=2016-04-01"], r"end=2016-04-01 lies before start=2016-04-15"),
    ("prepare", ["workers=0"], "workers=0"),
    ("prepare", ["modis_day=noon"], "modis_day=noon: choose utc or local"),
    ("prepare", ["footprint=round"], "footprint=round"),
    ("prepare", ["fwhm_km=0"], "fwhm_km"),
    ("prepare", ["sigma_ssm=4"], r"sigma_ssm=4.*m3 m-3"),
    ("prepare", ["memory.days=0"], r"memory\.days"),
    ("train", ["epochs=0"], "epochs"),
    ("train", ["patch=5"], "patch=5 must be an even number"),
    ("train", ["validation_fraction=1"], "validation_fraction"),
    ("train", ["validation_days=-0.1"], "validation_days"),
    ("train", ["model.lags=0"], "model sizes"),
    ("train", ["model.dropout=1"], r"model\.dropout"),
    ("infer", ["method=magic"], "method=magic: choose one of network, bilinear"),
    ("infer", ["run=''"], "nothing given for run: add run="),
    ("infer", ["format=grib"], "format=grib"),
    ("infer", ["update=twice"], "update=twice"),
    ("infer", ["tile=0"], "tile=0"),
    ("infer", ["precision=half"], "precision=half: auto, float32 or bfloat16"),
    ("infer", ["start=yesterday"], "start=yesterday is not a day"),
    ("infer", ["start=2016-05-02", "end=2016-05-01"], "lies before start"),
    ("evaluate", ["end=tomorrow"], "end=tomorrow is not a day"),
    ("evaluate", ["baselines=[magic]"], "baselines: magic"),
]


@pytest.mark.parametrize(("verb", "keys", "message"), WRONG)
def test_a_wrong_value_is_named(verb: str, keys: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        settings(verb, [*needed(verb), *keys])


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        ({}, "no domain given"),
        ({"window": [70, 74, 774]}, "needs"),
        ({"window": [70, 74, 774, 777]}, "multiples of 4"),
        ({"window": [404, 412, 0, 4]}, "not inside the coarse grid"),
        ({"window": [0, 4, 968, 972]}, "not inside the coarse grid"),
        ({"bbox": [110, 40, 111]}, "needs"),
        ({"bbox": [111, 40, 110, 41]}, "west"),
    ],
)
def test_a_domain_off_the_grid_is_refused(domain: dict[str, Any], message: str) -> None:
    cfg = load(PrepareConfig, {**NEEDED["prepare"], "domain": {"name": "x", **domain}})
    with pytest.raises(ConfigError, match=message):
        domain_of(cfg.domain)


@pytest.mark.parametrize("keys", [
    ["domain=china", "domain.bbox=[104,34,112,40]"],
    ["domain=china", "domain.boundary=basin.geojson"],
    ["domain.bbox=[104,34,112,40]", "domain.boundary=basin.geojson"],
])  # fmt: skip
def test_a_domain_is_given_once(keys: list[str]) -> None:
    """A window, box or boundary beside another was silently ignored."""
    with pytest.raises(ConfigError, match=r"domain\.\w+=.* and domain\.\w+=.* both say where") as err:
        settings("prepare", [*needed("prepare"), *keys])
    assert f"domain=custom {keys[-1]}" in str(err.value)


def test_the_remedy_for_two_domains_works() -> None:
    got = settings("simulate", [*needed("simulate"), "domain=custom", "domain.bbox=[104,34,112,40]"])
    assert isinstance(got, SimulateConfig) and got.domain == DomainConfig(bbox=[104, 34, 112, 40])
    assert InferConfig("c", "m", method="bilinear").engine.name == "local"
