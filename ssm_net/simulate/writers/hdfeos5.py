"""Writer of HDF-EOS5 grid files like those of the VIIRS archive, with h5py alone.

Source: HDF-EOS5 Library User's Guide, and the groups and attributes that public code reads (``ingest/eos_hdf5.py``).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ssm_net.simulate.writers.hdfeos import Dialect, EosFile, EosLayer, struct_metadata

WORDS = Dialect("HE5_GCTP_SNSOID", "HE5_HDFE_GD_UL",
                {"uint8": "H5T_NATIVE_UCHAR", "int16": "H5T_NATIVE_SHORT", "uint16": "H5T_NATIVE_USHORT"})  # fmt: skip
METADATA_SIZE = 32000  # characters of the text that places the grids, filled with NUL
CHUNK = 240  # pixels a side


def write_eos5(path: Path, eos: EosFile, layers: list[EosLayer]) -> None:
    """Write a file next to ``path`` and rename it into place. Raises ``OSError`` where it cannot be written."""
    part = path.with_name(path.name + ".part")
    with h5py.File(part, "w") as file:
        for key, value in _attributes(eos, path.name).items():
            file.attrs[key] = np.bytes_(value)
        file.create_group("HDFEOS/ADDITIONAL/FILE_ATTRIBUTES")
        fields = file.create_group(f"HDFEOS/GRIDS/{eos.grid}/Data Fields")
        for layer in layers:
            chunks = tuple(min(CHUNK, n) for n in layer.data.shape)
            dataset = fields.create_dataset(layer.name, data=layer.data, chunks=chunks, compression=1)
            for name, stated in layer.attributes.items():
                dataset.attrs[name] = _typed(*stated)
        information = file.create_group("HDFEOS INFORMATION")
        information.attrs["HDFEOSVersion"] = np.bytes_("HDFEOS_5.1.15")
        text = struct_metadata(eos, layers, WORDS).encode().ljust(METADATA_SIZE, b"\0")
        information.create_dataset("StructMetadata.0", data=np.array(text, f"S{METADATA_SIZE}"))
    os.replace(part, path)


def _attributes(eos: EosFile, name: str) -> dict[str, str]:
    h, v = eos.placement.tile
    return {
        "ShortName": eos.short_name, "VersionID": f"{eos.version:03d}", "LocalGranuleID": name,
        "PlatformShortName": eos.platform, "RangeBeginningDate": eos.begin, "RangeBeginningTime": "00:00:00.000000",
        "RangeEndingDate": eos.end, "RangeEndingTime": "23:59:59.000000", "StartTime": f"{eos.begin} 00:00:00.000",
        "EndTime": f"{eos.end} 23:59:59.000", "HorizontalTileNumber": f"{h:02d}", "VerticalTileNumber": f"{v:02d}",
    }  # fmt: skip


def _typed(value: Any, kind: str) -> Any:
    return np.bytes_(value) if kind == "CHAR" else np.asarray(value, kind.lower())
