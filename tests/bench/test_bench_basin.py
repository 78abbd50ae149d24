"""``make basin``: the archive on this machine serves a world's files under names that download knows."""

import subprocess
import sys
from pathlib import Path

import pytest
import road

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))  # scripts, not a package
import basin

from ssm_net.download.archive_products import chosen_products
from ssm_net.grid import Domain
from ssm_net.simulate import simulate
from ssm_net.simulate.world.land import Maps
from ssm_net.simulate.writers import static_tiles

ROOT = Path(__file__).parents[2]


def water_alone(folder: Path, domain: Domain, maps: Maps) -> None:
    """Of the static maps only the one that is downloaded: writing tiles of the others takes most of the time."""
    static_tiles.write_mod44w(folder, static_tiles.FineMap(domain, maps.water))


def test_what_is_downloaded_is_served_and_the_rest_is_put_there_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(static_tiles, "write_static_tiles", water_alone)
    monkeypatch.setattr("ssm_net.simulate.native_files.SPIN_UP", 0)  # of the days whose rain is written
    tiny_raw = simulate(road.simulation(tmp_path / "raw", end=road.START, **basin.WORLD))
    products = chosen_products(list(basin.PRODUCTS), basin.START, basin.END)
    known = {collection.short_name for product in products for collection in product.collections}
    granules = list(basin.served(tiny_raw))
    have = {"LPRM_AMSR2_D_SOILM3", "VNP21A1D", "VNP21A1N", "VNP43MA4", "GPM_3IMERGDF", "MOD44W"}
    assert have <= {g.collection[0] for g in granules} and have <= known
    assert {g.collection[0] for g in granules if not g.signed} <= {"GPM_3IMERGDF", "LPRM_AMSR2_D_SOILM3"}
    assert all((tiny_raw / name).is_dir() for name in basin.BY_HAND)


@pytest.mark.slow
def test_from_an_empty_folder_to_maps(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "bench" / "basin.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "files are wanted, and came as they are there" in done.stdout
    assert "30 daily maps in" in done.stdout
