"""Reader of ISMN station series: header+values and CEOP layouts, as a tree, a single file, or the archive's zip.

The text files are parsed here, not by the ``ismn`` package: it silently finds no series where a station's
name holds an underscore, and writes an index into the data folder.
Layouts: ISMN data download guide; Dorigo et al. 2011.
"""

from __future__ import annotations

import io
import logging
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ssm_net.errors import SsmNetError

log = logging.getLogger(__name__)

STM_SUFFIX = ".stm"
COLUMNS = ["date", "time", "value", "flag"]
NUMBER, DEPTH = r"-?\d+\.\d+", r"-?\d+(?:\.\d+)?"
# ..._<station>_<variable>_<from>_<to>_<sensor>_...; a station may be called WS_3, CATCH_P_12 or P_1.5, so the last of
# what looks like a variable with two depths is it.
IN_NAME = re.compile(rf".*_(?P<variable>[A-Za-z]+)_(?P<top>{DEPTH})_(?P<bottom>{DEPTH})(?:_|\.stm|$)", re.I | re.S)
VARIABLES = ("sm", "ts", "tsf", "tsfq", "ta", "p", "su", "sd", "sweq", "sc", "psm", "ws", "rh")
PLACE = (
    r"(?P<cse>\S+)\s+(?P<network>\S+)\s+(?P<name>\S+(?:\s+\S+){words})\s+"
    rf"(?P<lat>{NUMBER})\s+(?P<lon>{NUMBER})\s+(?P<elevation>{DEPTH})\s+(?P<top>{NUMBER})\s+(?P<bottom>{NUMBER})\s"
)
TIMES = r"\d{4}/\d\d/\d\d\s+\d\d:\d\d\s+\d{4}/\d\d/\d\d\s+\d\d:\d\d\s+"
# A name may hold blanks and end with a number, and a sensor begin with one: the line can be read in several ways.
WORDS = range(12)  # of a name, after the first
HEADER = [re.compile(PLACE.replace("{words}", f"{{{n}}}") + r"\s*(?P<sensor>\S.*)") for n in WORDS]
CEOP = [re.compile(TIMES + PLACE.replace("{words}", f"{{{n}}}")) for n in WORDS]


class StationError(SsmNetError):
    """A station file, or all of them, cannot be used; the message names the file and the remedy."""


@dataclass(frozen=True)
class Station:
    """One soil moisture sensor and its measurements with an accepted flag.

    ``lat``, ``lon`` in degrees, ``depth_from``, ``depth_to`` in m; ``time`` (n,) datetime64[s] UTC, strictly ascending;
    ``value`` (n,) float32 m3 m-3.
    """

    network: str
    name: str
    lat: float
    lon: float
    depth_from: float
    depth_to: float
    sensor: str
    time: np.ndarray
    value: np.ndarray


def read_stations(path: Path | str, deepest: float = 0.10, flags: tuple[str, ...] = ("G",)) -> list[Station]:
    """Every soil moisture sensor within 0 and ``deepest`` m below ``path``: an ISMN tree, a zip, or one ``.stm`` file.

    Only values that have exactly one of ``flags`` are used (G: good; U: unchecked, in older archives). Each sensor of a
    station is an entry. A file that cannot be read, or has no such value, is skipped and logged by name.

    Raises ``StationError`` where nothing could be read; it counts the reasons.
    """
    path = Path(path)
    if not path.exists():
        raise StationError(f"stations={path} does not exist; give an ISMN folder or zip")
    out: list[Station] = []
    count = {"files": 0, "of other variables": 0, "too deep": 0, "without a good value": 0, "unreadable": 0}
    for label, text in _files(path):
        count["files"] += 1
        if _variable(label) not in ("sm", None):
            count["of other variables"] += 1
            continue
        try:
            station = parse(text, label, flags)
        except StationError as err:
            log.warning("%s", err)
            count["unreadable"] += 1
            continue
        if station.depth_from < 0 or station.depth_to > deepest + 1e-6:
            count["too deep"] += 1
        elif station.value.size == 0:
            count["without a good value"] += 1
        else:
            out.append(station)
    if not out:
        reasons = ", ".join(f"{n} {what}" for what, n in count.items() if what != "files")
        raise StationError(
            f"{path}: no soil moisture series within 0-{deepest:.2f} m could be read: {count['files']} files, "
            f"{reasons}; give a folder or zip of the ISMN archive with surface sensors"
        )
    return sorted(out, key=lambda s: (s.network, s.name, s.depth_from, s.sensor))


def parse(text: str, label: str, flags: tuple[str, ...] = ("G",)) -> Station:
    """One sensor from the text of its file. ``label`` names the file in errors. Raises ``StationError``."""
    # Some files of the archive have bare carriage returns.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n \0")
    first = lines.split("\n", 1)[0].strip()
    head = _that_agrees([m for pattern in CEOP if (m := pattern.match(first))], label)
    if head is not None:
        rest, sensor = lines, _sensor(label)
        # From the right, as a station's name may hold blanks: value, flag, flag of the provider.
        rest = re.sub(r"(?m)^\s*\S+\s+\S+\s+(\S+)\s+(\S+)\s.*?(\S+)[ \t]+(\S+)[ \t]+\S+[ \t]*$", r"\1 \2 \3 \4", rest)
    else:
        head = _that_agrees([m for pattern in HEADER if (m := pattern.fullmatch(first))], label)
        if head is None:
            raise StationError(
                f"{label}: its first line is no ISMN header ({first[:60]!r}); it is skipped, download the station again"
            )
        rest, sensor = lines.partition("\n")[2], head["sensor"].strip()
    lat, lon = float(head["lat"]), float(head["lon"])
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        raise StationError(f"{label}: position {lat} {lon} is not on Earth; it is skipped, correct its header")
    time, value = _series(rest, label, flags)
    return Station(
        head["network"], head["name"].strip(), lat, lon, float(head["top"]), float(head["bottom"]), sensor, time, value
    )


def _series(text: str, label: str, flags: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    try:
        table = pd.read_csv(
            io.StringIO(text), sep=r"\s+", header=None, names=COLUMNS, usecols=[0, 1, 2, 3],
            dtype={"date": str, "time": str, "value": np.float64, "flag": str},
        )  # fmt: skip
        good = table["flag"].isin(flags)
        if not good.any():
            others = ", ".join(f"{n} {flag}" for flag, n in table["flag"].value_counts().head(4).items())
            log.warning("%s: no value is flagged %s (but %s); the sensor is skipped", label, " or ".join(flags), others)
        table = table[good]
        time = pd.to_datetime(table["date"] + " " + table["time"], format="%Y/%m/%d %H:%M").to_numpy("datetime64[s]")
    except (ValueError, pd.errors.ParserError, pd.errors.EmptyDataError) as err:
        reason = str(err).splitlines()[0]
        raise StationError(f"{label}: not a series of times and values ({reason}); it is skipped, "
                           "download the station again") from err  # fmt: skip
    value = table["value"].to_numpy(np.float32)
    physical = (value >= 0) & (value <= 1)
    time, value = time[physical], value[physical]
    time, first = np.unique(time, return_index=True)
    return time, value[first]


def _that_agrees(heads: Sequence[re.Match[str]], label: str) -> re.Match[str] | None:
    """Of the ways to read a first line the one with the depths that the file name states, else the first."""
    named = IN_NAME.match(label.rsplit("/", 1)[-1])
    if named is not None:
        depths = float(named["top"]), float(named["bottom"])
        heads = [h for h in heads if (float(h["top"]), float(h["bottom"])) == depths] or heads
    return heads[0] if heads else None


def _variable(label: str) -> str | None:
    """The variable that a file name states, in lower case; None where it states none that is known."""
    named = IN_NAME.match(label.rsplit("/", 1)[-1])
    variable = named["variable"].lower() if named is not None else None
    return variable if variable in VARIABLES else None


def _sensor(label: str) -> str:
    """The sensor in a file name: ..._sm_<from>_<to>_<sensor>_<start>_<end>.stm."""
    name = label.rsplit("/", 1)[-1]
    named = IN_NAME.match(name)
    match = re.match(r"(.+)_\d{8}_\d{8}", name[named.end("bottom") + 1 :]) if named else None
    return match[1] if match else ""


def _files(path: Path) -> Iterator[tuple[str, str]]:
    """(name, text) of each station file below a path, also inside zips."""
    if path.is_dir():
        for entry in sorted(p for p in path.rglob("*") if p.is_file() and p.suffix.lower() in (STM_SUFFIX, ".zip")):
            yield from _files(entry)
    elif path.suffix.lower() == ".zip":
        try:
            with zipfile.ZipFile(path) as archive:
                for name in sorted(n for n in archive.namelist() if n.lower().endswith(STM_SUFFIX)):
                    yield f"{path}/{name}", archive.read(name).decode("utf-8", "replace")
        except (zipfile.BadZipFile, EOFError) as err:
            log.warning("%s: not a whole zip (%s); it is skipped, download it again", path, err)
    else:
        yield str(path), path.read_bytes().decode("utf-8", "replace")
