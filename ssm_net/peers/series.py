"""A product of others in a folder, and its daily series at places: of each day the value nearest to our overpass."""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ssm_net.core.clock import NIGHT_HOUR
from ssm_net.core.days import ONE_DAY, runs
from ssm_net.errors import SsmNetError
from ssm_net.ingest.files_below import files_below
from ssm_net.ingest.latlon import days_in
from ssm_net.ingest.naming import period_in_name
from ssm_net.ingest.raster import GranuleError
from ssm_net.peers.products import PEER_PRODUCTS, PeerProduct, products_of
from ssm_net.peers.sample import Places

log = logging.getLogger(__name__)

AROUND = 2 * ONE_DAY  # a file of a day may hold values of the local days beside it
VERSION = re.compile(r"_[RV]v?\d+_\d{3}(?=\.h5$)", re.I)  # ..._R19240_001.h5 of SMAP: the last counts


class PeerError(SsmNetError):
    """A product to compare with cannot be used; the message names its folder and the remedy."""


@dataclass(frozen=True)
class Peer:
    """A product of others, ``name`` as the user calls it, and its files, each with its first and last day."""

    name: str
    product: PeerProduct
    folder: Path
    files: tuple[tuple[Path, dt.date, dt.date], ...]


@dataclass(frozen=True)
class PeerSeries:
    """What a product says at P places on D days.

    ``ssm`` (D, P) m3 m-3 is the value nearest in time to the overpass of each day, about 01:30 local solar time, and
    ``hours`` (D, P) from that to its moment, NaN where there is none. ``notes`` say which files were left out.
    """

    name: str
    product: PeerProduct
    ssm: np.ndarray
    hours: np.ndarray = field(repr=False)
    notes: tuple[str, ...] = ()


def open_peers(specs: Sequence[str], taken: Collection[str] = ()) -> list[Peer]:
    """The products in the folders of ``specs``, each ``NAME:FOLDER``; two of a folder that holds two resolutions.

    Raises ``PeerError`` where a folder is none, holds no file that is known, or holds files of several products, or a
    name is given twice or ``taken``.
    """
    parts = [spec.partition(":") for spec in specs]
    out = [peer for name, _, folder in parts for peer in _open(name.strip(), Path(folder.strip()))]
    names = [*taken, *(peer.name for peer in out)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise PeerError(f"peers: {twice!r} is the name of another; give each a name of its own")
    return out


def _open(name: str, folder: Path) -> list[Peer]:
    if not folder.is_dir():
        raise PeerError(f"peers: {name}: {folder} is no folder; give the folder that holds the product's files")
    found, _ = files_below(folder, name)
    kinds: dict[str, dict[str, Path]] = {}
    for path in (file.path for file in found):
        if products := products_of(path.name):
            kinds.setdefault(products[0].pattern.pattern, {})[VERSION.sub("", path.name)] = path
    if not kinds:
        known = ", ".join(dict.fromkeys(p.name for p in PEER_PRODUCTS))
        raise PeerError(
            f"peers: {name}: {folder} holds no file of a known name ({len(found)} files); known are {known}"
        )
    if len(kinds) > 1:
        of = ", ".join(next(iter(files.values())).name for files in kinds.values())
        raise PeerError(
            f"peers: {name}: {folder} holds files of {len(kinds)} products ({of}); give each its own folder"
        )
    (files,) = kinds.values()
    dated = tuple(sorted((path, *period) for path in files.values() if (period := _period(path)) is not None))
    if not dated:
        raise PeerError(f"peers: {name}: no file in {folder} states its day, in its name or a time axis; give the "
                        "files names with their day (yyyymmdd)")  # fmt: skip
    products = products_of(dated[0][0].name)
    return [Peer(" ".join(filter(None, (name, p.resolution))), p, folder, dated) for p in products]


def _period(path: Path) -> tuple[dt.date, dt.date] | None:
    """The first and the last day of a file: by its name, else by its time axis; None where neither says."""
    if (named := period_in_name(path.name)) is not None:
        return named
    if not products_of(path.name)[0].dated_inside:
        log.warning("%s: its name states no day; it is left out", path)
        return None
    try:
        days = days_in(path)
    except GranuleError as err:
        log.warning("%s", err)
        return None
    return days[0], days[-1]


def series_at(
    peer: Peer,
    days: Sequence[dt.date],
    places: Places,
    progress: Callable[[Sequence[Path]], Iterable[Path]] = iter,
) -> PeerSeries:
    """The series of ``peer`` at ``places`` on ``days`` (in order), each file read once.

    A file that cannot be read is left out, logged and counted in the notes. Raises ``PeerError`` where none can, or
    none is of these days.
    """
    files = files_near(peer, days)
    if not files:
        held = f"{min(f[1] for f in peer.files)} .. {max(f[2] for f in peer.files)}"
        raise PeerError(f"peers: {peer.name}: {peer.folder} holds {held}, no day of {days[0]} .. {days[-1]}; leave it "
                        "out, or change start= and end=")  # fmt: skip
    ssm, hours, errors = read_values(peer, progress(files), days, places)
    for err in errors:
        log.warning("%s: %s", peer.name, err)
    if len(errors) == len(files):
        raise PeerError(f"peers: {peer.name}: none of {len(files)} files can be read; the first: {errors[0]}")
    left_out = f"{peer.name}: {len(errors)} of {len(files)} files could not be read"
    return PeerSeries(peer.name, peer.product, ssm, hours, (f"{left_out}; the first: {errors[0]}",) if errors else ())


def files_near(peer: Peer, days: Sequence[dt.date]) -> list[Path]:
    """The files of ``peer`` that may hold a value of ``days`` (in order)."""
    return [path for path, first, last in peer.files if first <= days[-1] + AROUND and last >= days[0] - AROUND]


def read_values(
    peer: Peer, files: Iterable[Path], days: Sequence[dt.date], places: Places
) -> tuple[np.ndarray, np.ndarray, list[GranuleError]]:
    """``ssm`` and ``hours`` of a ``PeerSeries``, and what is wrong with the files that cannot be read."""
    ssm, hours = np.full((2, len(days), places.size), np.nan)
    errors: list[GranuleError] = []
    for path in files:
        try:
            samples = peer.product.read(path, places)
        except GranuleError as err:
            errors.append(err)
            continue
        for sample in samples:
            _keep_nearest(ssm, hours, sample.values, _hours(sample.moment, places.lon, days[0]), days)
    return ssm, hours, errors


def _hours(moment: np.ndarray, lon: np.ndarray, first: dt.date) -> np.ndarray:
    """Hours from the overpass of ``first``, 01:30 local solar time at ``lon``, to each moment (UTC)."""
    return (moment - np.datetime64(first, "s")) / np.timedelta64(1, "h") + lon / 15 - NIGHT_HOUR


def _keep_nearest(
    ssm: np.ndarray, hours: np.ndarray, values: np.ndarray, since: np.ndarray, days: Sequence[dt.date]
) -> None:
    """Put ``values`` (P,), taken ``since`` (P,) hours after the overpass of the first day, to the day of their nearest
    overpass, where none nearer is there yet."""
    after = np.round(since / 24).astype(int)
    numbers = np.array([(day - days[0]).days for day in days])
    row = np.clip(np.searchsorted(numbers, after), 0, len(numbers) - 1)
    off = since - 24 * after
    at = np.flatnonzero(np.isfinite(values) & (numbers[row] == after))
    row = row[at]
    nearer = ~(np.abs(hours[row, at]) <= np.abs(off[at]))  # also where there is none
    row, at = row[nearer], at[nearer]
    ssm[row, at], hours[row, at] = values[at], off[at]


def summary(peer: PeerSeries, days: Sequence[dt.date]) -> str:
    """What was found, in one line."""
    seen = np.isfinite(peer.ssm)
    which = [day for day, one in zip(days, seen.any(1), strict=True) if one]
    if not which:
        return f"{peer.name} ({peer.product.name}): no value at any place"
    middle = float(np.median(peer.hours[seen]))
    return (f"{peer.name} ({peer.product.name}): {int(seen.sum())} values at {int(seen.any(0).sum())} places, "
            f"{runs(which)}, {middle:+.1f} h from our overpass in the median")  # fmt: skip
