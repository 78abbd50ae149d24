"""The files that ``prepare`` needs, from the archives into ``raw/``."""

from ssm_net.core.verbs import callable_package
from ssm_net.download.run import download

__all__ = ["download"]

callable_package(__name__)
