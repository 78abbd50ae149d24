import datetime as dt

import numpy as np
import pytest
import road
import torch
import worlds

from ssm_net.cube import masks
from ssm_net.formats.mosaic_days import day_path, read_day
from ssm_net.formats.product import Flag
from ssm_net.infer.run import infer


def test_ground_is_frozen_by_the_mean_of_the_overpasses_there_are():
    night = np.array([[260.0, 260.0, np.nan, np.nan]], "float32")
    day = np.array([[280.0, 290.0, 272.0, np.nan]], "float32")
    assert masks.frozen(masks.surface_temperature([day, night])).tolist() == [[True, False, True, False]]


@pytest.mark.parametrize(
    ("what", "red", "nir", "swir1", "age", "lst", "is_snow"),
    [
        ("fresh snow", 0.80, 0.75, 0.10, 0, 268.0, True),
        ("wheat", 0.05, 0.40, 0.20, 0, 290.0, False),
        ("bare soil", 0.18, 0.24, 0.30, 0, 285.0, False),
        ("salt flat in summer", 0.70, 0.70, 0.20, 0, 305.0, False),
        ("clear lake", 0.04, 0.02, 0.01, 0, 275.0, False),
        ("snow of last month", 0.80, 0.75, 0.10, 30, 268.0, False),
        ("snow without LST", 0.80, 0.75, 0.10, 2, np.nan, True),
        ("no reflectance", np.nan, np.nan, np.nan, 0, 268.0, False),
        ("no light", 0.0, 0.0, 0.0, 0, 268.0, False),
    ],
)
def test_snow_is_bright_in_red_dark_in_the_infrared_and_not_warm(what, red, nir, swir1, age, lst, is_snow):
    one = (np.full((1, 1), v, "float32") for v in (red, nir, swir1, age, lst))
    assert masks.snow(*one).item() == is_snow, what


def test_towns_are_flagged_and_have_no_value(tmp_path):
    cube = worlds.tiny_cube(tmp_path / "cube.zarr", static={"urban": (slice(40, 60), slice(50, 80))})
    infer(road.inference(cube.path, tmp_path / "out", start="2016-04-15", end="2016-04-15"))
    mosaic = read_day(day_path(tmp_path / "out", "tiny", dt.date(2016, 4, 15)))
    town = (mosaic.flags & int(Flag.URBAN)) > 0
    assert town.sum() == 20 * 30
    assert town[40:60, 50:80].all()
    assert np.isnan(mosaic.ssm[town]).all()
    assert np.isfinite(mosaic.ssm[100:, 100:]).all()


def test_a_day_keeps_the_land_what_lies_around_it_and_its_lakes() -> None:
    """The surroundings tell of borders and shores; the open sea would take half of the disk of an archipelago."""
    land = torch.zeros(8 * 4, 8 * 4, dtype=torch.bool)
    land[9, 9] = True  # a pixel of cell (2, 2)
    kept = masks.kept_pixels(land, 4)
    expected = torch.zeros_like(land)
    expected[4:16, 4:16] = True
    assert torch.equal(kept, expected)
