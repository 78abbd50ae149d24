"""Small files of a cube, as JSON, and the errors of a cube, each with its remedy."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ssm_net.core.files import write_whole
from ssm_net.errors import SsmNetError

WHOLE_AGAIN = "copy the cube again from where it came, or prepare a new one"


class CubeError(SsmNetError):
    """The cube is missing, of another domain or format, locked or damaged; the message names the remedy."""


class DamagedError(CubeError):
    """What the cube stores of a day, or of a static map, is damaged; ``prepare`` with ``revise=true`` mends it."""


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """There whole, or not at all."""
    write_whole(path, (json.dumps(value, indent=1, sort_keys=True) + "\n").encode())


def read_json(path: Path, remedy: str = "", *keys: str) -> dict[str, Any]:
    """Raises ``CubeError`` with the file and the remedy where it cannot be opened, or holds no JSON object with these
    ``keys``."""
    try:
        value = json.loads(path.read_bytes())
        if not isinstance(value, dict):
            raise ValueError("it holds no JSON object")
        if missing := [key for key in keys if key not in value]:
            raise ValueError(f"it states no {', '.join(missing)}")
    except OSError as err:
        raise cannot_open(path, err) from err
    except (ValueError, RecursionError) as err:
        raise CubeError(f"{path} is damaged: {err}" + (f"; {remedy}" if remedy else "")) from err
    return value


def damaged(what: str, day: dt.date | None, err: Exception) -> DamagedError:
    """The error of what is stored of ``day``, or of a static map (None), with the remedy."""
    remedy = (
        "prepare.py with revise=true writes the static maps again"
        if day is None
        else f"prepare.py with start={day} end={day} revise=true makes this day and all days after it again"
    )
    return DamagedError(f"{what} is damaged ({err}): {remedy}")


def cannot_open(file: Path, err: OSError) -> CubeError:
    return CubeError(
        f"{file} cannot be read: {err.strerror or err}. This is no damage of the cube: is its disk there, is the cube "
        "complete, and may you read it?"
    )
