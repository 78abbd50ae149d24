"""The table of products: the file family of each folder of raw/, and the layer of each variable.

Layer names and quality bits: user guides of MOD11 C6 (Wan 2013), MOD21 (Hulley et al. 2016), MCD43 V006 (Schaaf),
MOD09 (Vermote et al. 2015) and MOD13 (Didan et al. 2015).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Family = Literal["hdfeos", "latlon_lst", "easegrid", "latlon_ssm", "smap", "rain", "reanalysis"]
Role = Literal["ssm", "lst", "reflectance", "rain", "reanalysis"]


@dataclass(frozen=True)
class Bits:
    """``count`` bits from bit ``first`` of an integer layer; ``layer`` lists the names that it has in files."""

    layer: tuple[str, ...]
    first: int
    count: int

    def of(self, stored: np.ndarray) -> np.ndarray:
        """The value of these bits, same shape, int64."""
        return (stored.astype(np.int64) >> self.first) & ((1 << self.count) - 1)


@dataclass(frozen=True)
class Quality:
    """A pixel is used only where ``bits`` hold one of ``good``.

    ``required``: a file without this layer is refused, because nothing else marks bad pixels (clouds in MOD09).
    Otherwise a missing layer is logged, and only the fill value and the valid range mask the values.
    """

    bits: Bits
    good: tuple[int, ...]
    required: bool = False


@dataclass(frozen=True)
class Layer:
    """The layer of a file that holds a variable.

    ``names`` are those that it has in files. ``sigma`` is the meaning of each value of ``sigma_bits``: for LST the
    error in K, for a reflectance 0 for the best quality and 1 for the second; ``pixel`` the side of a pixel, m.
    """

    variable: str
    names: tuple[str, ...]
    quality: tuple[Quality, ...] = ()
    sigma_bits: Bits | None = None
    sigma: tuple[float, ...] = ()
    pixel: float = 926.6254331
    resampling: str = "bilinear"


@dataclass(frozen=True)
class Product:
    """One folder of raw/.

    ``suffixes`` are the endings of file names, lower case; ``group`` names products that belong together (day and
    night of MxD21). ``layers`` is empty where a family has one variable only.
    ``centred``: the file name's day is the middle of the stated range, not its beginning (MCD43).
    """

    name: str
    family: Family
    role: Role
    suffixes: tuple[str, ...]
    layers: tuple[Layer, ...] = ()
    platform: str = ""
    group: str = ""
    centred: bool = False
    aliases: tuple[str, ...] = field(default=())

    def layer(self, variable: str) -> Layer | None:
        """The layer of a variable, None where the product has none."""
        return next((layer for layer in self.layers if layer.variable == variable), None)

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(layer.variable for layer in self.layers)


MODIS_BANDS = {"red": 1, "nir": 2, "swir1": 6, "swir2": 7}  # MODIS land bands; swir1 1.64 um, swir2 2.13 um
HALF_KM = 463.31271655


def _mxd11(view: str) -> Layer:
    qc = (f"QC_{view}",)
    return Layer(
        f"lst_{view.lower()}",
        (f"LST_{view}_1km",),
        (Quality(Bits(qc, 0, 2), (0, 1)),),
        sigma_bits=Bits(qc, 6, 2),
        sigma=(1.0, 2.0, 3.0, 4.0),  # <= 1 K, <= 2 K, <= 3 K, > 3 K
    )


def _mxd21(view: str) -> Layer:
    qc = ("QC",)
    return Layer(
        f"lst_{view}",
        ("LST_1KM", "LST_1km"),
        (Quality(Bits(qc, 0, 2), (0, 1)),),
        sigma_bits=Bits(qc, 14, 2),
        sigma=(2.5, 2.0, 1.5, 1.0),  # > 2 K, 1.5-2 K, 1-1.5 K, < 1 K
    )


def _mcd43(variable: str) -> Layer:
    n = MODIS_BANDS[variable]
    bits = (f"BRDF_Albedo_Band_Mandatory_Quality_Band{n}",)
    quality = Quality(Bits(bits, 0, 8), (0, 1))  # full, magnitude inversion
    return Layer(variable, (f"Nadir_Reflectance_Band{n}",), (quality,), Bits(bits, 0, 1), (0.0, 1.0),
                 HALF_KM, "average")  # fmt: skip


def _mod09(variable: str, state: tuple[str, ...], qc: tuple[str, ...]) -> Layer:
    n = MODIS_BANDS[variable]
    quality = (
        Quality(Bits(state, 0, 2), (0, 3), required=True),  # clear, or assumed clear
        Quality(Bits(state, 2, 1), (0,), required=True),  # no cloud shadow
        Quality(Bits(qc, 0, 2), (0, 1)),
        Quality(Bits(qc, 2 + 4 * (n - 1), 4), (0,)),  # this band: highest quality
    )
    names = (f"sur_refl_b{n:02d}_1", f"sur_refl_b{n:02d}")
    return Layer(variable, names, quality, pixel=HALF_KM, resampling="average")


def _mod13(variable: str, name: str) -> Layer:
    bits = ("1 km 16 days pixel reliability",)
    reliability = Quality(Bits(bits, 0, 8), (0, 1))  # good, marginal
    return Layer(variable, (f"1 km 16 days {name}",), (reliability,), Bits(bits, 0, 1), (0.0, 1.0))


_MOD13 = tuple(
    _mod13(*pair)
    for pair in (
        ("ndvi", "NDVI"), ("red", "red reflectance"), ("nir", "NIR reflectance"), ("swir2", "MIR reflectance"),
    )
)  # fmt: skip


def _modis() -> tuple[Product, ...]:
    hdf = (".hdf",)
    out: list[Product] = []
    for short, platform in (("MYD", "aqua"), ("MOD", "terra")):
        day_night = (_mxd11("Day"), _mxd11("Night"))
        out.append(Product(f"{short}11A1", "hdfeos", "lst", hdf, day_night, platform))
        for letter, view in (("D", "day"), ("N", "night")):
            name = f"{short}21A1{letter}"
            out.append(Product(name, "hdfeos", "lst", hdf, (_mxd21(view),), platform, group=f"{short}21A1"))
    mcd43 = tuple(_mcd43(b) for b in MODIS_BANDS)
    out.append(Product("MCD43A4", "hdfeos", "reflectance", hdf, mcd43, centred=True))
    for short, platform in (("MOD", "terra"), ("MYD", "aqua")):
        daily = tuple(_mod09(b, ("state_1km_1", "state_1km"), ("QC_500m_1", "QC_500m")) for b in MODIS_BANDS)
        weekly = tuple(_mod09(b, ("sur_refl_state_500m",), ("sur_refl_qc_500m",)) for b in MODIS_BANDS)
        out.append(Product(f"{short}09GA", "hdfeos", "reflectance", hdf, daily, platform))
        out.append(Product(f"{short}09A1", "hdfeos", "reflectance", hdf, weekly, platform))
        out.append(Product(f"{short}13A2", "hdfeos", "reflectance", hdf, _MOD13, platform))
    return tuple(out)


_CCI_LST = tuple(Layer(f"lst_{view}", ("lst",)) for view in ("day", "night"))

PRODUCTS: tuple[Product, ...] = (
    Product("NNsm", "easegrid", "ssm", (".nc", ".nc4"), aliases=("NNsm-FY",)),
    Product("C3S", "latlon_ssm", "ssm", (".nc",)),
    Product("CCI", "latlon_ssm", "ssm", (".nc",)),
    Product("SMAP", "smap", "ssm", (".h5", ".nc"), aliases=("SPL3SMP", "SPL2SMP")),
    *_modis(),
    Product("ESACCI-LST", "latlon_lst", "lst", (".nc",), _CCI_LST),
    Product("ERA5-Land", "reanalysis", "reanalysis", (".nc", ".nc4")),
    Product("precip", "rain", "rain", (".nc", ".nc4", ".cdf")),
)

_BY_NAME = {name.lower(): p for p in PRODUCTS for name in (p.name, *p.aliases)}


def product(folder: str) -> Product | None:
    """The product of a folder name, with or without a version (``MOD11A1.061``, ``MOD11A1``), in capitals or not; None
    where unknown."""
    name = folder.lower()
    return _BY_NAME.get(name) or _BY_NAME.get(re.sub(r"[._-]v?\d{3}$", "", name))


def of_role(role: Role) -> tuple[Product, ...]:
    """The products of a ``role``, the preferred one first."""
    return tuple(p for p in PRODUCTS if p.role == role)
