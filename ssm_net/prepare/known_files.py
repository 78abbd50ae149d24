"""What files of raw/ were found to hold when they were opened, kept with the cube: no file is opened for it twice."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from pathlib import Path, PurePath

from ssm_net.cube.store import Cube
from ssm_net.cube.writer import CubeWriter
from ssm_net.ingest.catalog import Known, RawFiles
from ssm_net.ingest.holdings import EOS_NAME, Holding
from ssm_net.version import __version__

log = logging.getLogger(__name__)

RAW_FILES = "raw_files"  # its name among the cube's metadata
READER = f"{__version__}.2"  # what another reader found is not used: it may have understood a file in another way


def known_files(cube: Cube | None) -> Known:
    """What is known of files by the ``cube``; empty where there is none, or it is of another version or damaged: the
    files are then opened again."""
    file = None if cube is None else cube.metadata_file(RAW_FILES)
    if file is None or not file.exists():
        return {}
    try:
        return _of_json(file)
    except (ValueError, KeyError, TypeError, AttributeError) as err:
        log.warning("%s is damaged (%s): the files of raw/ are opened again", file, err)
        return {}


def keep_known_files(writer: CubeWriter, files: RawFiles, used: Collection[str]) -> None:
    """Store what is known of ``files`` with the cube, where that is news; not of MODIS files that stored days have
    ``used``: their names tell when they have to be opened again, and a country has hundreds of thousands."""
    there = {str(file.path.relative_to(files.raw)) for of_product in files.files.values() for file in of_product}
    known = {key: value for key, value in files.known.items()
             if key in there and not (EOS_NAME.search(key) and PurePath(key).name in used)}  # fmt: skip
    if known != known_files(writer.cube):
        stored = {key: [size, changed, holding.to_json()] for key, (size, changed, holding) in sorted(known.items())}
        writer.write_metadata(RAW_FILES, {"reader": READER, "files": stored})


def _of_json(file: Path) -> Known:
    stored = json.loads(file.read_text())
    if stored["reader"] != READER:
        return {}
    return {key: (int(size), int(changed), Holding.from_json(h)) for key, (size, changed, h) in stored["files"].items()}
