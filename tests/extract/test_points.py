"""Series at points: the pixel that a station lies in, on each day that has a map, in all formats of maps."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from map_folders import DAYS, DOMAIN, PACKING, plane, write_maps

import ssm_net
from ssm_net.errors import SsmNetError

LON, LAT = DOMAIN.lonlat()
PLACES = {
    "land": (float(LON[200]) + 0.003, float(LAT[70]) - 0.003),  # less than half a pixel from the centre
    "lake": (float(LON[120]), float(LAT[50])),
    "sea": (10.0, 50.0),
    "cold": (float(LON[5]), float(LAT[5])),
}


@pytest.fixture(scope="module", params=["netcdf", "zarr", "cog"])
def maps(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_maps(tmp_path_factory.mktemp(request.param), request.param)


def test_a_series_is_that_of_the_pixel_the_point_lies_in(maps: Path) -> None:
    series = ssm_net.at_points(maps, PLACES)
    assert series.time.values.astype("datetime64[D]").astype(object).tolist() == DAYS
    land = series.sel(place=0)
    expected = [plane(LON[200], LAT[70], n) for n in range(3)]
    tolerance = PACKING if "lat" not in ssm_net.open_mosaics(maps).dims else 5e-4  # resampled to 0.01 degree
    np.testing.assert_allclose(land.ssm, expected, atol=tolerance)
    np.testing.assert_allclose(land.ssm_uncertainty, [0.05, 0.04, 0.05], atol=PACKING)
    assert land.fraction_valid.values.tolist() == [1, 1, 1] and land.fraction_orbit_gap_filled.values.tolist() == [
        1,
        1,
        1,
    ]


def test_the_parts_of_the_error_of_a_pixel_are_those_that_the_maps_state(maps: Path) -> None:
    """In an orbit gap the cell shares 0.6 of the variance without the region's; at a point nothing averages out."""
    land = ssm_net.at_points(maps, PLACES).sel(place=0, time=str(DAYS[0]))
    rest = 0.05**2 - 0.01**2
    for name, variance in (("region", 0.01**2), ("cell", 0.6 * rest), ("inside", 0.4 * rest)):
        assert float(land[f"uncertainty_{name}"]) == pytest.approx(variance**0.5, abs=2 * PACKING)


def test_points_without_a_value_are_reported(maps: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        series = ssm_net.at_points(maps, PLACES)
    notes = dict(zip(series["name"].values.tolist(), series.note.values.tolist(), strict=True))
    assert notes == {"land": "", "lake": "no value on any day: water", "sea": "outside the maps", "cold": ""}
    assert "sea: outside the maps" in caplog.text and "lake: no value on any day: water" in caplog.text
    assert np.isnan(series.ssm.sel(place=[1, 2])).all()
    assert np.isnan(series.fraction_valid.sel(place=2)).all() and (series.fraction_water.sel(place=1) == 1).all()
    assert series.fraction_frozen_or_snow.sel(place=3).values.tolist() == [0, 0, 1]


def test_days_without_a_map_are_reported(maps: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        ssm_net.at_points(maps, PLACES)
    assert "no map of 2016-06-09" in caplog.text


def test_only_days_of_the_period_are_read(maps: Path) -> None:
    series = ssm_net.at_points(maps, PLACES, start="2016-06-08", end="2016-06-09")
    assert series.sizes["time"] == 1 and float(series.ssm[0, 0]) > 0
    with pytest.raises(SsmNetError, match=r"no map from 2017-01-01 .* it holds 2016-06-07 \.\. 2016-06-10"):
        ssm_net.at_points(maps, PLACES, start="2017-01-01")


def test_the_corner_of_a_pixel_belongs_to_one_pixel(tmp_path: Path) -> None:
    """The outermost pixels are found, and a place a metre beyond them is outside."""
    write_maps(tmp_path, "netcdf")
    west, south, east, north = DOMAIN.bounds_lonlat()
    inside = [(west + 1e-5, north - 1e-5), (east - 1e-5, south + 1e-5)]
    series = ssm_net.at_points(tmp_path, [*inside, (west - 1e-5, north), (east + 1e-5, south)], end="2016-06-07")
    assert np.isfinite(series.ssm.values[:, 0]).tolist() == [True, True, False, False]
    assert float(series.ssm[0, 0]) == pytest.approx(plane(LON[0], LAT[0], 0), abs=PACKING)


def test_a_point_beyond_the_dateline_has_one_name_for_its_longitude(tmp_path: Path) -> None:
    """-179.9 and 180.1 are the same place."""
    from ssm_net.grid import Domain

    for format in ("zarr", "cog"):
        folder = write_maps(tmp_path / format, format, domain=Domain("across", (336, 340, 962, 966)))
        series = ssm_net.at_points(folder, [(-179.9, -41.5), (180.1, -41.5), (179.9, -41.5)])
        first, same, other = series.ssm.values[:, 0]
        assert first == same != other and np.isfinite([first, other]).all()
        assert series.lon.values.tolist() == pytest.approx([-179.9, -179.9, 179.9])


def test_maps_that_do_not_state_the_parts_are_taken_as_wholly_shared(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_maps(tmp_path, "netcdf", attrs={})
    with caplog.at_level(logging.WARNING):
        series = ssm_net.at_points(tmp_path, PLACES)
    assert "do not state which part of their error a cell shares" in caplog.text
    assert float(series.uncertainty_cell[0, 0]) == pytest.approx(0.05, abs=PACKING)
    assert float(series.uncertainty_inside[0, 0]) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,x,y\na,83,44\n", "has no column lon; its columns are name, x, y"),
        ("name,lon,lat\na,83,44\nb,8x,44\n", "line 3: .* is no longitude and latitude"),
        ("name,lon,lat\na,44,101\n", "line 2: lon 44, lat 101 is no place on the Earth"),
        ("name,lon,lat\na,83,44\na,84,44\n", "'a' is the name of line 2 and of line 3"),
        ("name,lon,lat\n,83,44\n", "line 2: the name is empty"),
        ("name,lon,lat\n", "holds no place"),
        ("", "not a CSV file"),
        ("name,lon,lat\na,10,50\n", "none of the 1 places lies inside the maps"),
    ],
)
def test_a_table_of_stations_that_cannot_be_used_says_why(tmp_path: Path, text: str, message: str) -> None:
    write_maps(tmp_path / "maps", "netcdf")
    (tmp_path / "stations.csv").write_text(text)
    with pytest.raises(SsmNetError, match=message):
        ssm_net.at_points(tmp_path / "maps", tmp_path / "stations.csv")


def test_a_table_written_by_a_spreadsheet_is_read(tmp_path: Path) -> None:
    write_maps(tmp_path / "maps", "netcdf")
    text = f"\ufeffStation, Longitude, Latitude, height\nYancó 1, {LON[10]}, {LAT[100]}, 7\n"
    (tmp_path / "stations.csv").write_text(text, encoding="utf-8")
    series = ssm_net.at_points(tmp_path / "maps", str(tmp_path / "stations.csv"))
    assert series["name"].values.tolist() == ["Yancó 1"]
    assert float(series.ssm[0, 0]) == pytest.approx(plane(LON[10], LAT[100], 0), abs=PACKING)


def test_a_damaged_map_is_named(tmp_path: Path) -> None:
    write_maps(tmp_path, "zarr")
    shard = tmp_path / "ssm_test.zarr" / "ssm" / "c" / "1" / "0" / "0"
    data = bytearray(shard.read_bytes())
    data[-20] ^= 255
    shard.write_bytes(bytes(data))
    with pytest.raises(SsmNetError, match=r"ssm of 2016-06-08 is damaged .* start=2016-06-08 end=2016-06-08"):
        ssm_net.at_points(tmp_path, PLACES)
    shard.unlink()
    with pytest.raises(SsmNetError, match="ssm of 2016-06-08 is damaged"):
        ssm_net.at_points(tmp_path, PLACES)


def test_a_store_with_other_chunks_is_read_all_the_same(tmp_path: Path) -> None:
    """Somebody has rewritten the store for faster series."""
    import xarray as xr

    write_maps(tmp_path / "a", "zarr")
    store = tmp_path / "a" / "ssm_test.zarr"
    with xr.open_zarr(store, consolidated=False, chunks=None, decode_cf=False) as dataset:
        loaded = dataset.load()
    for name in ("ssm", "ssm_uncertainty", "flags"):
        loaded[name].encoding = {"chunks": (3, 36, 36)}
    other = tmp_path / "b" / "ssm_test.zarr"
    loaded.to_zarr(other, consolidated=False, zarr_format=3)
    (other / "status").mkdir()
    for file in (store / "status").iterdir():
        (other / "status" / file.name).write_bytes(file.read_bytes())
    expected, got = (ssm_net.at_points(tmp_path / folder, PLACES) for folder in ("a", "b"))
    np.testing.assert_array_equal(expected.ssm, got.ssm)
