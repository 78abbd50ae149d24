"""Error of ``prepare`` that a user can act on."""

from __future__ import annotations

from ssm_net.errors import SsmNetError


class PrepareError(SsmNetError):
    """The granules or static maps in raw/ do not allow what was asked for; the message names the remedy."""
