"""The table of products: the file family of each folder of raw/, the layer of each variable, and its quality flags.

Layer names and quality bits: user guides of MOD11 C6 (Wan 2013), MOD21 (Hulley et al. 2016), MCD43 V006 (Schaaf),
MOD09 (Vermote et al. 2015), MOD13 (Didan et al. 2015), ESA CCI soil moisture (v08) and SPL3SMP (O'Neill et al. 2021).
Of LPRM, AU_Land and SMOS they stand in their readers.

What a flag does to a value follows one rule. Where it says that the ground was not seen (cloud, shadow, high cirrus),
or that the number is no measurement of it, the value is missing. Where it makes the value less certain (next to a
cloud, thin cirrus, haze, a replaced detector), the value is of lower quality: a larger error, or the second quality of
a reflectance. A flag that only describes the ground (snow in reflectance, from which snow is found; bare ground) takes
nothing away.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Family = Literal[
    "hdfeos", "latlon_lst", "easegrid", "latlon_ssm", "smap", "lprm", "au_land", "smos", "rain", "reanalysis"
]  # fmt: skip
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


Effect = Literal["missing", "lower", "kept"]
MISSING: Effect = "missing"
LOWER: Effect = "lower"
KEPT: Effect = "kept"


@dataclass(frozen=True)
class Flag:
    """A quality flag: a value has it where ``bits`` hold one of ``values``.

    Its ``effect``: the value is missing; or of lower quality, with a standard error of at least ``error`` (K for LST,
    m3 m-3 for soil moisture; 1, the second quality, for a reflectance); or kept as it is, and only counted.
    ``required``: a file without this layer is refused, because nothing else marks bad pixels (clouds in MOD09).
    Otherwise a missing layer is logged, and only the fill value and the valid range mask the values.
    """

    meaning: str
    bits: Bits
    values: tuple[int, ...] = (1,)
    effect: Effect = MISSING
    error: float = 1.0
    required: bool = False

    @staticmethod
    def codes(flags: Sequence[Flag], stored: np.ndarray) -> np.ndarray:
        """Which of at most 16 ``flags`` of one layer each stored number has: bit n of a uint8, or of a uint16 where
        there are more than eight, is that of flag n."""
        kind = np.uint8 if len(flags) <= 8 else np.uint16
        out = np.zeros(stored.shape, kind)
        for n, flag in enumerate(flags):
            out |= np.isin(flag.bits.of(stored), flag.values) * kind(1 << n)
        return out

    @staticmethod
    def bit_of(flags: Sequence[Flag], effect: Effect) -> int:
        """The bits in ``codes`` of the flags with an effect."""
        return sum(1 << n for n, flag in enumerate(flags) if flag.effect == effect)


def by_layer(flags: Sequence[Flag]) -> dict[tuple[str, ...], tuple[Flag, ...]]:
    """Flags by the names of the layer that holds them."""
    return {
        names: tuple(f for f in flags if f.bits.layer == names) for names in dict.fromkeys(f.bits.layer for f in flags)
    }


@dataclass(frozen=True)
class Layer:
    """The layer of a file that holds a variable.

    ``names`` are those that it has in files. ``sigma`` is the meaning of each value of ``sigma_bits``: for LST the
    error in K, for a reflectance 0 for the best quality and 1 for the second; ``pixel`` the side of a pixel, m.
    ``view_time`` are the names of the layer with the local solar time of each view (h), or, in a composite, with the
    day of the year on which each pixel was seen.
    """

    variable: str
    names: tuple[str, ...]
    flags: tuple[Flag, ...] = ()
    sigma_bits: Bits | None = None
    sigma: tuple[float, ...] = ()
    pixel: float = 926.6254331
    resampling: str = "bilinear"
    view_time: tuple[str, ...] = ()

    def times(self) -> Layer:
        """The layer of its view times, on the same pixels."""
        return Layer(f"{self.variable}_time", self.view_time, pixel=self.pixel, resampling="nearest")

    @property
    def has_error(self) -> bool:
        """Whether the product tells an error, or a second quality."""
        return self.sigma_bits is not None or any(flag.effect == LOWER for flag in self.flags)


@dataclass(frozen=True)
class Product:
    """One folder of raw/.

    ``suffixes`` are the endings of file names, lower case; ``group`` names products that belong together (day and
    night of MxD21). ``layers`` is empty where a family has one variable only, whose quality flags are ``flags``: where
    the first of their layers holds no number, the value is missing.
    ``centred``: the file name's day is the middle of the stated range, not its beginning (MCD43).
    ``period``: days that a composite covers whose pixels are each of one day, 0 for all other products.
    """

    name: str
    family: Family
    role: Role
    suffixes: tuple[str, ...]
    layers: tuple[Layer, ...] = ()
    flags: tuple[Flag, ...] = ()
    platform: str = ""
    group: str = ""
    centred: bool = False
    period: int = 0
    aliases: tuple[str, ...] = field(default=())

    def layer(self, variable: str) -> Layer | None:
        """The layer of a variable, None where the product has none."""
        return next((layer for layer in self.layers if layer.variable == variable), None)

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(layer.variable for layer in self.layers)


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


_CCI = ("flag", "flags", "sm_flag")
_CCI_SSM = (
    Flag("snow or frozen ground", Bits(_CCI, 0, 1)),
    Flag("dense vegetation", Bits(_CCI, 1, 1)),
    Flag("no convergence", Bits(_CCI, 2, 1)),
    Flag("beyond physical bounds", Bits(_CCI, 3, 1)),
    Flag("weight below threshold", Bits(_CCI, 4, 1)),
    Flag("all data unreliable", Bits(_CCI, 5, 1)),
    Flag("barren ground", Bits(_CCI, 6, 1), effect=KEPT),  # optional: without it deserts have no observation
)
_RETRIEVAL, _SURFACE = ("retrieval_qual_flag",), ("surface_flag",)
_SMAP = (
    Flag("not recommended", Bits(_RETRIEVAL, 0, 1)),
    Flag("not attempted", Bits(_RETRIEVAL, 1, 1)),
    Flag("not successful", Bits(_RETRIEVAL, 2, 1)),
    Flag("snow or ice", Bits(_SURFACE, 5, 2), (1, 2, 3)),  # for the day, or lasting
    Flag("frozen ground", Bits(_SURFACE, 7, 2), (1, 2, 3)),  # by the radiometer, or by the model
    # How much of water, towns, mountains, rain and dense vegetation is too much, the recommendation says.
    Flag("precipitation", Bits(_SURFACE, 4, 1), effect=KEPT),
    Flag("dense vegetation", Bits(_SURFACE, 10, 1), effect=KEPT),
)
# The bits that the reader of LPRM makes for the band it takes, of the file's mask, errors and values.
LPRM_MASK = ("mask",)
LPRM_BITS = {name: 1 << n for n, name in enumerate(
    ("no error", "frozen", "water", "dense", "large error", "above porosity", "bare"))}  # fmt: skip
_LPRM = tuple(
    Flag(words, Bits(LPRM_MASK, LPRM_BITS[name].bit_length() - 1, 1), effect=effect, error=0.15)
    for name, words, effect in (
        ("no error", "0, or no error: nothing fits the brightness temperatures", MISSING),
        ("frozen", "frozen ground", MISSING),
        ("water", "open water", MISSING),
        ("dense", "dense vegetation", MISSING),
        ("large error", "error above 0.2 m3 m-3", MISSING),
        ("above porosity", "above 0.60 m3 m-3: canopy, standing or melting water", LOWER),
        ("bare", "no vegetation, optical depth near 0", KEPT),
    )
)
_AU_LAND = (Flag("retrieval flag other than 0", Bits(("retrievalqualityflagsca",), 0, 1)),)  # 1 for any of them
_SMOS = (
    Flag("not recommended", Bits(("quality_flag",), 0, 8), (1,)),
    Flag("no retrieval", Bits(("quality_flag",), 0, 8), tuple(range(2, 256))),
)
_CCI_LST = tuple(Layer(f"lst_{view}", ("lst",)) for view in ("day", "night"))

_SMAP_NAMES = ("SPL3SMP", "SPL2SMP", "SPL3SMP_E", "SPL2SMP_E")
_LPRM_NAMES = tuple(f"LPRM_{sensor}_{way}_SOILM3" for sensor in ("AMSR2", "AMSR2_DS", "AMSRE") for way in "DA")

PRODUCTS: tuple[Product, ...] = (
    Product("NNsm", "easegrid", "ssm", (".nc", ".nc4"), aliases=("NNsm-FY",)),
    Product("C3S", "latlon_ssm", "ssm", (".nc",), flags=_CCI_SSM),
    Product("CCI", "latlon_ssm", "ssm", (".nc",), flags=_CCI_SSM),
    Product("SMAP", "smap", "ssm", (".h5", ".nc"), flags=_SMAP, aliases=_SMAP_NAMES),
    Product("LPRM", "lprm", "ssm", (".nc4", ".nc"), flags=_LPRM, aliases=_LPRM_NAMES),
    Product("AU_Land", "au_land", "ssm", (".he5", ".h5"), flags=_AU_LAND),
    Product("SMOS", "smos", "ssm", (".nc",), flags=_SMOS, aliases=("SMOS-IC", "SMOS_IC", "SMOSIC")),
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
