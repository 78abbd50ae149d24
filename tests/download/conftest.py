"""An archive on the loopback address with a few days of files, and a login that is found and belongs to nobody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remote_granules import Asked, lst  # isort: skip
from loopback_archive import USER, WORD, LoopbackArchive

from ssm_net.config import DownloadConfig, load


@pytest.fixture
def login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name and password in the environment, and no login of the one who runs the tests."""
    for key in ("EARTHDATA_TOKEN", "CDSAPI_KEY", "CDSAPI_URL", "CDSAPI_RC"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "home" / "netrc"))
    monkeypatch.setenv("EARTHDATA_USERNAME", USER)
    monkeypatch.setenv("EARTHDATA_PASSWORD", WORD)
    (tmp_path / "home").mkdir()


@pytest.fixture
def archive(login: None) -> Iterator[LoopbackArchive]:
    """LST of the days from the day before ``FIRST`` to the day after the third."""
    with LoopbackArchive([lst(day) for day in range(-1, 4)]) as served:
        yield served


@pytest.fixture
def asked(archive: LoopbackArchive, tmp_path: Path) -> Asked:
    """Settings of a download of LST from the archive, for three days, into an empty folder."""

    def of(**other: Any) -> DownloadConfig:
        keys = {
            "raw": str(tmp_path / "raw"), "start": "2018-04-01", "end": "2018-04-03", "lead": 0,
            "products": ["MYD11A1"], "domain": {"bbox": [25, 45, 26, 46]}, "earthdata": archive.settings(),
            "pause": 0.01, "tries": 3,
        }  # fmt: skip
        return load(DownloadConfig, keys | other)

    return of
