"""Series of soil moisture at points, and means over areas with their uncertainty, from daily maps."""

from ssm_net.core.verbs import callable_package
from ssm_net.extract.run import extract

__all__ = ["extract"]

callable_package(__name__)
