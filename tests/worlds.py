"""Tiny cubes for tests: plausible random fields, made straight in the cube's format."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from scipy.ndimage import gaussian_filter

from ssm_net.config import ModelConfig
from ssm_net.cube.layout import CubeLayout, create_cube
from ssm_net.cube.lock import write_lock
from ssm_net.cube.store import Cube
from ssm_net.cube.variables import FINE
from ssm_net.cube.writer import CubeWriter
from ssm_net.estimators.calibration import Calibration
from ssm_net.estimators.checkpoint import Trained, build, save_trained
from ssm_net.footprint import Footprint
from ssm_net.formats.product import Mosaic
from ssm_net.formats.truth import Truth
from ssm_net.grid import Domain, block_mean
from ssm_net.infer.day import predict_background
from ssm_net.infer.quality_flags import static_flags
from ssm_net.inputs.statistics import compute_scaling
from ssm_net.lst.views import cell_views

FIRST = dt.date(2016, 4, 15)
ATTRS = {"ssm": "NNsm", "lst": "MYD11A1", "reflectance": "MCD43A4", "rain": "", "footprint": "gaussian",
         "fwhm_km": 43.0, "sigma_ssm": 0.04, "modis_day": "utc", "memory_days": 4.0,
         "memory_background": 2.0, "boundary": ""}  # fmt: skip


def tiny_cube(
    path: Path, *, cells: tuple[int, int] = (4, 8), days: int = 6, seed: int = 0, attrs: dict | None = None,
    static: dict[str, tuple[slice, slice]] | None = None,
) -> Cube:  # fmt: skip
    """A cube whose LST memory follows the soil; a lake in one corner; every third day has an orbit gap on the left.

    ``static`` adds maps that are 1 there and 0 elsewhere.
    """
    domain = Domain("tiny", (64, 64 + cells[0], 772, 772 + cells[1]))
    rng = np.random.default_rng(seed)
    names = [v for v in FINE if v.startswith("lst_") or v in ("red", "nir", "reflectance_age")]
    coarse = [
        "ssm",
        "ssm_sigma",
        "source",
        *(f"lst_{k}_{w}" for k in ("day", "night") for w in ("background", "seen", "anomaly", "counted")),
    ]
    coarse += [v for v in names if not v.endswith(("_lineage", "_sigma"))]
    layout = CubeLayout(
        domain, names, coarse, ["elevation", "sand", "water_fraction", *(static or {})], ATTRS | (attrs or {})
    )
    with write_lock(path) as lock:
        writer = create_cube(lock, layout, [FIRST + dt.timedelta(n) for n in range(days)])
        _write_world(writer, rng, static or {})
    return writer.cube


def tiny_truth(cube: Cube) -> Truth:
    """What the remembered temperatures of a tiny cube were made of, written beside it."""
    ssm = np.stack([0.22 - cube.read("lst_day_memory", day) / 60 for day in cube.days])
    ssm[:, cube.read_static("water_fraction") > 0.5] = np.nan
    where = {d: np.asarray(cube.domain.fine.coordinates[d].values) for d in cube.domain.fine.dims}
    data = {"ssm": (("time", "y", "x"), ssm), "water": (("y", "x"), cube.read_static("water_fraction"))}
    path = cube.path.with_name("truth.zarr")
    dataset = xr.Dataset(data, {"time": np.array(cube.days, "datetime64[ns]"), **where})
    dataset.to_zarr(path, zarr_format=3, consolidated=False)
    return Truth.open(path, cube.domain)


def _write_world(writer: CubeWriter, rng: np.random.Generator, static: dict[str, tuple[slice, slice]]) -> None:
    """Static maps and all days."""
    cube = writer.cube
    domain = cube.domain
    shape = domain.fine_shape
    water = np.zeros(shape, "float32")
    water[:20, :30] = 1
    writer.write_static("water_fraction", water)
    for name, where in static.items():
        field = np.zeros(shape, "float32")
        field[where] = 1
        writer.write_static(name, field)
    writer.write_static("elevation", 500 + 200 * _smooth(rng, shape, 12))
    writer.write_static("sand", 40 + 10 * _smooth(rng, shape, 20))
    land = torch.from_numpy(water < 0.5)
    h = Footprint.gaussian(domain.coarse_shape, 36, 43.0)
    soil = 0.22 + 0.05 * _smooth(rng, shape, 6)
    for n, day in enumerate(cube.days):
        theta = (soil + 0.03 * _smooth(rng, shape, 25)).astype("float32")
        fine = {}
        for k, amplitude in (("day", 60.0), ("night", 15.0)):
            clear = _smooth(rng, shape, 15) > 0
            lst = 295 - amplitude * (theta - 0.22) + rng.normal(0, 0.5, shape)
            values = {
                f"lst_{k}": lst, f"lst_{k}_sigma": np.where(clear, 1.0, 3.0), f"lst_{k}_lineage": np.where(clear, 0, 2),
                f"lst_{k}_memory": -amplitude * (theta - 0.22), f"lst_{k}_weight": np.full(shape, 2.0),
            }  # fmt: skip
            if k == "day":
                values |= {"lst_day_slow": -amplitude * (soil - 0.22), "lst_day_slow_weight": np.full(shape, 30.0)}
            fine |= {name: FINE[name].pack(v.astype("float32")) for name, v in values.items()}
        fine["red"] = FINE["red"].pack((0.2 - 0.2 * theta).astype("float32"))
        fine["nir"] = FINE["nir"].pack((0.3 + 0.1 * theta).astype("float32"))
        fine["reflectance_age"] = FINE["reflectance_age"].pack(np.full(shape, n % 8, "float32"))
        y = h.forward(torch.from_numpy(theta), land.float()).numpy() + rng.normal(0, 0.02, domain.coarse_shape)
        if n % 3 == 2:
            y[:, : y.shape[1] // 2] = np.nan
        given = {"ssm": y, "ssm_sigma": np.where(np.isfinite(y), 0.03, np.nan), "source": np.full(y.shape, 2.0)}
        for k in ("day", "night"):
            given |= {f"lst_{k}_background": np.full(y.shape, 298.0), f"lst_{k}_seen": np.full(y.shape, 0.5)}
            lst, lineage = (torch.from_numpy(FINE[v].unpack(fine[v])) for v in (f"lst_{k}", f"lst_{k}_lineage"))
            views = cell_views(lst, lineage, torch.from_numpy(cube.read_static("elevation")),
                               torch.full(y.shape, 298.0), land)  # fmt: skip
            given |= {f"lst_{k}_{name}": field.numpy() for name, field in views._asdict().items()}
        for name in cube.coarse:
            if name in fine:
                given[name] = block_mean(torch.from_numpy(FINE[name].unpack(fine[name])), 36, land).numpy()
        writer.write_day(day, fine.items(), given, {"observed": int(np.isfinite(y).sum()), "files": []})


def _smooth(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> np.ndarray:
    field = gaussian_filter(rng.normal(size=shape), sigma, mode="wrap")
    return (field / field.std()).astype("float32")


def loud_run(folder: Path, cube: Cube, model: ModelConfig, lookahead: int = 0) -> Path:
    """A run whose networks have loud random weights: what they are fed shows in their maps."""
    torch.manual_seed(1)
    scaling = compute_scaling(cube, cube.days)
    network = build(model, scaling, 0.22).eval()
    with torch.no_grad():
        for member in network:
            for p in member.head.parameters():
                p.normal_(std=0.2)
    folder.mkdir(exist_ok=True)
    save_trained(folder, Trained(network, scaling, model, 36, "gaussian", cube.fwhm, 0.22, Calibration(0.9, 1.2, 1.5),
                                 {"cube": "c", "train_days": ["a", "b"]}, lookahead=lookahead))  # fmt: skip
    return folder


def predict_day(
    estimator: Any, cube: Cube, day: dt.date, land: torch.Tensor, *, how: str, side: int, attrs: dict[str, Any]
) -> Mosaic:
    """The mosaic of a day, all at once, on the pixels ``land``; ``how`` is the update, ``side`` of tiles in cells."""
    h = replace(cube.footprint(), land=land)
    return predict_background(estimator, cube, day, h, static_flags(cube), update=how, tile=side).mosaic(attrs)
