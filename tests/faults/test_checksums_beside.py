"""Q4: checksums beside a file, in the forms that archives give them: a file that has changed is not read."""

from __future__ import annotations

import hashlib
import re
import zlib
from pathlib import Path

import pytest

from ssm_net.ingest.checksums import check_sums, cksum
from ssm_net.ingest.raster import GranuleError


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


ECS = (
    "<GranuleURMetaData><DataFiles><DataFileContainer><DistributedFileName>{name}</DistributedFileName>"
    "<FileSize>{size}</FileSize><ChecksumType>{kind}</ChecksumType><Checksum>{sum}</Checksum>"
    "</DataFileContainer></DataFiles></GranuleURMetaData>"
)
ECHO = (
    "<Granule><DataGranule><Checksum><Value>{sum}</Value><Algorithm>{kind}</Algorithm></Checksum></DataGranule>"
    "</Granule>"
)
UMM = (
    '{{"DataGranule": {{"ArchiveAndDistributionInformation": [{{"Name": "{name}.xml", "Checksum": {{"Value": "0", '
    '"Algorithm": "MD5"}}}}, {{"Name": "{name}", "Checksum": {{"Value": "{sum}", "Algorithm": "{kind}"}}}}]}}}}'
)
ODL = 'OBJECT = CHECKSUMTYPE\n NUM_VAL = 1\n VALUE = "{kind}"\nEND_OBJECT = CHECKSUMTYPE\n' \
      'OBJECT = CHECKSUM\n NUM_VAL = 1\n VALUE = "{sum}"\nEND_OBJECT = CHECKSUM\n'  # fmt: skip
BESIDE = [
    ("a.hdf.xml", ECS, "CKSUM"),
    ("a.hdf.xml", ECS, "MD5"),
    ("a.cmr.xml", ECHO, "SHA-256"),
    ("a.hdf.cmr.xml", ECHO, "MD5"),
    ("a.cmr.json", UMM, "MD5"),
    ("a.hdf.met", ODL, "CKSUM"),
    ("a.met", ODL, "MD5"),
    ("a.hdf.md5", "{sum}  {name}\n", "MD5"),
    ("a.hdf.md5", "MD5 ({name}) = {sum}\n", "MD5"),
    ("a.md5", "{sum}\n", "MD5"),
    ("a.hdf.sha256", "{sum} *./x/{name}\n", "SHA-256"),
    ("a.hdf.xml", ECS, "CRC32"),
]


@pytest.mark.parametrize(("beside", "text", "kind"), BESIDE, ids=lambda v: v if len(v) < 20 else "")
def test_a_checksum_beside_a_file_counts(beside: str, text: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.hdf"
    data = bytes(range(256)) * 5000
    path.write_bytes(data)
    own = {"CKSUM": cksum(path), "MD5": md5(data), "SHA-256": sha256(data), "CRC32": f"{zlib.crc32(data):08X}"}[kind]
    (tmp_path / beside).write_text(text.format(name="a.hdf", size=len(data), kind=kind, sum=own))
    check_sums(path)
    path.write_bytes(data[:4000] + b"\0" + data[4001:])
    with pytest.raises(GranuleError, match=rf"a\.hdf.*{re.escape(beside)} beside it states {own.lower()}.*again"):
        check_sums(path)


@pytest.mark.parametrize("text", ["", "<xml", "{", ECS.format(name="b.hdf", size=1, kind="MD5", sum="0" * 32),
                                  ECS.format(name="a.hdf", size=1, kind="WHIRL", sum="12")])  # fmt: skip
def test_what_states_no_checksum_of_the_file_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.hdf").write_bytes(b"x")
    (tmp_path / "a.hdf.xml").write_text(text)
    (tmp_path / "a.cmr.json").write_text(text)
    check_sums(tmp_path / "a.hdf")
