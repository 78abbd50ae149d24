"""Readers of SMAP's finer products, HDF5: SPL2SMAP_S (SMAP and Sentinel-1, 1 and 3 km) and SPL4SMGP (SMAP L4, 9 km).

Layouts. SPL2SMAP_S: groups, layers and their rows and columns on the 1 and 3 km EASE-Grid 2.0 as the readers of the HDF
Group (hdfeos/zoo, SMAP_L2_SM_SP_..h5.py) and NASA's subsetter (sds-varinfo, required variables of SPL2SMAP_S) name
them; bit 0 of ``retrieval_qual_flag_3km``, set where a retrieval is not recommended, as public readers use it. Known
from memory only (NSIDC user guide): the flag has the same name and meaning at 1 km; of the two times in a file name the
first is Sentinel-1's, the second SMAP's. SPL4SMGP: ``Geophysical_Data/sm_surface`` (1624 x 3856, 9 km, fill -9999) as
hdfeos/zoo reads it; from memory: an average over three hours about the time in the name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ssm_net.ingest import signature
from ssm_net.ingest.encoding import Encoding, attributes_of
from ssm_net.ingest.naming import moment_in_name
from ssm_net.ingest.raster import GranuleError, naming_damage
from ssm_net.peers.sample import Places, Sample, nowhere, soil_moisture

SENTINEL_NAME = re.compile(r"SMAP_L2_SM_SP_.*?_(\d{8}T\d{6})_(?P<smap>\d{8}T\d{6})_", re.I)
L4_NAME = re.compile(r"SMAP_L4_SM_gph_\d{8}T\d{6}_", re.I)
FILL = -9999.0
NOT_RECOMMENDED = 1  # bit 0 of the retrieval quality flag
L4_GRID = (1624, 3856)
FINER = {"1km": 36, "3km": 12}  # cells along a 36 km cell


@dataclass(frozen=True)
class SentinelReader:
    """Reads the retrievals of one resolution, ``1km`` or ``3km``, of a scene of SPL2SMAP_S."""

    resolution: str

    def __call__(self, path: Path, places: Places) -> Sequence[Sample]:
        """The scene at ``places``, at the moment that SMAP saw it. Raises ``GranuleError`` where it is damaged."""
        named = SENTINEL_NAME.search(path.name)
        if named is None:
            raise GranuleError(path, "its name states no time of SMAP", remedy="give it its archive's name")
        moment = moment_in_name(named["smap"])
        values = self._values(path, places)
        return [Sample(values, np.full(places.size, moment, "datetime64[s]"))]

    def _values(self, path: Path, places: Places) -> np.ndarray:
        of = self.resolution
        signature.require(path, "a SMAP HDF5 file", signature.HDF5)
        with naming_damage(path), h5py.File(path, "r") as file:
            group = _group(path, file, f"Soil_Moisture_Retrieval_Data_{of}")
            rows, cols = (_layer(path, group, f"EASE_{axis}_index_{of}")[()].ravel().astype(np.int64)
                          for axis in ("row", "column"))  # fmt: skip
            at, hit = _scene_index(rows, cols, FINER[of], places)
            out = nowhere(places)
            if not hit.any():
                return out
            layer = _layer(path, group, f"soil_moisture_{of}")
            stored = layer[()].ravel()[at[hit]]
            flag = f"retrieval_qual_flag_{of}"
            if flag in group:
                bad = (group[flag][()].ravel()[at[hit]].astype(np.int64) & NOT_RECOMMENDED) > 0
                stored = np.where(bad, FILL, stored)
            out[hit] = soil_moisture(stored, Encoding(path, layer.name, attributes_of(layer)), (FILL,))
        return out


def _scene_index(rows: np.ndarray, cols: np.ndarray, finer: int, places: Places) -> tuple[np.ndarray, np.ndarray]:
    """The index of each place in the lists ``rows`` and ``cols`` of a scene, (P,), and whether it is in there."""
    width = 964 * finer
    key = np.where((rows >= 0) & (cols >= 0) & (cols < width), rows * width + cols, -1)
    order = np.argsort(key, kind="stable")
    row, col = places.ease_cells(finer)
    wanted = row * width + col
    at = order[np.clip(np.searchsorted(key, wanted, sorter=order), 0, key.size - 1)]
    return at, key[at] == wanted


def read_l4(path: Path, places: Places) -> Sequence[Sample]:
    """Surface soil moisture of SMAP L4 at ``places``, at the time in the file's name.

    Raises ``GranuleError`` where the file is damaged or of another grid.
    """
    signature.require(path, "a SMAP HDF5 file", signature.HDF5)
    row, col = places.ease_cells(4)
    with naming_damage(path), h5py.File(path, "r") as file:
        layer = _layer(path, _group(path, file, "Geophysical_Data"), "sm_surface")
        if layer.shape != L4_GRID:
            raise GranuleError(path, f"has shape {layer.shape}, not {L4_GRID} of the 9 km grid", layer="sm_surface",
                               remedy="give whole files, as the archive delivers them")  # fmt: skip
        first, last = int(row.min(initial=L4_GRID[0] - 1)), int(row.max(initial=0))
        band = layer[first : last + 1]
        values = soil_moisture(band[row - first, col], Encoding(path, "sm_surface", attributes_of(layer)), (FILL,))
    return [Sample(values, np.full(places.size, moment_in_name(path.name), "datetime64[s]"))]


def _group(path: Path, file: Any, name: str) -> Any:
    if name not in file:
        raise GranuleError(path, f"holds no group {name} (it holds {', '.join(file)})")
    return file[name]


def _layer(path: Path, group: Any, name: str) -> Any:
    if name not in group:
        raise GranuleError(path, f"is missing in {group.name}", layer=name)
    return group[name]
