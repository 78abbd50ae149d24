"""The table of products: the file family of each folder of raw/, the layer of each variable, and its quality flags.

Layer names and quality bits: user guides of MOD11 C6 (Wan 2013), MOD21 (Hulley et al. 2016), MCD43 V006 (Schaaf),
MOD09 (Vermote et al. 2015) and MOD13 (Didan et al. 2015). The rows of soil moisture are in ``ssm_products``; what a
flag does to a value, ``product_types`` says.
"""

from __future__ import annotations

import re

from ssm_net.ingest.product_types import (
    KEPT,
    LOWER,
    MISSING,
    Bits,
    Effect,
    Family,
    Flag,
    Layer,
    Product,
    Role,
    by_layer,
)
from ssm_net.ingest.ssm_products import COARSE_SSM

__all__ = ["KEPT", "LOWER", "MISSING", "PRODUCTS", "Bits", "Effect", "Family", "Flag", "Layer", "Product", "Role",
           "by_layer", "of_role", "product"]  # fmt: skip

MODIS_BANDS = {"red": 1, "nir": 2, "swir1": 6, "swir2": 7}  # MODIS land bands; swir1 1.64 um, swir2 2.13 um
HALF_KM = 463.31271655


def _not_produced(layer: tuple[str, ...]) -> tuple[Flag, ...]:
    """The mandatory flags of MODIS land products."""
    return (Flag("not produced, cloud", Bits(layer, 0, 2), (2,)), Flag("not produced", Bits(layer, 0, 2), (3,)))


def _mxd11(view: str) -> Layer:
    qc = (f"QC_{view}",)
    return Layer(
        f"lst_{view.lower()}",
        (f"LST_{view}_1km",),
        _not_produced(qc),
        sigma_bits=Bits(qc, 6, 2),
        sigma=(1.0, 2.0, 3.0, 4.0),  # <= 1 K, <= 2 K, <= 3 K, > 3 K
        view_time=(f"{view}_view_time",),
    )


def _mxd21(view: str) -> Layer:
    qc = ("QC",)
    return Layer(
        f"lst_{view}",
        ("LST_1KM", "LST_1km"),
        (
            *_not_produced(qc),
            Flag("cloud", Bits(qc, 4, 2), (3,)),
            Flag("thin cirrus", Bits(qc, 4, 2), (1,), LOWER, 4.0),
            Flag("within two pixels of cloud", Bits(qc, 4, 2), (2,), LOWER, 2.5),
        ),
        sigma_bits=Bits(qc, 14, 2),
        sigma=(2.5, 2.0, 1.5, 1.0),  # > 2 K, 1.5-2 K, 1-1.5 K, < 1 K
        view_time=("View_Time", "View_time"),
    )


def _mcd43(variable: str) -> Layer:
    n = MODIS_BANDS[variable]
    bits = Bits((f"BRDF_Albedo_Band_Mandatory_Quality_Band{n}",), 0, 8)
    flags = (Flag("no inversion", bits, tuple(range(2, 256))), Flag("magnitude inversion", bits, (1,), LOWER))
    return Layer(variable, (f"Nadir_Reflectance_Band{n}",), flags, pixel=HALF_KM, resampling="average")


def _mod09(variable: str, state: tuple[str, ...], qc: tuple[str, ...], day: tuple[str, ...] = ()) -> Layer:
    n = MODIS_BANDS[variable]
    band = Bits(qc, 2 + 4 * (n - 1), 4)
    flags = (
        Flag("cloud", Bits(state, 0, 2), (1, 2), required=True),  # cloudy, mixed; 3, not set, is assumed clear
        Flag("cloud shadow", Bits(state, 2, 1), required=True),
        Flag("high cirrus", Bits(state, 8, 2), (3,), required=True),
        Flag("internal cloud", Bits(state, 10, 1), required=True),
        Flag("fire", Bits(state, 11, 1), required=True),
        Flag("adjacent to cloud", Bits(state, 13, 1), effect=LOWER, required=True),
        Flag("average cirrus", Bits(state, 8, 2), (2,), LOWER, required=True),
        Flag("high aerosol", Bits(state, 6, 2), (3,), LOWER, required=True),
        Flag("snow or ice", Bits(state, 12, 1), effect=KEPT, required=True),
        Flag("internal snow", Bits(state, 15, 1), effect=KEPT, required=True),
        *_not_produced(qc),
        Flag("poor band", band, (*range(1, 7), 9, 10, 11, 13, 14, 15)),  # low sun, no input, out of bounds, faulty
        # A noisy detector; a dead one, interpolated in L1B (band 6 of Aqua); a constant for a climatology.
        Flag("doubtful band", band, (7, 8, 12), LOWER),
    )
    names = (f"sur_refl_b{n:02d}_1", f"sur_refl_b{n:02d}")
    return Layer(variable, names, flags, pixel=HALF_KM, resampling="average", view_time=day)


def _mod13(variable: str, name: str) -> Layer:
    rank, vi = ("1 km 16 days pixel reliability",), ("1 km 16 days VI Quality",)
    flags = (
        Flag("snow or ice", Bits(rank, 0, 8), (2,)),  # of sixteen days: no snow index is made of it
        Flag("cloud", Bits(rank, 0, 8), (3,)),
        Flag("not produced or estimated", Bits(rank, 0, 8), tuple(range(4, 256))),
        Flag("marginal", Bits(rank, 0, 8), (1,), LOWER),
        Flag("adjacent to cloud", Bits(vi, 8, 1), effect=LOWER),
        Flag("mixed cloud", Bits(vi, 10, 1), effect=LOWER),
        Flag("possible shadow", Bits(vi, 15, 1), effect=LOWER),
        Flag("high aerosol", Bits(vi, 6, 2), (3,), LOWER),
    )
    return Layer(variable, (f"1 km 16 days {name}",), flags, view_time=("1 km 16 days composite day of the year",))


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
        out.append(Product(f"{short}11A1", "hdfeos", "lst", hdf, day_night, platform=platform))
        for letter, view in (("D", "day"), ("N", "night")):
            name = f"{short}21A1{letter}"
            out.append(Product(name, "hdfeos", "lst", hdf, (_mxd21(view),), platform=platform, group=f"{short}21A1"))
    mcd43 = tuple(_mcd43(b) for b in MODIS_BANDS)
    out.append(Product("MCD43A4", "hdfeos", "reflectance", hdf, mcd43, centred=True))
    for short, platform in (("MOD", "terra"), ("MYD", "aqua")):
        daily = tuple(_mod09(b, ("state_1km_1", "state_1km"), ("QC_500m_1", "QC_500m")) for b in MODIS_BANDS)
        weekly = tuple(
            _mod09(b, ("sur_refl_state_500m",), ("sur_refl_qc_500m",), ("sur_refl_day_of_year",)) for b in MODIS_BANDS
        )
        out.append(Product(f"{short}09GA", "hdfeos", "reflectance", hdf, daily, platform=platform))
        out.append(Product(f"{short}09A1", "hdfeos", "reflectance", hdf, weekly, platform=platform, period=8))
        out.append(Product(f"{short}13A2", "hdfeos", "reflectance", hdf, _MOD13, platform=platform, period=16))
    return tuple(out)


_CCI_LST = tuple(Layer(f"lst_{view}", ("lst",)) for view in ("day", "night"))

PRODUCTS: tuple[Product, ...] = (
    *COARSE_SSM,
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
