r"""The picture of the map style: a GeoTIFF as QGIS is to show it, drawn from the style file and the flags beside it.

    python simulate.py raw=W/raw domain.name=hills 'domain.window=[64,72,772,784]' start=2016-05-14 \
        end=2016-06-07 seed=3
    python prepare.py raw=W/raw cube=W/cube.zarr domain.name=hills 'domain.window=[64,72,772,784]' start=2016-05-14 \
        end=2016-06-07
    python infer.py cube=W/cube.zarr mosaics=W/maps method=ridge format=cog start=2016-06-07
    python bench/map_style.py W/maps/ssm_hills_20160607.tif docs/map_style.png

Colours and their steps are read from the QML file, not from the package: what is drawn is what was delivered. Flags are
shown by what matters most to a reader of the map; each pixel has one colour.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import rasterio
from matplotlib.colors import LinearSegmentedColormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ssm_net.evaluate.metrics.algebra import UNIT
from ssm_net.evaluate.report.figures import STYLE

# The first that a pixel has is its colour.
CLASSES = {
    "water": "#9ec9e2", "urban": "#777777", "frozen_or_snow": "#e8e8f0", "extrapolated": "#c44e52",
    "long_unobserved": "#dd8452", "orbit_gap_filled": "#ccb974", "lst_filled": "#a1c9a4", "lst_seen": "#3a7d44",
}  # fmt: skip
ABSENT = "#ffffff"  # outside the domain, or none of these


def colour_ramp(style: Path) -> tuple[LinearSegmentedColormap, Normalize]:
    """The colours of a QML file and the range of values that they span."""
    items = [
        (float(i.get("value", "")), i.get("color", "")) for i in ET.parse(style).iterfind(".//colorrampshader/item")
    ]
    norm = Normalize(items[0][0], items[-1][0])
    return LinearSegmentedColormap.from_list("style", [(float(norm(value)), c) for value, c in items]), norm


def flag_classes(flags: np.ma.MaskedArray, meanings: dict[str, int]) -> np.ndarray:
    """Places in ``CLASSES`` (y, x), one beyond its end for a pixel without any."""
    classes = np.full(flags.shape, len(CLASSES))
    for place, name in reversed(list(enumerate(CLASSES))):
        classes[(flags.filled(0) & meanings[name]) > 0] = place
    return classes


def picture(map_file: Path) -> Figure:
    """Soil moisture and the flags of a map, side by side."""
    cmap, norm = colour_ramp(map_file.with_suffix(".qml"))
    with rasterio.open(map_file) as file:
        ssm = file.read(1, masked=True) * file.scales[0]
        flags, bounds, tags = file.read(3, masked=True), file.bounds, file.tags()
    meanings = dict(zip(tags["flag_meanings"].split(), map(int, tags["flag_masks"].split(",")), strict=True))
    extent = (bounds.left, bounds.right, bounds.bottom, bounds.top)
    classes = flag_classes(flags, meanings)
    fig = Figure(figsize=(11, 4.2), layout="compressed")
    axes = fig.subplots(1, 2)
    show = {"extent": extent, "interpolation": "nearest", "aspect": 1 / np.cos(np.deg2rad((extent[2] + extent[3]) / 2))}
    image = axes[0].imshow(ssm, cmap=cmap, norm=norm, **show)
    fig.colorbar(image, ax=axes[0], label=f"soil moisture, {UNIT}", extend="both", shrink=0.8)
    axes[1].imshow(
        classes, cmap=ListedColormap([*CLASSES.values(), ABSENT]), vmin=-0.5, vmax=len(CLASSES) + 0.5, **show
    )
    there = [Patch(color=c, label=name) for n, (name, c) in enumerate(CLASSES.items()) if (classes == n).any()]
    axes[1].legend(handles=there, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    for ax, title in zip(axes, ("ssm", "flags"), strict=True):
        ax.set(title=title, xlabel="degrees east")
        ax.grid(False)
    axes[0].set_ylabel("degrees north")
    fig.suptitle(f"{map_file.name}: {tags['title']}", fontsize=10, x=0.01, ha="left")
    return fig


def main(map_file: str, out: str) -> None:
    with mpl.rc_context(STYLE):
        picture(Path(map_file)).savefig(out, dpi=90)
    print(f"{out} written")


if __name__ == "__main__":
    main(*sys.argv[1:])
