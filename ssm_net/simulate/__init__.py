"""A synthetic world with known truth, written in the archives' own file formats."""

from ssm_net.core.verbs import callable_package
from ssm_net.simulate.run import simulate

__all__ = ["simulate"]

callable_package(__name__)
