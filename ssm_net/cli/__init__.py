"""The command ``ssm-net COMMAND key=value ...``, and the same for the scripts at the top of the repository."""

from ssm_net.cli.command import command, main
from ssm_net.cli.composition import composed, settings
from ssm_net.cli.run import run_verb

__all__ = ["command", "composed", "main", "run_verb", "settings"]
