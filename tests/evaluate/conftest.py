"""A small world with a known truth, its cube, its mosaics and baselines that need no model."""

import datetime as dt
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

from ssm_net.config import EvaluateConfig
from ssm_net.core.clock import overpass_utc
from ssm_net.cube.layout import CubeLayout, create_cube
from ssm_net.cube.lock import write_lock
from ssm_net.evaluate.metrics.spatial import cell_mean
from ssm_net.formats.mosaic_days import write_day
from ssm_net.formats.product import Mosaic
from ssm_net.grid import Domain
from ssm_net.infer import run
from ssm_net.simulate.writers import peers as write_peers
from ssm_net.stations import ismn
from ssm_net.stations.ismn import Station

DOMAIN = Domain("tiny", (84, 88, 776, 780))
DAYS = [dt.date(2016, 5, 1) + dt.timedelta(n) for n in range(14)]
SIGMA = 0.03
DENSE = [(r, c) for r in (80, 90, 100) for c in (80, 95)] + [(20, 20), (120, 30)]  # six in one cell, two alone


@dataclass(frozen=True)
class World:
    folder: Path
    truth: np.ndarray  # (D, Ny, Nx)
    water: np.ndarray

    def config(self, **change) -> EvaluateConfig:
        f = self.folder
        given = {"mosaics": f"{f}/mosaics", "cube": f"{f}/cube.zarr", "report": f"{f}/report",
                 "truth": f"{f}/truth.zarr"}  # fmt: skip
        return EvaluateConfig(**(given | change))


def fields(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A truth that moves in time and varies inside the cells, and a lake."""
    rng = np.random.default_rng(seed)
    ny, nx = DOMAIN.fine_shape
    still = gaussian_filter(rng.normal(size=(ny, nx)), 4, mode="wrap")
    still *= 0.05 / still.std()
    season = 0.05 * np.sin(np.arange(len(DAYS)))[:, None, None]
    drift = gaussian_filter(rng.normal(size=(len(DAYS), ny, nx)), (1, 20, 20), mode="wrap")
    truth = 0.25 + still + season + drift * 0.03 / drift.std()
    water = np.zeros((ny, nx), "float32")
    water[20:40, 50:80] = 1
    return np.clip(truth, 0.02, 0.55).astype("float32"), water


def flags(day: int, water: np.ndarray) -> np.ndarray:
    ny, nx = water.shape
    cloudy = gaussian_filter(np.random.default_rng(100 + day).normal(size=(ny, nx)), 12) > 0
    gap = (np.arange(nx) // 36 + day) % 4 == 0
    out = np.where(cloudy, 8, 4) + np.where(gap, 2, 1)
    return np.where(water >= 0.5, 32, out).astype("uint16")


def write(folder: Path, world: World, field, sigma: float, **attrs) -> None:
    for i, day in enumerate(DAYS):
        about = {"model": folder.name, "inference_tile": 4} | attrs
        value = np.where(world.water >= 0.5, np.nan, np.clip(field(i), 0.01, 0.6)).astype("float32")
        write_day(Mosaic(day, DOMAIN, value, np.where(np.isnan(value), np.nan, sigma).astype("float32"),
                         flags(i, world.water), about), folder)  # fmt: skip


def stub_infer(world: World):
    """Baselines that know only the cell means of the truth: written once, and linked where they are asked for."""

    def infer(cfg):
        made = world.folder / "made" / cfg.method
        if not made.exists():
            coarse = [cell_mean(t, world.water < 0.5, 36) for t in world.truth]
            noise = 0.01 if cfg.method == "dispatch" else 0.0
            rng = np.random.default_rng(5)
            blur = lambda i: np.kron(coarse[i], np.ones((36, 36))) + noise * rng.normal(size=world.water.shape)  # noqa: E731
            write(made, world, blur, 0.06)
        shutil.copytree(made, cfg.mosaics, copy_function=os.link, dirs_exist_ok=True)

    return infer


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    truth, water = fields()
    w = World(folder, truth, water)
    rng = np.random.default_rng(3)
    write(folder / "mosaics", w, lambda i: truth[i] + rng.normal(0, SIGMA, water.shape), SIGMA)
    y, x = (np.asarray(DOMAIN.fine.coordinates[d].values) for d in DOMAIN.fine.dims)
    time = np.array(DAYS, "datetime64[ns]")
    xr.Dataset(
        {"ssm": (("time", "y", "x"), truth), "water": (("y", "x"), water)}, {"time": time, "y": y, "x": x}
    ).to_zarr(folder / "truth.zarr", consolidated=False)
    layout = CubeLayout(DOMAIN, [], ["ssm"], [], {"footprint": "box", "fwhm_km": 43.0})
    with write_lock(folder / "cube.zarr") as lock:
        writer = create_cube(lock, layout, DAYS)
        for i, day in enumerate(DAYS):
            seen = cell_mean(truth[i], water < 0.5, 36).astype("float32")
            seen[:, (np.arange(4) + i) % 4 == 0] = np.nan
            writer.write_day(day, [], {"ssm": seen}, {})
    return w


@pytest.fixture
def baselines(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "infer", stub_infer(world))


@pytest.fixture
def plain_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made and not drawn, which takes half the time of an evaluation: for tests that do not look at them.

    The report of ``report_folder`` is drawn."""
    monkeypatch.setattr(Figure, "savefig", lambda self, file, **_: file.write(b"a picture"))


def station(name: str, row: int, col: int, truth: np.ndarray, late: int = 0) -> Station:
    """An hourly record of the pixel's truth, right at each overpass; ``late`` days slip it."""
    lon, lat = (float(v[i]) for v, i in zip(DOMAIN.lonlat(), (col, row), strict=True))
    shift = np.timedelta64(round((1.5 - lon / 15) * 60), "m") + np.timedelta64(24 * late, "h")
    at = np.array(DAYS, "datetime64[m]") + shift
    hours = np.arange(at[0] - np.timedelta64(12, "h"), at[-1] + np.timedelta64(12, "h"), np.timedelta64(60, "m"))
    value = np.interp(hours.astype(float), at.astype("datetime64[m]").astype(float), truth[:, row, col])
    return Station("FAKE", name, lat, lon, 0.05, 0.05, "probe", hours, value)


@pytest.fixture
def station_at(world: World):
    return lambda name, row, col, late=0: station(name, row, col, world.truth, late)


@pytest.fixture
def theirs(world, tmp_path):
    """A good product of others and a poor one."""
    rng = np.random.default_rng(8)
    for folder in ("china", "l4"):
        (tmp_path / folder).mkdir()
    for n, day in enumerate(DAYS):
        good = world.truth[n] + rng.normal(0, 0.002, world.water.shape)
        write_peers.write_china_1km(tmp_path / "china" / f"SM_{day:%Y%j}.h5", DOMAIN, good.astype("float32"))
        moment = overpass_utc(day, float(DOMAIN.lonlat()[0].mean())).astype("datetime64[s]").astype(dt.datetime)
        poor = np.clip(world.truth[-n] + rng.normal(0, 0.1, world.water.shape), 0.05, 0.6)
        write_peers.write_smap_l4(tmp_path / "l4" / f"SMAP_L4_SM_gph_{moment:%Y%m%dT%H%M%S}_Vv7032_001.h5", DOMAIN,
                            poor.astype("float32"))  # fmt: skip
    return tmp_path


@pytest.fixture
def dense(station_at, monkeypatch):
    there = [station_at(f"S{n}", *pixel) for n, pixel in enumerate(DENSE)]
    monkeypatch.setattr(ismn, "read_stations", lambda path: there)


@pytest.fixture(scope="session")
def report_folder(world: World) -> Path:
    """The report of the whole world with two stations, made once."""
    from ssm_net.evaluate.run import evaluate
    from ssm_net.stations import ismn

    stations = [station("A", 100, 100, world.truth), station("B", 50, 120, world.truth)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "infer", stub_infer(world))
        patch.setattr(ismn, "read_stations", lambda path: stations)
        evaluate(world.config(report=f"{world.folder}/shared_report", stations="ismn"))
    return world.folder / "shared_report"
