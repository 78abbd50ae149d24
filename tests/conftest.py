"""Fixtures that every test folder shares."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import road
import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from made_once import made_once

from ssm_net.cli.sweep import SweepFolder
from ssm_net.prepare.run import prepare
from ssm_net.simulate import simulate

if "PYTEST_XDIST_WORKER" in os.environ:  # one thread for each of the processes that share the cores
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test that is marked ``gpu`` is skipped where there is none."""
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device on this machine")


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """What a process has written outlives it in the system's memory, also where it was killed: only a power cut, which
    no test makes, needs it on the disk. Waiting for that was a quarter of the time of a small ``prepare``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda fd: None)
        yield


@pytest.fixture(scope="session")
def real_dir() -> Path:
    """The folder of real observations; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("SSM_NET_REAL", Path(__file__).parents[2] / "shared" / "real"))
    if not folder.is_dir():
        pytest.skip(f"no real observations at {folder}; set SSM_NET_REAL to the folder that holds them")
    return folder


@pytest.fixture(scope="session")
def tiny_raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The granules of eight days of a tiny world, and its truth. Read only.

    Of the thirty days of rain before them four stay: to open the others would take most of the time of a ``prepare``.
    """

    def make(raw: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ssm_net.simulate.native_files.SPIN_UP", 4)  # of the days whose rain is written
            simulate(road.simulation(raw))

    return made_once(tmp_path_factory, "tiny_raw", make)


@pytest.fixture(scope="session")
def tiny_cube_path(tiny_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cube of all its days, prepared at once. Read only."""
    return made_once(tmp_path_factory, "tiny_cube.zarr", lambda cube: prepare(road.preparation(tiny_raw, cube)))


@pytest.fixture
def fresh_hydra() -> Iterator[None]:
    """Hydra and the sweep's folder as a new process has them, for the next test."""
    yield
    HydraConfig.instance().cfg = None
    GlobalHydra.instance().clear()
    SweepFolder.current = None
