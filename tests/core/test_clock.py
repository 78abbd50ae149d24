"""Local days of UTC-dated files, around the world."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssm_net.core.clock import local_day, night_of, utc_day

D = dt.date(2016, 6, 7)


@pytest.mark.parametrize(
    ("lon", "hour", "slip"),
    [
        (110, 1.5, 1),  # China: 01:30 is 18:10 UTC of the day before
        (110, 13.5, 0),
        (0, 1.5, 0),
        (22, 1.5, 0),
        (23, 1.5, 1),
        (-100, 1.5, 0),
        (-100, 13.5, 0),
        (-179, 13.5, -1),  # 13:30 is 01:26 UTC of the day after
        (179, 13.5, 0),
        (179, 1.5, 1),
        (250, 1.5, 0),  # the same place as -110
    ],
)
def test_local_day(lon, hour, slip):
    assert local_day(D, hour, lon) == D + dt.timedelta(slip)


@given(st.floats(-180, 179.99), st.floats(0, 23.99), st.dates(dt.date(2002, 1, 1), dt.date(2024, 12, 31)))
def test_inverse_and_consistent_with_the_clock(lon, hour, day):
    assert local_day(utc_day(day, hour, lon), hour, lon) == day
    moment = dt.datetime.combine(day, dt.time()) + dt.timedelta(hours=hour - lon / 15)
    assert utc_day(day, hour, lon) == moment.date()


def test_nearest_night():
    assert night_of(dt.datetime(2016, 6, 7, 6, 0)) == D  # SMAP, morning
    assert night_of(dt.datetime(2016, 6, 6, 18, 0)) == D  # SMAP, the evening before
    assert night_of(dt.datetime(2016, 6, 7, 13, 0)) == D
    assert night_of(dt.datetime(2016, 6, 7, 14, 0)) == D + dt.timedelta(1)
