"""The errors that a user can act on: their message names the file, the variable or the setting, and the remedy."""

from __future__ import annotations


class SsmNetError(ValueError):
    """Base of all errors that ``ssm_net`` raises on purpose; any other exception is a defect and keeps its trace."""


class ConfigError(SsmNetError):
    """A setting is unknown, missing, of the wrong type or out of range."""
