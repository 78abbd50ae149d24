"""The families of worlds, by name."""

from ssm_net.simulate.physics import FAMILY_A, Laws
from ssm_net.simulate.physics_b import FAMILY_B

FAMILIES: dict[str, Laws] = {law.name: law for law in (FAMILY_A, FAMILY_B)}
