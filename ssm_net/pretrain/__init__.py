"""Pretraining: networks that learn from the truth of simulated worlds."""

from ssm_net.core.verbs import callable_package
from ssm_net.pretrain.run import pretrain

__all__ = ["pretrain"]

callable_package(__name__)
