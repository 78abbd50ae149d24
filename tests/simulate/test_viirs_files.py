"""A world seen by VIIRS: its HDF-EOS5 granules have the archive's layout, and give the world's values back."""

import datetime as dt
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from tinyworld import WINDOW, settings

from ssm_net.config import PrepareConfig, load
from ssm_net.grid import Domain
from ssm_net.ingest.catalog import list_granules
from ssm_net.prepare.day_plan import plan_day
from ssm_net.prepare.products import choose_products
from ssm_net.prepare.read_day import ObservedDay, read_granules
from ssm_net.simulate import simulate
from ssm_net.simulate.world.observe import VIIRS_WARMER

DOMAIN = Domain("tiny", WINDOW)
DAY, ONE = dt.date(2016, 5, 2), dt.timedelta(1)


@pytest.fixture(scope="module")
def viirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(settings(tmp_path_factory.mktemp("viirs") / "raw", sensors="viirs"))


@pytest.fixture(scope="module")
def read(viirs: Path) -> dict[dt.date, ObservedDay]:
    keys = {"raw": str(viirs), "cube": "unused", "start": "2016-05-01", "end": "2016-05-04"}
    cfg = load(PrepareConfig, {**keys, "domain": {"name": "tiny", "window": list(WINDOW)}})
    found = list_granules(viirs)
    products = choose_products(cfg, found)
    assert products.lst == ("VNP21A1D", "VNP21A1N") and products.reflectance == ("VNP43IA4", "VNP43MA4")
    assert "swir2" in products.fine() and not products.other_lst
    return {day: read_granules(plan_day(cfg, DOMAIN, found, products, day)) for day in (DAY, DAY - ONE)}


def test_nothing_is_refused_and_modis_is_not_there(viirs: Path, read: dict[dt.date, ObservedDay]) -> None:
    assert [day.problems for day in read.values()] == [(), ()]
    assert not [r for day in read.values() for r in day.remarks if not r.expected]
    assert not [p for p in viirs.iterdir() if p.name[0] == "M"]


@pytest.mark.parametrize("part", ["day", "night"])
def test_lst_is_the_worlds(viirs: Path, read: dict[dt.date, ObservedDay], part: str) -> None:
    views = read[DAY].lst[part]
    assert views is not None
    truth = xr.open_zarr(viirs / "truth.zarr", consolidated=False, chunks=None)[f"lst_{part}"].load()
    errors = {n: views[0] - truth.sel(time=str(DAY + n * ONE)).values for n in (-1, 0, 1)}
    spread = {n: np.nanmedian(np.abs(e - np.nanmedian(e))) for n, e in errors.items()}
    assert np.isfinite(views[0]).mean() > 0.1 and spread[0] < 1.0 and spread[0] == min(spread.values())
    assert abs(np.nanmedian(errors[0]) - VIIRS_WARMER[part]) < 1.0
    assert set(np.unique(views[1][np.isfinite(views[1])])) <= {1.0, 2.5}  # the best accuracy; beside a cloud


def test_reflectance_has_both_short_wave_infrared_bands(read: dict[dt.date, ObservedDay]) -> None:
    fields = read[DAY - ONE].reflectance
    assert fields is not None and set(fields) == {"red", "nir", "swir1", "swir2", "quality"}
    for name in ("red", "nir", "swir1", "swir2"):
        seen = np.isfinite(fields[name])
        assert seen.mean() > 0.5 and 0 < fields[name][seen].min() and fields[name][seen].max() < 0.8
    both = np.isfinite(fields["swir1"]) & np.isfinite(fields["swir2"])
    assert np.corrcoef(fields["swir1"][both], fields["swir2"][both])[0, 1] > 0.5


def test_the_layout_is_that_of_hdf_eos5(viirs: Path) -> None:
    path = next((viirs / "VNP21A1D.002").glob("VNP21A1D.A2016122.*.h5"))
    with h5py.File(path) as file:
        fields = file["HDFEOS/GRIDS/VIIRS_Grid_Daily_1km_LST21/Data Fields"]
        assert {"LST_1KM", "QC", "View_Time"} == set(fields) and fields["LST_1KM"].shape == (1200, 1200)
        assert fields["LST_1KM"].dtype == np.uint16 and fields["LST_1KM"].attrs["scale_factor"] == 0.02
        text = file["HDFEOS INFORMATION/StructMetadata.0"][()].decode()
        assert "HE5_GCTP_SNSOID" in text and 'DataFieldName="LST_1KM"' in text
        assert file.attrs["ShortName"] == b"VNP21A1D"
    for product, side in (("VNP43IA4", 2400), ("VNP43MA4", 1200)):
        path = next((viirs / f"{product}.002").glob("*.h5"))
        with h5py.File(path) as file:
            fields = file["HDFEOS/GRIDS/VIIRS_Grid_BRDF/Data Fields"]
            assert all(layer.shape == (side, side) for layer in fields.values())
