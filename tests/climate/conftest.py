"""One record of maps for all tests of this folder."""

from pathlib import Path

import pytest
from made_once import made_once
from years_of_maps import write_record


@pytest.fixture(scope="session")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The record of ``years_of_maps.py``. Read only."""
    return made_once(tmp_path_factory, "years_of_maps", write_record)
