"""The provenance of a folder of mosaics: one model and one way of updating, recorded in ``made_by.json``.

A folder is a record, so all its days come from one model, whatever else writes into it at the same time.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ssm_net.core.days import runs
from ssm_net.core.locks import open_lock
from ssm_net.cube.json_files import write_json
from ssm_net.formats import zarr_store
from ssm_net.formats.mosaic_days import SUFFIXES, day_path, days_done, files_beside, quicklook_path
from ssm_net.formats.product import Attribute
from ssm_net.grid import check_name
from ssm_net.infer.plan import InferenceError

log = logging.getLogger(__name__)

Provenance = dict[str, Attribute]


@contextmanager
def check_provenance(
    folder: Path, provenance: Provenance, *, overwrite: bool, todo: Sequence[dt.date], format: str
) -> Iterator[None]:
    """Meanwhile ``folder`` takes maps of this ``provenance`` (model, checkpoint, update, domain ..) and no others.

    Any number of runs of one model may write at once. With ``overwrite`` another model takes the folder over where
    ``todo`` (days in ``format``) are all of its maps: these are removed first, so that a run that is cut off leaves no
    mixture. Raises ``InferenceError`` where the folder holds maps of another model that would stay, or another run is
    writing such maps.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _open_lock(folder / ".infer.lock") as writers:
        with _open_lock(folder / ".made_by.lock") as record:
            fcntl.flock(record, fcntl.LOCK_EX)  # two runs that start at one instant read and write it one by one
            _claim(folder, provenance, overwrite, todo, format, writers)
            fcntl.flock(writers, fcntl.LOCK_SH)
        yield


def _claim(
    folder: Path, provenance: Provenance, overwrite: bool, todo: Sequence[dt.date], format: str, writers: int
) -> None:
    """Record the provenance; ``writers`` is locked, shared, by every run that writes."""
    file = folder / "made_by.json"
    recorded = _read(file)
    if recorded is None:
        write_json(file, provenance)
        return
    differ = [f"{k}={provenance.get(k)} (there: {recorded.get(k)})" for k in provenance | recorded
              if recorded.get(k) != provenance.get(k)]  # fmt: skip
    if not differ:
        return
    reason = f"the days in {folder} were made otherwise: {'; '.join(differ)}"
    if not overwrite:
        raise InferenceError(f"{reason}; give another mosaics=FOLDER, or overwrite=true to make all of them again")
    domain = str(recorded.get("domain", provenance["domain"]))
    maps = {(kind, day) for kind in SUFFIXES for day in days_done(folder, domain, kind)}
    replaced = {(format, day) for day in todo} if domain == provenance["domain"] else set()
    if kept := maps - replaced:
        raise InferenceError(
            f"{reason}; overwrite=true would replace only a part of them, and {runs(sorted({d for _, d in kept}))} "
            f"({', '.join(sorted({kind for kind, _ in kept}))}) would stay: give another mosaics=FOLDER, or make all "
            "of them again in one run"
        )
    try:
        fcntl.flock(writers, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InferenceError(f"{reason}, and another run is writing into it; wait for it to end") from None
    if maps:
        log.warning("%s: %d days of %s are removed, to be made again by %s", folder, len(maps),
                    recorded.get("model"), provenance["model"])  # fmt: skip
    for kind, day in maps:
        _remove_day(folder, domain, day, kind)
    write_json(file, provenance)


def _read(file: Path) -> Provenance | None:
    """None where no provenance is recorded. Raises ``InferenceError`` where the record is damaged."""
    if not file.exists():
        return None
    try:
        recorded = json.loads(file.read_text())
        if not isinstance(recorded, dict) or "model" not in recorded:
            raise ValueError("it names no model")
        if "domain" in recorded:
            check_name(str(recorded["domain"]))
    except ValueError as err:
        raise InferenceError(
            f"{file} is damaged ({err}): delete it if all maps next to it are of this model (their attributes say so), "
            "else give another mosaics=FOLDER"
        ) from err
    return recorded


def _remove_day(folder: Path, domain: str, day: dt.date, format: str) -> None:
    path = day_path(folder, domain, day, format)
    (zarr_store.status_file(path, day) if format == "zarr" else path).unlink(missing_ok=True)
    beside = files_beside(folder, domain, day) if format == "cog" else ()
    for file in (quicklook_path(folder, domain, day), *beside):
        file.unlink(missing_ok=True)


@contextmanager
def _open_lock(path: Path) -> Iterator[int]:
    lock = open_lock(path)
    try:
        yield lock
    finally:
        os.close(lock)
