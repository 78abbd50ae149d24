"""The error of an extraction that cannot be done."""

from ssm_net.errors import SsmNetError


class ExtractError(SsmNetError):
    """Nothing can be extracted as asked; the message names the file, the column or the place, and the remedy."""
