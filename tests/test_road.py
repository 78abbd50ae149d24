"""The whole road, from granules in the archives' formats to scores: as functions and as scripts."""

import datetime as dt
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import ready_process
import road
import xarray as xr

from ssm_net.cube.store import open_cube
from ssm_net.cube.variables import FINE
from ssm_net.errors import SsmNetError
from ssm_net.evaluate.run import evaluate
from ssm_net.formats.mosaic_days import days_done, read_day
from ssm_net.infer.run import infer
from ssm_net.prepare.run import prepare
from ssm_net.simulate import simulate
from ssm_net.train.run import train

REPOSITORY = Path(__file__).parents[1]
ONE = dt.timedelta(1)


@pytest.fixture(scope="module")
def run(tiny_cube_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("road") / "run"
    train(road.training(tiny_cube_path, folder))
    return folder


def test_from_granules_to_scores(tiny_raw: Path, tiny_cube_path: Path, run: Path, tmp_path: Path) -> None:
    made = infer(road.inference(tiny_cube_path, tmp_path / "m", run))
    assert made == list(open_cube(tiny_cube_path).days) and len(made) == 8
    one = read_day(tmp_path / "m" / "ssm_tiny_20160501.nc")
    land = xr.open_zarr(tiny_raw / "truth.zarr", consolidated=False, chunks=None).water.values < 0.5
    assert np.isfinite(one.ssm[land]).mean() > 0.99 and np.isnan(one.ssm[~land]).mean() > 0.9
    assert np.isfinite(one.sigma[np.isfinite(one.ssm)]).all()
    scores = evaluate(
        road.evaluation(tmp_path / "m", tiny_cube_path, tmp_path / "r", truth=str(tiny_raw / "truth.zarr"),
                        stations=str(tiny_raw / "ismn"), baselines=["bilinear"])
    )  # fmt: skip
    assert (tmp_path / "r" / "index.html").stat().st_size > 10_000
    stored = json.loads((tmp_path / "r" / "scores.json").read_text())
    assert stored["days"] == scores["days"] == 8
    # The methods stand where a map of soil moisture must: closer than 0.1 m3 m-3 to the truth under all skies.
    rmse = {row["method"]: row["RMSE"] for row in scores["truth"] if row["stratum"] == "all"}
    assert set(rmse) == {"ssm_net", "bilinear"} and all(0.01 < r < 0.1 for r in rmse.values())


def test_second_run_redoes_nothing(tiny_raw: Path, tiny_cube_path: Path, run: Path, tmp_path: Path) -> None:
    infer(road.inference(tiny_cube_path, tmp_path / "m", run))
    folders = (tiny_raw, tiny_cube_path, run, tmp_path / "m")
    before = [road.stamps(folder) for folder in folders]
    simulate(road.simulation(tiny_raw))
    prepare(road.preparation(tiny_raw, tiny_cube_path))
    train(road.training(tiny_cube_path, run))
    assert infer(road.inference(tiny_cube_path, tmp_path / "m", run)) == []
    after = [road.stamps(folder) for folder in folders]
    for was, now in zip(before, after, strict=True):
        # The lock of the cube holds nothing.
        assert {k for k in was.keys() | now.keys() if was.get(k) != now.get(k)} <= {".lock"}


def test_two_goes_make_the_cube_of_one(tiny_raw: Path, tiny_cube_path: Path, tmp_path: Path) -> None:
    """Days added at the end, with all days named again or alone, are those of a cube made at once; the past stays."""
    path = tmp_path / "cube.zarr"
    prepare(road.preparation(tiny_raw, path, end="2016-05-05"))
    first, stamps = road.data_of(path), road.stamps(path)
    prepare(road.preparation(tiny_raw, path, end="2016-05-06"))
    prepare(road.preparation(tiny_raw, path, start="2016-05-07", end="2016-05-08"))
    whole = road.data_of(path)
    assert {"fine/lst_day_slow/c/7/0/0", "fine/lst_day_slow_weight/c/7/0/0"} <= whole.keys()
    assert {k: whole.get(k) for k in first} == first
    written = {k for k, v in road.stamps(path).items() if stamps.get(k) == v}
    assert written >= {k for k in first if "/c/" in k}
    assert whole == road.data_of(tiny_cube_path)


def test_a_day_left_out_is_asked_for(tiny_raw: Path, tiny_cube_path: Path, tmp_path: Path) -> None:
    """Days rest on those before: after an interruption, a later day is not made over the days that are missing."""
    path = shutil.copytree(tiny_cube_path, tmp_path / "cube.zarr")
    for n in range(4, 9):
        for folder in ("status", "revision"):
            (path / folder / f"2016050{n}.json").unlink(missing_ok=True)
    with pytest.raises(SsmNetError, match=r"lacks 2016-05-04 \.\. 2016-05-07, which later days rest on"):
        prepare(road.preparation(tiny_raw, path, start="2016-05-08"))
    prepare(road.preparation(tiny_raw, path, start="2016-05-04"))
    assert road.data_of(path) == road.data_of(tiny_cube_path)


@pytest.mark.parametrize("part", ["day", "night"])
@pytest.mark.parametrize("modis_day", ["utc", "local"])
def test_a_slip_of_a_day_shows(tiny_raw: Path, tiny_cube_path: Path, tmp_path: Path, part: str, modis_day: str) -> None:
    """LST of a day in the cube is that of the truth of this day. Over 110 E the archive files a night under the UTC day
    before: taken as local, every file gives its day the night after.
    """
    cube = open_cube(tiny_cube_path)
    if modis_day == "local":
        made = prepare(road.preparation(tiny_raw, tmp_path / "c.zarr", end="2016-05-04", modis_day="local"))
        assert made is not None
        cube = made
    truth = xr.open_zarr(tiny_raw / "truth.zarr", consolidated=False, chunks=None)[f"lst_{part}"].load()
    best = []
    for day in cube.days[1:-1]:
        seen = cube.read_packed(f"lst_{part}_lineage", day) == 0
        lst = cube.read(f"lst_{part}", day)[seen]
        errors = {}
        for slip in (-1, 0, 1):
            error = lst - truth.sel(time=str(day + slip * ONE)).values[seen]
            errors[slip] = float(np.median(np.abs(error - np.median(error))))
        best.append(min(errors, key=errors.__getitem__))
    assert set(best) == {1 if (part, modis_day) == ("night", "local") else 0}


def test_coarse_observations_are_of_their_day(tiny_raw: Path, tiny_cube_path: Path) -> None:
    """Each day holds the values of the file that bears its date, where the file states them."""
    cube = open_cube(tiny_cube_path)
    for day in cube.days:
        with xr.open_dataset(tiny_raw / "NNsm" / f"NNsm-AMSR2-{day:%Y%j}.nc") as file:
            found = file.soil_moisture.values.reshape(406, 964)[slice(*road.WINDOW[:2]), slice(*road.WINDOW[2:])]
        np.testing.assert_allclose(cube.read_coarse("ssm", day), found, atol=1e-6)


def script(cwd: Path, name: str, *keys: str) -> None:
    done = ready_process.run_script(REPOSITORY / f"{name}.py", *keys, cwd=cwd)
    assert done.code == 0, done.said


@pytest.mark.slow
def test_the_five_scripts(tiny_raw: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.symlink_to(tiny_raw)  # simulate.py finds its world whole
    window = f"domain.window=[{','.join(map(str, road.WINDOW))}]"
    period = ("domain=custom", window, "start=2016-05-01")
    small = [f"model.{k}={v}" for k, v in road.SMALL.items()]
    script(tmp_path, "simulate", "raw=raw", *period, "end=2016-05-08", "seed=1")
    script(tmp_path, "prepare", "raw=raw", "cube=cube.zarr", *period, "end=2016-05-04")
    script(tmp_path, "train", "cube=cube.zarr", "run=run", "trainer=cpu", "epochs=1", "patch=4", *small)
    script(tmp_path, "infer", "cube=cube.zarr", "run=run", "mosaics=mosaics", "end=2016-05-03", "format=netcdf")
    script(tmp_path, "evaluate", "mosaics=mosaics", "cube=cube.zarr", "report=report", "truth=raw/truth.zarr",
           "stations=raw/ismn", "baselines=[]")  # fmt: skip
    assert [f"{d}" for d in days_done(tmp_path / "mosaics", "custom")] == ["2016-05-01", "2016-05-02", "2016-05-03"]
    left = sorted(p.name for p in tmp_path.iterdir())
    assert left == ["cube.zarr", "mosaics", "raw", "report", "run"]


@pytest.mark.slow
def test_a_sweep_trains_each_setting(tiny_cube_path: Path, tmp_path: Path) -> None:
    small = [f"model.{k}={v}" for k, v in road.SMALL.items()]
    script(tmp_path, "train", "-m", f"cube={tiny_cube_path}", "run=runs/${hydra:job.num}", "prior=none",
           "lr=1e-3,3e-3", "epochs=1", "patch=4", *small)  # fmt: skip
    rates = [json.loads((tmp_path / "runs" / n / "settings.json").read_text())["lr"] for n in "01"]
    assert rates == [1e-3, 3e-3] and (tmp_path / "runs" / "1" / "model.json").exists()


def test_an_unknown_key_ends_with_a_line_and_no_trace(tmp_path: Path) -> None:
    command = [sys.executable, str(REPOSITORY / "prepare.py"), "rw=x"]
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, timeout=300, check=False)
    assert done.returncode == 1
    assert "Could not override 'rw'" in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_cube_holds_what_its_table_says(tiny_cube_path: Path) -> None:
    """A wrong scale shows as values that no land surface has."""
    cube = open_cube(tiny_cube_path)
    within = {"lst_day": (255, 340), "lst_night": (240, 320), "red": (0, 0.8), "nir": (0, 0.9), "rain": (0, 300)}
    for name, (low, high) in within.items():
        values = cube.read(name, cube.days[3])
        assert FINE[name].units == {"lst_day": "K", "lst_night": "K", "rain": "mm"}.get(name, "1")
        assert np.nanmin(values) >= low and np.nanmax(values) <= high


def test_a_record_begins_with_the_rain_before_it(tiny_cube_path: Path) -> None:
    """The first day counts the rain of the weeks before, day by day fading; a later day only its own and the index."""
    cube = open_cube(tiny_cube_path)
    first, second = cube.days[:2]
    assert cube.read("api_30", first).mean() > 2 * cube.read("rain", first).mean() + 1
    want = cube.read("api_10", first) * np.exp(-1 / 10) + cube.read("rain", second)
    np.testing.assert_allclose(cube.read("api_10", second), want, atol=0.02)
