"""The packages of the wheel: those of ``ssm_net`` and ``conf/``, which ``pyproject.toml`` maps to ``ssm_net/conf``."""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["ssm_net*"]), "ssm_net.conf"])
