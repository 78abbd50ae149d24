"""UTC days of local overpasses, around the world: a slip of a day would pair soil moisture with other weather."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssm_net.core.clock import overpass_utc, utc_day

D = dt.date(2016, 6, 7)


@pytest.mark.parametrize(
    ("lon", "hour", "slip"),
    [
        (110, 1.5, -1),  # China: 01:30 is 18:10 UTC of the day before
        (110, 13.5, 0),
        (0, 1.5, 0),
        (22, 1.5, 0),
        (23, 1.5, -1),
        (-100, 1.5, 0),
        (-100, 13.5, 0),
        (-179, 13.5, 1),  # 13:30 is 01:26 UTC of the day after
        (179, 13.5, 0),
        (179, 1.5, -1),
        (-181, 1.5, 0),
        (181, 1.5, -1),  # beyond the dateline, in a domain whose western part has this day
    ],
)
def test_utc_day_of_an_overpass(lon, hour, slip):
    assert utc_day(D, hour, lon) == D + dt.timedelta(slip)


@given(st.floats(-180, 179.99), st.floats(0, 23.99), st.dates(dt.date(2002, 1, 1), dt.date(2024, 12, 31)))
def test_utc_day_is_that_of_the_moment(lon, hour, day):
    moment = dt.datetime.combine(day, dt.time()) + dt.timedelta(hours=hour - lon / 15)
    assert utc_day(day, hour, lon) == moment.date()
    second = overpass_utc(day, lon, hour)
    assert abs(second - np.datetime64(moment, "s")) <= np.timedelta64(1, "s")
