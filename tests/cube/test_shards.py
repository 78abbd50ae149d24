"""Shards read without zarr: the same as zarr reads, and damage is reported."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import zarr
from worlds import tiny_cube

from ssm_net.cube.json_files import DamagedError
from ssm_net.cube.shards import ShardError, Shards
from ssm_net.cube.store import Cube


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return tiny_cube(tmp_path_factory.mktemp("s") / "c.zarr", cells=(8, 8), days=2)


def test_every_window_is_what_zarr_reads(cube: Cube) -> None:
    random = np.random.default_rng(0)
    for key, where in [*((f"fine/{name}", (1,)) for name in cube.fine), *((f"static/{n}", ()) for n in cube.static)]:
        theirs, ours = zarr.open(cube.path / key, mode="r"), Shards.open(cube.path / key)
        for _ in range(5):
            y0, x0 = random.integers(0, 250, 2)
            y1, x1 = min(y0 + random.integers(1, 200), 288), min(x0 + random.integers(1, 200), 288)
            got = ours.read((y0, y1, x0, x1), *where)
            want = theirs[(*where, slice(y0, y1), slice(x0, x1))]  # type: ignore[index]
            np.testing.assert_array_equal(got, want)
            assert got.dtype == want.dtype  # type: ignore[union-attr]


def test_what_was_not_stored_is_fill(tmp_path: Path) -> None:
    """Zarr leaves out chunks, and whole shards, that are all fill."""
    array = zarr.create_array(
        tmp_path / "a", shape=(2, 8, 8), chunks=(1, 4, 4), shards=(1, 8, 8), dtype="int16", fill_value=-7,
        compressors=zarr.codecs.BloscCodec(),
    )  # fmt: skip
    field = np.full((8, 8), -7, "int16")
    field[5, 2] = 3
    array[0] = field
    shards = Shards.open(tmp_path / "a")
    np.testing.assert_array_equal(shards.read((0, 8, 0, 8), 0), field)
    assert (shards.read((1, 3, 1, 3), 1) == -7).all()


@pytest.mark.parametrize("checked", [True, False])
@pytest.mark.parametrize("dtype, fill", [("int16", -7), ("float32", np.nan), ("uint8", 255)])
def test_what_is_written_is_what_zarr_writes(tmp_path: Path, dtype: str, fill: float, checked: bool) -> None:
    ours, theirs = (zarr.create_array(
        tmp_path / name, shape=(2, 12, 20), chunks=(1, 4, 4), shards=(1, 12, 20), dtype=dtype, fill_value=fill,
        compressors=[zarr.codecs.BloscCodec(cname="zstd", clevel=3, shuffle="shuffle"),
                     *([zarr.codecs.Crc32cCodec()] if checked else [])],
    ) for name in "ab")  # fmt: skip
    field = np.full((12, 20), fill, dtype)
    field[3:9, 2:7] = np.arange(30).reshape(6, 5)
    shards = Shards.open(tmp_path / "a")
    shards.write(field[::-1], 1)  # something else was there
    shards.write(field, 1)
    theirs[1] = field
    np.testing.assert_array_equal(ours[1], field)
    assert (np.asarray(ours[0] == fill) | np.isnan(fill)).all()
    assert shards.read((2, 11, 1, 18), 1).tobytes() == field[2:11, 1:18].tobytes()
    assert shards.checked == checked
    files = [tmp_path / name / "c" / "1" / "0" / "0" for name in "ab"]
    assert files[0].stat().st_size == files[1].stat().st_size
    shards.write(np.full((12, 20), fill, dtype), 1)  # nothing: no file, as zarr leaves it
    assert not files[0].exists()
    with pytest.raises(AssertionError, match="holds fields of"):
        shards.write(field[1:], 1)


def test_damage_is_reported(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", days=1)
    shard = cube.path / "fine" / "red" / "c" / "0" / "0" / "0"
    whole = shard.read_bytes()
    for spoilt, reason in (
        (whole[: len(whole) // 2], "checksum"),
        (b"", "checksum"),
        (whole[:-10] + b"x" * 10, "checksum"),
        (bytes(2000) + whole[2000:], "a chunk does not have its checksum"),
    ):
        shard.write_bytes(spoilt)
        with pytest.raises(
            DamagedError, match=rf"fine/red of 2016-04-15 is damaged \({shard}: .*{reason}.*\): .*revise"
        ):
            cube.read_packed("red", cube.days[0])


@pytest.mark.parametrize("key", ["fine/lst_day", "coarse/lst_day_memory", "static/sand"])
def test_any_changed_byte_is_reported(tmp_path: Path, key: str) -> None:
    """Blosc alone decodes three of four to other values, without a word."""
    cube = tiny_cube(tmp_path / "c.zarr", days=1)
    shards = cube.shards(key)
    index = (0,) if "static" not in key else ()
    file, everything = shards.file(*index), (0, shards.shape[0], 0, shards.shape[1])
    data, random = file.read_bytes(), np.random.default_rng(0)
    places = [*range(20), *random.integers(0, len(data), 60), *range(len(data) - 20, len(data))]
    for place in places:
        changed = bytearray(data)
        changed[place] ^= random.integers(1, 256)
        file.write_bytes(changed)
        with pytest.raises(ShardError, match=f"{file}"):
            shards.read(everything, *index)
    file.write_bytes(data)
    assert shards.read(everything, *index).any()


def test_another_layout_is_refused(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a", shape=(2, 8, 8), chunks=(1, 4, 4), shards=(1, 8, 8), dtype="int16")
    with pytest.raises(ShardError, match="its codecs are"):
        Shards.open(tmp_path / "a")


def three_days(folder: Path) -> Shards:
    """An array of three days, of which the first has values."""
    array = zarr.create_array(
        folder / "a", shape=(3, 8, 8), chunks=(1, 4, 4), shards=(1, 8, 8), dtype="int16", fill_value=-7,
        compressors=[zarr.codecs.BloscCodec(), zarr.codecs.Crc32cCodec()],
    )  # fmt: skip
    array[0] = np.arange(64).reshape(8, 8)
    return Shards.open(folder / "a")


@pytest.mark.parametrize("links", [True, False], ids=["linked", "copied"])
def test_a_day_that_has_the_field_of_another_outlives_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    """Both on a disk whose files have several names and on one whose files do not."""
    if not links:

        def refused(old: Path, new: Path) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refused)
    shards = three_days(tmp_path)
    first, other = np.arange(64).reshape(8, 8), np.full((8, 8), 5)
    assert shards.write_same(shards.verified_file(0), 1)
    assert (shards.file(0).stat().st_nlink == 2) is links
    shards.write(other, 0)  # the first day is made again
    np.testing.assert_array_equal(shards.read((0, 8, 0, 8), 1), first)
    np.testing.assert_array_equal(shards.read((0, 8, 0, 8), 0), other)
    shards.file(0).unlink()
    np.testing.assert_array_equal(shards.read((0, 8, 0, 8), 1), first)


def test_a_field_without_values_has_no_file_on_the_next_day_either(tmp_path: Path) -> None:
    shards = three_days(tmp_path)
    assert not shards.write_same(shards.verified_file(2), 0) and not shards.file(0).exists()
    with pytest.raises(ShardError, match="is gone"):
        shards.verified_file(2, all_fill=lambda: False)


def test_a_damaged_field_is_not_given_to_the_next_day(tmp_path: Path) -> None:
    shards = three_days(tmp_path)
    data = bytearray(shards.file(0).read_bytes())
    data[20] ^= 1
    shards.file(0).write_bytes(data)
    with pytest.raises(ShardError, match="checksum"):
        shards.verified_file(0)
