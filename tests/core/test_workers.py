"""Days on other workers: the same maps, and a worker that dies takes only its own day with it."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import road

from ssm_net.config import EngineConfig
from ssm_net.core import workers
from ssm_net.core.workers import WorkerError, as_they_come, in_order
from ssm_net.cube.store import open_cube
from ssm_net.errors import ConfigError
from ssm_net.formats.mosaic_days import day_path, days_done, read_day
from ssm_net.infer.run import infer
from ssm_net.prepare.run import prepare

LOCAL = EngineConfig()


def square(n: int) -> int:
    return n * n


def slowly(n: int) -> int:
    time.sleep(0.5)
    return n * n


def dies_once(at: tuple[int, str]) -> int:
    """Kills its own process the first time that it comes to five."""
    n, folder = at
    Path(folder, f"{n}-{os.getpid()}-{time.time_ns()}").touch()
    if n == 5 and not Path(folder, "died").exists():
        Path(folder, "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def dies(n: int) -> int:
    if n == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def fails(n: int) -> int:
    if n == 3:
        raise ValueError("three is wrong")
    return n


def test_results_come_in_order_from_several_processes() -> None:
    assert list(in_order(square, range(9), LOCAL, 2)) == [n * n for n in range(9)]


def test_what_a_dead_process_was_doing_is_done_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    items = [(n, str(tmp_path)) for n in range(9)]
    assert list(in_order(dies_once, items, LOCAL, 2)) == list(range(9))
    assert "a worker process died" in caplog.text
    begun = [int(p.name.split("-")[0]) for p in tmp_path.glob("*-*")]
    assert begun.count(0) == 1 and begun.count(5) == 2


@pytest.mark.slow
def test_work_that_kills_its_workers_ends_with_its_name_and_keeps_what_came_before() -> None:
    came = []
    message = r"2 workers died over 3, with no other work beside it.*give the machine more"
    with pytest.raises(WorkerError, match=message):
        for result in in_order(dies, range(9), LOCAL, 2):
            came.append(result)
    assert came == [0, 1, 2]


def test_an_error_of_the_work_is_raised_as_it_is() -> None:
    with pytest.raises(ValueError, match="three is wrong"):
        list(in_order(fails, range(9), LOCAL, 2))


def test_without_dask_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"pip install 'ssm_net\[distributed\]'"):
        list(in_order(square, range(3), EngineConfig("dask"), 1))


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a cluster of two processes on this machine."""
    distributed = pytest.importorskip("distributed", reason="the extra 'distributed' is not installed")
    import dask

    workers.quick_processes()  # which its workers are copies of, too: each would load torch for itself
    copied = dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"})
    cluster = distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None, memory_limit=0)
    with copied, cluster:
        with distributed.Client(cluster) as client:
            client.run(_find_tests, str(Path(__file__).parents[1]))
        yield cluster.scheduler_address


def _find_tests(folder: str) -> None:
    import sys

    sys.path.insert(0, folder)


def test_a_scheduler_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(workers, "TIMEOUT", "1s")
    with pytest.raises(ConfigError, match=r"engine.scheduler=tcp://127.0.0.1:9: no dask scheduler answers"):
        list(in_order(square, range(3), EngineConfig("dask", "tcp://127.0.0.1:9"), 1))


def test_versions_have_to_agree() -> None:
    with pytest.raises(ConfigError, match="no workers yet"):
        workers.check_versions({}, "tcp://here")
    with pytest.raises(ConfigError, match=r"worker tcp://a has ssm_net 0\.0\.0"):
        workers.check_versions({"tcp://a": "0.0.0"}, "tcp://here")
    with pytest.raises(ConfigError, match="No module named"):
        workers.check_versions({"tcp://a": ModuleNotFoundError("No module named 'ssm_net'")}, "tcp://here")


@pytest.mark.parametrize("format", ["netcdf", "zarr"])
def test_mosaics_of_the_workers_are_those_of_one_process(
    scheduler: str, tiny_cube_path: Path, tmp_path: Path, format: str
) -> None:
    some = {"start": road.START, "end": str(dt.date.fromisoformat(road.START) + dt.timedelta(3)), "format": format}
    infer(road.inference(tiny_cube_path, tmp_path / "one", **some))
    made = infer(road.inference(tiny_cube_path, tmp_path / "many", **some, engine=EngineConfig("dask", scheduler)))
    assert len(made) == 4 and days_done(tmp_path / "many", "tiny", format) == made
    for day in made:
        one, many = (read_day(day_path(tmp_path / at, "tiny", day, format), day) for at in ("one", "many"))
        assert one.ssm.tobytes() == many.ssm.tobytes() and one.attrs == many.attrs
    assert (
        infer(road.inference(tiny_cube_path, tmp_path / "many", **some, engine=EngineConfig("dask", scheduler))) == []
    )


def test_a_killed_worker_loses_its_day_only(
    scheduler: str, tiny_cube_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first worker that has a map made is killed at the next; every day is made, and none of those there again."""
    distributed = pytest.importorskip("distributed")
    out = tmp_path / "out"
    with distributed.Client(scheduler) as client:
        workers = client.run(os.getpid)
        victim = next(iter(workers.values()))
        stamps: dict[str, int] = {}

        def kill() -> None:
            while not (there := list(out.glob("*.nc"))):
                time.sleep(0.005)
            stamps.update({p.name: p.stat().st_mtime_ns for p in there})
            os.kill(victim, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        infer(road.inference(tiny_cube_path, out, engine=EngineConfig("dask", scheduler)))
        killer.join()
        assert victim not in client.run(os.getpid).values()
    assert days_done(out, "tiny") == open_cube(tiny_cube_path).done_days()
    assert stamps and all((out / name).stat().st_mtime_ns == at for name, at in stamps.items())
    infer(road.inference(tiny_cube_path, tmp_path / "one"))
    for file in (tmp_path / "one").glob("*.nc"):
        assert (out / file.name).read_bytes() == file.read_bytes()
    assert not list(out.glob("*.part"))


def test_granules_are_read_by_the_workers(scheduler: str, tiny_raw: Path, tiny_cube_path: Path, tmp_path: Path) -> None:
    cfg = road.preparation(tiny_raw, tmp_path / "cube.zarr", end="2016-05-03", engine=EngineConfig("dask", scheduler))
    prepare(cfg)
    assert len(open_cube(tmp_path / "cube.zarr").done_days()) == 3
    have, want = road.data_of(tmp_path / "cube.zarr"), road.data_of(tiny_cube_path)
    assert {k: want[k] for k in have} == have


@pytest.mark.slow
def test_a_reader_that_dies_costs_no_day(
    tiny_raw: Path, tiny_cube_path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that reads granules is killed while the cube is being made."""
    stop = threading.Event()
    others = set(multiprocessing.active_children())  # of the scheduler

    def kill() -> None:
        while not stop.is_set():
            if readers := [p.pid for p in multiprocessing.active_children() if p not in others and p.pid]:
                os.kill(readers[0], signal.SIGKILL)
                return
            time.sleep(0.01)

    killer = threading.Thread(target=kill)
    killer.start()
    prepare(road.preparation(tiny_raw, tmp_path / "cube.zarr", end="2016-05-04", workers=2))
    stop.set()
    killer.join()
    assert "a worker process died" in caplog.text
    assert len(open_cube(tmp_path / "cube.zarr").done_days()) == 4
    have, want = road.data_of(tmp_path / "cube.zarr"), road.data_of(tiny_cube_path)
    assert {k: want[k] for k in have} == have


def test_work_of_a_scheduler_comes_as_it_ends(scheduler: str) -> None:
    found = dict(as_they_come(slowly, range(4), EngineConfig("dask", scheduler)))
    assert found == {n: n * n for n in range(4)}
    with pytest.raises(ValueError, match="three is wrong"):
        list(as_they_come(fails, range(4), EngineConfig("dask", scheduler)))
