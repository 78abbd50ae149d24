"""The view of LST that a pixel is given, wherever it lies: the nearest to the hour asked for, of the day's files."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import viewfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_net.core.clock import HOURS, OVERPASSES, filed_days, nearest_view, taken, utc_day, view_moments
from ssm_net.core.platforms import PLATFORMS, platform, spread
from ssm_net.grid import Domain
from ssm_net.ingest.products import Layer
from ssm_net.prepare.read_day import read_granules

DAY, ONE = viewfile.DAY, dt.timedelta(1)
KINDS = {"night": 279.0, "day": 300.0}  # K in the file of day n: this and n


@given(
    lon=st.floats(-180, 179.99), name=st.sampled_from(sorted(PLATFORMS)), overpass=st.sampled_from(OVERPASSES),
    day=st.dates(dt.date(2002, 1, 1), dt.date(2027, 12, 31)), early=st.floats(-1, 1), lat=st.floats(-60, 60),
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_the_view_that_is_taken_is_the_nearest_and_never_after_the_day(
    lon: float, name: str, overpass: str, day: dt.date, early: float, lat: float
) -> None:
    reach = spread(lat)
    hour = (platform(name).hour(overpass, day) + early * (reach - 0.2)) % 24
    moment_of = {}  # of the view in each file, local hours from the day's midnight
    for n in range(-3, 4):
        (moment,) = view_moments(day + n * ONE, day, np.array([hour]), np.array([lon]))
        moment_of[day + n * ONE] = float(moment)
        midnight_utc = dt.datetime.combine(day, dt.time())
        utc = midnight_utc + dt.timedelta(hours=float(moment) - lon / 15)
        assert abs((float(moment) - hour + 12) % 24 - 12) < 1e-4, "another hour than the file's"
        edge = abs((utc - midnight_utc).total_seconds() / 86400 % 1 - 0.5) > 0.4999
        assert edge or utc.date() == day + n * ONE
    wanted = [filed for filed, moment in moment_of.items() if taken(overpass, [moment])[0]]
    assert len(wanted) == 1, "a day takes one view, and no view is of two days"
    got = moment_of[wanted[0]]
    assert got < 24
    allowed = [m for m in moment_of.values() if m < 24]
    assert abs(got - HOURS[overpass]) <= min(abs(m - HOURS[overpass]) for m in allowed) + 1e-4
    usual = platform(name).hour(overpass, day)
    assert wanted[0] in filed_days(day, overpass, usual, reach, (lon, lon))
    if abs((hour - lon / 15) % 24 - 12) < 11.99:
        assert utc_day(day, nearest_view(overpass, hour), lon) == wanted[0]


@pytest.mark.parametrize(
    ("name", "day", "hours"),
    [
        ("terra", dt.date(2016, 5, 3), (10.5, 22.5)),
        ("terra", dt.date(2026, 12, 1), (8.5, 20.5)),
        ("aqua", dt.date(2016, 5, 3), (13.5, 1.5)),
        ("aqua", dt.date(2026, 8, 15), (15.83, 3.83)),
        ("noaa-20", dt.date(2026, 8, 15), (13.5, 1.5)),
    ],
)
def test_platforms_drift(name: str, day: dt.date, hours: tuple[float, float]) -> None:
    assert (platform(name).hour("day", day), platform(name).hour("night", day)) == pytest.approx(hours, abs=0.01)


def at(lon: float, lat: float = 25.0) -> Domain:
    return Domain.from_bbox("place", (lon, lat, lon + 0.2, lat + 0.2))


@pytest.mark.parametrize("times", [True, False], ids=["view times", "platform"])
@pytest.mark.parametrize(
    ("product", "domain", "part", "hour", "filed"),
    [
        pytest.param("MYD11A1", Domain("m1", (104, 108, 540, 544)), "night", 1.5, None, id="M1"),  # 21.7 to 23.2 E
        pytest.param("MOD11A1", at(5), "night", 22.5, -1, id="M2"),
        pytest.param("MOD11A1", at(-20), "night", 22.5, -1, id="M2 west"),
        pytest.param("MOD11A1", at(-100), "night", 22.5, 0, id="M2 America"),
        pytest.param("MOD11A1", at(172), "day", 10.5, -1, id="M3"),
        pytest.param("MYD11A1", at(172), "day", 13.5, 0, id="M3 Aqua"),
        pytest.param("MYD21A1N", at(30), "night", 1.5, -1, id="MxD21"),
        pytest.param("MYD11A1", at(-178), "day", 13.5, 1, id="far west"),
        pytest.param("MYD11A1", at(178), "night", 1.5, -1, id="far east"),
    ],
)
def test_the_night_and_the_day_are_of_the_right_file(
    tmp_path: Path, product: str, domain: Domain, part: str, hour: float, filed: int | None, times: bool
) -> None:
    for n in (-2, -1, 0, 1, 2):
        viewfile.write_views(tmp_path, product, DAY + n * ONE, domain, KINDS[part] + n, hour if times else None,
                             part.title())  # fmt: skip
    read = read_granules(viewfile.planned(tmp_path, domain)).lst[part]
    assert read is not None
    got = np.rint(read[0] - KINDS[part])
    if filed is None:  # 01:30 is 00:00 UTC at 22.5 E
        lon = domain.lonlat()[0]
        clear = np.abs(lon - 22.5) > 0.05  # two pixels, where files of two days meet
        assert np.array_equal(got[:, clear], np.broadcast_to(np.where(lon < 22.5, 0, -1), got.shape)[:, clear])
    else:
        assert (got == filed).all()


def test_M24_cci_says_when_each_pixel_was_seen(tmp_path: Path) -> None:
    domain = at(105, 34)
    for n in (-2, -1, 0, 1):
        viewfile.write_cci(tmp_path, DAY + n * ONE, domain, 275 + n, 18.5, "night")
        viewfile.write_cci(tmp_path, DAY + n * ONE, domain, 300 + n, 6.5, "day")
    lst = read_granules(viewfile.planned(tmp_path, domain)).lst
    assert lst["night"] is not None and lst["day"] is not None
    assert np.isfinite(lst["night"][0]).all() and np.allclose(lst["night"][0], 274, atol=0.01)
    assert np.allclose(lst["day"][0], 300, atol=0.01)
    viewfile.write_cci(tmp_path / "b", DAY, domain, 275, None, "night")
    observed = read_granules(viewfile.planned(tmp_path / "b", domain))
    assert observed.lst["night"] is not None
    assert any("'dtime'" in r.what and "taken for a local day" in r.detail for r in observed.remarks)


def test_a_file_is_read_only_where_a_pixel_of_it_is_of_the_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over China one file a tile and overpass; where the neighbour might hold views, its view times alone."""
    from ssm_net.ingest import hdfeos

    reads: list[str] = []
    plain = hdfeos._read

    def counted(path: Path, layer: Layer, day: dt.date | None, window: tuple[slice, slice]) -> object:
        reads.append(layer.names[0])
        return plain(path, layer, day, window)

    monkeypatch.setattr(hdfeos, "_read", counted)
    for place, times in ((at(105, 32), 1), (at(10), 2)):
        for n in (-1, 0, 1):
            viewfile.write_views(tmp_path / f"{times}", "MYD11A1", DAY + n * ONE, place, 280.0 + n, 1.5)
        plan = viewfile.planned(tmp_path / f"{times}", place)
        reads.clear()
        read_granules(plan)
        tiles = len(plan.granules["lst_night"]) // times
        assert reads.count("Night_view_time") == times * tiles and reads.count("LST_Night_1km") == tiles


def test_a_day_whose_own_file_is_missing_has_no_view(tmp_path: Path) -> None:
    """At 10 E the file of the UTC day before may hold a view by chance; alone it says nothing of the sky."""
    viewfile.write_views(tmp_path, "MYD11A1", DAY - ONE, at(10), 280.0, 1.5)
    plan = viewfile.planned(tmp_path, at(10))
    assert plan.granules["lst_night"] and "lst_night" not in plan.kinds()
    assert read_granules(plan).lst["night"] is None
