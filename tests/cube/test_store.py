"""The cube: packing, one writer a day, status after data, a past that does not change."""

import datetime as dt
import hashlib
import json
import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from worlds import FIRST, tiny_cube

from ssm_net.cube.json_files import CubeError, DamagedError
from ssm_net.cube.layout import CubeLayout, create_cube
from ssm_net.cube.lock import write_lock
from ssm_net.cube.store import FORMAT, Cube, open_cube
from ssm_net.cube.variables import FINE
from ssm_net.cube.writer import CubeWriter
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


def layout_of(cube: Cube, **other: object) -> CubeLayout:
    layout = {"domain": cube.domain, "fine": cube.fine, "coarse": cube.coarse, "static": sorted(cube.static),
              "attrs": cube.attrs}  # fmt: skip
    return CubeLayout(**layout | other)  # type: ignore[arg-type]


def extended(cube: Cube, days: Sequence[dt.date], **other: object) -> Cube:
    with write_lock(cube.path) as lock:
        return create_cube(lock, layout_of(cube, **other), days).cube


def shards(cube: Cube) -> dict[str, str]:
    return {str(p.relative_to(cube.path)): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in cube.path.rglob("c/*/*/*") if p.is_file()}  # fmt: skip


def test_extending_leaves_stored_days_byte_identical(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", days=3)
    before = shards(cube)
    assert len(before) > 3 * len(cube.fine)
    longer = extended(cube, [*cube.days, cube.days[-1] + ONE, cube.days[-1] + 9 * ONE])
    assert longer.days[-1] == cube.days[-1] + 9 * ONE and longer.done_days() == list(cube.days)
    assert shards(longer) == before


def test_a_stored_day_is_not_rewritten(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", days=1)
    with write_lock(cube.path) as lock, pytest.raises(CubeError, match="stored already; revise=true makes it again"):
        CubeWriter(cube, lock).write_day(cube.days[0], [], {}, {})


def test_an_all_missing_day_reads_as_missing(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", days=1)
    fine = {n: FINE[n].pack(np.full(cube.domain.fine_shape, np.nan, "float32")) for n in cube.fine}
    coarse = {n: np.full(cube.domain.coarse_shape, np.nan, "float32") for n in cube.coarse}
    with write_lock(cube.path) as lock:
        writer = create_cube(lock, layout_of(cube), [FIRST + ONE])
        writer.write_day(FIRST + ONE, fine.items(), coarse, {"observed": 0})
    cube = writer.cube
    assert cube.done(FIRST + ONE) and np.isnan(cube.read("lst_day", FIRST + ONE)).all()


def test_a_field_that_stays_the_same_is_copied_and_its_damage_is_named(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", days=1)
    coarse = {n: np.full(cube.domain.coarse_shape, np.nan, "float32") for n in cube.coarse}
    same = dict.fromkeys(cube.fine, FIRST)
    with write_lock(cube.path) as lock:
        writer = create_cube(lock, layout_of(cube), [FIRST + ONE, FIRST + 2 * ONE])
        writer.write_day(FIRST + ONE, same.items(), coarse, {})
        copy = writer.cube
        for name in cube.fine:
            np.testing.assert_array_equal(copy.read_packed(name, FIRST + ONE), copy.read_packed(name, FIRST))
        damaged = copy.shards("fine/red").file(0)
        damaged.write_bytes(damaged.read_bytes()[:-7])
        with pytest.raises(DamagedError, match=rf"red of {FIRST}"):
            writer.write_day(FIRST + 2 * ONE, same.items(), coarse, {})
    assert copy.done_days() == [FIRST, FIRST + ONE]


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
    with pytest.raises(CubeError, match="another cube=PATH"):
        extended(cube, cube.days, domain=Domain("other", (0, 4, 0, 4)))
    with pytest.raises(CubeError, match="before its end"):
        extended(cube, [FIRST - ONE])
    with pytest.raises(CubeError, match=r"was made with fwhm_km=43\.0, not 50\.0: "):
        extended(cube, cube.days, attrs={**cube.attrs, "fwhm_km": 50.0})


def test_no_cube_or_one_of_another_format_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(CubeError, match=r"prepare\.py"):
        open_cube(tmp_path)
    cube = tiny_cube(tmp_path / "c.zarr", days=1)
    file = cube.path / "cube.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format": FORMAT - 1}))
    with pytest.raises(CubeError, match=rf"has format {FORMAT - 1}, .* reads format {FORMAT}: prepare a new cube"):
        open_cube(cube.path)
    file.write_text("")
    with pytest.raises(CubeError, match=r"cube\.json is damaged"):
        open_cube(cube.path)


def test_a_variable_that_the_cube_does_not_hold_is_no_damage(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", days=1)
    for read, name, answer in (
        (
            lambda n: cube.read(n, FIRST),
            "lst_dya",
            r"no fine variable 'lst_dya'; the nearest name is 'lst_day'\. It holds",
        ),
        (lambda n: cube.read(n, FIRST), "swir1", "no fine variable 'swir1'"),  # of the table, but not of this cube
        (lambda n: cube.read_coarse(n, FIRST), "lst_day_air", "no coarse variable"),
        (cube.read_static, "sandy", "no static variable 'sandy'; the nearest name is 'sand'"),
        (cube.read_static_cell, "clay", "no static variable"),
    ):
        with pytest.raises(CubeError, match=answer) as err:
            read(name)
        assert not isinstance(err.value, DamagedError) and "revise" not in str(err.value)


@pytest.mark.parametrize(
    ("key", "where", "answer"),
    [
        ("fine/lst_day", "1", r"fine/lst_day of 2016-04-16 is damaged .*start=2016-04-16 end=2016-04-16 revise=true"),
        ("coarse/ssm", "1", r"coarse/ssm of 2016-04-16 is damaged .*start=2016-04-16 end=2016-04-16 revise=true"),
        ("static/sand", "", r"static/sand is damaged .*revise=true writes the static maps again"),
    ],
)
def test_damage_names_the_file_and_a_remedy_that_works(tmp_path: Path, key: str, where: str, answer: str) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", days=2)
    shard = (cube.path / key / "c").joinpath(*where.split(), "0", "0")
    data = shard.read_bytes()
    shard.write_bytes(bytes(b ^ 0xFF for b in data[: len(data) // 2]) + data[len(data) // 2 :])
    cube = open_cube(cube.path)
    group, name = key.split("/")
    read = {"fine": lambda: cube.read(name, cube.days[1]), "coarse": lambda: cube.read_coarse(name, cube.days[1]),
            "static": lambda: cube.read_static(name)}[group]  # fmt: skip
    with pytest.raises(DamagedError, match=answer) as err:
        read()
    assert str(shard) in str(err.value)
    assert "delete" not in str(err.value) and "status" not in str(err.value)


def test_a_file_that_cannot_be_opened_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", days=1)
    shard = cube.path / "fine" / "lst_day" / "c" / "0" / "0" / "0"

    def forbidden(*args: object) -> None:
        raise PermissionError(13, "Permission denied", str(shard))

    with monkeypatch.context() as patch:
        patch.setattr("ssm_net.cube.shards.open", forbidden, raising=False)
        with pytest.raises(CubeError, match=r"c/0/0/0 cannot be read: Permission denied\. This is no damage") as err:
            cube.read("lst_day", FIRST)
    assert not isinstance(err.value, DamagedError)
    cube = open_cube(cube.path)
    (cube.path / "fine" / "red" / "zarr.json").unlink()
    with pytest.raises(CubeError, match=r"fine/red/zarr\.json cannot be read: No such file"):
        cube.read("red", FIRST)
    (cube.path / "fine" / "nir" / "zarr.json").write_text("{}")
    with pytest.raises(CubeError, match=r"nir/zarr\.json does not describe an array of this cube.*copy the cube again"):
        cube.read("nir", FIRST)


def test_a_revision_outlives_a_cut_after_the_status(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", days=2)
    cube.revision_file(cube.days[1]).unlink()  # killed before it was written
    extended(cube, cube.days)
    cube.status_file(cube.days[1]).unlink()
    assert [cube.revision(day) for day in cube.days] == [1, 2]


def test_a_revision_outlives_the_status(tmp_path: Path) -> None:
    """A day whose status somebody deleted is not made again under the number of the day that it replaces."""
    cube = tiny_cube(tmp_path / "c.zarr", days=2)
    assert [cube.revision(day) for day in cube.days] == [1, 1]
    cube.status_file(cube.days[1]).unlink()
    assert [cube.revision(day) for day in cube.days] == [1, 2]
    with write_lock(cube.path) as lock:
        writer = CubeWriter(cube, lock)
        writer.withdraw(cube.days[0])
        assert cube.done_days() == [] and [cube.revision(day) for day in cube.days] == [2, 2]
        fine = {n: cube.read_packed(n, cube.days[0]) for n in cube.fine}
        coarse = {n: cube.read_coarse(n, cube.days[0]) for n in cube.coarse}
        for day in cube.days:
            writer.write_day(day, fine.items(), coarse, {})
    assert [cube.revision(day) for day in cube.days] == [2, 2]
    assert cube.status(cube.days[1]) == {"revision": 2, "all_fill": []}
