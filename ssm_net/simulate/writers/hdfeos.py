"""Writer of HDF4-EOS grid files like those of the MODIS archive, with pyhdf alone.

An HDF-EOS grid is a set of SDS whose dimensions are named ``YDim:GRID``, Vgroups GRID > Data Fields that hold them,
and ``StructMetadata.0``, which places them. Source: HDF-EOS Library User's Guide, and files of the archive.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RADIUS_TEXT = "6371007.181000"
DFTAG_NDG = 720  # an SDS, as Vgroups name it


@dataclass(frozen=True)
class EosLayer:
    """One SDS: its attributes in order, each (value, type name) with the type a name of pyhdf's ``SDC``."""

    name: str
    data: NDArray
    attributes: Mapping[str, tuple[Any, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Placement:
    """The pixels of an EOS grid: (rows, columns), corners (x, y) in sinusoidal metres, and the numbers of its tile."""

    shape: tuple[int, int]
    upper_left: tuple[float, float]
    lower_right: tuple[float, float]
    tile: tuple[int, int]


@dataclass(frozen=True)
class EosFile:
    """The metadata of an EOS file; ``begin`` and ``end`` are yyyy-mm-dd."""

    grid: str
    placement: Placement
    short_name: str
    version: int
    platform: str
    begin: str
    end: str


def write_eos(path: Path, eos: EosFile, layers: list[EosLayer]) -> None:
    """Write a file next to ``path`` and rename it into place.

    Raises ``OSError`` where the file cannot be written.
    """
    import pyhdf.V  # noqa: F401  gives HDF its vgstart
    from pyhdf.error import HDF4Error
    from pyhdf.HDF import HC, HDF
    from pyhdf.SD import SD, SDC

    for layer in layers:
        assert layer.data.shape == eos.placement.shape, (
            f"layer {layer.name} is {layer.data.shape}, not {eos.placement.shape}"
        )
    part = path.with_name(path.name + ".part")
    types = {"uint8": SDC.UINT8, "int16": SDC.INT16, "uint16": SDC.UINT16}
    try:
        sd = SD(str(part), SDC.WRITE | SDC.CREATE | SDC.TRUNC)
        refs = []
        for layer in layers:
            sds = sd.create(layer.name, types[layer.data.dtype.name], eos.placement.shape)
            for axis, dim in enumerate(("YDim", "XDim")):
                sds.dim(axis).setname(f"{dim}:{eos.grid}")
            sds.setcompress(SDC.COMP_DEFLATE, 1)
            for key, (value, kind) in layer.attributes.items():
                sds.attr(key).set(getattr(SDC, kind), value)
            sds[:] = np.ascontiguousarray(layer.data)
            refs.append(sds.ref())
            sds.endaccess()
        sd.attr("HDFEOSVersion").set(SDC.CHAR, "HDFEOS_V2.19")
        # The library reads the metadata as a block of 32000 characters.
        sd.attr("StructMetadata.0").set(SDC.CHAR, struct_metadata(eos, layers).ljust(32000, "\0"))
        sd.attr("CoreMetadata.0").set(SDC.CHAR, core_metadata(eos, path.name))
        sd.end()

        hdf = HDF(str(part), HC.WRITE)
        vgroups = hdf.vgstart()
        root, fields, attributes = (vgroups.create(n) for n in (eos.grid, "Data Fields", "Grid Attributes"))
        root._class = "GRID"
        fields._class = attributes._class = "GRID Vgroup"
        for ref in refs:
            fields.add(DFTAG_NDG, ref)
        root.insert(fields)
        root.insert(attributes)
        for group in (fields, attributes, root):
            group.detach()
        vgroups.end()
        hdf.close()
    except HDF4Error as err:
        raise OSError(f"{path}: cannot be written as HDF4 ({err}); is there room on the disk?") from err
    os.replace(part, path)


@dataclass(frozen=True)
class Dialect:
    """The words of ``StructMetadata`` that differ between HDF-EOS and HDF-EOS5."""

    projection: str
    origin: str
    types: Mapping[str, str]


HDF4_WORDS = Dialect("GCTP_SNSOID", "HDFE_GD_UL",
                     {"uint8": "DFNT_UINT8", "int16": "DFNT_INT16", "uint16": "DFNT_UINT16"})  # fmt: skip


def struct_metadata(eos: EosFile, layers: list[EosLayer], words: Dialect = HDF4_WORDS) -> str:
    """The ODL text that places the grid."""
    lines = ["GROUP=SwathStructure", "END_GROUP=SwathStructure", "GROUP=GridStructure", "\tGROUP=GRID_1"]
    (left, top), (right, bottom) = eos.placement.upper_left, eos.placement.lower_right
    lines += [
        f'\t\tGridName="{eos.grid}"',
        f"\t\tXDim={eos.placement.shape[1]}",
        f"\t\tYDim={eos.placement.shape[0]}",
        f"\t\tUpperLeftPointMtrs=({left:.6f},{top:.6f})",
        f"\t\tLowerRightMtrs=({right:.6f},{bottom:.6f})",
        f"\t\tProjection={words.projection}",
        f"\t\tProjParams=({RADIUS_TEXT},0,0,0,0,0,0,0,86400,0,0,0,0)",
        "\t\tSphereCode=-1",
        f"\t\tGridOrigin={words.origin}",
        "\t\tGROUP=Dimension",
        "\t\tEND_GROUP=Dimension",
        "\t\tGROUP=DataField",
    ]
    for n, layer in enumerate(layers, 1):
        lines += [
            f"\t\t\tOBJECT=DataField_{n}",
            f'\t\t\t\tDataFieldName="{layer.name}"',
            f"\t\t\t\tDataType={words.types[layer.data.dtype.name]}",
            '\t\t\t\tDimList=("YDim","XDim")',
            f"\t\t\tEND_OBJECT=DataField_{n}",
        ]
    lines += ["\t\tEND_GROUP=DataField", "\t\tGROUP=MergedFields", "\t\tEND_GROUP=MergedFields", "\tEND_GROUP=GRID_1"]
    lines += ["END_GROUP=GridStructure", "GROUP=PointStructure", "END_GROUP=PointStructure", "END"]
    return "\n".join(lines) + "\n"


def core_metadata(eos: EosFile, name: str) -> str:
    """The ODL text of the inventory: names, dates, platform, tile."""

    def entry(key: str, value: str | int) -> str:
        shown = value if isinstance(value, int) else f'"{value}"'
        return (
            f"    OBJECT                 = {key}\n      NUM_VAL              = 1\n"
            f"      VALUE                = {shown}\n    END_OBJECT             = {key}\n\n"
        )

    def group(key: str, body: str) -> str:
        return f"  GROUP                  = {key}\n\n{body}  END_GROUP              = {key}\n\n"

    text = group("ECSDATAGRANULE", entry("LOCALGRANULEID", name) + entry("DAYNIGHTFLAG", "Both"))
    text += group("COLLECTIONDESCRIPTIONCLASS", entry("VERSIONID", eos.version) + entry("SHORTNAME", eos.short_name))
    text += group(
        "RANGEDATETIME",
        entry("RANGEBEGINNINGDATE", eos.begin)
        + entry("RANGEBEGINNINGTIME", "00:00:00.000000")
        + entry("RANGEENDINGDATE", eos.end)
        + entry("RANGEENDINGTIME", "23:59:59.999999"),
    )
    text += group("ASSOCIATEDPLATFORMINSTRUMENTSENSOR", entry("ASSOCIATEDPLATFORMSHORTNAME", eos.platform))
    text += group(
        "ADDITIONALATTRIBUTES",
        entry("HORIZONTALTILENUMBER", f"{eos.placement.tile[0]:02d}")
        + entry("VERTICALTILENUMBER", f"{eos.placement.tile[1]:02d}"),
    )
    head = "\nGROUP                  = INVENTORYMETADATA\n  GROUPTYPE            = MASTERGROUP\n\n"
    return head + text + "END_GROUP              = INVENTORYMETADATA\n\nEND\n"
