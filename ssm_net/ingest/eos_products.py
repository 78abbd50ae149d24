"""The rows of the table of products that are MODIS and VIIRS on the sinusoidal grid: layers, bands, quality flags.

Layer names and quality bits of MODIS: user guides of MOD11 C6 (Wan 2013), MOD21 (Hulley et al. 2016), MCD43 V006
(Schaaf), MOD09 (Vermote et al. 2015), MOD13 (Didan et al. 2015).

VIIRS, collections 1 and 2:
VNP21A1: the file specification of LAADS (ladsweb.modaps.eosdis.nasa.gov/filespec/VIIRS/1/VNP21A1D: LST_1KM is uint16,
scale 0.02, fill 0, valid 7500..65535) and the bits in the catalogue of Earth Engine (NASA/VIIRS/002/VNP21A1D).
VNP43IA4, VNP43MA4: the user guide of UMass Boston (umb.edu/spectralmass, "VNP43IA4 and VNP43MA4 NBAR products").
VNP09GA: the catalogue of Earth Engine (NASA/VIIRS/002/VNP09GA, after the user guide V2 of Vermote et al.): bits and
wavelengths. Collection 2 names the grids of VNP09GA VIIRS_Grid_1km_2D and VIIRS_Grid_500m_2D, collection 1 VNP_Grid_*;
a layer is found by its own name, in whichever grid it is.
The kin of NOAA-20 (VJ1) and NOAA-21 (VJ2) have the same layers.

Red, near infrared, 1.6 and 2.2 um are bands 1, 2, 6, 7 of MODIS (0.645, 0.858, 1.640, 2.130 um), I1, I2, I3 of VIIRS
at 500 m (0.640, 0.865, 1.610 um) and M5, M7, M10, M11 at 1 km (0.672, 0.866, 1.610, 2.250 um). No imagery band sees
2.2 um.
"""

from __future__ import annotations

from ssm_net.ingest.product_types import KEPT, LOWER, Bits, Flag, Layer, Product

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


VIIRS_BANDS = {"red": ("I1", "M5"), "nir": ("I2", "M7"), "swir1": ("I3", "M10"), "swir2": ("", "M11")}  # 500 m, 1 km
VIIRS_PLATFORMS = {"VNP": "snpp", "VJ1": "noaa-20", "VJ2": "noaa-21"}
KM = 926.6254331


def _nbar(variable: str, band: str) -> Layer:
    bits = Bits((f"BRDF_Albedo_Band_Mandatory_Quality_{band}",), 0, 8)
    flags = (Flag("no inversion", bits, tuple(range(2, 256))), Flag("magnitude inversion", bits, (1,), LOWER))
    pixel = HALF_KM if band[0] == "I" else KM
    return Layer(variable, (f"Nadir_Reflectance_{band}",), flags, pixel=pixel, resampling="average")


def _qf(n: int, first: int, count: int = 1) -> Bits:
    """Bits of the n-th quality layer of VIIRS surface reflectance."""
    return Bits((f"SurfReflect_QF{n}_1", f"SurfReflect_QF{n}"), first, count)


_BAD_INPUT = {"M5": _qf(3, 4), "M7": _qf(3, 5), "M10": _qf(3, 7), "M11": _qf(4, 0), "I1": _qf(4, 1), "I2": _qf(4, 2),
              "I3": _qf(4, 3)}  # fmt: skip
_BAD_RESULT = {"M5": _qf(5, 6), "M7": _qf(5, 7), "M10": _qf(6, 1), "M11": _qf(6, 2), "I1": _qf(6, 3), "I2": _qf(6, 4),
               "I3": _qf(6, 5)}  # fmt: skip


def _vnp09(variable: str, band: str) -> Layer:
    flags = (
        Flag("cloud", _qf(1, 2, 2), (2, 3), required=True),  # probably, confidently
        Flag("night", _qf(1, 4), required=True),
        Flag("low sun", _qf(1, 5), effect=LOWER, required=True),
        Flag("cloud shadow", _qf(2, 3), required=True),
        Flag("heavy aerosol", _qf(2, 4), effect=LOWER, required=True),
        Flag("thin cirrus", _qf(2, 6, 2), (1, 2, 3), LOWER, required=True),  # seen by reflection, by emission
        Flag("snow or ice", _qf(2, 5), effect=KEPT, required=True),
        Flag("faulty band", _BAD_INPUT[band]),
        Flag("doubtful band", _BAD_RESULT[band], effect=LOWER),
        Flag("adjacent to cloud", _qf(7, 1), effect=LOWER),
        Flag("high aerosol", _qf(7, 2, 2), (3,), LOWER),
    )
    pixel = HALF_KM if band[0] == "I" else KM
    return Layer(variable, (f"SurfReflect_{band}_1", f"SurfReflect_{band}"), flags, pixel=pixel, resampling="average")


MODIS_FILES = (".hdf", ".nc", ".nc4")  # tiles, and crops of them by AppEEARS or OPeNDAP
VIIRS_FILES = (".h5", ".nc", ".nc4")


def _lst_of_modis(short: str, platform: str) -> tuple[Product, ...]:
    day_night = (_mxd11("Day"), _mxd11("Night"))
    out = [Product(f"{short}11A1", "hdfeos", "lst", MODIS_FILES, day_night, platform=platform)]
    return (*out, *_lst21(short, platform, MODIS_FILES))


def _lst21(short: str, platform: str, files: tuple[str, ...]) -> tuple[Product, ...]:
    return tuple(
        Product(f"{short}21A1{letter}", "hdfeos", "lst", files, (_mxd21(view),), platform=platform,
                group=f"{short}21A1")
        for letter, view in (("D", "day"), ("N", "night"))
    )  # fmt: skip


def _nbar_of_viirs(short: str, platform: str) -> tuple[Product, ...]:
    """At 500 m the bands up to 1.6 um, at 1 km all: together they are one product, the finer first."""
    fine = tuple(_nbar(v, imagery) for v, (imagery, _) in VIIRS_BANDS.items() if imagery)
    coarse = tuple(_nbar(v, moderate) for v, (_, moderate) in VIIRS_BANDS.items())
    return tuple(
        Product(f"{short}43{letter}A4", "hdfeos", "reflectance", VIIRS_FILES, layers, platform=platform,
                group=f"{short}43A4", centred=True, line="NBAR")
        for letter, layers in (("I", fine), ("M", coarse))
    )  # fmt: skip


def _surface_reflectance() -> tuple[Product, ...]:
    out: list[Product] = []
    for short, platform in (("MOD", "terra"), ("MYD", "aqua")):
        daily = tuple(_mod09(b, ("state_1km_1", "state_1km"), ("QC_500m_1", "QC_500m")) for b in MODIS_BANDS)
        weekly = tuple(
            _mod09(b, ("sur_refl_state_500m",), ("sur_refl_qc_500m",), ("sur_refl_day_of_year",)) for b in MODIS_BANDS
        )
        line = "daily" if short == "MOD" else ""
        ga = Product(f"{short}09GA", "hdfeos", "reflectance", MODIS_FILES, daily, platform=platform, line=line)
        out += [
            ga,
            Product(f"{short}09A1", "hdfeos", "reflectance", MODIS_FILES, weekly, platform=platform, period=8),
            Product(f"{short}13A2", "hdfeos", "reflectance", MODIS_FILES, _MOD13, platform=platform, period=16),
        ]
    for short, platform in VIIRS_PLATFORMS.items():
        daily = tuple(_vnp09(v, imagery or moderate) for v, (imagery, moderate) in VIIRS_BANDS.items())
        name = f"{short}09GA"
        out.append(Product(name, "hdfeos", "reflectance", VIIRS_FILES, daily, platform=platform, line="daily"))
    return tuple(out)


MODIS_LST = (*_lst_of_modis("MYD", "aqua"), *_lst_of_modis("MOD", "terra"))
VIIRS_LST = tuple(p for short, platform in VIIRS_PLATFORMS.items() for p in _lst21(short, platform, VIIRS_FILES))
NBAR = (
    Product("MCD43A4", "hdfeos", "reflectance", MODIS_FILES, tuple(_mcd43(b) for b in MODIS_BANDS), centred=True,
            line="NBAR"),
    *(p for short, platform in VIIRS_PLATFORMS.items() for p in _nbar_of_viirs(short, platform)),
)  # fmt: skip
SURFACE_REFLECTANCE = _surface_reflectance()
