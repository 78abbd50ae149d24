"""One tiny world for all tests of this folder."""

from pathlib import Path

import pytest
from tinyworld import settings

from ssm_net.simulate import simulate


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(settings(tmp_path_factory.mktemp("world") / "raw"))
