"""The recipes of docs/operating.md: whoever copies one gets a command that is accepted, and a unit that is whole."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ssm_net.cli.composition import composed
from ssm_net.config import ProduceConfig, load

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
COMMAND = re.compile(r"ssm-net produce ([^\n>&]*)")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.M | re.S)


@pytest.mark.usefixtures("fresh_hydra")
@pytest.mark.parametrize("keys", COMMAND.findall(PAGE))
def test_every_command_has_keys_that_are_known(keys: str) -> None:
    cfg = load(ProduceConfig, composed("produce", shlex.split(keys)))
    assert cfg.domain.window is not None


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    service, timer = blocks("ini")
    assert "Type=oneshot" in service and "OnCalendar" in timer
    service = re.sub(r"ExecStart=\S+", f"ExecStart={sys.executable}", service).replace("/data/record", str(tmp_path))
    for name, text in (("ssm-net.service", service), ("ssm-net.timer", timer)):
        (tmp_path / name).write_text(text)
    units = [str(tmp_path / name) for name in ("ssm-net.service", "ssm-net.timer")]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "ssm-net" in line]
    assert not ours, ours


def test_the_scripts_are_bash(tmp_path: Path) -> None:
    scripts = [text for text in blocks("bash") if text.startswith("#!")]
    assert scripts
    for text in scripts:
        subprocess.run(["bash", "-n"], input=text, text=True, check=True)
    assert "scontrol requeue" in scripts[-1]
