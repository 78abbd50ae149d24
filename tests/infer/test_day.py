"""A day through bands, threads and a writer: the same numbers, no chunk read twice, faults that leave whole days."""

import datetime as dt
import itertools
import os
from collections import Counter
from pathlib import Path
from typing import Any

import crash
import numpy as np
import pytest
import rasterio
import road
import torch
from rasterio.errors import NotGeoreferencedWarning
from worlds import FIRST, tiny_cube

from ssm_net.config import ModelConfig
from ssm_net.core.ahead import prefetched
from ssm_net.core.faults import FaultPoint
from ssm_net.cube.json_files import CubeError
from ssm_net.cube.store import Cube, open_cube
from ssm_net.estimators.bilinear import Bilinear
from ssm_net.estimators.calibration import Calibration
from ssm_net.estimators.checkpoint import SHIPPED_PRIOR, Trained, build, load_trained
from ssm_net.estimators.network import NetworkEstimator, half_upsampled
from ssm_net.formats.mosaic_days import days_done
from ssm_net.infer import day as infer_day
from ssm_net.infer.day import background, predict_background
from ssm_net.infer.run import infer
from ssm_net.inputs.bands import bands
from ssm_net.inputs.phases import PHASES, upsample_by_phase
from ssm_net.inputs.reading import read_coarse
from ssm_net.inputs.statistics import compute_scaling
from ssm_net.inputs.tiling import joined, tiles
from ssm_net.model.fused import Fused
from ssm_net.model.network import Committee, Downscaler, NetworkSize

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return tiny_cube(tmp_path_factory.mktemp("p") / "c.zarr", cells=(12, 8), days=3)


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("window", [(0, 72, 36, 180), (36, 144, 0, 72)])
@torch.inference_mode()
def test_products_of_matrices_are_the_networks(kernel: int, window: tuple[int, int, int, int]) -> None:
    torch.manual_seed(0)
    size = NetworkSize(5, 2, 3, 0, kernel, 12, 2, 8, 1, False, 0.1)
    members = [Downscaler(size, 0.2, [0, 0, 1, 1, 1]).eval() for _ in range(2)]
    for member in members:
        member.slopes.normal_(std=0.03)
    for m in members:
        for p in m.parameters():
            p.add_(0.3 * torch.randn_like(p))  # norms and biases too
    context = tuple(torch.randn(PHASES, 13, 4, 6) * 0.1 + 0.2 for _ in members)
    y0, y1, x0, x1 = window
    x = torch.randn(5, y1 - y0 + kernel - 1, x1 - x0 + kernel - 1)
    mean, shared, local = Fused(Committee(members), torch.float32)(x, half_upsampled(context, 36, window))
    for i, m in enumerate(members):
        told = upsample_by_phase(context[i], 36, window)[None]
        want = m.fuse(m.fine(x[None]), told[:, :1], told[:, 1:])
        for got, one in zip((mean[i], shared[i].log(), local[i].log()), want, strict=True):
            torch.testing.assert_close(got, one[0], atol=1e-5, rtol=1e-4)


def test_bfloat16_is_within_a_thousandth(tiny_cube_path: Path) -> None:
    cube, prior = open_cube(tiny_cube_path), load_trained(SHIPPED_PRIOR)
    everywhere = torch.ones(cube.domain.fine_shape, dtype=torch.bool)
    exact, rounded = (NetworkEstimator(prior, cube, CPU, p) for p in (torch.float32, torch.bfloat16))
    coarse = read_coarse(cube, cube.days[5], exact.lags, exact.scaling, exact.lookahead)
    a, b = (background(one, cube, coarse, everywhere, 4) for one in (exact, rounded))
    assert 0 < float((a.mean - b.mean).abs().max()) <= 1e-3
    assert float((a.shared.sqrt() - b.shared.sqrt()).abs().max()) <= 1e-3
    assert float(a.mean.std()) > 0.01


@pytest.mark.parametrize(("side", "halo"), [(4, 1), (4, 0), (8, 2), (1, 1), (3, 17)])
@pytest.mark.parametrize("gone", [(), ((4, 0),), ((0, 4), (4, 4))])
def test_bands_hold_what_the_cube_holds(cube: Cube, side: int, halo: int, gone: tuple[tuple[int, int], ...]) -> None:
    height, width = cube.domain.fine_shape
    wanted = tiles(cube.domain.coarse_shape, 36, side, lambda cells: (cells[0], cells[2]) not in gone)
    seen = []
    for band in bands(cube, FIRST, wanted, ["lst_day", "sand"], halo):
        for tile in band.tiles:
            y0, y1, x0, x1 = tile.pixels
            window = (max(y0 - halo, 0), min(y1 + halo, height), max(x0 - halo, 0), min(x1 + halo, width))
            np.testing.assert_array_equal(band.read("lst_day", FIRST, window), cube.read("lst_day", FIRST, window))
            np.testing.assert_array_equal(band.read_static("sand", window), cube.read_static("sand", window))
            seen.append(tile)
    assert seen == wanted


def test_no_chunk_is_read_twice(cube: Cube, monkeypatch: pytest.MonkeyPatch) -> None:
    read, chunks = Cube.read_packed, Counter[tuple[int, int]]()

    def counting(self: Cube, name: str, day: dt.date, window: Any = None) -> np.ndarray:
        y0, y1, x0, x1 = window
        chunks.update((r, c) for r in range(y0 // 144, -(-y1 // 144)) for c in range(x0 // 144, -(-x1 // 144)))
        return read(self, name, day, window)

    monkeypatch.setattr(Cube, "read_packed", counting)
    for side in (4, 8):
        chunks.clear()
        list(bands(cube, FIRST, tiles(cube.domain.coarse_shape, 36, side), ["lst_day"], 1))
        assert set(chunks.values()) == {1} and len(chunks) == 6


def test_tiles_computed_as_one_give_the_same_numbers(cube: Cube, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, where a row of tiles is computed at once; a day must not depend on what it was computed on."""
    scaling, model = compute_scaling(cube, cube.days), ModelConfig(members=1, lags=3, width=12, coarse_width=8)
    trained = Trained(
        build(model, scaling, 0.2).eval(), scaling, model, 36, "gaussian", cube.fwhm, 0.2, Calibration(), {}
    )
    estimator, h = NetworkEstimator(trained, cube, CPU), cube.footprint()
    none = np.zeros(cube.domain.fine_shape, np.uint16)
    together = []

    def joining(row: Any, most: int) -> Any:
        together.append(joined(row, most))
        return together[-1]

    def day() -> Any:
        return predict_background(estimator, cube, FIRST, h, none, update="gain", tile=4)

    alone = day()
    monkeypatch.setattr(infer_day, "tile_pixels", lambda device: 10**9)
    monkeypatch.setattr(infer_day, "joined", joining)
    at_once = day()
    assert [len(group) for row in together for group in row] == [2, 2, 2]
    assert [t.tile for t in at_once.tiles] == [t.tile for t in alone.tiles]
    np.testing.assert_array_equal(at_once.flags, alone.flags)
    assert at_once.sums is not None and alone.sums is not None
    torch.testing.assert_close(at_once.sums, alone.sums, atol=1e-5, rtol=1e-5)
    a, b = (one.mosaic({}) for one in (at_once, alone))
    np.testing.assert_allclose(a.ssm, b.ssm, atol=1e-5)
    np.testing.assert_allclose(a.sigma, b.sigma, atol=1e-5)


def test_reading_ahead_raises_in_its_place() -> None:
    def three():  # type: ignore[no-untyped-def]
        yield 1
        yield 2
        raise CubeError("the third")

    got = []
    with pytest.raises(CubeError, match="the third"):
        for item in prefetched(three()):
            got.append(item)
    assert got == [1, 2]


@pytest.fixture(scope="module")
def whole(cube: Cube, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    infer(road.inference(cube.path, folder, method="dispatch"))
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_a_damaged_shard_names_itself_and_costs_no_other_day(
    cube: Cube, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    shard = cube.path / "fine" / "nir" / "c" / "1" / "0" / "0"
    good = shard.read_bytes()
    try:
        shard.write_bytes(good[:-100])
        with pytest.raises(CubeError, match=r"fine/nir of 2016-04-16 is damaged .*end=2016-04-16 revise=true"):
            infer(road.inference(cube.path, tmp_path, method="dispatch"))
    finally:
        shard.write_bytes(good)
    assert days_done(tmp_path, "tiny") == [FIRST]  # it was being written and is whole
    assert len(infer(road.inference(cube.path, tmp_path, method="dispatch"))) == 2
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == whole


@pytest.mark.parametrize("format", ["netcdf", "cog"])
def test_a_full_disk_leaves_whole_days(cube: Cube, tmp_path: Path, format: str) -> None:
    cfg = road.inference(cube.path, tmp_path, method="dispatch", format=format)
    with (
        crash.failing_at(FaultPoint.FILE_WRITTEN_NOT_RENAMED, crash.full_disk(), "ssm_tiny_20160416"),
        pytest.raises(OSError, match=r"make room and run the same command again.*ssm_tiny_20160416"),
    ):
        infer(cfg)
    assert days_done(tmp_path, "tiny", format) == [FIRST] and not list(tmp_path.glob("*.part"))
    assert len(infer(cfg)) == 2


def test_a_picture_without_its_map_is_no_day(cube: Cube, tmp_path: Path) -> None:
    cfg = road.inference(cube.path, tmp_path, quicklook=True)
    point = FaultPoint.QUICKLOOK_WITHOUT_MOSAIC
    with crash.failing_at(point, KeyboardInterrupt(), str(FIRST)), pytest.raises(KeyboardInterrupt):
        infer(cfg)
    assert days_done(tmp_path, "tiny") == [] and len(list((tmp_path / "quicklook").iterdir())) == 1
    assert infer(cfg) == list(cube.days)


def test_ctrl_c_leaves_whole_days(
    cube: Cube, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: dict[str, bytes]
) -> None:
    import signal

    estimate, calls = Bilinear.estimate, itertools.count(1)  # one number a call, whatever the threads

    def interrupted(*args: Any) -> Any:
        if next(calls) == 8:  # of six tiles a day: in the second day
            os.kill(os.getpid(), signal.SIGINT)
        return estimate(*args)

    # Lightning leaves Ctrl-C ignored in a process whose training was once interrupted, as some tests do.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(Bilinear, "estimate", interrupted)
            with pytest.raises(KeyboardInterrupt):
                infer(road.inference(cube.path, tmp_path))
    finally:
        signal.signal(signal.SIGINT, before)
    assert days_done(tmp_path, "tiny") == [FIRST] and not list(tmp_path.glob("*.part"))
    assert infer(road.inference(cube.path, tmp_path)) == list(cube.days[1:])


def test_threads_are_as_many_as_before(cube: Cube, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    infer(road.inference(cube.path, tmp_path, end=str(FIRST)))
    assert torch.get_num_threads() == before


def test_a_quicklook_a_day(cube: Cube, tmp_path: Path) -> None:
    infer(road.inference(cube.path, tmp_path, quicklook=True))
    pictures = sorted((tmp_path / "quicklook").iterdir())
    assert [p.name for p in pictures] == [f"ssm_tiny_201604{d}.png" for d in (15, 16, 17)]
    with pytest.warns(NotGeoreferencedWarning), rasterio.open(pictures[0]) as picture:
        shown = picture.read()
    assert shown.shape == (4, 432 + 18, 288)
    assert (shown[:3, 5, 5] == (235, 240, 245)).all() and (shown[3, :432] == 255).all()  # a lake in the corner
    assert len(np.unique(shown[0, 40:432])) > 20
    pictures[1].unlink()
    assert infer(road.inference(cube.path, tmp_path, quicklook=True)) == []  # the days are there, a picture is not
    for picture_file, again in zip(pictures, _again(cube, tmp_path), strict=True):
        assert picture_file.read_bytes() == again


def _again(cube: Cube, folder: Path) -> list[bytes]:
    infer(road.inference(cube.path, folder / "again", quicklook=True))
    return [p.read_bytes() for p in sorted((folder / "again" / "quicklook").iterdir())]
