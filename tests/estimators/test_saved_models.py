"""A trained model on disk is what it was when it was saved, or an error that says what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from ssm_net.config import ModelConfig
from ssm_net.estimators.calibration import Calibration
from ssm_net.estimators.checkpoint import ModelError, Trained, build, load_trained, save_trained
from ssm_net.inputs.scaling import Scaling

MODEL = ModelConfig(members=2, width=8, depth=1, coarse_width=8, coarse_depth=1, cells=True, lags=3)
SCALING = Scaling(("ndvi", "sand"), (0.3, 40.0), (0.2, 10.0), (-0.1, 5.0), (0.9, 90.0), "2016-04-01", "2016-04-30",
                  absent=("sand",))  # fmt: skip


@pytest.fixture
def saved(tmp_path: Path) -> Trained:
    torch.manual_seed(0)
    network = build(MODEL, SCALING, 0.2).eval()
    for member in network:
        member.slopes.copy_(torch.tensor([0.01, -0.02]))
    trained = Trained(network, SCALING, MODEL, 36, "gaussian", 43.0, 0.2, Calibration(), {"ssm_net": "0.2.0"})
    save_trained(tmp_path, trained)
    return trained


def test_a_model_is_read_back_as_it_was(saved: Trained, tmp_path: Path) -> None:
    """Regional slopes and the range of each feature included: without them its maps would be others."""
    again = load_trained(tmp_path)
    assert again.scaling == saved.scaling and again.model == saved.model and again.provenance == saved.provenance
    want = saved.network.state_dict()
    assert again.network.state_dict().keys() == want.keys() and any(k.endswith("slopes") for k in want)
    assert all(torch.equal(value, want[key]) for key, value in again.network.state_dict().items())
    assert not again.network.training


@pytest.mark.parametrize("lost", ["low", "high"])
def test_a_model_without_the_range_of_its_features_is_of_another_version(
    lost: str, saved: Trained, tmp_path: Path
) -> None:
    meta = json.loads((tmp_path / "model.json").read_text())
    del meta["scaling"][lost]
    (tmp_path / "model.json").write_text(json.dumps(meta))
    with pytest.raises(ModelError, match=r"another version of ssm_net \(0\.2\.0\).*restart=true"):
        load_trained(tmp_path)


def test_weights_of_another_network_are_of_another_version(saved: Trained, tmp_path: Path) -> None:
    meta = json.loads((tmp_path / "model.json").read_text())
    meta["model"]["width"] = 16
    (tmp_path / "model.json").write_text(json.dumps(meta))
    with pytest.raises(ModelError, match="another version"):
        load_trained(tmp_path)


def test_a_folder_without_a_model_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"train\.py cube=CUBE run="):
        load_trained(tmp_path)
