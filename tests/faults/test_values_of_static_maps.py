"""Static maps: voids that no header declares are missing, and a map in another unit is refused by name or converted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from lonlat_file import DOMAIN
from test_units_and_ranges import f4, noted

from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.static import read_static


def static(folder: Path, name: str, data: np.ndarray, nodata: float | None = None, unit: str = "") -> np.ndarray:
    west, _, _, north = DOMAIN.bounds_lonlat()
    path = folder / "static" / f"{name}.tif"
    path.parent.mkdir(exist_ok=True)
    with rasterio.open(path, "w", driver="GTiff", width=data.shape[1], height=data.shape[0], count=1, dtype=data.dtype,
                       crs="EPSG:4326", transform=Affine(0.01, 0, west - 0.2, 0, -0.01, north + 0.2),
                       nodata=nodata) as file:  # fmt: skip
        file.write(data, 1)
        if unit:
            file.units = (unit,)
    return read_static(folder, DOMAIN.fine)[name]


N = (230, 240)  # pixels of a hundredth of a degree


@pytest.mark.parametrize(
    ("kind", "bad", "nodata"),
    [(np.int16, -32768, None), (np.int16, -32768, -9999), (f4, -9999, None), (f4, 1e30, None), (f4, -3.4e38, None)],
    ids=["T1", "T1 and another nodata", "-9999", "Q10 1e30", "lowest float"],
)
@pytest.mark.parametrize("name", ["elevation", "roughness"])
def test_undeclared_voids_of_a_map(tmp_path: Path, name: str, kind: type, bad: float, nodata: float | None) -> None:
    data = np.full(N, 800, kind)
    data[60:100, 60:90] = bad
    out, said = noted(lambda: static(tmp_path, name, data, nodata))
    seen = np.isfinite(out)  # type: ignore[call-overload]
    assert 0.5 < seen.mean() < 0.99
    np.testing.assert_allclose(out[seen], 800, rtol=1e-6)  # type: ignore[index]
    assert f"{name}.tif" in said and "is not declared as its fill value: missing" in said


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        pytest.param("water_fraction", (0, 100), "likely percent; convert it: gdal_translate .* 0 100 0 1", id="T4"),
        pytest.param("urban", (2, 2), "likely percent", id="T6"),
        pytest.param("water_fraction", (0, 250), r"likely bytes \(0 .. 255\)", id="bytes"),
        pytest.param("sand", (350, 600), "likely g/kg; convert it: gdal_translate .* 0 1000 0 100", id="T7 sand"),
        pytest.param("clay", (120, 380), "outside 0 .. 100 percent.*likely g/kg", id="T7 clay"),
        pytest.param("sand", (0.2, 0.6), "too small for sand, clay or silt in percent.*likely fractions", id="0..1"),
        pytest.param("elevation", (1e30, 1e30), "holds no elevation", id="Q10"),
        pytest.param("elevation", (10000, 24000), "likely feet, decimetres", id="feet"),
    ],
)
def test_a_map_in_another_unit_is_refused(tmp_path: Path, name: str, values: tuple, words: str) -> None:
    data = np.linspace(*values, num=N[0] * N[1], dtype=f4).reshape(N)
    with pytest.raises(GranuleError, match=rf"{name}\.tif, layer '{name}'.*{words}"):
        static(tmp_path, name, data)


@pytest.mark.parametrize(
    ("name", "value", "unit", "expected"),
    [("sand", 350, "g/kg", 35), ("sand", 0.35, "kg/kg", 35), ("clay", 35, "%", 35), ("water_fraction", 20, "%", 0.2),
     ("urban", 20, "percent", 0.2), ("elevation", 1000, "feet", 304.8), ("elevation", 800, "metre", 800)],
)  # fmt: skip
def test_a_map_that_states_its_unit_is_converted(tmp_path, name, value, unit, expected) -> None:
    np.testing.assert_allclose(static(tmp_path, name, np.full(N, value, f4), unit=unit), expected, rtol=1e-5)


def test_sound_maps_are_taken_as_they_are(tmp_path: Path) -> None:
    for name, low, high in (("elevation", -150, 5000), ("sand", 5, 95), ("water_fraction", 0, 1), ("twi", -400, 12000)):
        data = np.linspace(low, high, num=N[0] * N[1], dtype=f4).reshape(N)
        out, said = noted(lambda data=data, name=name: static(tmp_path, name, data, -9999))
        assert said == "" and np.isfinite(out).all()  # type: ignore[call-overload]
