"""The classical estimators by name."""

from __future__ import annotations

import importlib.util

from ssm_net.cube.store import Cube
from ssm_net.estimators.bilinear import Bilinear
from ssm_net.estimators.dispatch import Dispatch
from ssm_net.estimators.gwr import GWR
from ssm_net.estimators.interface import Estimator, EstimatorError
from ssm_net.estimators.ridge import Ridge
from ssm_net.estimators.training_set import TrainingSet


def baseline(method: str, cube: Cube) -> Estimator:
    """A classical estimator for this cube; ``gwr``, ``forest`` and ``ridge`` are fitted to it now.

    Raises ``EstimatorError`` where the cube or the installation lacks what it needs.
    """
    if method == "bilinear":
        return Bilinear(cube.domain.ratio)
    if method == "dispatch":
        if missing := {"lst_day", "nir", "red"} - set(cube.fine):
            raise EstimatorError(f"dispatch needs {', '.join(sorted(missing))}, which {cube.path} does not hold")
        return Dispatch(cube.domain.ratio, elevation="elevation" in cube.static)
    if method == "gwr":
        return GWR(TrainingSet.of(cube))
    if method == "ridge":
        return Ridge(TrainingSet.of(cube))
    if method == "forest":
        if importlib.util.find_spec("sklearn") is None:
            raise EstimatorError("method=forest needs scikit-learn: pip install 'ssm_net[eval]'")
        from ssm_net.estimators.forest import Forest

        return Forest(TrainingSet.of(cube))
    raise EstimatorError(f"method {method!r} is no baseline: choose bilinear, dispatch, gwr, forest or ridge")
