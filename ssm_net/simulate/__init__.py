"""A synthetic world with known truth, written in the archives' own file formats."""

from ssm_net.simulate.run import simulate

__all__ = ["simulate"]
