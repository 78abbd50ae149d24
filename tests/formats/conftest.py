"""The mosaic that the tests of formats write and read."""

import pytest
from one_day import mosaic_of_a_day

from ssm_net.formats.product import Mosaic


@pytest.fixture(scope="module")
def mosaic() -> Mosaic:
    return mosaic_of_a_day()
