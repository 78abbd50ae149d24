"""Packages that are called like the function they are named after."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class VerbPackage(ModuleType):
    """``ssm_net.infer(cfg)`` is ``ssm_net.infer.infer(cfg)``.

    Python binds ``ssm_net.infer`` to the package as soon as anything imports a module below it, so a function of the
    same name next to it would be there or not by the order of imports. A package that can be called is both.
    """

    def __call__(self, cfg: Any) -> Any:
        return getattr(self, self.__name__.rpartition(".")[2])(cfg)


def callable_package(name: str) -> None:
    """Make the package ``name``, which exports a function of its own name, callable."""
    sys.modules[name].__class__ = VerbPackage
