"""The table of citations: how each product that goes into a map is cited, and what observed it.

Sources. The names of NASA's data at LP DAAC are their DOIs (10.5067/MODIS/MYD11A1.061 in the catalogue of Earth Engine,
10.5067/VIIRS/VNP21A1D.002 in that of data.nasa.gov; the other products by the same scheme). SMAP, LPRM of AMSR2, IMERG,
CHIRPS, ERA5, ERA5-Land, C3S, ESA CCI and the static maps: the citations that public code and papers which use them give
(DOIs of SPL3SMP 9, SPL3SMP_E 6, LPRM AMSR2 by night and by day, Copernicus DEM, NASADEM, MERIT, JRC, WorldCover, GHSL,
SoilGrids, OpenLandMap were seen there). SMOS-IC: ib.remote-sensing.inrae.fr asks for Wigneron et al. (2021). ISMN: its
own Python package. Known only from memory: the authors of the MODIS and VIIRS products, CMFD, CN05.1, GLDAS, ESA CCI
LST, FABDEM, ALOS, ASTER and TanDEM-X. Where no DOI was found, the archive is named.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

UNKNOWN = "cite it as its provider asks; ssm_net knows no citation of it"
VERSION = "{version}"  # in a citation: filled in from the names of the files


@dataclass(frozen=True)
class Source:
    """A product and its ``citation``; the satellites (``platform``) and the ``instrument`` behind LST and reflectance;
    ``files`` is a pattern of file names, where one folder may hold several products; ``version`` the current one."""

    product: str
    citation: str
    platform: str = ""
    instrument: str = ""
    files: str = ""
    version: str = ""

    def __str__(self) -> str:
        return f"{self.product}: {self.citation.replace(VERSION, self.version)}"


_AUTHORS = {
    "11": "Wan, Z., Hook, S., Hulley, G.", "21": "Hulley, G., Hook, S.", "43": "Schaaf, C., Wang, Z.",
    "09": "Vermote, E., Wolfe, R.", "13": "Didan, K.",
}  # fmt: skip
_TITLES = {
    "11A1": "Land Surface Temperature/Emissivity Daily L3 Global 1km SIN Grid",
    "21A1D": "Land Surface Temperature/Emissivity Daily L3 Global 1km SIN Grid Day",
    "21A1N": "Land Surface Temperature/Emissivity Daily L3 Global 1km SIN Grid Night",
    "43A4": "Nadir BRDF-Adjusted Reflectance Daily L3 Global 500m SIN Grid",
    "43IA4": "Nadir BRDF-Adjusted Reflectance Daily L3 Global 500m SIN Grid",
    "43MA4": "Nadir BRDF-Adjusted Reflectance Daily L3 Global 1km SIN Grid",
    "09GA": "Surface Reflectance Daily L2G Global 1km and 500m SIN Grid",
    "09A1": "Surface Reflectance 8-Day L3 Global 500m SIN Grid",
    "13A2": "Vegetation Indices 16-Day L3 Global 1km SIN Grid",
}
_SATELLITES = {"MYD": "Aqua", "MOD": "Terra", "MCD": "Terra, Aqua", "VNP": "Suomi NPP", "VJ1": "NOAA-20",
               "VJ2": "NOAA-21"}  # fmt: skip


def _eos(product: str) -> Source:
    """A product of MODIS or VIIRS; the words are in its name: MYD11A1 is MYD, 11 and A1."""
    satellite, kind = product[:3], product[3:]
    instrument, version = ("VIIRS", "002") if satellite[0] == "V" else ("MODIS", "061")
    platform = _SATELLITES[satellite]
    words = (
        f"{_AUTHORS[kind[:2]]}: {instrument}/{platform.replace(', ', '+')} {_TITLES[kind]} V{VERSION}. NASA Land "
        f"Processes DAAC. doi:10.5067/{instrument}/{product}.{VERSION}"
    )
    return Source(
        product, words, platform, instrument, rf"{product}\.(?:A\d{{7}}\.h\d\dv\d\d\.)?(\d{{3}})[._]", version
    )


_MODIS = ("MYD11A1", "MYD21A1D", "MYD21A1N", "MOD11A1", "MOD21A1D", "MOD21A1N", "MCD43A4", "MOD09GA", "MOD09A1",
          "MOD13A2", "MYD09GA", "MYD09A1", "MYD13A2")  # fmt: skip
_VIIRS = tuple(f"{satellite}{kind}" for satellite in ("VNP", "VJ1", "VJ2")
               for kind in ("21A1D", "21A1N", "43IA4", "43MA4", "09GA"))  # fmt: skip
# The first row of a product is the one that is cited where the names of the files tell no other.
_SSM = (
    Source("NNsm", "Yao, P., Lu, H., Shi, J., et al. (2021): A long term global daily soil moisture dataset derived "
           "from AMSR-E and AMSR2 (2002-2019). Sci. Data, 8, 143. doi:10.1038/s41597-021-00925-8"),
    Source("C3S", "Copernicus Climate Change Service: Soil moisture gridded data from 1978 to present. Climate Data "
           "Store. doi:10.24381/cds.d7782f18; Dorigo, W., et al. (2017): ESA CCI Soil Moisture. Remote Sens. "
           "Environ., 203, 185-215. doi:10.1016/j.rse.2017.07.001"),
    Source("CCI", "Dorigo, W., et al. (2017): ESA CCI Soil Moisture. Remote Sens. Environ., 203, 185-215. "
           "doi:10.1016/j.rse.2017.07.001"),
    Source("SMAP", "O'Neill, P., Chan, S., Njoku, E., Jackson, T., Bindlish, R., Chaubell, J.: SMAP L3 Radiometer "
           "Global Daily 36 km EASE-Grid Soil Moisture (SPL3SMP). NASA NSIDC DAAC. doi:10.5067/4XXOGX0OOW1S (version "
           "9)", files=r"SMAP_L3_SM_P_\d{8}"),
    Source("SMAP", "O'Neill, P., Chan, S., Njoku, E., Jackson, T., Bindlish, R., Chaubell, J.: SMAP Enhanced L3 "
           "Radiometer Global Daily 9 km EASE-Grid Soil Moisture (SPL3SMP_E). NASA NSIDC DAAC. "
           "doi:10.5067/M20OXIZHY3RJ (version 6)", files=r"SMAP_L3_SM_P_E_"),
    Source("SMAP", "O'Neill, P., Chan, S., Njoku, E., Jackson, T., Bindlish, R., Chaubell, J.: SMAP L2 Radiometer "
           "Half-Orbit 36 km EASE-Grid Soil Moisture (SPL2SMP). NASA NSIDC DAAC. nsidc.org/data/spl2smp",
           files=r"SMAP_L2_SM_P_\d{5}"),
    Source("SMAP", "O'Neill, P., Chan, S., Njoku, E., Jackson, T., Bindlish, R., Chaubell, J.: SMAP Enhanced L2 "
           "Radiometer Half-Orbit 9 km EASE-Grid Soil Moisture (SPL2SMP_E). NASA NSIDC DAAC. "
           "nsidc.org/data/spl2smp_e", files=r"SMAP_L2_SM_P_E_"),
    Source("LPRM", "Vrije Universiteit Amsterdam (R. de Jeu) and NASA GSFC (M. Owe): AMSR2/GCOM-W1 surface soil "
           "moisture (LPRM) L3 1 day 25 km x 25 km descending V001. NASA GES DISC. doi:10.5067/CGDEOBASZ178",
           files=r"LPRM-AMSR2_L3_D_"),
    Source("LPRM", "Vrije Universiteit Amsterdam (R. de Jeu) and NASA GSFC (M. Owe): AMSR2/GCOM-W1 surface soil "
           "moisture (LPRM) L3 1 day 25 km x 25 km ascending V001. NASA GES DISC. doi:10.5067/M5DTR2QUYLS2",
           files=r"LPRM-AMSR2_L3_A_"),
    Source("LPRM", "Vrije Universiteit Amsterdam (R. de Jeu) and NASA GSFC (M. Owe): AMSR2/GCOM-W1 surface soil "
           "moisture (LPRM) L3 1 day 10 km x 10 km V001. NASA GES DISC, LPRM_AMSR2_DS_D_SOILM3 and "
           "LPRM_AMSR2_DS_A_SOILM3", files=r"LPRM-AMSR2_L3_DS_"),
    Source("LPRM", "Vrije Universiteit Amsterdam (R. de Jeu) and NASA GSFC (M. Owe): AMSR-E/Aqua surface soil "
           "moisture (LPRM) L3 1 day 25 km x 25 km V002. NASA GES DISC, LPRM_AMSRE_D_SOILM3 and LPRM_AMSRE_A_SOILM3",
           files=r"LPRM-AMSR_?E_"),
    Source("AU_Land", "AMSR-E/AMSR2 Unified L2B Half-Orbit 25 km EASE-Grid Surface Soil Moisture. NASA NSIDC DAAC. "
           "nsidc.org/data/au_land"),
    Source("SMOS", "Wigneron, J.-P., et al. (2021): SMOS-IC data record of soil moisture and L-VOD. Remote Sens. "
           "Environ., 254, 112238"),
)  # fmt: skip
_WEATHER = (
    Source("ESACCI-LST", "ESA Land Surface Temperature Climate Change Initiative (LST_cci). CEDA archive",
           platform="Aqua, Terra", instrument="MODIS"),
    Source("ERA5-Land", "Munoz Sabater, J. (2019): ERA5-Land hourly data from 1950 to present. Climate Data Store. "
           "doi:10.24381/cds.e2161bac"),
    Source("precip", "rain of a product that the names of its files do not tell; cite it as its provider asks; "
           "ssm_net knows no citation of it"),
    Source("precip", "Huffman, G., Stocker, E., Bolvin, D., Nelkin, E., Tan, J.: GPM IMERG Precipitation L3 Daily "
           "0.1 degree (GPM_3IMERGDF). NASA GES DISC. doi:10.5067/GPM/IMERGDF/DAY/07", files=r"(?i)3b-day"),
    Source("precip", "Huffman, G., Stocker, E., Bolvin, D., Nelkin, E., Tan, J.: GPM IMERG Precipitation L3 Half "
           "Hourly 0.1 degree (GPM_3IMERGHH). NASA GES DISC. doi:10.5067/GPM/IMERG/3B-HH/07", files=r"(?i)3b-hhr"),
    Source("precip", "Funk, C., et al. (2015): The climate hazards infrared precipitation with stations. Sci. Data, "
           "2, 150066. doi:10.1038/sdata.2015.66", files=r"(?i)chirp"),
    Source("precip", "Munoz Sabater, J. (2019): ERA5-Land hourly data from 1950 to present. Climate Data Store. "
           "doi:10.24381/cds.e2161bac", files=r"(?i)era[-_ ]?5[-_ ]?land"),
    Source("precip", "Hersbach, H., et al.: ERA5 hourly data on single levels from 1940 to present. Climate Data "
           "Store. doi:10.24381/cds.adbb2d47", files=r"(?i)era[-_ ]?5(?![-_ ]?land)"),
    Source("precip", "He, J., et al. (2020): The first high-resolution meteorological forcing dataset for land "
           "process studies over China. Sci. Data, 7, 25", files=r"(?i)cmfd|itpcas"),
    Source("precip", "Wu, J., Gao, X. (2013): A gridded daily observation dataset over China region (CN05.1). "
           "Chinese J. Geophys., 56, 1102-1111", files=r"(?i)cn05"),
    Source("precip", "Rodell, M., et al. (2004): The Global Land Data Assimilation System. Bull. Am. Meteorol. Soc., "
           "85, 381-394", files=r"(?i)gldas"),
)  # fmt: skip
_STATIC = (
    Source("Copernicus DEM", "European Space Agency and Airbus: Copernicus DEM. doi:10.5270/ESA-c5d3d65"),
    Source("NASADEM", "NASA JPL: NASADEM Merged DEM Global 1 arc second V001. "
           "doi:10.5067/MEaSUREs/NASADEM/NASADEM_HGT.001"),
    Source("MERIT DEM", "Yamazaki, D., et al. (2017): A high-accuracy map of global terrain elevations. Geophys. "
           "Res. Lett., 44, 5844-5853. doi:10.1002/2017GL072874"),
    Source("FABDEM", "Hawker, L., et al. (2022): A 30 m global map of elevation with forests and buildings removed. "
           "Environ. Res. Lett., 17, 024016"),
    Source("SRTM", "NASA JPL: NASA Shuttle Radar Topography Mission Global 1 arc second V003. NASA Land Processes "
           "DAAC"),
    Source("ALOS World 3D", "Japan Aerospace Exploration Agency: ALOS World 3D 30 m (AW3D30)"),
    Source("ASTER GDEM", "NASA/METI/AIST/Japan Spacesystems: ASTER Global Digital Elevation Model V003. NASA Land "
           "Processes DAAC"),
    Source("TanDEM-X", "German Aerospace Center (DLR): TanDEM-X Digital Elevation Model, 90 m"),
    Source("MOD44W", "Carroll, M., et al.: MODIS/Terra Land Water Mask Yearly L3 Global 250m SIN Grid V061. NASA "
           "Land Processes DAAC. doi:10.5067/MODIS/MOD44W.061"),
    Source("JRC Global Surface Water", "Pekel, J.-F., Cottam, A., Gorelick, N., Belward, A. (2016): High-resolution "
           "mapping of global surface water and its long-term changes. Nature, 540, 418-422. doi:10.1038/nature20584"),
    Source("GHSL built-up surface", "Pesaresi, M., Politis, P. (2023): GHS-BUILT-S R2023A. European Commission, "
           "Joint Research Centre. doi:10.2905/9F06F36F-4B11-47EC-ABB0-4F8B7B1D72EA"),
    Source("ESA WorldCover", "Zanaga, D., et al. (2022): ESA WorldCover 10 m 2021 v200. doi:10.5281/zenodo.7254221"),
    Source("SoilGrids", "Poggio, L., et al. (2021): SoilGrids 2.0. SOIL, 7, 217-240. doi:10.5194/soil-7-217-2021"),
    Source("OpenLandMap", "Hengl, T.: Sand and clay content in percent at 6 standard depths at 250 m resolution. "
           "doi:10.5281/zenodo.2525662"),
)  # fmt: skip
SOURCES = (*_SSM, *map(_eos, (*_MODIS, *_VIIRS)), *_WEATHER, *_STATIC)
ISMN = (
    "Dorigo, W., et al. (2021): The International Soil Moisture Network: serving Earth system science for over a "
    "decade. Hydrol. Earth Syst. Sci., 25, 5749-5804. doi:10.5194/hess-25-5749-2021"
)


def sources_of(products: Iterable[str], files: Collection[str] = ()) -> list[Source]:
    """The rows of ``products``, in their order; the names of ``files`` tell which of several products a folder holds,
    and its version. An unknown product is a row that says so."""
    names, out = "\n".join(files), []
    for product in products:
        rows = [s for s in SOURCES if s.product == product] or [Source(product, UNKNOWN)]
        if rows[0].version:
            versions = sorted(set(re.findall(rows[0].files, names))) or [rows[0].version]
            out += [replace(rows[0], version=version) for version in versions]
        else:
            out += [row for row in rows if row.files and re.search(row.files, names)] or rows[:1]
    return out


def static_sources(maps: Mapping[str, str]) -> list[str]:
    """A line for each source of the static ``maps`` (map -> product, empty where only the file's own name is known)."""
    by_source: dict[str, list[str]] = {}
    for name, source in sorted(maps.items()):
        by_source.setdefault(source, []).append(name)
    lines = []
    for source, names in sorted(by_source.items()):
        cited = str(sources_of([source])[0]) if source else f"a map of unnamed source: {UNKNOWN}"
        lines.append(f"{', '.join(names)}, {cited}")
    return lines
