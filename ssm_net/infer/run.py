"""``infer(cfg)``: one mosaic a day. Plan the days, predict, write; a day that is there is not made again."""

from __future__ import annotations

import datetime as dt
import functools
import logging
import threading
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from ssm_net.config import InferConfig
from ssm_net.core.days import runs
from ssm_net.core.workers import as_they_come
from ssm_net.cube.lookahead import seen_from
from ssm_net.cube.store import Cube, open_cube
from ssm_net.estimators.ablation import NO_ABLATION, Ablation
from ssm_net.estimators.checkpoint import Trained, load_trained
from ssm_net.estimators.versions import version_differences
from ssm_net.formats import zarr_store
from ssm_net.formats.mosaic_days import (
    day_done,
    day_path,
    day_size,
    describe_folder,
    quicklook_path,
    read_day,
    write_quicklook,
)
from ssm_net.infer.plan import InferenceError, plan_inference
from ssm_net.infer.provenance import check_provenance
from ssm_net.infer.writer import DayWriter, provenance_of

log = logging.getLogger(__name__)
console = Console()

T = TypeVar("T")
FEW = 40  # tiles of a day beyond which their progress is shown


def infer(cfg: InferConfig, ablation: Ablation = NO_ABLATION) -> list[dt.date]:
    """Write the mosaics of ``cfg``; returns the days that were made now. ``ablation`` is what the networks were trained
    with."""
    trained, folder = _trained(cfg), Path(cfg.mosaics)
    cube = seen_from(open_cube(cfg.cube), trained.lookahead if trained else 0)
    plan = plan_inference(cfg, cube)
    for warning in plan.warnings:
        log.warning("%s: %s", cube.path, warning)
    if cfg.plan:
        console.print(escape(str(plan)))
        return []
    if trained is not None and (differences := version_differences(trained.provenance)):
        log.warning("%s was trained on inputs that were processed by other versions: %s; train it again on a cube of "
                    "this version", cfg.run, ", ".join(differences))  # fmt: skip
    provenance = provenance_of(cfg, trained) | {"update": cfg.update, "domain": cube.domain.name}
    with check_provenance(folder, provenance, overwrite=cfg.overwrite, todo=plan.todo, format=cfg.format):
        if cfg.quicklook:
            _missing_quicklooks(cfg, cube, plan.done)
        if not plan.todo:
            describe_folder(folder, cube.domain, cfg.format)
            console.print(
                f"[green]{escape(str(folder))} holds all {len(plan.days)} days already[/]; "
                "overwrite=true makes them again"
            )
            return []
        with Progress(console=console) as bar:
            task = bar.add_task(f"{cfg.method}: mosaics", total=len(plan.days), completed=len(plan.done))
            if cfg.engine.name == "local":
                made = run_local(cfg, trained, plan.todo, bar, ablation)
            else:
                made = run_dask(cfg, plan.todo, ablation)
            for _ in made:
                bar.advance(task)
        describe_folder(folder, cube.domain, cfg.format)
    size = np.mean([day_size(folder, cube.domain.name, day, cfg.format) for day in plan.todo]) / 1e6
    console.print(f"[green]{len(plan.todo)} mosaics[/] in {escape(str(folder))}, {size:.3g} MB a day")
    return list(plan.todo)


def _trained(cfg: InferConfig) -> Trained | None:
    """The networks; None for a baseline. Raises ``InferenceError`` for a prior that no cube has adapted."""
    if cfg.method != "network":
        return None
    trained = load_trained(cfg.run)
    if "cube" not in trained.provenance:
        raise InferenceError(
            f"{cfg.run} holds pretrained networks, which no cube has adapted yet: python train.py cube={cfg.cube} "
            f"run=RUN prior={cfg.run}, and then infer with run=RUN"
        )
    return trained


def run_local(
    cfg: InferConfig, trained: Trained | None, todo: Sequence[dt.date], bar: Progress, ablation: Ablation
) -> Iterator[dt.date]:
    """Days one by one in this process. A day is compressed and written while the next goes through the networks; an
    error of writing ends the run then."""
    days = DayWriter.open(cfg, trained, ablation)
    if trained is not None:
        console.print(f"computing in {days.precision.name} on {days.device}: {days.precision.reason}")
    task = bar.add_task("tiles", visible=False)
    with ThreadPoolExecutor(1) as writer:
        writing: Future[Path] | None = None
        for day in todo:

            def progress(done: int, number: int, day: dt.date = day) -> None:
                bar.update(task, description=f"{day}: tiles", completed=done, total=number, visible=number > FEW)

            background = days.predict(day, progress)
            if writing is not None:
                writing.result()
            writing = writer.submit(days.write, background)
            yield day
        if writing is not None:
            writing.result()


def run_dask(cfg: InferConfig, todo: Sequence[dt.date], ablation: Ablation) -> Iterator[dt.date]:
    """Days as tasks of a scheduler's workers, each written by the worker that made it."""
    if cfg.format == "zarr":  # days of a store stand in their order, whoever is first
        days = DayWriter.open(cfg, _trained(cfg), ablation)
        days.write(days.predict(todo[0]))
        zarr_store.reserve(day_path(Path(cfg.mosaics), days.cube.domain.name, todo[0], "zarr"), todo)
        yield todo[0]
        todo = todo[1:]
    run = uuid.uuid4().hex
    for day, _ in as_they_come(functools.partial(_write_one, cfg, ablation, run), todo, cfg.engine):
        yield day


ONE = threading.Lock()  # a worker with several threads makes one day with all of them


@functools.lru_cache(1)
def _writer_of(cfg: InferConfig, ablation: Ablation, run: str) -> DayWriter:
    """Opened once a worker and run."""
    return DayWriter.open(cfg, _trained(cfg), ablation)


def _write_one(cfg: InferConfig, ablation: Ablation, run: str, day: dt.date) -> None:
    from distributed import get_worker

    with ONE:
        torch.set_num_threads(get_worker().state.nthreads)
        days = _writer_of(cfg, ablation, run)
        again = cfg.overwrite or cfg.revise or days.provisional(day)
        if not again and day_done(Path(cfg.mosaics), days.cube.domain.name, day, cfg.format):
            return  # by a worker that died before it could report it
        days.write(days.predict(day))


def _missing_quicklooks(cfg: InferConfig, cube: Cube, done: Sequence[dt.date]) -> None:
    """Pictures of days that were made without; a GeoTIFF lies on another grid, and has none to be made of."""
    folder = Path(cfg.mosaics)
    lacking = [d for d in done if not quicklook_path(folder, cube.domain.name, d).exists()]
    if lacking and cfg.format == "cog":
        log.warning("no picture is made of %s: their maps are GeoTIFFs; overwrite=true makes both", runs(lacking))
        return
    for day in lacking:
        write_quicklook(read_day(day_path(folder, cube.domain.name, day, cfg.format), day), folder)
