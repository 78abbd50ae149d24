"""Means over areas: exact parts of pixels, the mean of those that are valid, and how much of its error averages out."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from map_folders import DAYS, DOMAIN, FROZEN, PACKING, plane, write_maps
from pyproj import Transformer

import ssm_net
from ssm_net.errors import SsmNetError
from ssm_net.extract.error_correlation import CELL_RANGE_KM, INSIDE_RANGE_KM, mean_correlation

pytest.importorskip("exactextract")
LON, LAT = DOMAIN.lonlat()
TO_DEGREES = Transformer.from_crs("EPSG:6933", "EPSG:4326", always_xy=True)


def box(rows: tuple[float, float], cols: tuple[float, float]) -> dict:
    """A polygon in degrees from pixel edge to pixel edge, which may lie inside pixels."""

    def corner(row: float, col: float) -> list[float]:
        return [float(v) for v in TO_DEGREES.transform(*(DOMAIN.fine.affine * (col, row)))]

    (top, bottom), (left, right) = rows, cols
    ring = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    return {"type": "Polygon", "coordinates": [[corner(row, col) for col, row in ring]]}


def vector_file(path: Path, areas: dict[str, dict]) -> Path:
    features = [
        {"type": "Feature", "properties": {"basin": n, "id": i}, "geometry": g}
        for i, (n, g) in enumerate(areas.items())
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


AREAS = {
    "whole pixels": box((70, 72), (200, 202)),
    "parts of pixels": box((70.5, 71.5), (200, 200.25)),
    "half frozen": box((10, 20), (FROZEN[1].stop - 5, FROZEN[1].stop + 5)),
    "half outside": box((70, 80), (283, 293)),
    "far away": {"type": "Polygon", "coordinates": [[[10, 50], [11, 50], [11, 51], [10, 50]]]},
}


@pytest.fixture(scope="module", params=["netcdf", "zarr", "cog"])
def means(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp(request.param)
    file = vector_file(folder / "basins.geojson", AREAS)
    series = ssm_net.over_areas(write_maps(folder / "maps", request.param), file, names="basin")
    return request.param, {str(name): series.isel(place=n) for n, name in enumerate(series["name"].values)}


def test_the_mean_weighs_pixels_by_the_part_inside(means) -> None:
    format, by_name = means
    tolerance = PACKING if format != "cog" else 5e-4
    whole = plane(LON[200:202][None], LAT[70:72][:, None], 0).mean()
    assert float(by_name["whole pixels"].ssm[0]) == pytest.approx(whole, abs=tolerance)
    parts = plane(LON[200], LAT[70:72], 0).mean()  # half of each of two pixels
    assert float(by_name["parts of pixels"].ssm[0]) == pytest.approx(parts, abs=tolerance)
    if format != "cog":
        assert [int(by_name[name].pixels) for name in ("whole pixels", "parts of pixels")] == [4, 2]


def test_frozen_pixels_do_not_count_and_are_counted(means) -> None:
    frozen = means[1]["half frozen"]  # in a GeoTIFF to a pixel of 0.01 degree
    assert frozen.fraction_valid.values == pytest.approx([1, 1, 0.5], abs=0.05)
    assert frozen.fraction_frozen_or_snow.values == pytest.approx([0, 0, 0.5], abs=0.05)
    assert float(frozen.ssm[2] - frozen.ssm[0]) == pytest.approx(0.02 + 0.02 * 2.5 * (LON[1] - LON[0]), abs=1e-3)


def test_an_area_partly_or_wholly_outside_says_so(means) -> None:
    format, by_name = means
    part = 48 if format == "cog" else 50  # whole hundredths of a degree lie around the domain
    assert str(by_name["half outside"].note.values) == f"{part}% of it lie outside the maps and do not count"
    assert float(by_name["half outside"].fraction_valid[0]) == 1
    assert str(by_name["far away"].note.values) == "outside the maps" and np.isnan(by_name["far away"].ssm).all()


def test_what_averages_out_is_the_error_inside_cells(tmp_path: Path) -> None:
    """A large area keeps the error of the region, much of that of cells, and little of that inside cells."""
    file = vector_file(
        tmp_path / "a.geojson", {"small": box((70, 71), (200, 201)), "large": box((62, 142), (182, 262))}
    )
    series = ssm_net.over_areas(write_maps(tmp_path / "maps", "netcdf"), file, names="basin", end="2016-06-07")
    small, large = (series.isel(place=n, time=0) for n in (0, 1))
    assert float(small.ssm_uncertainty) == pytest.approx(0.05, abs=PACKING)
    assert float(large.uncertainty_region) == pytest.approx(0.01)
    rest = 0.05**2 - 0.01**2
    side = np.arange(80)
    pixels = [v.ravel() for v in np.meshgrid(side, side, indexing="ij")]
    size = (DOMAIN.grid.pixel / 1000,) * 2
    for name, part, range_km in (("inside", 0.4, INSIDE_RANGE_KM), ("cell", 0.6, CELL_RANGE_KM)):
        left = mean_correlation(*pixels, np.full(6400, 1 / 6400), size, range_km)
        assert float(large[f"uncertainty_{name}"]) == pytest.approx((part * rest * left) ** 0.5, rel=1e-3)
    assert large.uncertainty_inside < 0.2 * small.uncertainty_inside
    assert 0.5 * small.uncertainty_cell < large.uncertainty_cell < small.uncertainty_cell


def test_the_mean_correlation_is_the_sum_over_all_pairs() -> None:
    rng = np.random.default_rng(0)
    rows, cols = np.unique(rng.integers(0, 40, (60, 2)), axis=0).T
    weights = rng.uniform(size=len(rows))
    weights /= weights.sum()
    y, x = 2.0 * rows, 1.5 * cols
    distance = np.hypot(y[:, None] - y, x[:, None] - x)
    expected = weights @ np.exp(-distance / 10) @ weights
    assert mean_correlation(rows, cols, weights, (1.5, 2.0), 10) == pytest.approx(expected)


def test_a_huge_area_costs_no_more_memory_than_a_large_one() -> None:
    rows, cols = (v.ravel() for v in np.meshgrid(np.arange(0, 2000, 5), np.arange(0, 3000, 5)))
    exact = 2 * np.pi * CELL_RANGE_KM**2 / (2000 * 3000)  # of an area much larger than the range, without its edges
    got = mean_correlation(rows, cols, np.full(rows.size, 1 / rows.size), (1, 1), CELL_RANGE_KM)
    assert 0.9 * exact < got < exact


def test_intervals_of_means_hold_errors_of_the_stated_kind(tmp_path: Path) -> None:
    """Errors drawn with the stated variances and ranges: 90 % intervals of the mean over a ragged basin hold 90 %."""
    rng = np.random.default_rng(1)
    side = 48
    y, x = (v.ravel() for v in np.meshgrid(np.arange(side), np.arange(side), indexing="ij"))
    inside = np.hypot(y - 20, x - 25) < 18 + 3 * np.sin(np.arctan2(y - 20, x - 25) * 5)
    rows, cols = y[inside], x[inside]
    distance = np.hypot(rows[:, None] - rows, cols[:, None] - cols)
    weights = np.full(rows.size, 1 / rows.size)
    draws = np.full(4000, 0.0)
    variance = 0.0
    for sigma, range_km in ((0.04, INSIDE_RANGE_KM), (0.02, CELL_RANGE_KM)):
        covariance = sigma**2 * np.exp(-distance / range_km)
        draws += (
            np.linalg.cholesky(covariance + 1e-10 * np.eye(rows.size)).T @ weights @ rng.normal(size=(rows.size, 4000))
        )
        variance += sigma**2 * mean_correlation(rows, cols, weights, (1, 1), range_km)
    assert 0.88 < (np.abs(draws) < 1.645 * variance**0.5).mean() < 0.92


@pytest.mark.parametrize(
    ("names", "message"),
    [("river", "has no column 'river'; it has basin, id"), ("basin", "more than one area has the name 'same'")],
)
def test_names_that_cannot_be_used_say_why(tmp_path: Path, names: str, message: str) -> None:
    file = tmp_path / "basins.geojson"
    features = [
        {"type": "Feature", "properties": {"basin": "same", "id": n}, "geometry": AREAS["whole pixels"]} for n in (0, 1)
    ]
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    with pytest.raises(SsmNetError, match=message):
        ssm_net.over_areas(write_maps(tmp_path / "maps", "netcdf"), file, names=names)


def test_areas_without_names_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = vector_file(tmp_path / "a.geojson", AREAS)
    with caplog.at_level(logging.WARNING):
        series = ssm_net.over_areas(write_maps(tmp_path / "maps", "netcdf"), file, end=str(DAYS[0]))
    assert series["name"].values.tolist() == [f"area_{n}" for n in range(1, 6)]
    assert "area_5: outside the maps" in caplog.text


def test_a_file_without_polygons_or_that_is_not_there_says_so(tmp_path: Path) -> None:
    write_maps(tmp_path / "maps", "netcdf")
    with pytest.raises(SsmNetError, match=r"areas=.*no\.gpkg: no such file"):
        ssm_net.over_areas(tmp_path / "maps", tmp_path / "no.gpkg")
    points = vector_file(tmp_path / "p.geojson", {"p": {"type": "Point", "coordinates": [83, 44]}})
    with pytest.raises(SsmNetError, match="holds no polygon"):
        ssm_net.over_areas(tmp_path / "maps", points)
