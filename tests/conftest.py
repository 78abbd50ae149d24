"""Fixtures that every test folder shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_dir() -> Path:
    """The folder of real observations; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("SSM_NET_REAL", Path(__file__).parents[2] / "shared" / "real"))
    if not folder.is_dir():
        pytest.skip(f"no real observations at {folder}; set SSM_NET_REAL to the folder that holds them")
    return folder
