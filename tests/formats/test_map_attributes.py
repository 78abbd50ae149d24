"""Where and when a map is, as its attributes say it; across the dateline, provisional, and from day to day."""

import datetime as dt

import numpy as np
import pytest
import shapely
import xarray as xr
from one_day import DAY, DOMAIN, mosaic_of_a_day

import ssm_net
from ssm_net.formats.attributes import global_attributes
from ssm_net.formats.mosaic_days import Flag, Mosaic, read_day, write_day
from ssm_net.grid import Domain

ACROSS = Domain("across", (200, 204, 960, 968))


def of_day(day: dt.date, domain: Domain = DOMAIN, flag: Flag = Flag.COARSE_OBSERVED, **attrs) -> Mosaic:
    ssm = np.full(domain.fine_shape, 0.25, np.float32)
    return Mosaic(day, domain, ssm, ssm / 10, np.full(domain.fine_shape, flag, np.uint16), attrs)


def test_bounds_are_the_edges_and_extremes_the_pixel_centres(tmp_path):
    with xr.open_dataset(write_day(mosaic_of_a_day(), tmp_path)) as ds:
        assert ds.attrs["geospatial_lat_min"] == float(ds.lat.min())
        assert ds.attrs["geospatial_lon_max"] == float(ds.lon.max())
        edges = shapely.from_wkt(ds.attrs["geospatial_bounds"])
        assert edges.bounds == pytest.approx(np.array(DOMAIN.bounds_lonlat())[[1, 0, 3, 2]], abs=1e-6)  # lat, lon
        assert all("coverage_content_type" in ds[name].attrs for name in ds.variables)


def test_across_the_dateline_bounds_are_two_narrow_boxes(tmp_path):
    with xr.open_dataset(write_day(of_day(DAY, ACROSS), tmp_path)) as ds:
        assert 178 < ds.attrs["geospatial_lon_min"] < 180 and -180 < ds.attrs["geospatial_lon_max"] < -178
        edges = shapely.from_wkt(ds.attrs["geospatial_bounds"])
    assert edges.geom_type == "MultiPolygon" and edges.is_valid
    assert sum(abs(part.bounds[3] - part.bounds[1]) for part in edges.geoms) == pytest.approx(8 * 360 / 964, abs=1e-4)
    assert max(part.bounds[3] for part in edges.geoms) == 180 and min(part.bounds[1] for part in edges.geoms) == -180


@pytest.mark.parametrize("format", ["netcdf", "zarr", "cog"])
def test_a_provisional_map_says_so_and_the_final_one_no_more(tmp_path, format):
    """Whoever has copied it must know that it will change."""
    write_day(of_day(DAY, flag=Flag.PROVISIONAL, status="provisional", days_ahead=1), tmp_path, format)
    before = ssm_net.open_mosaics(tmp_path)
    assert before.attrs["status"] == "provisional" and int(before.attrs["days_ahead"]) == 1
    assert int(before.flags.values.max()) == Flag.PROVISIONAL
    write_day(of_day(DAY, status="final", days_ahead=3), tmp_path, format)
    after = ssm_net.open_mosaics(tmp_path)
    assert after.attrs["status"] == "final" and int(after.flags.values.max()) == Flag.COARSE_OBSERVED


def test_a_store_tells_nothing_of_a_day_that_another_run_made_otherwise(tmp_path):
    first = of_day(DAY, model="a", torch_version="2.6", platform="GCOM-W1", only_here="x")
    second = of_day(DAY + dt.timedelta(1), model="a", torch_version="2.7", platform="SMAP")
    write_day(first, tmp_path, "zarr")
    path = write_day(second, tmp_path, "zarr")
    series = ssm_net.open_mosaics(tmp_path)
    assert series.attrs["model"] == "a" and not {"torch_version", "platform", "only_here"} & set(series.attrs)
    assert [read_day(path, one.day).attrs for one in (first, second)] == [first.attrs, second.attrs]


def test_a_single_day_and_a_series_are_titled_apart(tmp_path):
    alone = global_attributes(of_day(DAY))
    assert (alone["id"], alone["time_coverage_duration"]) == ("ssm_test_20160607", "P1D")
    for n in (0, 3):
        write_day(of_day(DAY + dt.timedelta(n)), tmp_path)
    series = ssm_net.open_mosaics(tmp_path).attrs
    assert series["time_coverage_end"] == "2016-06-10T00:00:00Z" and series["time_coverage_duration"] == "P4D"
    assert "id" not in series and series["title"].endswith("2016-06-07 .. 2016-06-10")
