"""``produce(cfg)``: prepare, train where nothing is trained yet, map, verify and drop, some days at a time.

Each step goes on from where it was cut off, so the whole does. A second run on the same folder is refused.
"""

from __future__ import annotations

import datetime as dt
import itertools
import logging
import math
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from ssm_net.config import InferConfig, PrepareConfig, ProduceConfig, TrainConfig, parse_day
from ssm_net.core.days import ONE_DAY, runs
from ssm_net.core.locks import held_alone
from ssm_net.core.reading_mark import OF_LISTING
from ssm_net.cube.lock import write_lock
from ssm_net.cube.store import Cube, open_cube
from ssm_net.cube.writer import CubeWriter
from ssm_net.errors import SsmNetError
from ssm_net.estimators.checkpoint import load_trained
from ssm_net.formats.mosaic_days import day_done, days_done, provisional_days, provisional_file
from ssm_net.infer.run import infer
from ssm_net.ingest.catalog import RawFiles, find_files
from ssm_net.prepare.known_files import known_files
from ssm_net.prepare.run import prepare
from ssm_net.produce.fetch import NOT_ASKED, fetch
from ssm_net.produce.granules import delete_spent_granules
from ssm_net.produce.ready import ReadyDays, ready_days
from ssm_net.produce.record import RecordStatus
from ssm_net.produce.sample import SHARE, days_of_window, most_sampled, sampled_days

log = logging.getLogger(__name__)
console = Console()
LOCK_FILE = ".produce.lock"
LONG = 3  # steps of a run after which granules may have come meanwhile


class ProduceError(SsmNetError):
    """A record cannot be made or added to as asked; the message names the remedy."""


def produce(cfg: ProduceConfig, today: dt.date | None = None) -> RecordStatus:
    """Make the maps of ``cfg`` that can be made now, and return how the record stands. ``today`` is the present UTC day
    where it is not given.

    Raises ``ConfigError`` where another process produces into the same folder, and whatever its steps raise; the error
    stands in ``produce.json``, too.
    """
    today = today or dt.datetime.now(dt.UTC).date()
    folder = Path(cfg.mosaics)
    folder.mkdir(parents=True, exist_ok=True)
    with held_alone(folder / LOCK_FILE, f"another process produces into {folder}: wait for it to end"):
        RecordStatus("running").write(folder)
        try:
            status = _produce(cfg, today)
        except BaseException as err:
            RecordStatus("failed", error=f"{type(err).__name__}: {err}").write(folder)
            raise
        return status.write(folder)


def _produce(cfg: ProduceConfig, today: dt.date) -> RecordStatus:
    last, fetched, files = cfg.last_day(today), NOT_ASKED, None
    for step in itertools.count(1):
        cube = open_cube(cfg.cube) if (Path(cfg.cube) / "cube.json").exists() else None
        first = _next_day(cfg, cube)
        until = min(_last_of_step(cfg, first), last)
        asked = cfg.fetch and not fetched.holds_up and first <= min(until, today)
        if asked:
            fetched = fetch(cfg, first, min(until, today), today, begun=first > parse_day(cfg.start, "start"))
        if files is None or asked:
            files = _files(cfg, cube)
        ready = ready_days(files, first, until, today=today, wait=cfg.wait, fetched=fetched)
        if not ready.days and first <= last and step > LONG:  # granules that came meanwhile
            files = _files(cfg, cube)
            ready = ready_days(files, first, until, today=today, wait=cfg.wait, fetched=fetched)
        if cube is not None and cube.done_days():  # what was cut off, or prepared just now
            files = _map_and_drop(cfg, cube, files, more=bool(ready.days or fetched.outage))
        if not ready.days:
            return _status(cfg, cube, ready, last, fetched.outage)
        console.print(f"[bold]{runs(ready.days)}[/]")
        prepare(_prepare_config(cfg, ready.days[-1]), files)
    raise AssertionError("a record has an end")


def _files(cfg: ProduceConfig, cube: Cube | None) -> RawFiles:
    """The files of raw/. All its folders are walked through, once a run rather than once a step: that takes longer as
    raw/ grows."""
    return find_files(cfg.raw, known_files(cube), Path(cfg.mosaics) / OF_LISTING)


def _next_day(cfg: ProduceConfig, cube: Cube | None) -> dt.date:
    done = cube.done_days() if cube is not None else []
    return done[-1] + ONE_DAY if done else parse_day(cfg.start, "start")


def _last_of_step(cfg: ProduceConfig, first: dt.date) -> dt.date:
    """The last day that is prepared with ``first``. Steps count from the record's beginning, so that a run that was cut
    off trains on the days on which an unbroken one does."""
    start = parse_day(cfg.start, "start")
    return start + ((first - start).days // cfg.step + 1) * cfg.step * ONE_DAY - ONE_DAY


def _map_and_drop(cfg: ProduceConfig, cube: Cube, files: RawFiles, more: bool) -> RawFiles:
    """The maps of the days that have pixels, then only ``keep`` days of pixels; before networks are trained, nothing.
    ``more`` days are to come at once, or after an outage: training waits for them until there are ``keep``. Returns the
    ``files`` of raw/ that are left."""
    done = cube.done_days()
    if not (Path(cfg.run) / "model.json").exists():
        if more and len(done) < cfg.keep:
            return files
        if len(done) < cfg.keep:
            log.warning("networks are trained on %d days, since there are no more: with an earlier start= they would "
                        "learn from keep=%d days", len(done), cfg.keep)  # fmt: skip
        from ssm_net.train.run import train  # once in a record, and as slow to load as all else

        train(TrainConfig(cube=cfg.cube, run=cfg.run))
    lookahead, window = load_trained(cfg.run).lookahead, days_of_window(cfg.keep)
    if window < lookahead + 2:
        raise ProduceError(f"keep={cfg.keep}: the networks of {cfg.run} look {lookahead} days ahead; keep at least "
                           f"{math.ceil((lookahead + 2) * SHARE / (SHARE - 1))} days")  # fmt: skip
    days = [day for day in done if day >= cube.pixels_since]
    infer(InferConfig(cube=cfg.cube, run=cfg.run, mosaics=cfg.mosaics, start=str(days[0]), end=str(days[-1]),
                      format=cfg.format, quicklook=cfg.quicklook, publisher=cfg.publisher))  # fmt: skip
    before = days[-1] - (window - 1) * ONE_DAY
    final = [day for day in days if day < before and _is_final(cfg, cube, day)]
    if len(final) < sum(day < before for day in days):
        raise ProduceError(f"{cfg.mosaics}: not every day before {before} has its final map, so no pixels are dropped: "
                           "give the same command again")  # fmt: skip
    if before > cube.days[0] and len(done) >= cfg.keep:
        sample = sampled_days([day for day in done if day < before], most_sampled(cfg.keep), lookahead)
        with write_lock(cfg.cube) as lock:
            freed = CubeWriter(cube, lock).drop_pixels(before, sample)
        if freed:
            console.print(f"dropped pixels of days before {before}: {freed / 1e6:.3g} MB")
        if cfg.drop_granules:
            files, freed = delete_spent_granules(files, cube)
            if freed:
                console.print(f"deleted granules that no day needs any more: {freed / 1e6:.3g} MB")
    return files


def _is_final(cfg: ProduceConfig, cube: Cube, day: dt.date) -> bool:
    folder, name = Path(cfg.mosaics), cube.domain.name
    return day_done(folder, name, day, cfg.format) and not provisional_file(folder, name, day).exists()


def _prepare_config(cfg: ProduceConfig, end: dt.date) -> PrepareConfig:
    start = parse_day(cfg.start, "start")
    if (Path(cfg.cube) / "cube.json").exists():
        start = max(start, min(open_cube(cfg.cube).done_days()[-1:] or [start]))  # the days before are done
    return PrepareConfig(raw=cfg.raw, cube=cfg.cube, start=str(start), end=str(end), domain=cfg.domain,
                         ssm=cfg.ssm, lst=cfg.lst, reflectance=cfg.reflectance, rain_day=cfg.rain_day,
                         consensus=cfg.consensus, workers=cfg.workers)  # fmt: skip


def _status(cfg: ProduceConfig, cube: Cube | None, ready: ReadyDays, last: dt.date, outage: str) -> RecordStatus:
    name = cube.domain.name if cube is not None else cfg.domain.name
    made = days_done(Path(cfg.mosaics), name, cfg.format)
    provisional = provisional_days(Path(cfg.mosaics), name)
    final = [d for d in made if d not in provisional]
    following = _next_day(cfg, cube)
    waiting = following <= last
    state = f"waiting for {' and '.join(ready.awaited)} of {following}" if waiting else f"up to date with {last}"
    if outage:
        state = f"{following} and the days after it wait for an archive; give the same command again later"
    console.print(f"[green]{len(made)} maps[/] in {escape(cfg.mosaics)}"
                  + (f", {len(made) - len(final)} of them provisional" if len(final) < len(made) else "")
                  + f"; {state}")  # fmt: skip
    return RecordStatus(
        "outage" if outage else "waiting" if waiting else "up to date",
        str(made[0]) if made else None,
        str(made[-1]) if made else None,
        str(final[-1]) if final else None,
        str(following),
        ready.awaited,
        str(max(cube.pixels_since, cube.days[0])) if cube is not None else None,
        outage,
    )
