"""The table of products of others: how their files are named and read, and which instruments they rest on."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ssm_net.peers import gridded, smap
from ssm_net.peers.sample import Places, Sample

Reader = Callable[[Path, Places], Sequence[Sample]]


@dataclass(frozen=True)
class PeerProduct:
    """A product whose files are named like ``pattern``.

    ``resolution`` is added to the name that a user gives, where one file holds several. ``dated_inside``: files may
    state their days by a time axis alone. ``instruments`` are those that
    it is made of; none where that is not known, and then its errors are not taken for independent of anyone's.
    """

    name: str
    pattern: re.Pattern[str]
    read: Reader
    instruments: frozenset[str] = frozenset()
    resolution: str = ""
    dated_inside: bool = False


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.I)


# Of what each is made: SPL2SMAP_S and SPL4SMGP by their titles; NSIDC-0779 ("DisPATCh"-like, thermal inertia of MODIS
# LST and vegetation) and the forcing of SPL4SMGP from memory; China 1 km by Song et al. (2022).
PEER_PRODUCTS: tuple[PeerProduct, ...] = (
    *(PeerProduct(f"SPL2SMAP_S, {km} km", smap.SENTINEL_NAME, smap.SentinelReader(f"{km}km"),
                  frozenset({"SMAP", "Sentinel-1"}), f"{km} km") for km in (1, 3)),
    PeerProduct("SMAP L4 (SPL4SMGP), 9 km", smap.L4_NAME, smap.read_l4, frozenset({"SMAP", "reanalysis"})),
    PeerProduct("NSIDC-0779, 1 km", _pattern(r"NSIDC-0779.*\.tiff?$"), gridded.read_nsidc_0779,
                frozenset({"SMAP", "MODIS"})),
    PeerProduct("China 1 km (Song et al. 2022)", _pattern(r"^SM_\d{7}\.h5$"), gridded.read_china_1km,
                frozenset({"AMSR-E", "AMSR2", "FY-3B", "MODIS"})),
    PeerProduct("GeoTIFF", _pattern(r"\.tiff?$"), gridded.read_geotiff),
    PeerProduct("NetCDF", _pattern(r"\.(nc|nc4|cdf)$"), gridded.read_netcdf, dated_inside=True),
)  # fmt: skip


def products_of(name: str) -> list[PeerProduct]:
    """The products that a file of this name is of: several where it holds several resolutions, none where unknown."""
    first = next((p for p in PEER_PRODUCTS if p.pattern.search(name)), None)
    return [p for p in PEER_PRODUCTS if first is not None and p.pattern == first.pattern]
