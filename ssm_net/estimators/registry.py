"""The classical estimators by name."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

from ssm_net.cube.store import Cube
from ssm_net.estimators.coarse_to_fine import GWR, Forest
from ssm_net.estimators.interface import Estimator
from ssm_net.estimators.interpolation import Bilinear, Dispatch
from ssm_net.estimators.ridge import Ridge
from ssm_net.estimators.training_set import TrainingSet


def baseline(method: str, cube: Cube) -> Estimator:
    """A classical estimator for this cube. Raises ``ValueError`` where the cube lacks what it needs."""
    if method == "bilinear":
        return Bilinear(cube.domain.ratio)
    if method == "dispatch":
        if missing := {"lst_day", "nir", "red"} - set(cube.fine):
            raise ValueError(f"dispatch needs {', '.join(sorted(missing))}, which {cube.path} does not hold")
        return Dispatch(cube.domain.ratio, elevation="elevation" in cube.static)
    if method in ("gwr", "forest", "ridge"):
        return fitted(method, cube)
    raise ValueError(f"method {method!r} is no baseline: choose bilinear, dispatch, gwr, forest or ridge")


def fitted(method: str, cube: Cube) -> Estimator:
    """``gwr``, ``forest`` or ``ridge``, fitted to this cube. Raises ``ValueError`` where it cannot be."""
    if method == "forest" and importlib.util.find_spec("sklearn") is None:
        raise ValueError("method=forest needs scikit-learn: pip install 'ssm_net[eval]'")
    training_set = TrainingSet.of(cube)
    makers: dict[str, Callable[[TrainingSet], Estimator]] = {"gwr": GWR, "forest": Forest, "ridge": Ridge}
    return makers[method](training_set)
