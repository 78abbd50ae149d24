"""The version of the package, of its maps' attributes and of its wheel."""

__version__ = "0.2.0"
