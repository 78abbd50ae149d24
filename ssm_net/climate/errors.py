"""The error of statistics that cannot be made."""

from ssm_net.errors import SsmNetError


class ClimateError(SsmNetError):
    """A statistic cannot be made as asked; the message names the folder, the flag or the years, and the remedy."""
