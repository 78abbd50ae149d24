"""A country's cube for timing inference: plausible values straight in the cube's format, a variable at a time.

The fields are smooth noise of three scales and noise of the pixel, so that they pack about as well as real ones do;
they follow no physics, and a map made of them is worth nothing but the time it takes.

    python bench/national_cube.py FOLDER        makes a day of it in FOLDER/cube.zarr and prints its bytes by variable
"""

from __future__ import annotations

import datetime as dt
import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from pyproj import Transformer
from rasterio.features import rasterize
from torch import Tensor
from torch.nn.functional import interpolate

from ssm_net.core.clock import OVERPASSES
from ssm_net.cube.layout import CubeLayout, create_cube
from ssm_net.cube.lock import write_lock
from ssm_net.cube.masks import kept_pixels
from ssm_net.cube.spacing import spacing
from ssm_net.cube.store import Cube, open_cube
from ssm_net.cube.variables import API_DAYS, FINE
from ssm_net.grid import Domain, block_mean

FIRST = dt.date(2018, 7, 1)
CHINA = (36, 144, 676, 848)  # rows and columns of coarse cells, conf/domain/china.yaml
CELLS = ("background", "seen", "cloud", "cloud_sigma")
STATIC = ("clay", "elevation", "inside", "relief", "sand", "water_fraction")
# Corners of a country, degrees east and north: about 9.6 million square kilometres.
OUTLINE = (
    (73.5, 39.5), (80, 45), (87.5, 49), (91, 45.5), (97, 42.7), (105, 41.6), (111, 44), (116, 46.5), (117, 49.5),
    (120, 53), (126, 52.5), (131, 47.7), (135, 48.3), (131, 43), (124.5, 40), (121.5, 40.8), (118, 39), (122.5, 37),
    (119.5, 35), (122, 31), (121.5, 28.5), (119, 25.5), (114, 22.3), (108, 21.5), (105, 23), (101.5, 21.2),
    (97.7, 24), (98.5, 27.7), (92, 27), (86, 28), (81, 30.3), (78.5, 32.5), (74, 37.5),
)  # fmt: skip
ATTRS = {"ssm": "NNsm", "lst": "MYD11A1", "reflectance": "MCD43A4", "rain": "precip", "footprint": "gaussian",
         "fwhm_km": 43.0, "sigma_ssm": 0.04, "modis_day": "utc", "memory_days": 4.0, "memory_background": 2.0,
         "boundary": "outline"}  # fmt: skip


def build(path: Path, days: int, window: tuple[int, int, int, int] = CHINA) -> Cube:
    """The cube at ``path`` with its first ``days`` days; what is there is kept, what was cut off is gone on with."""
    domain = Domain("china", window)
    coarse = ["ssm", "ssm_sigma", "source", *(f"lst_{k}_{w}" for k in OVERPASSES for w in CELLS)]
    coarse += [v for v in FINE if not v.endswith(("_lineage", "_sigma", "_quality"))]
    dates = [FIRST + dt.timedelta(n) for n in range(days)]
    with write_lock(path) as lock:
        writer = create_cube(lock, CubeLayout(domain, list(FINE), coarse, list(STATIC), ATTRS), dates)
        cube = writer.cube
        if not cube.done_days():
            for name in STATIC:
                writer.write_static(name, _static(name, domain))
        kept = kept_pixels(cube.land(), domain.ratio).numpy()
        for day in dates:
            if not cube.done(day):
                fine = _Fine(domain, day, kept)
                writer.write_day(day, fine.items(), _Coarse(fine), {"files": [], "problems": [], "missing": []})
    return open_cube(path)


def megabytes(path: Path) -> dict[str, float]:
    """Of the last day of a cube, by pixel variable; what is coarse together. A file that n days share counts as an nth
    of its size."""
    cube = open_cube(path)
    at = cube.index(cube.done_days()[-1])
    files = {key: cube.shards(key).file(at) for key in
             [*(f"fine/{name}" for name in cube.fine), *(f"coarse/{name}" for name in cube.coarse)]}  # fmt: skip
    there = {key: file.stat() for key, file in files.items() if file.exists()}
    sizes = {key: stat.st_size / stat.st_nlink / 1e6 for key, stat in there.items()}
    fine = {key.removeprefix("fine/"): mb for key, mb in sizes.items() if key.startswith("fine/")}
    return fine | {"coarse fields": sum(mb for key, mb in sizes.items() if key.startswith("coarse/"))}


def in_words(size: Mapping[str, float]) -> str:
    """``megabytes`` in a line, the largest first."""
    largest = ", ".join(f"{name} {mb:.1f}" for name, mb in sorted(size.items(), key=lambda item: -item[1]))
    return f"{sum(size.values()):.0f} MB a day in the cube: {largest}"


def noise(name: str, shape: tuple[int, int], day: dt.date = dt.date.min) -> Tensor:
    """Of order one, (y, x), always the same for a name and a day: smooth over 300, 40 and 6 pixels, and rough."""
    random = torch.Generator().manual_seed(zlib.crc32(f"{name} {day}".encode()))
    out = torch.randn(shape, generator=random).mul_(0.1)
    for scale, weight in ((300, 0.8), (40, 0.5), (6, 0.3)):
        knots = torch.randn(1, 1, *(n // scale + 2 for n in shape), generator=random)
        out += weight * interpolate(knots, size=shape, mode="bilinear", align_corners=True)[0, 0]
    return out


def _static(name: str, domain: Domain) -> np.ndarray:
    shape = domain.fine_shape
    if name == "inside":
        to_metres = Transformer.from_crs("EPSG:4326", domain.grid.crs, always_xy=True)
        ring = [to_metres.transform(*corner) for corner in OUTLINE]
        polygon = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
        return rasterize([polygon], out_shape=shape, transform=domain.fine.affine).astype("float32")
    z = noise(name, shape)
    made = {
        "elevation": lambda: (1200 + 1200 * z).clamp(min=0),
        "relief": lambda: 60 * z.exp(),
        "sand": lambda: (45 + 12 * z).clamp(5, 90),
        "clay": lambda: (22 + 7 * z).clamp(2, 60),
        "water_fraction": lambda: ((z - 2.0) * 2).clamp(0, 1),  # lakes, a hundredth of the land
    }
    return made[name]().round(decimals=1).numpy() if name != "water_fraction" else made[name]().numpy()


class _Fine(Mapping[str, np.ndarray]):
    """A day's variables, packed, each made when it is asked for; their cell means are kept."""

    def __init__(self, domain: Domain, day: dt.date, kept: np.ndarray) -> None:
        self.domain, self.day, self.kept = domain, day, kept
        self.cells: dict[str, np.ndarray] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(FINE)

    def __len__(self) -> int:
        return len(FINE)

    def __getitem__(self, name: str) -> np.ndarray:
        values = self._values(name)
        self.cells[name] = block_mean(values, self.domain.ratio).numpy()
        if name.endswith("_lineage"):
            self.cells[name.replace("_lineage", "_seen")] = block_mean((values <= 1).float(), self.domain.ratio).numpy()
        step = spacing(name, self.domain.ratio)
        if step > 1:
            return FINE[name].pack(block_mean(values, step).numpy())
        packed = FINE[name].pack(values.numpy())
        packed[~self.kept] = FINE[name].fill
        return packed

    def _noise(self, name: str) -> Tensor:
        return noise(name, self.domain.fine_shape, self.day)

    def _values(self, name: str) -> Tensor:
        if name.startswith("lst_"):
            overpass, what = (*name.split("_")[1:], "")[:2]
            if what == "memory":
                return 3 * self._noise(name)
            if what == "slow":  # of a year: the same pattern on all days, and little that the day adds
                lasting, of_day = noise(name, self.domain.fine_shape), self._noise(name)
                return 40 * (lasting / 4).exp() if name.endswith("_weight") else 2 * lasting + 0.02 * of_day
            if what == "weight":
                return self._noise(name).exp().clamp(max=6)
            cloudy = self._noise(f"clouds {overpass}") > 0.1
            if what == "lineage":
                return torch.where(cloudy, 2.0, 0.0)
            if what == "sigma":
                return torch.where(cloudy, 3.0, 1.0)
            return {"day": 303, "night": 286}[overpass] + 5 * self._noise(name)
        if name in ("red", "nir", "swir1", "swir2"):
            return ({"red": 0.1, "nir": 0.28, "swir1": 0.25, "swir2": 0.18}[name] + 0.04 * noise(
                name, self.domain.fine_shape)).clamp(0.01, 0.9)  # fmt: skip
        if name == "reflectance_quality":
            return torch.zeros(self.domain.fine_shape)
        if name == "reflectance_age":
            return (3 + 3 * self._noise(name)).clamp(0, 30).floor()
        storm = (self._noise("rain") - 0.8).clamp(min=0)  # the sky is dry over most of a country
        return 15 * storm + {"rain": 0, **API_DAYS}[name] * noise(name, self.domain.fine_shape).exp() * (name != "rain")


class _Coarse(Mapping[str, np.ndarray]):
    """The coarse fields that belong to a day whose fine ones were made; an orbit gap stands over some columns."""

    def __init__(self, fine: _Fine) -> None:
        self.fine = fine
        self.names = [*fine, "ssm", "ssm_sigma", "source"]
        self.names += [f"lst_{k}_{w}" for k in OVERPASSES for w in CELLS]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, name: str) -> np.ndarray:
        if name in self.fine.cells:
            return self.fine.cells[name]
        rows, cols = self.fine.domain.coarse_shape
        if name.endswith("_background"):
            return np.full((rows, cols), {"day": 303.0, "night": 286.0}[name.split("_")[1]] + 7, "float32")
        if name.endswith(("_cloud", "_cloud_sigma")):
            return np.full((rows, cols), 2.0 if name.endswith("sigma") else -3.0, "float32")
        ssm = 0.2 + 0.05 * noise("soil", (rows, cols), self.fine.day).numpy()
        gap = (np.arange(cols) + 20 * self.fine.day.day) % 60 < 12
        ssm[:, gap] = np.nan
        return {"ssm": ssm, "ssm_sigma": 0 * ssm + 0.04, "source": np.where(np.isfinite(ssm), 2.0, 0.0)}[name]


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        raise SystemExit(__doc__)
    print(in_words(megabytes(build(Path(sys.argv[1]) / "cube.zarr", 1).path)))
