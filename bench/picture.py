"""The picture of the README: one cloudy day of the demo's world, from the coarse observation to the map.

    python bench/picture.py demo docs/demo.png [yyyy-mm-dd]

Reads what `make demo` leaves: the cube, the truth, the mosaics, the bilinear mosaics of the report. Without a day it
takes, of the days on which the radiometer saw at least nine cells in ten, the one whose cloud cover is nearest to 80 %
(not of the first two weeks, when little is remembered yet).
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from ssm_net.cube.store import Cube, open_cube
from ssm_net.evaluate.metrics.algebra import UNIT
from ssm_net.evaluate.mosaics import Mosaics
from ssm_net.evaluate.report.figures import STYLE
from ssm_net.formats.product import Flag, Mosaic
from ssm_net.formats.truth import Truth

CLOUD = 0.8
WARM_UP = 14  # days
SOIL = "YlGnBu"


def cloud(mosaic: Mosaic) -> float:
    """Fraction of the land pixels whose LST was gap-filled."""
    land = np.isfinite(mosaic.ssm)
    return float(((mosaic.flags[land] & int(Flag.LST_SEEN)) == 0).mean())


def choose(product: Mosaics, truth: Truth, cube: Cube) -> dt.date:
    """The day to show; see above."""
    observed_days = [
        d for d in product.days[WARM_UP:] if d in truth.days and np.isfinite(cube.read_coarse("ssm", d)).mean() >= 0.9
    ]
    if not observed_days:
        raise SystemExit(f"{product.folder}: no day of the truth was fully observed by the radiometer; name a day")
    return min(observed_days, key=lambda d: abs(cloud(product.read(d)) - CLOUD))


def picture(demo: Path, day: dt.date | None) -> Figure:
    """Five panels on one page: coarse observation, bilinear, ssm_net, truth; and the stated error of ssm_net."""
    cube = open_cube(demo / "cube.zarr")
    product = Mosaics.open(demo / "mosaics", cube.domain)
    truth = Truth.open(demo / "raw" / "truth.zarr", cube.domain)
    bilinear = Mosaics.open(demo / "report" / "baselines" / "bilinear", cube.domain)
    day = day or choose(product, truth, cube)
    mosaic, known = product.read(day), truth.read(day)
    if known is None:
        raise SystemExit(f"{day}: the truth holds no such day")
    water = truth.water >= 0.5
    soil = {
        "radiometer, 36 km": np.kron(cube.read_coarse("ssm", day), np.ones((36, 36))),
        "bilinear": bilinear.read(day).ssm,
        "ssm_net, 1 km": mosaic.ssm,
        "truth, 1 km": np.where(water, np.nan, known),
    }
    low, high = np.nanquantile(soil["truth, 1 km"], [0.02, 0.98])
    lon, lat = cube.domain.lonlat()
    fig = Figure(figsize=(15, 3.6), layout="compressed")
    axes = fig.subplots(1, len(soil) + 1)
    for ax, (name, field) in zip(axes, [*soil.items(), ("standard error of ssm_net", mosaic.sigma)], strict=True):
        scale = {"cmap": SOIL, "vmin": low, "vmax": high} if name in soil else {"cmap": "magma_r"}
        ax.pcolormesh(lon, lat, np.ma.masked_invalid(field), shading="nearest", rasterized=True, **scale)
        ax.set(title=name, aspect=1 / np.cos(np.deg2rad(lat.mean())), facecolor="#eceff0", xticks=[], yticks=[])
        ax.grid(False)
    fig.colorbar(axes[0].collections[0], ax=list(axes[:-1]), label=f"soil moisture, {UNIT}", shrink=0.8, pad=0.01,
                 extend="both")  # fmt: skip
    fig.colorbar(axes[-1].collections[0], ax=axes[-1], label=UNIT, shrink=0.8, pad=0.01)
    rows, cols = cube.domain.coarse_shape
    fig.suptitle(
        f"A synthetic world, {day}: {rows} x {cols} cells of 36 km, {cloud(mosaic):.0%} of the land under cloud",
        fontsize=10, x=0.01, ha="left",
    )  # fmt: skip
    return fig


def main(demo: str, out: str, day: str | None = None) -> None:
    with mpl.rc_context(STYLE):
        picture(Path(demo), dt.date.fromisoformat(day) if day else None).savefig(out, dpi=90)
    print(f"{out} written")


if __name__ == "__main__":
    main(*sys.argv[1:])
