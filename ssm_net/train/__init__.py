"""Training: a cube's coarse observations teach the networks."""

from ssm_net.core.verbs import callable_package
from ssm_net.train.run import train

__all__ = ["train"]

callable_package(__name__)
