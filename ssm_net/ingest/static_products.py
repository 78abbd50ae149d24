"""Products of static maps that archives deliver as tiles: the names of their files, and what their numbers mean.

A product is known by the name of its files, or of the folder that they lie in (SoilGrids names its tiles by place
alone). Where it comes from, and what its numbers are:

- Copernicus DEM: Product Handbook (metres above EGM2008, no nodata: the sea is 0); its COG tiles have fewer columns
  beyond 50 degrees. NASADEM, SRTM: ``SRTM Collection User Guide`` of LP DAAC (metres, big-endian int16, rows and
  columns of two tiles in common, voids -32768). MERIT: hydro.iis.u-tokyo.ac.jp/~yamadai/MERIT_DEM (metres, -9999).
- MOD44W: ``water_mask`` is 0 land, 1 water, 250 outside of the projection (MOD44W user guide; grid and layer names as
  public readers of version 6.1 have them).
- JRC Global Surface Water, Data Users Guide: ``occurrence`` in percent of the months observed, 255 without data.
- ESA WorldCover, Product User Manual 2.0: 50 built-up, 80 permanent water bodies, 0 without data.
- SoilGrids 2.0: sand and clay in g/kg in Goode's homolosine projection, -32768 (isric.org/explore/soilgrids, FAQ).
- OpenLandMap: percent of mass, 255 (zenodo.org/record/2525662).
- GHSL data package 2023: GHS-BUILT-S is built-up surface in m2 of each cell, 65535 in cells of 100 m, 4294967295 in
  those of 30 seconds of arc; years after 2020 are extrapolated. The fill values are from public readers of the tiles.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

LAST_OBSERVED = 2020  # year of GHSL: later ones are projections


@dataclass(frozen=True)
class Meaning:
    """What the numbers of a product mean for one map: ``unit`` they are in, where the file states none; ``classes``:
    the numbers of a classification that count as the map's fraction; ``per_cell``: they are square metres of each cell;
    ``fills``: numbers without a value. ``layer``: the name of the layer in an HDF file."""

    unit: str = ""
    classes: tuple[int, ...] = ()
    per_cell: bool = False
    fills: tuple[float, ...] = ()
    layer: str = ""

    @property
    def words(self) -> str:
        """The unit of the files, in words."""
        if self.classes:
            return f"class {', '.join(map(str, self.classes))}" if self.classes != (1,) else "a mask of 0 and 1"
        return "m2 per cell" if self.per_cell else self.unit


PLAIN = Meaning()  # of files whose product is not known: in the unit of the map, or the one they state


@dataclass(frozen=True)
class StaticProduct:
    """A product of static maps.

    ``pattern`` matches the names of its files without their ending; its groups may be ``edition``, of which a higher
    one goes before a lower one, ``depth``, of which only the smallest is used, and ``map``, the map that a file is of.
    ``folder`` matches the names of folders whose files are tiles of it. ``gives``: by map, what the numbers mean.
    """

    name: str
    pattern: re.Pattern[str]
    gives: Mapping[str, Meaning]
    folder: re.Pattern[str] | None = None


@dataclass(frozen=True)
class Known:
    """What the name of a file tells: its ``product``, what its numbers mean for each map that it ``gives``, its
    ``edition`` (higher is newer) and ``depth`` in cm."""

    product: StaticProduct
    gives: Mapping[str, Meaning]
    edition: float = 0.0
    depth: float = 0.0


def _of(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.I)


PLACE = r"[ns]\d{2,3}(?:_00)?_?[ew]\d{3}(?:_00)?"
_METRES = {"elevation": Meaning("m", fills=(-32768.0, -32767.0, -9999.0))}
_GRAMS = Meaning("g/kg", fills=(-32768.0,))
_PERCENT = Meaning("percent", fills=(255.0,))
_SOILGRIDS = r"(?P<map>sand|clay)_(?P<depth>\d+)-\d+cm_mean"

# In the order in which they are preferred where a folder holds several of one map.
STATIC_PRODUCTS = (
    StaticProduct("Copernicus DEM", _of(rf"copernicus_dsm(?:_cog)?_\d\d_{PLACE}_dem$"), _METRES),
    StaticProduct("NASADEM", _of(rf"nasadem_hgt_{PLACE}$"), _METRES),
    StaticProduct("MERIT DEM", _of(rf"{PLACE}_(?:elv|dem)$"), _METRES),
    StaticProduct("FABDEM", _of(rf"{PLACE}_fabdem_v[\d-]+$"), _METRES),
    StaticProduct("SRTM", _of(rf"(?:{PLACE}(?:\.srtmgl[13])?|srtm_\d\d_\d\d)$"), _METRES),
    StaticProduct("ALOS World 3D", _of(rf"alpsml\w+_{PLACE}_dsm$"), _METRES),
    StaticProduct("ASTER GDEM", _of(rf"astgtm\w*_{PLACE}_dem$"), _METRES),
    StaticProduct("TanDEM-X", _of(rf"tdm1_dem__\d\d_{PLACE}_dem$"), _METRES),
    StaticProduct("MOD44W", _of(r"mod44w\.a(?P<edition>\d{7})\.h\d\dv\d\d\.\d{3}\.\d+$"),
                  {"water_fraction": Meaning(classes=(1,), fills=(250.0, 253.0, 254.0, 255.0), layer="water_mask")}),
    StaticProduct("JRC Global Surface Water", _of(r"occurrence_\d+[ew]_\d+[ns]_?v?(?P<edition>1_\d_\d{4})?$"),
                  {"water_fraction": _PERCENT}),
    StaticProduct("GHSL built-up surface",
                  _of(r"ghs_built_s_e(?P<edition>\d{4})_globe_r\d{4}a_(?:54009|4326)_\w+?_v\d_\d(?:_r\d+_c\d+)?$"),
                  {"urban": Meaning(per_cell=True, fills=(65535.0, 4294967295.0, -200.0))}),
    StaticProduct("ESA WorldCover", _of(r"esa_worldcover_10m_(?P<edition>\d{4})_v\d+_\w*map$"),
                  {"water_fraction": Meaning(classes=(80,), fills=(0.0, 255.0)),
                   "urban": Meaning(classes=(50,), fills=(0.0, 255.0))}),
    StaticProduct("SoilGrids", _of(rf"{_SOILGRIDS}(?:_\d+)?$"), {"sand": _GRAMS, "clay": _GRAMS},
                  _of(rf"{_SOILGRIDS}(?:_\d+)?$")),
    StaticProduct("OpenLandMap",
                  _of(r"sol_(?P<map>sand|clay)\.wfraction_usda\.\w+_m_250m_b(?P<depth>\d+)\.\.\d+cm_\S+$"),
                  {"sand": _PERCENT, "clay": _PERCENT}),
)  # fmt: skip
# Files of these products that hold something else: errors, counts, edits, other statistics and other layers.
_BESIDE = (
    _of(rf"(?!\w+_(?:dem|dsm)$)(?:copernicus_dsm|astgtm|alpsml|tdm1_)\w*_{PLACE}_\w+$"),
    _of(rf"{PLACE}_(?:wbm|hem|flm|edm|acm|num|stk|msk|slope|lsm|cov|wam|com|sh?d|swb)$"),
    _of(r"(?:sand|clay)_\d+-\d+cm_(?:q0\.\d+|uncertainty)(?:_\d+)?$"),
    _of(r"(?:change|seasonality|recurrence|transitions|extent)_\d+[ew]_\d+[ns]"),
    _of(r"ghs_built_s_nres_"),
    _of(r"esa_worldcover_\w+_inputquality$"),
    _of(r"sol_(?:sand|clay)\.wfraction_usda\.\w+_md_"),
)
_FOLDER_NAMES = {
    "elevation": _of(r"elevation|dem|dtm|srtm|nasadem|merit|copernicus[\w-]*dem|topography"),
    "water_fraction": _of(r"water(?:[_ -]?fraction)?|mod44w[\w.]*|gsw|occurrence|surface[_ -]?water"),
    "urban": _of(r"urban|built(?:[_ -]?up)?|ghsl?|built[_ -]?s"),
    "sand": _of(r"sand"),
    "clay": _of(r"clay"),
}  # what the folder of a map is called


def known_by_name(stem: str) -> Known | None:
    """The product of a file by its name without the ending; None where it is none of the table."""
    for product in STATIC_PRODUCTS:
        if match := product.pattern.match(stem):
            return _known(product, match)
    return None


def known_by_folder(folder: str) -> Known | None:
    """The product whose tiles lie in a folder of this name; None where it tells none."""
    for product in STATIC_PRODUCTS:
        if product.folder is not None and (match := product.folder.match(folder)):
            return _known(product, match)
    return None


def map_of_folder(folder: str) -> str:
    """The map whose tiles lie in a folder of this name; empty where it tells none."""
    return next((name for name, pattern in _FOLDER_NAMES.items() if pattern.fullmatch(folder)), "")


def is_beside(stem: str) -> bool:
    """Whether a file lies beside the tiles of a product, and is no map of it: errors, counts, other statistics."""
    return any(pattern.match(stem) for pattern in _BESIDE)


def _known(product: StaticProduct, match: re.Match[str]) -> Known:
    groups = match.groupdict()
    name = (groups.get("map") or "").lower()
    edition = float(re.sub(r"\D", "", groups.get("edition") or "") or 0)
    if product.name.startswith("GHSL") and edition > LAST_OBSERVED:
        edition = -edition
    gives = {name: product.gives[name]} if name else product.gives
    return Known(product, gives, edition, float(groups.get("depth") or 0))
