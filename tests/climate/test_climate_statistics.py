"""Means, climatology, anomalies and percentiles are what numpy makes of all maps at once, and say what they rest on."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.stats import percentileofscore
from years_of_maps import DOMAIN, LAKE, LATE, PROVISIONAL, SIGMA, YEARS, days, soil

import ssm_net
from ssm_net.climate.day_of_year import place_of
from ssm_net.climate.time_correlation import LASTING_CELL, LASTING_INSIDE, mean_decay

PACKING = 6e-5  # m3 m-3
LAND, WEST, EAST = (100, 100), (100, 20), (100, 120)
HALF = 3


@pytest.fixture(scope="module")
def made(maps: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, xr.Dataset]]:
    """All files, by product and by the end of their name."""
    files = ssm_net.climate(
        ssm_net.ClimateConfig(str(maps), str(tmp_path_factory.mktemp("c")), window=HALF, min_years=4)
    )
    assert files is not None
    return {
        product: {path.stem.split("_")[-1]: xr.open_dataset(path) for path in paths} for product, paths in files.items()
    }


def of_month(year: int, month: int) -> list[dt.date]:
    return [day for day in days() if (day.year, day.month) == (year, month)]


def in_window(place: int) -> list[dt.date]:
    return [day for day in days() if abs(place_of(day) - place) <= HALF]


def test_a_monthly_mean_is_that_of_the_days_with_a_value(made):
    february = made["monthly"]["202002"].isel(time=0)
    stack = np.stack([soil(day) for day in of_month(2020, 2)])
    assert february.number_of_days.values[LAND] == len(stack) == 6  # 24 to 29 February of a leap year
    np.testing.assert_allclose(february.ssm.values[LAND], stack[:, *LAND].mean(), atol=PACKING)
    np.testing.assert_allclose(february.ssm_spread.values[LAND], stack[:, *LAND].std(), atol=PACKING)
    assert np.isnan(february.ssm.values[LATE]).all() and (february.number_of_days.values[LATE] == 0).all()
    assert february.days_frozen_or_snow.values[35, 100] == 6 and february.days_water.values[LAKE].min() == 6


def test_days_without_a_map_are_named_and_not_filled(made):
    march = made["monthly"]["201903"]
    assert march.attrs["days_without_map"] == "2019-03-01, 2019-03-06 .. 2019-03-31"
    assert int(march.number_of_days.max()) == 4 == march.attrs["number_of_maps"]


def test_provisional_days_count_and_say_so(made):
    march = made["monthly"]["202203"]
    assert march.attrs["status"] == "provisional" and march.attrs["number_of_provisional_maps"] == 1
    assert march.days_provisional.values[0, *LAND] == 1
    assert march.attrs["platform"] == "GCOM-W1, Aqua" and march.attrs["input_citations"] == "A: by A\nB: by B"
    assert made["monthly"]["202003"].attrs["status"] == "final"
    assert PROVISIONAL in days()


def test_excluded_flags_do_not_count(maps, tmp_path):
    (file,) = ssm_net.monthly_means(maps, tmp_path, start="2022-03-01", end="2022-03-31", exclude=["provisional"])
    with xr.open_dataset(file) as march:
        assert march.number_of_days.values[0, *LAND] == 4 and march.days_provisional.values[0, *LAND] == 1
        np.testing.assert_allclose(
            march.ssm.values[0, *LAND], np.mean([soil(d)[LAND] for d in of_month(2022, 3)[:-1]]), atol=PACKING
        )


def test_the_error_of_a_mean_keeps_what_lasts(made):
    """Divided by the square root of the number of days it would be far too small."""
    february = made["monthly"]["202002"].isel(time=0)
    decay = mean_decay(of_month(2020, 2))
    inside, cell = (lasting + (1 - lasting) * decay for lasting in (LASTING_INSIDE, LASTING_CELL))
    rest = SIGMA**2 - 0.01**2
    for pixel, shared in ((WEST, (0.25 + 0.6) / 2), (EAST, 0.6)):
        expected = np.sqrt(rest * ((1 - shared) * inside + shared * cell) + 0.01**2)
        assert february.ssm_uncertainty.values[pixel] == pytest.approx(expected, abs=PACKING)
    assert 0.5 * SIGMA < float(february.ssm_uncertainty.max()) < SIGMA


def test_a_mean_of_one_day_has_the_error_of_that_day():
    assert mean_decay([dt.date(2020, 1, 1)]) == 1
    far = [dt.date(2000, 1, 1) + dt.timedelta(100 * n) for n in range(50)]
    assert mean_decay(far) == pytest.approx(1 / 50)


def test_a_climatology_is_of_the_days_around_in_all_years(made):
    for name, year_day in (("month02", dt.date(2020, 2, 29)), ("month03", dt.date(2020, 3, 1))):
        place = place_of(year_day)
        usual = made["climatology"][name].sel(time=made["climatology"][name].day_of_year == place + 1).isel(time=0)
        stack = np.stack([soil(day) for day in in_window(place)])
        assert usual.number_of_days.values[LAND] == len(stack) and usual.number_of_years.values[LAND] == len(YEARS)
        np.testing.assert_allclose(usual.ssm.values[LAND], stack[:, *LAND].mean(), atol=PACKING)
        np.testing.assert_allclose(usual.ssm_spread.values[LAND], stack[:, *LAND].std(), atol=PACKING)
    january = made["climatology"]
    assert set(january) == {"month02", "month03"}  # only months with maps


def test_a_day_of_the_year_that_no_map_is_near_to_has_no_climatology(made):
    february = made["climatology"]["month02"]
    assert february.ssm.isel(time=0).isnull().all() and int(february.number_of_days.isel(time=0).max()) == 0


def test_anomalies_are_the_day_less_its_climatology(made):
    day = dt.date(2021, 3, 3)
    of_day = made["anomalies"]["202103"].sel(time=str(day))
    stack = np.stack([soil(d) for d in in_window(place_of(day))])[:, *LAND]
    anomaly = soil(day)[LAND] - stack.mean()
    assert of_day.anomaly.values[LAND] == pytest.approx(anomaly, abs=2 * PACKING)
    assert of_day.standardised_anomaly.values[LAND] == pytest.approx(anomaly / stack.std(), abs=0.02)
    assert of_day.anomaly.isnull().values[LAKE].all()
    assert SIGMA * 0.9 < of_day.anomaly_uncertainty.values[LAND] < SIGMA * 1.5
    means = [float(d.anomaly.mean()) for d in made["anomalies"].values()]
    assert abs(np.mean(means)) < 0.01


def test_percentiles_rank_a_day_among_those_of_all_years(made):
    for day in (dt.date(2019, 2, 25), dt.date(2020, 2, 29), dt.date(2022, 3, 2)):
        of_day = made["percentiles"][f"{day:%Y%m}"].sel(time=str(day))
        stack = np.stack([soil(d) for d in in_window(place_of(day))])[:, *LAND]
        expected = percentileofscore(stack, soil(day)[LAND], kind="mean")
        assert of_day.percentile.values[LAND] == pytest.approx(expected, abs=0.01)
        assert of_day.number_of_days.values[LAND] == len(stack) and of_day.percentile.isnull().values[LAKE].all()
    driest = made["percentiles"]["201902"]
    assert float(driest.percentile.mean()) < 30  # each year is wetter than the one before
    names = dict(zip(driest.drought.attrs["flag_values"], driest.drought.attrs["flag_meanings"].split(), strict=True))
    for percentile, value in zip(
        driest.percentile.values[:, 90:95].ravel(), driest.drought.values[:, 90:95].ravel(), strict=True
    ):
        limits = ((2, "d4"), (5, "d3"), (10, "d2"), (20, "d1"), (30, "d0"), (100, "no_drought"))
        wanted = next((name for limit, name in limits if round(float(percentile), 2) <= limit), "no_value")
        assert names[value].startswith(wanted)


def test_fewer_years_than_asked_for_give_no_value(maps, tmp_path):
    """Where frost leaves days of March only, a rank among the days of two winters is none of the asked-for five."""
    files = ssm_net.percentiles(maps, tmp_path, window=0, min_years=4, years=[2019, 2022], start="2021-03-01")
    first = xr.open_dataset(files[0])
    assert first.sel(time="2021-03-01").percentile.isnull().all()  # 2019 has no map of 1 March: three years
    assert int(first.sel(time="2021-03-01").number_of_years.max()) == 3
    assert first.sel(time="2021-03-02").percentile.notnull().values[LAND]
    assert DOMAIN.fine_shape == first.percentile.shape[1:]


@pytest.mark.parametrize("format", ["cog", "zarr"])
def test_other_formats_give_the_same_means(made, tmp_path, format):
    from years_of_maps import mosaic

    from ssm_net.formats.mosaic_days import write_day

    for day in of_month(2020, 2)[:3]:
        write_day(mosaic(day), tmp_path / "maps", format)
    (file,) = ssm_net.monthly_means(tmp_path / "maps", tmp_path / "out")
    with xr.open_dataset(file) as mean:
        assert int(mean.number_of_days.max()) == 3
        expected = np.mean([np.nanmean(soil(day)[100:140, 60:100]) for day in of_month(2020, 2)[:3]])
        lon, lat = DOMAIN.lonlat()
        inside = mean.ssm.isel(time=0)
        inside = inside.where(
            (mean.lat < lat[100]) & (mean.lat > lat[140]) & (mean.lon > lon[60]) & (mean.lon < lon[100])
        )
        assert float(inside.mean()) == pytest.approx(expected, abs=1e-3)
        assert inside.dims == (("lat", "lon") if format == "cog" else ("y", "x"))
