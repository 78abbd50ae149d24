"""The login: where it is found, what is said where it does not work, and which hosts never see it."""

from __future__ import annotations

import base64
import logging
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from remote_granules import FOLDER, Asked, names  # isort: skip
from loopback_archive import TOKEN, USER, WORD, LoopbackArchive

import ssm_net
from ssm_net.config import EarthdataConfig
from ssm_net.download.archive_session import ArchiveSession
from ssm_net.download.errors import DownloadError, FileError
from ssm_net.download.login import EarthdataLogin
from ssm_net.errors import ConfigError

BASIC = base64.b64encode(f"{USER}:{WORD}".encode()).decode()


def without_login(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("EARTHDATA_USERNAME", "EARTHDATA_PASSWORD"):
        monkeypatch.delenv(key)


def netrc(tmp_path: Path, host: str = "127.0.0.1", word: str = WORD) -> None:
    file = tmp_path / "home" / "netrc"
    file.write_text(f"machine {host} login {USER} password {word}\n")
    file.chmod(0o600)


def test_name_and_password_of_netrc(
    archive: LoopbackArchive, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_login(monkeypatch)
    netrc(tmp_path)
    ssm_net.download(asked())
    assert len(names(tmp_path / "raw" / FOLDER)) == 5
    assert names(tmp_path / "home") == ["netrc"], "nothing is written where the login is kept"


def test_a_token_alone(archive: LoopbackArchive, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_login(monkeypatch)
    monkeypatch.setenv("EARTHDATA_TOKEN", TOKEN)
    ssm_net.download(asked())
    assert len(names(tmp_path / "raw" / FOLDER)) == 5


def test_a_token_from_a_file_of_windows_and_what_is_no_token(
    archive: LoopbackArchive, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library that sends it would print it in its error."""
    without_login(monkeypatch)
    monkeypatch.setenv("EARTHDATA_TOKEN", f"{TOKEN}\r\n{TOKEN}")
    with pytest.raises(DownloadError, match="check EARTHDATA_TOKEN") as err:
        ssm_net.download(asked())
    assert TOKEN not in str(err.value)
    monkeypatch.setenv("EARTHDATA_TOKEN", f"{TOKEN}\r\n")
    ssm_net.download(asked())


def test_no_login_says_how_to_make_one(archive: LoopbackArchive, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    without_login(monkeypatch)
    with pytest.raises(DownloadError, match=r"no Earthdata login was found\. Make an account at .* into ~/\.netrc"):
        ssm_net.download(asked())


def test_a_wrong_password_is_named_by_its_place(
    archive: LoopbackArchive, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_login(monkeypatch)
    netrc(tmp_path, word="wrong")
    with pytest.raises(DownloadError, match=r"refuses the name or the password in ~/\.netrc") as err:
        ssm_net.download(asked())
    assert "wrong" not in str(err.value) and USER not in str(err.value)


def test_an_expired_token_ends_the_download_at_once(
    archive: LoopbackArchive, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_login(monkeypatch)
    monkeypatch.setenv("EARTHDATA_TOKEN", TOKEN)
    archive.expired = True
    with pytest.raises(DownloadError, match=r"refuses the login \(401\)\. A token is valid for 60 days") as err:
        ssm_net.download(asked(connections=1))
    assert "5 files are left" in str(err.value)
    assert sum(r.server == "data" for r in archive.requests) == 1


def test_a_login_server_that_is_down_is_named(archive: LoopbackArchive, asked: Asked) -> None:
    archive.close("login")
    with pytest.raises(DownloadError, match=r"Earthdata Login \(http.*\) does not answer as it should"):
        ssm_net.download(asked())


def test_a_pool_that_asks_for_the_login_by_redirects(archive: LoopbackArchive, asked: Asked, tmp_path: Path) -> None:
    """It is no host that a token belongs to: name and password go to the login server, and to no other."""
    keys = archive.settings() | {"hosts": ["nasa.gov"]}
    ssm_net.download(asked(earthdata=keys))
    assert len(names(tmp_path / "raw" / FOLDER)) == 5
    sent = {(r.server, r.authorization) for r in archive.requests if r.authorization}
    assert sent == {("login", f"Basic {BASIC}")}


def test_another_host_never_sees_the_login(
    archive: LoopbackArchive, asked: Asked, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """Neither by a redirect, nor by an address in the catalog; and what is printed and logged does not hold it."""
    caplog.set_level(logging.DEBUG)
    elsewhere = archive.base("data").replace("127.0.0.1", "localhost")
    last = archive.granules[-1]
    signed = f"{elsewhere}/signed/{last.name}?X-Amz-Signature=abc"
    archive.granules[-1] = replace(last, url=signed)
    ssm_net.download(asked())
    strangers = [r for r in archive.requests if r.host == "localhost"]
    assert len(strangers) == 5 and not [r for r in strangers if r.authorization]
    shown = "".join(capsys.readouterr()) + caplog.text
    assert WORD not in shown and TOKEN not in shown and BASIC not in shown
    kept = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert not [p for p in kept if WORD.encode() in p.read_bytes() or TOKEN.encode() in p.read_bytes()]


def test_an_address_that_can_be_read_in_two_ways_gets_no_login(archive: LoopbackArchive, asked: Asked) -> None:
    """What stands before the backslash is the host that is asked, though a host of the archive stands behind it."""
    stranger = archive.base("data").replace("127.0.0.1", "localhost")
    first = archive.granules[0]
    archive.granules[:] = [replace(first, signed=False, url=f"{stranger}\\@127.0.0.1:80/data/{first.name}")]
    ssm_net.download(asked())
    strangers = [r for r in archive.requests if r.host == "localhost"]
    assert strangers and not [r for r in strangers if r.authorization]


def test_a_redirect_to_what_is_no_address_costs_one_file_only(archive: LoopbackArchive) -> None:
    session = ArchiveSession(EarthdataConfig(**archive.settings()), None)
    with pytest.raises(FileError, match=r"/login: ValueError"):
        session.open(f"{archive.base('data')}/login?state=https%3A%2F%2F%5Bx")


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("https://data.lpdaac.earthdatacloud.nasa.gov/x.hdf", "Bearer"),
        ("https://urs.earthdata.nasa.gov/oauth/authorize", "Basic"),
        ("https://earthdata.nasa.gov.example.com/x.hdf", None),
        ("https://notearthdata.nasa.gov/x.hdf", None),
        ("https://data.earthdata.nasa.gov@example.com/x.hdf", None),
        ("https://urs.earthdata.nasa.gov:8443/oauth", "Bearer"),
        ("http://data.gesdisc.earthdata.nasa.gov/x.nc4", None),
        ("https://d1nklfio7vscoe.cloudfront.net/s3/x.hdf?A-userid=u", None),
    ],
)
def test_who_gets_what(url: str, what: str | None) -> None:
    cfg = EarthdataConfig()
    login = EarthdataLogin(TOKEN, USER, WORD, urlsplit(cfg.login).netloc, tuple(cfg.hosts))
    header = login.header(url)
    assert (header.split()[0] if header else None) == what
    assert WORD not in repr(login) and TOKEN not in repr(login)


def test_addresses_without_encryption_are_refused(archive: LoopbackArchive, asked: Asked) -> None:
    with pytest.raises(ConfigError, match=r"earthdata\.login=http://mirror\.example: give an address .* https://"):
        EarthdataConfig(login="http://mirror.example")
    archive.granules[0] = replace(archive.granules[0], url=f"http://mirror.example/{archive.granules[0].name}")
    with pytest.raises(DownloadError, match="not an address that begins with https://; nothing was sent to it"):
        ssm_net.download(asked())
