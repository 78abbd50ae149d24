import pytest

from ssm_net.grid import Domain
from ssm_net.ingest.modis_tiles import tile_names
from ssm_net.simulate.writers.sinusoidal import sinusoidal_tiles as tiles_written

WINDOWS = [(70, 74, 774, 778), (336, 340, 962, 966), (68, 76, 772, 780), (100, 104, 700, 704), (40, 48, 720, 728)]


@pytest.mark.parametrize("window", WINDOWS)
def test_a_domain_needs_the_tiles_that_a_simulated_world_fills(window):
    domain = Domain("part", window)
    assert tile_names(domain) == {tile.name for tile in tiles_written(domain, 1200)}


def test_a_domain_across_a_seam_needs_both_sides():
    assert len(tile_names(Domain("seam", (70, 74, 774, 778)))) == 2
