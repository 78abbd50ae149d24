"""What archives do to a download: it tries again, says what is wrong and what to do, and keeps nothing half."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from remote_granules import FOLDER, Asked, content, names, transfers  # isort: skip
from loopback_archive import LoopbackArchive

import ssm_net
from ssm_net.download.errors import DownloadError


def here(tmp_path: Path) -> list[str]:
    folder = tmp_path / "raw" / FOLDER
    return names(folder) if folder.is_dir() else []


def unfinished(tmp_path: Path) -> list[str]:
    return [name for name in here(tmp_path) if name.endswith(".part")]


@pytest.mark.parametrize("fault", ["cut", "short", "long", "flip", "429", "500", "502", "503"])
def test_what_passes_is_tried_again(archive: LoopbackArchive, asked: Asked, tmp_path: Path, fault: str) -> None:
    file = archive.granules[1]
    archive.faults[file.name] = [fault]
    ssm_net.download(asked())
    assert (tmp_path / "raw" / FOLDER / file.name).read_bytes() == file.content
    assert transfers(archive.requests).count(file.name) == 2 and not unfinished(tmp_path)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("500", r"localhost has a fault \(500\): see https://status.earthdata.nasa.gov"),
        ("429", r"localhost asks to wait \(429\).*with fewer connections="),
        ("401", r"localhost refuses a link that the archive gave \(401\)"),
        ("404", r"localhost does not have the file \(404\), although the search lists it"),
        ("cut", r"the connection was cut after \d+ bytes"),
        ("short", r"the archive sends 15000 bytes, where its catalog states 30000"),
        ("flip", r"came damaged: its SHA-256 is not that of the archive"),
    ],
)
def test_what_stays_is_listed_and_the_others_come(
    archive: LoopbackArchive, asked: Asked, tmp_path: Path, fault: str, says: str
) -> None:
    """And the same command fetches it once the archive has mended."""
    file = archive.granules[1]
    archive.faults[file.name] = [fault] * 3
    with pytest.raises(DownloadError, match=says) as err:
        ssm_net.download(asked())
    assert f"{FOLDER}/{file.name}" in str(err.value)
    assert [n for n in here(tmp_path) if not n.endswith(".part")] == sorted(
        g.name for g in archive.granules if g is not file
    )
    archive.faults.clear()
    ssm_net.download(asked())
    assert (tmp_path / "raw" / FOLDER / file.name).read_bytes() == file.content
    assert not unfinished(tmp_path)


@pytest.mark.parametrize("fault", ["page", "eula"])
def test_a_login_page_is_no_file(archive: LoopbackArchive, asked: Asked, tmp_path: Path, fault: str) -> None:
    """Nor are the terms of an archive that were not agreed to; a thousand files are not asked for then."""
    archive.faults["*"] = [fault] * 99
    page = f"open {archive.base('login')}/approve_app" if fault == "eula" else "sends a web page in place of data"
    with pytest.raises(DownloadError, match=re.escape(page) if fault == "eula" else page):
        ssm_net.download(asked(connections=1))
    assert here(tmp_path) == []
    assert sum(r.path.startswith("/data/") for r in archive.requests) == 1


def test_a_login_page_that_says_it_is_data_is_no_file(archive: LoopbackArchive, asked: Asked, tmp_path: Path) -> None:
    """No size and no checksum in the catalog, and a content type that tells nothing."""
    bad = replace(archive.granules[1], content=b"<!DOCTYPE html><html>log in", size=None, checksum=None)
    archive.granules[1] = bad
    with pytest.raises(DownloadError, match="came as a web page"):
        ssm_net.download(asked(connections=1))
    assert bad.name not in here(tmp_path) and not unfinished(tmp_path)


def test_a_file_of_another_kind_is_refused(archive: LoopbackArchive, asked: Asked, tmp_path: Path) -> None:
    name = archive.granules[1].name
    archive.granules[1] = replace(archive.granules[1], content=content(name, b"PK\x03\x04"))
    with pytest.raises(DownloadError, match="came as a zip archive"):
        ssm_net.download(asked())
    assert len(here(tmp_path)) == 4


def test_an_archive_that_is_down_is_not_asked_for_each_file(
    archive: LoopbackArchive, asked: Asked, tmp_path: Path
) -> None:
    archive.granules[:] = [replace(g, signed=False, url=f"http://127.0.0.1:9/{g.name}") for g in archive.granules]
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1 does not answer \(\w+\)") as err:
        ssm_net.download(asked(connections=1, tries=1))
    assert "5 files are left" in str(err.value)
    assert here(tmp_path) == []


def test_the_pause_is_the_one_that_the_archive_asks_for(archive: LoopbackArchive, asked: Asked) -> None:
    archive.retry_after = "1"
    archive.faults[archive.granules[0].name] = ["429"]
    import time

    begin = time.monotonic()
    ssm_net.download(asked())
    assert time.monotonic() - begin > 1


def test_a_pause_of_hours_is_for_the_next_run(archive: LoopbackArchive, asked: Asked) -> None:
    archive.retry_after = "7200"
    archive.faults[archive.granules[0].name] = ["503"]
    with pytest.raises(DownloadError, match=r"asks to wait for 120 minutes \(503\)"):
        ssm_net.download(asked())


@pytest.mark.parametrize(
    ("fault", "says"),
    [("500", r"the search for MYD11A1 failed: 127\.0\.0\.1 has a fault \(500\)"),
     ("page", "does not answer as a catalog does")],
)  # fmt: skip
def test_a_search_that_fails_says_so(archive: LoopbackArchive, asked: Asked, fault: str, says: str) -> None:
    archive.search_faults = [fault] * 3
    with pytest.raises(DownloadError, match=says):
        ssm_net.download(asked())


def test_a_search_is_tried_again(archive: LoopbackArchive, asked: Asked) -> None:
    archive.search_faults = ["503", "500"]
    assert len(ssm_net.download(asked(plan=True)).missing) == 5


def test_a_search_service_that_is_down_is_named(archive: LoopbackArchive, asked: Asked) -> None:
    archive.close("cmr")
    with pytest.raises(DownloadError, match=r"the search for MYD11A1 failed: 127\.0\.0\.1 does not answer"):
        ssm_net.download(asked(tries=1))
