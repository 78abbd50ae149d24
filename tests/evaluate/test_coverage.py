import datetime as dt
import json

import numpy as np
import pytest
import worlds

from ssm_net.evaluate.metrics.coverage import Coverage, missing_inputs
from ssm_net.formats.product import Mosaic
from ssm_net.grid import Domain

DOMAIN = Domain("tiny", (84, 88, 776, 780))


def test_counts_by_flag():
    ny, nx = DOMAIN.fine_shape
    flags = np.full((ny, nx), 1 | 4, "uint16")
    flags[:, : nx // 2] = 2 | 8
    flags[: ny // 4] = 32
    flags[ny // 4 : ny // 2] |= 16
    ssm = np.full((ny, nx), 0.2, "float32")
    ssm[: ny // 2] = np.nan  # water, and frozen ground, have no value
    ssm[-1, 0] = np.nan
    row = Coverage.of(Mosaic(dt.date(2016, 1, 1), DOMAIN, ssm, ssm, flags)).row()
    assert row["land pixels"] == ny * nx * 3 // 4
    assert row["frozen or snow"] == pytest.approx(100 / 3)
    assert row["produced of thawed land"] == pytest.approx(100 * (1 - 1 / (ny * nx / 2)))
    assert row["LST seen"] == pytest.approx(100 / 3)
    assert row["orbit gap filled"] == pytest.approx(row["LST filled"]) == pytest.approx(100 / 3, abs=0.1)
    assert row["produced"] + row["masked"] == pytest.approx(100)
    assert row["frozen or snow"] + row["urban"] + row["no input or outside"] == pytest.approx(row["masked"])


def test_towns_are_no_gap():
    flags = np.full(DOMAIN.fine_shape, 1 | 4, "uint16")
    flags[:36] |= 128
    flags[:18] |= 16  # what is frozen counts as frozen
    ssm = np.full(DOMAIN.fine_shape, 0.2, "float32")
    ssm[:36] = np.nan
    row = Coverage.of(Mosaic(dt.date(2016, 1, 1), DOMAIN, ssm, ssm, flags)).row()
    assert row["produced of thawed land"] == 100
    assert row["urban"] == pytest.approx(12.5)
    assert row["frozen or snow"] == pytest.approx(12.5)


def test_days_that_lack_an_input_are_counted_by_month(tmp_path):
    cube = worlds.tiny_cube(tmp_path / "cube.zarr", days=20)
    file = cube.path / "status" / "20160502.json"
    status = {"missing": ["ssm", "lst_day"], "problems": ["a", "b"], "missing_tiles": ["MYD11A1 h25v05 (lst_day)"]}
    file.write_text(json.dumps(json.loads(file.read_text()) | status))
    (cube.path / "status" / "20160503.json").unlink()
    lacking = missing_inputs(cube, cube.days)
    assert lacking["2016-04"]["days"] == 16
    assert not any(v for k, v in lacking["2016-04"].items() if k != "days")
    assert lacking["2016-05"] == {
        "days": 4, "not prepared": 1, "without coarse": 1, "without LST by day": 1, "without LST at night": 0,
        "with a tile missing": 1, "granules not read": 2,
    }  # fmt: skip


def test_months_add_up():
    flags = np.full(DOMAIN.fine_shape, 1 | 4, "uint16")
    full = np.full(DOMAIN.fine_shape, 0.2, "float32")
    none = np.full(DOMAIN.fine_shape, np.nan, "float32")
    day = dt.date(2016, 1, 1)
    two = Coverage.of(Mosaic(day, DOMAIN, full, full, flags)) + Coverage.of(Mosaic(day, DOMAIN, none, none, flags))
    assert two.row()["days"] == 2
    assert two.row()["produced"] == pytest.approx(50)
    assert two.row()["land pixels"] == full.size
