"""A trained model on disk: ``model.pt`` holds the weights, ``model.json`` all that is needed to use them.

Loading unpickles nothing but tensors (``weights_only``).
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ssm_net.config import ModelConfig
from ssm_net.core.faults import FaultPoint, reached
from ssm_net.cube.json_files import write_json
from ssm_net.errors import SsmNetError
from ssm_net.estimators.calibration import Calibration
from ssm_net.inputs import features
from ssm_net.inputs.scaling import Scaling
from ssm_net.model.network import Committee, Downscaler, NetworkSize

SHIPPED_PRIOR = Path(__file__).parents[1] / "prior"  # networks trained on simulated worlds, part of the package


DESCRIBED = ("digest", "scaling", "model", "calibration", "ratio", "footprint", "fwhm", "mean_ssm", "provenance")


class ModelError(SsmNetError):
    """No trained model in a folder, or one that does not fit the cube; the message names the remedy."""


@dataclass(frozen=True)
class Trained:
    """Networks and all that is needed to use them.

    ``calibration`` turns the variance they state into the one measured on withheld observations, of maps that know the
    ``lookahead`` days after their own. ``mean_ssm`` is the mean of the observations that the networks were trained on,
    ``usual_ssm`` that of those that networks of a prior were adapted to, None where they were not (m3 m-3).
    """

    network: Committee
    scaling: Scaling
    model: ModelConfig
    ratio: int
    footprint: str
    fwhm: float
    mean_ssm: float
    calibration: Calibration
    provenance: dict[str, Any]
    digest: str = ""
    lookahead: int = 0
    usual_ssm: float | None = None


def build(model: ModelConfig, scaling: Scaling, mean_ssm: float) -> Committee:
    """Networks of the size ``model`` with new weights for the features of ``scaling``; ``mean_ssm`` in m3 m-3."""
    size = NetworkSize(
        features=len(scaling.names), groups=len(features.GROUPS), lags=model.lags + 1,
        lookahead=model.lookahead, kernel=model.kernel, width=model.width, depth=model.depth,
        coarse_width=model.coarse_width, coarse_depth=model.coarse_depth, cells=model.cells, dropout=model.dropout,
    )  # fmt: skip
    of_features = features.group_numbers(scaling.names)
    return Committee(Downscaler(size, mean_ssm, of_features) for _ in range(model.members))


def save_trained(run: Path, trained: Trained) -> None:
    """Weights first, then the JSON that names their hash: a model is there when its JSON is."""
    part = run / "model.pt.part"
    torch.save({k: v.contiguous() for k, v in trained.network.state_dict().items()}, part)
    reached(FaultPoint.WEIGHTS_WRITTEN_NOT_RENAMED, run)
    os.replace(part, run / "model.pt")
    reached(FaultPoint.WEIGHTS_WITHOUT_DESCRIPTION, run)
    meta = {k: getattr(trained, k) for k in (
        "ratio", "footprint", "fwhm", "mean_ssm", "provenance", "lookahead", "usual_ssm")}  # fmt: skip
    meta |= {k: asdict(getattr(trained, k)) for k in ("scaling", "model", "calibration")}
    meta["digest"] = _digest(run / "model.pt")
    write_json(run / "model.json", meta)


def load_trained(run: str | Path) -> Trained:
    """Raises ``ModelError`` where training has not finished in ``run``, its files do not belong together, or its
    networks are those of another version."""
    run = Path(run)
    if not (run / "model.json").exists():
        raise ModelError(f"{run} holds no finished model; train one, or go on: python train.py cube=CUBE run={run}")
    meta = _description(run / "model.json")
    if not (run / "model.pt").exists() or _digest(run / "model.pt") != meta["digest"]:
        raise ModelError(f"{run}/model.pt is not the file that model.json describes; train again with restart=true")
    weights = load_tensors(run / "model.pt", "train again with restart=true")
    if bad := [key for key, value in weights.items() if not torch.isfinite(value).all()]:
        raise ModelError(f"{run}/model.pt: {len(bad)} of {len(weights)} tensors of weights hold NaN or infinity "
                         f"({bad[0]} ..), so its maps would be empty: train again with restart=true")  # fmt: skip
    try:
        scaling = Scaling.from_json(meta.pop("scaling"))
        model = ModelConfig(**meta.pop("model"))
        meta["calibration"] = Calibration(**meta["calibration"])
        network = build(model, scaling, meta["mean_ssm"])
        network.load_state_dict(weights)
        network.take_as_usual(meta.get("usual_ssm"))
    except (KeyError, TypeError, RuntimeError) as err:
        made = meta.get("provenance", {}).get("ssm_net", "unknown")
        raise ModelError(f"{run} holds networks of another version of ssm_net ({made}), which this one cannot use: "
                         "train with restart=true, or with a prior of this version") from err  # fmt: skip
    return Trained(network.eval(), scaling, model, **meta)


def _description(file: Path) -> dict[str, Any]:
    """What model.json states. Raises ``ModelError`` where it is damaged."""
    try:
        meta = json.loads(file.read_bytes())
        if not isinstance(meta, dict):
            raise ValueError("it holds no JSON object")
        if missing := [key for key in DESCRIBED if key not in meta]:
            raise ValueError(f"it states no {', '.join(missing)}")
    except ValueError as err:
        raise ModelError(
            f"{file} is damaged ({err}): copy the model again from where it came, or train again with restart=true"
        ) from err
    return meta


def load_tensors(file: Path, remedy: str) -> dict[str, Any]:
    """What ``torch.save`` wrote into a file; tensors, numbers and text alone are loaded, no code is run. Raises
    ``ModelError`` with the remedy where it is damaged, or holds more."""
    try:
        loaded = torch.load(file, map_location="cpu", weights_only=True)
        if not isinstance(loaded, dict):
            raise ValueError(f"it holds a {type(loaded).__name__}")
    except pickle.UnpicklingError as err:
        raise ModelError(f"{file} is damaged, or holds code, which is not run: {remedy}") from err
    except (RuntimeError, EOFError, ValueError, KeyError, OSError, TypeError, AttributeError, IndexError) as err:
        raise ModelError(f"{file} is damaged ({str(err).splitlines()[0] if str(err) else type(err).__name__}): "
                         f"{remedy}") from err  # fmt: skip
    return loaded


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
