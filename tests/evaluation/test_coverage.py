import datetime as dt

import numpy as np
import pytest

from ssm_net.evaluation.coverage import Coverage
from ssm_net.formats.product import Mosaic
from ssm_net.grid import Domain

DOMAIN = Domain("tiny", (84, 88, 776, 780))


def test_counts_by_flag():
    ny, nx = DOMAIN.fine_shape
    flags = np.full((ny, nx), 1 | 4, "uint8")
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


def test_months_add_up():
    flags = np.full(DOMAIN.fine_shape, 1 | 4, "uint8")
    full = np.full(DOMAIN.fine_shape, 0.2, "float32")
    none = np.full(DOMAIN.fine_shape, np.nan, "float32")
    day = dt.date(2016, 1, 1)
    two = Coverage.of(Mosaic(day, DOMAIN, full, full, flags)) + Coverage.of(Mosaic(day, DOMAIN, none, none, flags))
    assert two.row()["days"] == 2
    assert two.row()["produced"] == pytest.approx(50)
    assert two.row()["land pixels"] == full.size
