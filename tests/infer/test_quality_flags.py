"""Quality flags by their rules: each on a pixel or a cell of its own, where one thing alone is different."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from worlds import ATTRS

from ssm_net.cube.layout import CubeLayout, create_cube
from ssm_net.cube.lock import write_lock
from ssm_net.cube.store import Cube
from ssm_net.cube.variables import FINE
from ssm_net.formats.product import LONG_UNOBSERVED_DAYS, Flag
from ssm_net.grid import Domain
from ssm_net.infer.quality_flags import coarse_flags, expand_flags, pixel_flags, sensor_names, static_flags

DOMAIN = Domain("t", (64, 68, 772, 776))
FIRST = dt.date(2016, 1, 1)
LAST = FIRST + dt.timedelta(LONG_UNOBSERVED_DAYS + 1)
NAN = float("nan")
# A warm, dry, sparsely grown pixel under a clear sky by day; 3: from the annual cycle alone.
PLAIN = {"lst_day": 295.0, "lst_night": 285.0, "lst_day_lineage": 0, "lst_night_lineage": 3, "red": 0.2, "nir": 0.3,
         "swir1": 0.3, "reflectance_age": 0, "water_fraction": 0.0, "urban": 0.0, "far": 0.0}  # fmt: skip
SNOW = {"lst_day": 278.0, "lst_night": 273.0, "red": 0.6, "nir": 0.5, "swir1": 0.1}
NO_LST = {"lst_day": NAN, "lst_night": NAN, "lst_day_lineage": 255, "lst_night_lineage": 255}
SEEN, FILLED, COLD = Flag.LST_SEEN, Flag.LST_FILLED, Flag.FROZEN_OR_SNOW
PIXELS: list[tuple[str, dict[str, float], Flag]] = [
    ("plain", {}, SEEN),
    ("seen by the other overpass", {"lst_day_lineage": 1}, SEEN),
    ("seen at night only", {"lst_day_lineage": 2, "lst_night_lineage": 0}, SEEN),
    ("filled from neighbours", {"lst_day_lineage": 2}, FILLED),
    ("filled from the annual cycle", {"lst_day_lineage": 3}, FILLED),
    ("without temperature", NO_LST, Flag(0)),
    ("frozen by the mean of both overpasses", {"lst_day": 276.0, "lst_night": 270.0}, SEEN | COLD),
    ("a night of frost, not frozen", {"lst_day": 280.0, "lst_night": 268.0}, SEEN),
    ("frozen, filled", {"lst_day": 270.0, "lst_night": 262.0, "lst_day_lineage": 3}, FILLED | COLD),
    ("snow", SNOW, SEEN | COLD),
    ("snow, last seen too long ago", SNOW | {"reflectance_age": 9}, SEEN),
    ("bright and warm, no snow", SNOW | {"lst_day": 300.0, "lst_night": 290.0}, SEEN),
    ("snow under a sky never seen through", SNOW | NO_LST, COLD),
    ("outside what was learned on", {"far": 1.0}, SEEN | Flag.EXTRAPOLATED),
    ("half water", {"water_fraction": 0.5}, SEEN | Flag.WATER),
    ("less than half water", {"water_fraction": 0.49}, SEEN),
    ("half built over", {"urban": 0.5}, SEEN | Flag.URBAN),
    ("less than half built over", {"urban": 0.49}, SEEN),
    ("frozen lake, far", {"lst_day": 270.0, "lst_night": 262.0, "water_fraction": 1.0, "far": 1.0}, SEEN | Flag.WATER),
]


def pixel_field(name: str) -> np.ndarray:
    """The values of ``PIXELS`` in a row, and a plain pixel everywhere else."""
    field = np.full(DOMAIN.fine_shape, PLAIN[name], "float32")
    field[0, : len(PIXELS)] = [(PLAIN | values)[name] for _, values, _ in PIXELS]
    return field


# When each cell of the first row was observed, and by which radiometer: 2 is AMSR2, 3 FY-3B.
AGO = {0: 0, 1: 0, 2: 1, 3: LONG_UNOBSERVED_DAYS}  # days before the last one; other rows: one day more than the limit


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    path = tmp_path_factory.mktemp("q") / "c.zarr"
    fine = [n for n in PLAIN if n in FINE]
    days = [FIRST + dt.timedelta(n) for n in range((LAST - FIRST).days + 1)]
    with write_lock(path) as lock:
        writer = create_cube(
            lock, CubeLayout(DOMAIN, fine, ["ssm", "source"], ["water_fraction", "urban"], ATTRS), days
        )
        for name in ("water_fraction", "urban"):
            writer.write_static(name, pixel_field(name))
        writer.write_metadata("intercalibration", {"reference": 2, "matches": {"3": {}}})
        for day in days:
            ssm = np.full(DOMAIN.coarse_shape, np.nan, "float32")
            ssm[1:] = 0.2 if day == FIRST else np.nan
            for col, ago in AGO.items():
                ssm[0, col] = 0.2 if day == LAST - dt.timedelta(ago) else np.nan
            source = np.where(np.isnan(ssm), np.nan, 2.0)
            source[0, 1] = 3.0 if day == LAST else np.nan
            packed = ((n, FINE[n].pack(pixel_field(n))) for n in fine)
            writer.write_day(day, packed, {"ssm": ssm, "source": source}, {"observed": 1})
    return writer.cube


@pytest.mark.parametrize("number", range(len(PIXELS)), ids=[what for what, _, _ in PIXELS])
def test_flags_of_a_pixel(cube: Cube, number: int) -> None:
    window = (0, 36, 0, 72)
    land = cube.land().numpy()[:36, :72]
    far = pixel_field("far")[:36, :72] > 0
    flags = pixel_flags(cube, LAST, land, far, window) | static_flags(cube)[:36, :72]
    assert Flag(int(flags[0, number])) == PIXELS[number][2]
    assert (flags[1:] == int(SEEN)).all()


@pytest.mark.parametrize(
    ("cell", "want"),
    [
        ((0, 0), Flag.COARSE_OBSERVED),
        ((0, 1), Flag.COARSE_OBSERVED | Flag.OTHER_SENSOR),
        ((0, 2), Flag.ORBIT_GAP_FILLED),
        ((0, 3), Flag.ORBIT_GAP_FILLED),  # on the last day that counts
        ((1, 0), Flag.ORBIT_GAP_FILLED | Flag.LONG_UNOBSERVED),
    ],
    ids=["by the reference", "by another sensor", "yesterday", "a week ago", "longer ago"],
)
def test_flags_of_a_cell(cube: Cube, cell: tuple[int, int], want: Flag) -> None:
    assert Flag(int(coarse_flags(cube, LAST)[cell])) == want


def test_a_cell_observed_today_is_not_long_unobserved_on_the_first_day(cube: Cube) -> None:
    """Days before the record are no observations, and no error."""
    flags = coarse_flags(cube, FIRST)
    assert (flags[1:] == int(Flag.COARSE_OBSERVED)).all()
    assert (flags[0, :3] == int(Flag.ORBIT_GAP_FILLED | Flag.LONG_UNOBSERVED)).all()


def test_the_sensors_of_a_day_are_named(cube: Cube) -> None:
    assert sensor_names(cube, LAST) == "AMSR2, FY-3B MWRI matched to AMSR2"
    assert sensor_names(cube, FIRST) == "AMSR2"
    assert sensor_names(cube, FIRST + dt.timedelta(3)) == "none on this day"


def test_masked_pixels_say_of_their_cell_only_that_it_was_observed() -> None:
    cells = np.array([[int(Flag.COARSE_OBSERVED | Flag.OTHER_SENSOR)], [int(Flag.ORBIT_GAP_FILLED)]], np.uint16)
    land = np.ones((4, 2), bool)
    land[:, 1] = False
    got = expand_flags(cells, land, 2)
    assert got[:, 0].tolist() == [257, 257, 2, 2] and got[:, 1].tolist() == [1, 1, 0, 0]
