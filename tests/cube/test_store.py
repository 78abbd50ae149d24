"""The cube: packing, one writer a day, status after data, a past that does not change."""

import datetime as dt
import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from worlds import FIRST, tiny_cube

from ssm_net.cube.layout import create_cube
from ssm_net.cube.store import Cube, CubeError, open_cube
from ssm_net.cube.variables import FINE
from ssm_net.grid import Domain

ONE = dt.timedelta(1)


@pytest.mark.parametrize("name", sorted(FINE))
@given(values=arrays("float32", 16, elements=st.floats(-1e4, 1e4, width=32) | st.just(float("nan"))))
@settings(max_examples=25, deadline=None)
def test_packing_is_right_to_half_a_step_or_clipped(name: str, values: np.ndarray) -> None:
    v = FINE[name]
    out = v.unpack(v.pack(values))
    np.testing.assert_array_equal(np.isnan(out), np.isnan(values))
    info = np.iinfo(v.dtype)
    lo, hi = info.min * v.scale + v.offset, info.max * v.scale + v.offset
    inside = (values > lo + 2 * v.scale) & (values < hi - 2 * v.scale)
    np.testing.assert_allclose(
        out[inside], values[inside], atol=v.scale * 0.5 + 1e-6 * np.abs(values[inside]).max(initial=1)
    )
    # What was rounded once is not changed by being stored again: the recursions rest on that.
    np.testing.assert_array_equal(v.pack(out), v.pack(v.unpack(v.pack(out))))


def shards(cube: Cube) -> dict[str, str]:
    return {str(p.relative_to(cube.path)): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in cube.path.rglob("c/*/*/*") if p.is_file()}  # fmt: skip


def test_extending_leaves_stored_days_byte_identical(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", days=3)
    before = shards(cube)
    assert len(before) > 3 * len(cube.fine)
    longer = create_cube(cube.path, cube.domain, [*cube.days, cube.days[-1] + ONE, cube.days[-1] + 9 * ONE], cube.fine,
                         cube.coarse, sorted(cube.static), cube.attrs)  # fmt: skip
    assert longer.days[-1] == cube.days[-1] + 9 * ONE and longer.done_days() == list(cube.days)
    assert shards(longer) == before


def test_a_day_is_done_when_its_status_says_so_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", days=2)
    (cube.path / "status" / f"{cube.days[1]:%Y%m%d}.json").unlink()
    assert cube.done_days() == [cube.days[0]]
    fine = {n: cube.read_packed(n, cube.days[0]) for n in cube.fine}
    coarse = {n: cube.read_coarse(n, cube.days[0]) for n in cube.coarse}

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("ssm_net.cube.store.write_json", full)
        with pytest.raises(OSError, match="No space"):
            cube.write_day(cube.days[1], fine.items(), coarse, {})
    assert not cube.done(cube.days[1])
    cube.write_day(cube.days[1], fine.items(), coarse, {"observed": 1})
    assert cube.done(cube.days[1])
    np.testing.assert_array_equal(cube.read("lst_day", cube.days[1]), cube.read("lst_day", cube.days[0]))


def test_a_stored_day_is_not_rewritten(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", days=1)
    with pytest.raises(CubeError, match="stored already"):
        cube.write_day(cube.days[0], [], {}, {})


def test_an_all_missing_day_reads_as_missing(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", days=1)
    cube = create_cube(cube.path, cube.domain, [FIRST + ONE], cube.fine, cube.coarse, sorted(cube.static), cube.attrs)
    fine = {n: FINE[n].pack(np.full(cube.domain.fine_shape, np.nan, "float32")) for n in cube.fine}
    coarse = {n: np.full(cube.domain.coarse_shape, np.nan, "float32") for n in cube.coarse}
    cube.write_day(FIRST + ONE, fine.items(), coarse, {"observed": 0})
    assert cube.done(FIRST + ONE) and np.isnan(cube.read("lst_day", FIRST + ONE)).all()


def test_a_window_is_that_part_of_the_whole(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", days=1)
    whole = cube.read("lst_night", FIRST)
    np.testing.assert_array_equal(cube.read("lst_night", FIRST, (10, 99, 100, 200)), whole[10:99, 100:200])


def test_a_cube_travels_to_another_process(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", days=1)
    cube.read("lst_day", FIRST)
    other = pickle.loads(pickle.dumps(cube))
    np.testing.assert_array_equal(other.read("lst_day", FIRST), cube.read("lst_day", FIRST))


def test_xarray_reads_it_in_units(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", days=2)
    with xr.open_zarr(cube.path / "fine", consolidated=False, chunks=None) as ds:
        assert str(ds.time.values[1])[:10] == str(cube.days[1]) and ds.lst_day.attrs["units"] == "K"
        np.testing.assert_allclose(ds.lst_day.isel(time=1).values, cube.read("lst_day", cube.days[1]), atol=1e-3)


def test_another_domain_or_period_before_it_is_refused(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", days=2)
    rest = (cube.fine, cube.coarse, sorted(cube.static), cube.attrs)
    with pytest.raises(CubeError, match="another cube=PATH"):
        create_cube(cube.path, Domain("other", (0, 4, 0, 4)), cube.days, *rest)
    with pytest.raises(CubeError, match="before its end"):
        create_cube(cube.path, cube.domain, [FIRST - ONE], *rest)
    with pytest.raises(CubeError, match=r"was made with fwhm_km=43\.0, not 50\.0: "):
        create_cube(cube.path, cube.domain, cube.days, *rest[:-1], {**cube.attrs, "fwhm_km": 50.0})


def test_no_cube_is_said_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(CubeError, match=r"prepare\.py"):
        open_cube(tmp_path)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "precious").write_text("data")
    with pytest.raises(CubeError, match="exists and is not a cube"):
        create_cube(tmp_path / "x", Domain("t", (0, 4, 0, 4)), [FIRST], ["lst_day"], [], [], {})
    assert (tmp_path / "x" / "precious").exists()


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", days=2)
    shard = cube.path / "fine" / "lst_day" / "c" / "1" / "0" / "0"
    data = bytearray(shard.read_bytes())
    data[: len(data) // 2] = bytes(len(data) // 2)
    shard.write_bytes(data)
    with pytest.raises(CubeError, match=r"lst_day of 2016-04-16 .* run prepare.py again"):
        open_cube(cube.path).read("lst_day", cube.days[1])


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", days=1)
    with cube.writing(), pytest.raises(CubeError, match="another process"), open_cube(cube.path).writing():
        pass
