"""Real cloud masks of several MODIS tiles, and a real field of LST to hide under them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from provenance import ROOT


def clouds(real: Path) -> dict[str, np.ndarray]:
    """Cloud masks (y, x) of several MODIS tiles by name: true under cloud."""
    from pyhdf.SD import SD

    out = {}
    for file in sorted((real / "modis").glob("M[OY]D11A1*.hdf")):
        granule, name = SD(str(file)), file.name.split(".")[2]
        for overpass in ("Day", "Night"):
            out[f"{name} {overpass.lower()}"] = granule.select(f"LST_{overpass}_1km").get() == 0
    with np.load(ROOT / "bench" / "cloud_masks.npz") as packed:
        for name in packed.files:
            if not name.endswith("width"):
                out[name] = np.unpackbits(packed[name], axis=1, count=int(packed[f"{name} width"])).astype(bool)
    return out


def windows(mask: np.ndarray, shape: tuple[int, int], step: int) -> list[np.ndarray]:
    """All windows of that shape, ``step`` pixels apart."""
    return [
        mask[y : y + shape[0], x : x + shape[1]]
        for y in range(0, mask.shape[0] - shape[0] + 1, step)
        for x in range(0, mask.shape[1] - shape[1] + 1, step)
    ]


def monthly_field(real: Path) -> np.ndarray:
    """A monthly field of LST, 500 x 300 pixels, K, NaN where it has none."""
    with xr.open_dataset(next((real / "lst_china").glob("*.nc"))) as dataset:
        return dataset["lst"].values[0, :, :300]


def holes_of(mask: np.ndarray, shape: tuple[int, int]) -> list[np.ndarray]:
    """The windows of that shape of which nearest to 30 % is cloud, ten at most."""
    return sorted(windows(mask, shape, 50), key=lambda w: abs(w.mean() - 0.3))[:10]
