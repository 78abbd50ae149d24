"""Evaluation: mosaics against truth, stations, coarse observations and baselines."""

from ssm_net.core.verbs import callable_package
from ssm_net.evaluate.run import evaluate

__all__ = ["evaluate"]

callable_package(__name__)
