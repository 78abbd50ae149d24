"""Whoever searches a catalogue finds a file of statistics, and may know what it is before opening it (ACDD 1.3)."""

from __future__ import annotations

from pathlib import Path

import pytest
import road
import xarray as xr
from compliance import NO_AXIS, remarks
from worlds import tiny_cube

import ssm_net
from ssm_net.formats.product import Flag

PUBLISHER = {
    "name": "Institute of Water", "institution": "University of the Hills", "email": "maps@example.org",
    "url": "https://example.org/maps", "project": "Hills 2026", "license": "CC-BY-4.0",
    "naming_authority": "org.example", "issued": "2026-11-27",
}  # fmt: skip

# CF has a standard name for none of them (table v93), and a name of our own is forbidden.
NAMELESS = {
    "monthly": {f"days_{flag.name.lower()}" for flag in Flag},
    "climatology": {f"days_{flag.name.lower()}" for flag in Flag} | {"number_of_years", "day_of_year"},
    "anomalies": {"anomaly", "anomaly_uncertainty", "standardised_anomaly", "number_of_years"},
    "percentiles": {"percentile", "number_of_years"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Maps of a publisher on two days, as NetCDF and as GeoTIFF."""
    folder = tmp_path_factory.mktemp("published")
    cube = tiny_cube(folder / "c.zarr", cells=(4, 4), days=2)
    for format in ("netcdf", "cog"):
        ssm_net.infer(road.inference(cube.path, folder / format, format=format, publisher=PUBLISHER))
    return folder


@pytest.fixture(scope="module")
def made(folder: Path) -> Path:
    ssm_net.climate(ssm_net.ClimateConfig(str(folder / "netcdf"), str(folder / "climate"), min_years=1))
    return folder / "climate"


@pytest.mark.parametrize(
    ("product", "file"),
    [("monthly", "monthly_201604"), ("climatology", "climatology_month04"), ("anomalies", "anomalies_201604"),
     ("percentiles", "percentiles_201604")],
)  # fmt: skip
def test_files_are_complete_for_discovery(made: Path, product: str, file: str) -> None:
    found = remarks(made / f"ssm_tiny_{file}.nc", "acdd:1.3")
    assert found.pop("geospatial_vertical_extents_match") == [NO_AXIS]
    if product == "climatology":  # time is a label of one year; the coverage is that of the days it rests on
        assert all("Date time mismatch" in message for message in found.pop("time_coverage_extents_match"))
    nameless = {f'variable "{name}" missing the following attributes:' for name in NAMELESS[product]}
    assert found == {key: ["standard_name"] for key in nameless}


def test_files_name_the_publisher_of_their_maps(made: Path) -> None:
    for path in made.glob("*.nc"):
        with xr.open_dataset(path) as file:
            assert file.attrs["license"] == "CC-BY-4.0" and file.attrs["creator_name"] == "Institute of Water"
            assert file.attrs["product_version"] == ssm_net.__version__ and file.attrs["id"] == path.stem


def test_files_of_geotiffs_state_the_bounds_of_their_own_grid(folder: Path) -> None:
    """Which is one of degrees: its outermost pixels are not those of the equal-area grid."""
    (path,) = ssm_net.monthly_means(folder / "cog", folder / "monthly")
    with xr.open_dataset(path) as month:
        for axis in ("lat", "lon"):
            ends = month.attrs[f"geospatial_{axis}_min"], month.attrs[f"geospatial_{axis}_max"]
            assert ends == pytest.approx((float(month[axis].min()), float(month[axis].max())))
            assert "degree" in month.attrs[f"geospatial_{axis}_resolution"]
