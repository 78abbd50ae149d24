"""Granules as they really come: damaged, misplaced, empty, missing, twice. Each costs its own pixels and is named; the
day is made, and nothing stored is lost.
"""

import logging
import re
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import road
import xarray as xr
from pyhdf.SD import SD, SDC

from ssm_net.cube.store import Cube, open_cube
from ssm_net.errors import ConfigError
from ssm_net.prepare.run import prepare
from ssm_net.stations.ismn import StationError, read_stations

LST = "MYD11A1.061/MYD11A1.A2016{doy}.{tile}.061.2016{made}120000.hdf"
NORTH, SOUTH = "h26v04", "h26v05"


def lst_file(raw: Path, day: date, tile: str = NORTH) -> Path:
    """The file of the day view of ``day``; its night view is that of the day after."""
    doy = day.timetuple().tm_yday
    return raw / LST.format(doy=f"{doy:03d}", tile=tile, made=f"{doy + 10:03d}")


def ssm_file(raw: Path, day: date) -> Path:
    return raw / "NNsm" / f"NNsm-AMSR2-{day:%Y%j}.nc"


def change_ssm(path: Path, **assign: object) -> None:
    with xr.open_dataset(path.resolve()) as file:
        whole = file.load()
    path.unlink()
    whole.assign(assign).to_netcdf(path, engine="h5netcdf")


def empty(path: Path) -> None:
    """Every value of an LST file the fill value."""
    sd = SD(str(path), SDC.WRITE)
    for name in ("LST_Day_1km", "LST_Night_1km"):
        layer = sd.select(name)
        layer[:] = np.zeros(layer.info()[2], "uint16")
        layer.endaccess()
    sd.end()


@dataclass(frozen=True)
class Spoilt:
    cube: Cube
    log: str
    raw: Path

    def problem(self, day: date) -> str:
        """What the status of a day says of granules that were left out."""
        return "\n".join((self.cube.status(day) or {})["problems"])


TRUNCATED, WRONG_GRID, MISSING, ALL_FILL, NAN, OTHER_GRID, TWICE = (date(2016, 5, n) for n in range(2, 9))


@pytest.fixture(scope="module")
def spoilt(tiny_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Spoilt:
    """The tiny world with a fault on every day but the first, added to a cube that holds the first."""
    raw = road.linked(tiny_raw, tmp_path_factory.mktemp("spoilt") / "raw")
    path = raw.parent / "cube.zarr"
    prepare(road.preparation(raw, path, end="2016-05-01"))
    before = road.data_of(path)

    file = road.owned(lst_file(raw, TRUNCATED))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    file = road.owned(lst_file(raw, WRONG_GRID))
    text = file.read_bytes()
    assert text.count(b"GCTP_SNSOID") == 1
    file.write_bytes(text.replace(b"GCTP_SNSOID", b"GCTP_LAMAZ\n"))
    for tile in (NORTH, SOUTH):
        lst_file(raw, MISSING, tile).unlink()
        empty(road.owned(lst_file(raw, ALL_FILL, tile)))
    ssm_file(raw, MISSING).unlink()
    with xr.open_dataset(ssm_file(raw, NAN).resolve()) as like:
        change_ssm(ssm_file(raw, NAN), soil_moisture=xr.full_like(like.soil_moisture, np.nan))
        change_ssm(ssm_file(raw, OTHER_GRID), latitude=like.latitude + 0.2)
    file = lst_file(raw, TWICE)
    empty(Path(shutil.copyfile(file, file.with_name(file.name.replace(".061.2016", ".061.2015")))))

    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("ssm_net").addHandler(handler)
    try:
        prepare(road.preparation(raw, path))
    finally:
        logging.getLogger("ssm_net").removeHandler(handler)
    after = road.data_of(path)
    assert {k: after.get(k) for k in before} == before
    return Spoilt(open_cube(path), "\n".join(lines), raw)


def seen(cube: Cube, part: str, day: date) -> np.ndarray:
    return cube.read_packed(f"lst_{part}_lineage", day) == 0


def test_every_day_is_made(spoilt: Spoilt) -> None:
    assert spoilt.cube.done_days() == list(spoilt.cube.days) and len(spoilt.cube.days) == 8
    for day in spoilt.cube.days:
        for part in ("day", "night"):
            lst = spoilt.cube.read(f"lst_{part}", day)[spoilt.cube.land().numpy()]
            assert np.isfinite(lst).mean() > 0.99, f"{part} of {day} has holes"


@pytest.mark.parametrize(
    ("day", "what"), [(TRUNCATED, "damaged or cut short|not a whole HDF4"), (WRONG_GRID, "is in GCTP_LAMAZ")]
)
def test_a_bad_tile_costs_its_own_pixels(spoilt: Spoilt, tiny_cube_path: Path, day: date, what: str) -> None:
    name = lst_file(Path(), day).name
    found = spoilt.problem(day)
    assert name in found and re.search(what, found) and "download it again, or remove it" in found
    assert all(line in spoilt.log for line in found.splitlines())
    clean, now = seen(open_cube(tiny_cube_path), "day", day), seen(spoilt.cube, "day", day)
    # North of 40 N nothing is seen; the tile in the south, two pixels from the seam on, is as it was.
    lat = spoilt.cube.domain.lonlat()[1]
    assert not now[lat > 40.02].any() and clean[lat > 40.02].any()
    np.testing.assert_array_equal(now[lat < 39.98], clean[lat < 39.98])


def test_a_missing_day_is_filled_and_said(spoilt: Spoilt) -> None:
    status = spoilt.cube.status(MISSING) or {}
    assert {"lst_day", "ssm"} <= set(status["missing"]) and status["observed"] == 0
    assert not seen(spoilt.cube, "day", MISSING).any() and seen(spoilt.cube, "night", MISSING).any()
    assert np.isnan(spoilt.cube.read_coarse("ssm", MISSING)).all()
    for said in (f"ssm on {MISSING}, {OTHER_GRID}", f"lst_day on {MISSING}", f"lst_night on {date(2016, 5, 5)}"):
        assert re.search(
            rf"no usable granule: .*{said}[;.] .*revise=true makes these days and all days after them", spoilt.log
        )


def test_an_all_fill_day_is_as_one_under_cloud(spoilt: Spoilt) -> None:
    assert not seen(spoilt.cube, "day", ALL_FILL).any()
    assert (spoilt.cube.read_coarse("lst_day_seen", ALL_FILL) == 0).all()
    assert (spoilt.cube.read("lst_day_sigma", ALL_FILL)[spoilt.cube.land().numpy()] > 0).all()


def test_a_nan_scene_is_no_observation(spoilt: Spoilt) -> None:
    status = spoilt.cube.status(NAN) or {}
    assert status["observed"] == 0
    assert np.isnan(spoilt.cube.read_coarse("ssm", NAN)).all()
    assert (spoilt.cube.read_coarse("source", NAN) != 2).all()


def test_coarse_values_off_the_grid_are_refused(spoilt: Spoilt) -> None:
    assert np.isnan(spoilt.cube.read_coarse("ssm", OTHER_GRID)).all()
    found = spoilt.problem(OTHER_GRID)
    assert ssm_file(Path(), OTHER_GRID).name in found and "put it into the folder of its product" in found
    assert f"{OTHER_GRID}: {found}" in spoilt.log


def test_of_two_granules_the_newer_counts(spoilt: Spoilt, tiny_cube_path: Path) -> None:
    name = lst_file(Path(), TWICE).name
    older = name.replace(".061.2016", ".061.2015")
    assert f"another one is newer and counts ({older} beside {name}); remove the older one" in spoilt.log
    np.testing.assert_array_equal(seen(spoilt.cube, "day", TWICE), seen(open_cube(tiny_cube_path), "day", TWICE))


def test_a_day_is_made_again_once_its_granule_is_whole(spoilt: Spoilt, tiny_raw: Path, tmp_path: Path) -> None:
    """The remedy works: with the good file in place revise=true makes that day, and those after it."""
    path = tmp_path / "cube.zarr"
    shutil.copytree(spoilt.cube.path, path)
    raw = road.linked(tiny_raw, tmp_path / "raw")
    prepare(road.preparation(raw, path, start=str(TRUNCATED), end=str(TRUNCATED), revise=True))
    lat = spoilt.cube.domain.lonlat()[1]
    assert open_cube(path).status(TRUNCATED)["problems"] == []  # type: ignore[index]
    assert seen(open_cube(path), "day", TRUNCATED)[lat > 40.02].any()
    assert [open_cube(path).revision(day) for day in open_cube(path).days] == [1] + 7 * [2]


def test_no_granule_at_all(tiny_raw: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"2031-05-01 .. 2031-05-02.*formats\.md"):
        prepare(road.preparation(tiny_raw, tmp_path / "c.zarr", start="2031-05-01", end="2031-05-02"))
    assert not (tmp_path / "c.zarr").exists()


def test_a_product_that_is_not_there(tiny_raw: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"lst=MOD21A1D.*it holds MYD11A1"):
        prepare(road.preparation(tiny_raw, tmp_path / "c.zarr", lst="MOD21A1D"))


@pytest.mark.parametrize("window", [[400, 408, 774, 778], [70, 74, 968, 972], [-4, 0, 0, 4], [74, 70, 774, 778]])
def test_a_window_outside_the_grid(tiny_raw: Path, tmp_path: Path, window: list[int]) -> None:
    with pytest.raises(ConfigError, match=r"not inside the coarse grid of 406 rows x 964 columns; give domain\.window"):
        prepare(road.preparation(tiny_raw, tmp_path / "c.zarr", domain={"name": "x", "window": window}))
    assert not (tmp_path / "c.zarr").exists()


def test_another_domain_leaves_the_cube_as_it_was(spoilt: Spoilt, tiny_raw: Path) -> None:
    before = road.data_of(spoilt.cube.path)
    with pytest.raises(ValueError, match="another cube=PATH"):
        prepare(road.preparation(tiny_raw, spoilt.cube.path, domain={"name": "x", "window": [66, 70, 774, 778]}))
    assert road.data_of(spoilt.cube.path) == before


def test_a_station_of_nonsense_is_named_and_the_others_are_read(
    tiny_raw: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(tiny_raw / "ismn", tmp_path / "ismn")
    good = len(read_stations(tmp_path / "ismn"))
    files = sorted((tmp_path / "ismn").rglob("*_sm_0.000000_*.stm"))
    files[0].write_text("what is this\n1 2 3\n")
    files[1].write_bytes(bytes(range(256)) * 20)
    with caplog.at_level(logging.WARNING):
        assert len(read_stations(tmp_path / "ismn")) == good - 2
    for file in files[:2]:
        assert file.name in caplog.text
    assert "download the station again" in caplog.text
    for file in files:
        file.write_text("what is this\n")
    with pytest.raises(StationError, match="no soil moisture series"):
        read_stations(tmp_path / "ismn")
