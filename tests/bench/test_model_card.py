"""The model card says of the shipped prior what its files say today."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "bench"))  # scripts, not a package
import model_card  # noqa: E402


def stored(path: str) -> dict:
    return json.loads((ROOT / path).read_text(encoding="utf-8"))


def test_the_card_is_of_the_prior_that_ships() -> None:
    """Whoever decides by the card decides by figures of these weights, not of those before."""
    model, families = stored("ssm_net/prior/model.json"), stored("bench/results/families.json")
    assert families["prior"] == model["digest"], "run bench/families.py again"
    text = model_card.page(model, families, stored("bench/results/ground.json"))
    assert text == model_card.PAGE.read_text(encoding="utf-8"), "run python bench/model_card.py"
    assert model["digest"] in text and "must not be used for" in text
