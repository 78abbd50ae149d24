"""Inference: one mosaic a day from trained networks or a classical downscaler."""

from ssm_net.core.verbs import callable_package
from ssm_net.infer.run import infer

__all__ = ["infer"]

callable_package(__name__)
