"""The settings: every file of conf/ composes and loads, nothing unknown passes, checks that belong together fire."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig, OmegaConf

from ssm_net.config import EvaluateConfig, InferConfig, PrepareConfig, PretrainConfig, SimulateConfig, TrainConfig, load
from ssm_net.core.boundary import domain_of
from ssm_net.errors import ConfigError

CONF = Path(__file__).parents[1] / "conf"
SCHEMAS = {"simulate": SimulateConfig, "prepare": PrepareConfig, "pretrain": PretrainConfig, "train": TrainConfig,
           "infer": InferConfig, "evaluate": EvaluateConfig}  # fmt: skip
PERIOD = {"start": "2016-04-15", "end": "2016-06-13"}
NEEDED: dict[str, dict[str, Any]] = {
    "simulate": {"raw": "RAW", **PERIOD},
    "prepare": {"raw": "RAW", "cube": "CUBE", **PERIOD},
    "pretrain": {"worlds": "WORLDS", "run": "RUN"},
    "train": {"cube": "CUBE", "run": "RUN"},
    "infer": {"cube": "CUBE", "run": "RUN", "mosaics": "OUT"},
    "evaluate": {"mosaics": "OUT", "cube": "CUBE", "report": "REPORT"},
}
GROUPS = [
    (verb, group, option.stem)
    for verb, groups in {
        "simulate": ["domain"],
        "prepare": ["domain", "engine"],
        "train": ["model", "trainer"],
        "infer": ["engine"],
    }.items()
    for group in groups
    for option in sorted((CONF / group).glob("*.yaml"))
]


def composed(verb: str, *keys: str, return_hydra_config: bool = False) -> DictConfig:
    """As the script composes it."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(verb, list(keys), return_hydra_config=return_hydra_config)


def needed(verb: str) -> list[str]:
    return [f"{k}={v}" for k, v in NEEDED[verb].items()]


def test_every_file_is_reached() -> None:
    """No file of conf/ stands outside the tests below, nor are there more than a user can know."""
    files = {str(p.relative_to(CONF).with_suffix("")) for p in CONF.rglob("*.yaml")}
    assert files == set(SCHEMAS) | {f"{group}/{option}" for _, group, option in GROUPS}
    assert len(files) <= 20


@pytest.mark.parametrize("verb", SCHEMAS)
def test_a_verb_composes_to_the_defaults_of_its_schema(verb: str) -> None:
    """The two places a default is written, conf/ and the schema, say the same; domain and model are chosen in conf/."""
    got = load(SCHEMAS[verb], composed(verb, *needed(verb)))
    want = SCHEMAS[verb](**NEEDED[verb])
    for field in dataclasses.fields(want):
        if field.name != "domain":
            assert getattr(got, field.name) == getattr(want, field.name), field.name


@pytest.mark.parametrize(("verb", "group", "option"), GROUPS)
def test_every_option_of_a_group_loads(verb: str, group: str, option: str) -> None:
    cfg = composed(verb, *needed(verb), f"{group}={option}")
    got = dataclasses.asdict(load(SCHEMAS[verb], cfg))[group]
    assert got == OmegaConf.to_container(OmegaConf.load(CONF / group / f"{option}.yaml"))


@pytest.mark.parametrize("verb", SCHEMAS)
def test_help_names_every_key(verb: str) -> None:
    cfg = composed(verb, *needed(verb), return_hydra_config=True)
    text = cfg.hydra.help.template
    for field in dataclasses.fields(SCHEMAS[verb]):
        assert re.search(rf"\b{field.name}\b", text), f"{verb}.py --help does not say what {field.name} is"
    assert f"python {verb}.py" in text


@pytest.mark.parametrize("verb", SCHEMAS)
def test_unknown_keys_are_refused(verb: str) -> None:
    with pytest.raises(ConfigCompositionException, match="rw"):
        composed(verb, *needed(verb), "rw=x")
    with pytest.raises(ConfigError, match="rw"):
        load(SCHEMAS[verb], composed(verb, *needed(verb), "+rw=x"))


def test_unknown_keys_inside_a_group_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.widht"):
        load(TrainConfig, composed("train", *needed("train"), "+model.widht=3"))


@pytest.mark.parametrize("verb", SCHEMAS)
def test_what_is_needed_is_asked_for(verb: str) -> None:
    for key in NEEDED[verb]:
        left = [k for k in needed(verb) if not k.startswith(f"{key}=")]
        with pytest.raises(ConfigError, match=f"nothing given for {key}: add {key}="):
            load(SCHEMAS[verb], composed(verb, *left))


WRONG = [
    ("simulate", ["start=2016-13-01"], r"start=2016-13-01 is not a day; write yyyy-mm-dd"),
    ("prepare", ["end=2016-04-01"], r"end=2016-04-01 lies before start=2016-04-15"),
    ("prepare", ["workers=two"], r"workers: .*'two'"),
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
    ("infer", ["start=yesterday"], "start=yesterday is not a day"),
    ("infer", ["start=2016-05-02", "end=2016-05-01"], "lies before start"),
    ("evaluate", ["end=tomorrow"], "end=tomorrow is not a day"),
    ("evaluate", ["baselines=[magic]"], "baselines: magic"),
]


@pytest.mark.parametrize(("verb", "keys", "message"), WRONG)
def test_a_wrong_value_is_named(verb: str, keys: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(SCHEMAS[verb], composed(verb, *needed(verb), *keys))


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        ({}, "no domain given"),
        ({"window": [70, 74, 774]}, "needs"),
        ({"window": [70, 74, 774, 777]}, "multiples of 4"),
        ({"window": [404, 412, 0, 4]}, "not inside the coarse grid"),
        ({"window": [0, 4, 960, 968]}, "not inside the coarse grid"),
        ({"bbox": [110, 40, 111]}, "needs"),
        ({"bbox": [111, 40, 110, 41]}, "west"),
    ],
)
def test_a_domain_off_the_grid_is_refused(domain: dict[str, Any], message: str) -> None:
    cfg = load(PrepareConfig, {**NEEDED["prepare"], "domain": {"name": "x", **domain}})
    with pytest.raises(ConfigError, match=message):
        domain_of(cfg.domain)
