"""Statistics of daily maps over time: monthly means, climatology, anomalies and percentiles, each in CF files."""

from ssm_net.climate.run import climate
from ssm_net.core.verbs import callable_package

__all__ = ["climate"]

callable_package(__name__)
