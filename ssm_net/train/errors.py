"""The error of training that a user can act on."""

from __future__ import annotations

from ssm_net.errors import SsmNetError


class TrainingError(SsmNetError):
    """The cube cannot be trained on; the message says what is missing."""
