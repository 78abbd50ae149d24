"""The families of worlds."""

from ssm_net.simulate.physics import FAMILY_A, Laws

FAMILIES: dict[str, Laws] = {law.name: law for law in (FAMILY_A,)}
