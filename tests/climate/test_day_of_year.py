"""Windows around days of the year: leap years, the end of the year, what a climatological axis says."""

import datetime as dt

import pytest

from ssm_net.climate.day_of_year import (
    PLACES,
    climatology_bounds,
    place_of,
    places_of_month,
    representative_day,
    window_places,
)


def test_a_day_has_the_same_place_in_every_year():
    assert place_of(dt.date(2019, 3, 1)) == place_of(dt.date(2020, 3, 1)) == place_of(dt.date(2020, 2, 29)) + 1 == 60
    assert [len(places_of_month(month)) for month in (1, 2, 12)] == [31, 29, 31]
    assert sorted(p for month in range(1, 13) for p in places_of_month(month)) == list(range(PLACES))


def test_a_window_goes_on_over_the_new_year():
    assert window_places(place_of(dt.date(2019, 1, 1)), 2) == [364, 365, 0, 1, 2]
    assert window_places(365, 1) == [364, 365, 0]


@pytest.mark.parametrize("years", [range(2018, 2023), range(2017, 2020), range(2019, 2020)])
def test_each_place_has_a_day_on_the_time_axis(years):
    for place in range(PLACES):
        assert place_of(representative_day(place, years)) == place
        begin, end = climatology_bounds(place, 15, years)
        assert dt.date(years[0], 1, 1) <= begin < end <= dt.date(years[-1] + 1, 1, 1)


def test_bounds_are_those_of_the_windows_of_the_first_and_the_last_year():
    assert climatology_bounds(60, 15, range(2018, 2023)) == (dt.date(2018, 2, 14), dt.date(2022, 3, 17))
