"""Two sensors down the road: matched when the cube is made, said in the maps, and never matched again."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import road

from ssm_net.cube.store import Cube, open_cube
from ssm_net.formats.mosaic_days import day_path, read_day
from ssm_net.formats.product import Flag
from ssm_net.grid import Domain
from ssm_net.infer.run import infer
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.ssm import read_ssm
from ssm_net.prepare.intercalibration import Intercalibration
from ssm_net.prepare.reference_sensor import choose_reference
from ssm_net.prepare.run import prepare
from ssm_net.simulate.writers.netcdf import write_nnsm

DOMAIN = Domain("tiny", tuple(road.WINDOW))
FIRST = dt.date.fromisoformat(road.START)
ONE = dt.timedelta(1)
WITHOUT = FIRST + 2 * ONE  # AMSR2 did not see it
LAST = FIRST + 4 * ONE
SAID = ("FY-3B MWRI matched to AMSR2", "AMSR2", "none on this day")
SHARED = 60  # days before the cube on which both sensors saw


def fengyun(x: np.ndarray) -> np.ndarray:
    return 0.2 + 0.8 * (x - 0.2) + 0.05


def name(sensor: str, day: dt.date) -> str:
    return f"NNsm-{sensor}-{day:%Y%j}.nc"


def both(raw: Path, days: list[dt.date], step: float = 0.0) -> None:
    """AMSR2 and FY-3B of the same soil, each with its noise; ``step`` is added to FY-3B."""
    for n, day in enumerate(days):
        rng = np.random.default_rng(day.toordinal())
        soil = 0.22 + 0.06 * np.sin(n / 4) + 0.02 * np.linspace(-1, 1, 16).reshape(4, 4)
        for sensor, seen in (("AMSR2", soil), ("FY", fengyun(soil) + step)):
            noisy = np.clip(seen + rng.normal(0, 0.01, soil.shape), 0.02, 0.6)
            write_nnsm(raw / "NNsm" / name(sensor, day), DOMAIN, noisy.astype("float32"))


@pytest.fixture(scope="module")
def raw(tiny_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny world, on one day seen by FY-3B only, and two months before it in which both saw."""
    into = road.linked(tiny_raw, tmp_path_factory.mktemp("sensors") / "raw")
    link = into / "NNsm" / name("AMSR2", WITHOUT)
    seen = read_ssm([Granule("NNsm", link.resolve(), WITHOUT)], DOMAIN, 0.04).ssm
    link.unlink()
    write_nnsm(into / "NNsm" / name("FY", WITHOUT), DOMAIN, fengyun(seen))
    both(into, [FIRST - n * ONE for n in range(SHARED, 0, -1)])
    return into


@pytest.fixture(scope="module")
def cube(raw: Path) -> Cube:
    made = prepare(road.preparation(raw, raw.parent / "cube.zarr", end=str(LAST)))
    assert made is not None
    return made


def test_the_other_sensor_becomes_the_reference_and_the_reference_stays(cube: Cube, tiny_cube_path: Path) -> None:
    alone = open_cube(tiny_cube_path)
    for day in cube.days:
        ssm, sigma, source = (cube.read_coarse(v, day) for v in ("ssm", "ssm_sigma", "source"))
        want = alone.read_coarse("ssm", day)
        seen = np.isfinite(want)
        assert (np.isfinite(ssm) == seen).all() and (np.isfinite(source) == seen).all()
        if day != WITHOUT:
            np.testing.assert_array_equal(ssm, want)
            np.testing.assert_array_equal(sigma, alone.read_coarse("ssm_sigma", day))
        else:
            assert seen.any() and (source[seen] == 3).all()
            assert np.abs(ssm - want)[seen].mean() < 0.01 < np.abs(fengyun(want) - want)[seen].mean()
            assert (sigma[seen] > 0.04).all()


def test_the_maps_say_which_sensor_saw(cube: Cube, tmp_path: Path) -> None:
    infer(road.inference(cube.path, tmp_path / "m"))
    for day in cube.days:
        mosaic = read_day(day_path(tmp_path / "m", "tiny", day))
        other = (mosaic.flags & int(Flag.OTHER_SENSOR)) > 0
        observed = (mosaic.flags & int(Flag.COARSE_OBSERVED)) > 0
        assert other.any() == (day == WITHOUT) and not (other & ~observed).any()
        stated = {v for v in mosaic.attrs.values() if v in SAID}
        assert stated == {SAID[0] if day == WITHOUT else SAID[1] if observed.any() else SAID[2]}


def test_a_day_more_matches_nothing_again(raw: Path, cube: Cube) -> None:
    """Not even where the archive by then holds another story."""
    fitted = (cube.path / "metadata" / "intercalibration.json").read_bytes()
    before = road.data_of(cube.path)
    both(raw, [FIRST - n * ONE for n in range(2 * SHARED, SHARED, -1)], step=0.1)
    write_nnsm(raw / "NNsm" / name("FY", LAST + ONE), DOMAIN, np.full((4, 4), 0.3, "float32"))
    (raw / "NNsm" / name("AMSR2", LAST + ONE)).unlink()
    prepare(road.preparation(raw, cube.path, end=str(LAST + ONE)))
    assert (cube.path / "metadata" / "intercalibration.json").read_bytes() == fitted
    after = road.data_of(cube.path)
    assert {k: after[k] for k in before} == before and len(after) > len(before)
    match = (Intercalibration.from_json(cube.metadata("intercalibration")).matches or {})[3]
    got = open_cube(cube.path).read_coarse("ssm", LAST + ONE)
    np.testing.assert_allclose(got, match(LAST + ONE, np.full((4, 4), 0.3, "float32")), atol=1e-6)


@pytest.mark.parametrize(
    ("days", "reference"),
    [
        ({1: 900, 2: 30, 3: 400}, 2),  # AMSR2 goes on
        ({1: 900, 3: 400}, 1),  # the longest record
        ({3: 400, 4: 400}, 3),  # of several the first of the table
    ],
)
def test_the_reference_is_the_sensor_of_the_days_to_come_or_the_one_with_most_days(days, reference) -> None:
    assert (
        choose_reference({code: [FIRST + n * ONE for n in range(number)] for code, number in days.items()}) == reference
    )
