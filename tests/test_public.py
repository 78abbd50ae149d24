"""The public face: what ``import ssm_net`` gives to a notebook, in any order of imports and without loading it all."""

import subprocess
import sys

import pytest
import ready_process

import ssm_net

VERBS = ("climate", "download", "evaluate", "extract", "infer", "prepare", "pretrain", "produce", "simulate", "train")


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_public_names_are_the_verbs_their_settings_and_what_opens_results():
    settings = {f"{name}Config" for name in ("Climate", "Domain", "Download", "Earthdata", "Engine", "Evaluate",
                                             "Extract", "Infer", "Memory", "Model", "Prepare", "Pretrain", "Produce",
                                             "Publisher", "Simulate", "Train", "Trainer")}  # fmt: skip
    others = {
        "Domain",
        "SsmNetError",
        "__version__",
        "anomalies",
        "at_points",
        "climatology",
        "monthly_means",
        "open_cube",
        "open_mosaics",
        "over_areas",
        "percentiles",
    }
    assert set(ssm_net.__all__) == {*VERBS, *settings, *others}
    assert dir(ssm_net) == sorted(ssm_net.__all__)


@pytest.mark.parametrize("name", ssm_net.__all__)
def test_every_public_name_is_importable(name):
    value = getattr(ssm_net, name)
    assert value.__doc__ or name == "__version__"
    assert callable(value) or isinstance(value, str)


def test_every_settings_class_of_the_schema_is_public():
    from ssm_net import config

    schemas = {name for name, value in vars(config).items() if getattr(value, "__module__", "") == config.__name__}
    schemas = {name for name in schemas if name.endswith("Config")}
    assert schemas <= set(ssm_net.__all__)


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'ssm_net' has no attribute 'download_the_moon'"):
        ssm_net.download_the_moon  # noqa: B018


IMPORTS = [("import ssm_net.{verb}.run", 1), ("from ssm_net import {verb}", -1), ("import ssm_net", 1)]


@pytest.mark.slow
def test_a_verb_can_be_called_after_any_import():
    """Importing a module below ``ssm_net.infer`` binds that name to the package: calling it must work all the same.

    Each way begins in a copy of a process that has loaded what others wrote, which takes longest, and nothing of ours.
    """
    work = """
import os, lightning, matplotlib, scipy.stats
for name in [name for name in sys.modules if name.partition(".")[0] == "ssm_net"]:
    del sys.modules[name]
for first, verbs in {ways}:
    if child := os.fork():
        assert os.waitpid(child, 0)[1] == 0, first
        continue
    for verb in verbs:
        exec(first.format(verb=verb))
        import ssm_net
        try:
            getattr(ssm_net, verb)(None)
        except AttributeError as err:  # of the first setting that the verb reads
            assert "NoneType" in str(err), err
            print(verb, flush=True)
    os._exit(0)
"""
    ways = [(first, VERBS[::order]) for first, order in IMPORTS]
    done = ready_process.run(work.format(ways=ways))
    assert done.code == 0 and done.said.split() == [verb for _, verbs in ways for verb in verbs], done.said


@pytest.mark.parametrize(
    "work",
    [
        """
import ssm_net
ssm_net.simulate, ssm_net.prepare, ssm_net.open_cube, ssm_net.open_mosaics, ssm_net.Domain, ssm_net.TrainConfig
import ssm_net.ingest.catalog, ssm_net.prepare.run
""",
        "import ssm_net.train.run, ssm_net.produce.run, ssm_net.infer.run",
    ],
    ids=["granules and maps", "training from a prior"],
)
def test_lightning_is_not_loaded_by(work):
    """A process would start seconds later and hold what trains networks in memory."""
    heavy = {"lightning", "torchmetrics", "sklearn", "matplotlib"}
    done = ready_process.run(f"{work}\nprint(sorted({heavy!r} & set(sys.modules)))")
    assert (done.code, done.said) == (0, "[]\n")


def test_the_command_loads_nothing_heavy():
    """``ssm-net --help``, and a word that was mistyped, are answered at once."""
    code = 'import sys, ssm_net.cli; print(sorted({"torch", "xarray", "numpy", "lightning"} & set(sys.modules)))'
    assert python(code) == "[]"


def test_import_alone_loads_nothing_heavy():
    code = 'import sys, ssm_net; print(sorted({"torch", "xarray", "numpy", "omegaconf"} & set(sys.modules)))'
    assert python(code) == "[]"


def test_settings_are_values_without_hydra():
    cfg = ssm_net.InferConfig(cube="cube.zarr", mosaics="mosaics", method="bilinear")
    assert (cfg.format, cfg.engine) == ("netcdf", ssm_net.EngineConfig())
    with pytest.raises(ssm_net.SsmNetError, match="format=png: netcdf, cog or zarr"):
        ssm_net.InferConfig(cube="cube.zarr", mosaics="mosaics", method="bilinear", format="png")
