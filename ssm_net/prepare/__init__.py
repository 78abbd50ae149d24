"""Native granules onto the grid and into the cube."""

from ssm_net.core.verbs import callable_package
from ssm_net.prepare.run import prepare

__all__ = ["prepare"]

callable_package(__name__)
