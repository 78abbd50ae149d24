"""A record of maps that is made day after day, on bounded disk, and added to by the same command."""

from ssm_net.core.verbs import callable_package
from ssm_net.produce.run import produce

__all__ = ["produce"]

callable_package(__name__)
