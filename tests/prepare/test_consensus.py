"""The consensus of sensors whose lasting errors are independent: level, weights, stated error, and where it stays."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest
import road

from ssm_net.config import PrepareConfig
from ssm_net.core.radiometers import BY_CODE, record_of
from ssm_net.infer.quality_flags import sensor_names
from ssm_net.ingest.ssm import CoarseSSM
from ssm_net.prepare.consensus import Consensus, combine, fit_consensus
from ssm_net.prepare.intercalibration import Intercalibration, match_sensors
from ssm_net.prepare.run import prepare
from ssm_net.simulate import simulate

SHAPE = (8, 8)
LPRM, SMAP, LPRM_BY_DAY, NNSM = 9, 4, 11, 2
FIRST = dt.date(2016, 4, 1)


def of_sensor(code: int, value: float, sigma: float = 0.05, where: slice = slice(None)) -> CoarseSSM:
    ssm, source = np.full(SHAPE, np.nan, np.float32), np.zeros(SHAPE, np.uint8)
    ssm[where], source[where] = value, code
    return CoarseSSM(ssm, np.where(np.isfinite(ssm), np.float32(sigma), np.nan), source)


def test_the_level_lies_between_by_the_stated_lasting_errors() -> None:
    above = np.full(SHAPE, 0.05, np.float32)
    consensus = fit_consensus(SMAP, {LPRM: above})
    assert consensus is not None
    a, b = BY_CODE[SMAP].lasting, BY_CODE[LPRM].lasting
    np.testing.assert_allclose(consensus.shift, 0.05 * b**-2 / (a**-2 + b**-2), rtol=1e-5)
    assert consensus.error == pytest.approx((a**-2 + b**-2) ** -0.5) and consensus.error < min(a, b)
    # Two products of one instrument are one opinion.
    twice = fit_consensus(SMAP, {LPRM: above, LPRM_BY_DAY: 3 * above})
    assert twice is not None
    np.testing.assert_array_equal(twice.shift, consensus.shift)
    assert fit_consensus(LPRM, {NNSM: above}) is None


def test_independent_lasting_errors_shrink() -> None:
    """Two sensors over one soil: the mean error of a cell is smaller in the consensus than in either sensor."""
    rng = np.random.default_rng(1)
    days = [FIRST + dt.timedelta(n) for n in range(120)]
    soil = 0.2 + 0.05 * np.cumsum(rng.standard_normal((120, *SHAPE)), 0) / 10
    bias = {code: BY_CODE[code].lasting * rng.standard_normal(SHAPE) for code in (LPRM, SMAP)}
    seen = {code: {d: soil[n] + bias[code] + 0.02 * rng.standard_normal(SHAPE) for n, d in enumerate(days)}
            for code in bias}  # fmt: skip
    known = match_sensors(Intercalibration(SMAP), [LPRM], {c: days for c in seen}, lambda c, d: seen[c][d])
    above = known.matches[LPRM].above_reference
    assert above is not None
    np.testing.assert_allclose(above, bias[LPRM] - bias[SMAP], atol=0.012)
    consensus = fit_consensus(SMAP, {LPRM: above})
    assert consensus is not None
    left = bias[SMAP] + consensus.shift
    assert left.std() < 0.95 * min(b.std() for b in bias.values())
    assert left.std() < 1.5 * consensus.error


def test_a_day_is_the_weighted_mean_and_states_its_error() -> None:
    error = 0.018
    one, other = of_sensor(SMAP, 0.2, 0.04), of_sensor(LPRM, 0.3, 0.08, np.s_[:4])
    out = combine([one, other], error)
    random = 0.04**2 - BY_CODE[SMAP].lasting ** 2, 0.08**2 - BY_CODE[LPRM].lasting ** 2
    total = 1 / random[0] + 1 / random[1]
    np.testing.assert_allclose(out.ssm[:4], (0.2 / random[0] + 0.3 / random[1]) / total, rtol=1e-5)
    np.testing.assert_allclose(out.sigma[:4], np.sqrt(1 / total + error**2), rtol=1e-5)
    np.testing.assert_allclose(out.ssm[4:], 0.2, rtol=1e-6)
    assert (out.sigma[:4] < out.sigma[4:]).all() and set(np.unique(out.source)) == {SMAP}


def test_products_of_one_instrument_do_not_count_twice() -> None:
    night, by_day = of_sensor(LPRM, 0.2, where=np.s_[:4]), of_sensor(LPRM_BY_DAY, 0.4)
    out = combine([by_day, night], 0.02)
    np.testing.assert_allclose(out.ssm[:4], 0.2, rtol=1e-6)
    np.testing.assert_allclose(out.ssm[4:], 0.4, rtol=1e-6)
    np.testing.assert_allclose(out.sigma, out.sigma[0, 0])


def test_it_is_stored_and_comes_back() -> None:
    kept = Intercalibration(SMAP, {}, Consensus(np.full(SHAPE, 0.01, np.float32), 0.0185))
    again = Intercalibration.from_json(json.loads(json.dumps(kept.to_json())))
    assert again.consensus is not None and again.consensus.error == 0.0185
    shifted = again.apply(FIRST, of_sensor(SMAP, 0.2))
    np.testing.assert_allclose(shifted.ssm, 0.21, rtol=1e-5)
    assert "consensus" not in Intercalibration(SMAP).to_json()


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(road.simulation(tmp_path_factory.mktemp("two") / "raw", ssm=["LPRM", "SMAP"]))


@pytest.mark.slow
def test_a_cube_of_two_sensors_names_both_and_goes_on_as_it_was_begun(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssm_net.prepare.intercalibration.ENOUGH_DAYS", 3)  # eight days are all there are
    keys = vars(road.preparation(raw, tmp_path / "cube.zarr"))
    first = PrepareConfig(**{**keys, "consensus": True})
    cube = prepare(first)
    assert cube is not None
    together = [day for day in cube.days if len((cube.status(day) or {}).get("sensors", ())) == 2]
    assert together
    names = sensor_names(cube, together[0])
    assert names.startswith("consensus of") and "SMAP" in names and "AMSR2 (LPRM)" in names
    stored = Intercalibration.from_json(cube.metadata("intercalibration"))
    assert stored.consensus is not None and stored.consensus.shift.shape == cube.domain.coarse_shape
    before = cube.read_coarse("ssm", together[0])
    again = prepare(PrepareConfig(**{**keys, "consensus": False}))  # a cube goes on as it was begun
    assert again is not None
    np.testing.assert_array_equal(again.read_coarse("ssm", together[0]), before)
    assert {record_of(c) for day in cube.days for c in (cube.status(day) or {}).get("sensors", ())} == {LPRM, SMAP}
