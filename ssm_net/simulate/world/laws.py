"""The families of synthetic worlds by name, and worlds drawn between them.

A family is one letter. Several letters stand for a draw: each law is taken from one of those families, and every number
is drawn from a range around theirs. Worlds with one of the letters D, E and F are wide: their traits are drawn, too.
Networks are pre-trained on such worlds, so that they rely on what holds in all of them. A family that a network is to
be evaluated on must not be among the letters.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ssm_net.errors import ConfigError
from ssm_net.simulate.world.fields import stream
from ssm_net.simulate.world.physics import FAMILY_A, Laws
from ssm_net.simulate.world.physics_b import FAMILY_B
from ssm_net.simulate.world.physics_c import FAMILY_C
from ssm_net.simulate.world.physics_d import FAMILY_D
from ssm_net.simulate.world.physics_e import FAMILY_E
from ssm_net.simulate.world.physics_f import FAMILY_F
from ssm_net.simulate.world.traits import Range, draw_traits

FAMILIES: dict[str, Laws] = {law.name: law for law in (FAMILY_A, FAMILY_B, FAMILY_C, FAMILY_D, FAMILY_E, FAMILY_F)}
# The climates of the wide families, where they are narrower than the Earth's: ranges of ``ClimateTraits``.
WIDE: dict[str, dict[str, Range]] = {
    "D": {"moist": (0.1, 0.65), "rain": (0.5, 1.1), "warmth": (-2.0, 4.0)},
    "E": {"moist": (0.5, 1.0), "rain": (0.9, 1.5), "rain_season": (0.0, 0.95), "cloud_season": (0.0, 0.25)},
    "F": {"moist": (0.0, 0.4), "rain": (0.3, 0.9), "warmth": (-7.0, 2.0), "continental": (0.9, 1.5),
          "altitude": (300.0, 2200.0)},
}  # fmt: skip
LAWS = ("soil", "efficiency", "drainage", "runoff", "cover", "mix", "rain", "cloud", "cloud_nu")

# Factors by which numbers are multiplied, drawn evenly in the logarithm.
FACTORS = {
    "demand": 1.35, "heating": 1.4, "canopy_heating": 1.8, "night_cooling": 1.6, "darkening": 1.5, "response": 2.0,
    "response_days": 1.5, "transpiration": 1.6, "roughness": 1.8, "gust": 1.8, "sunny_side": 1.8, "lst_error": 1.4,
    "soil_colour": 1.6, "rain_amount": 1.4, "rain_error": 1.5, "relief": 2.0, "texture": 1.6, "irrigated": 2.0,
    "irrigation": 1.8,
}  # fmt: skip
SENSOR_FACTORS = {"noise": 1.3, "bias": 1.4, "gain": 2.0, "water": 1.5}


def laws_of(family: str, seed: int) -> Laws:
    """The laws of a family, or some drawn by ``seed`` between several. Raises ``ConfigError`` for unknown letters."""
    if unknown := sorted(set(family) - set(FAMILIES)) or not family:
        raise ConfigError(f"family={family}: {unknown or 'nothing'} is not a family; choose of {', '.join(FAMILIES)}")
    letters = sorted(set(family))
    laws = FAMILIES[family] if len(family) == 1 else _between(family, letters, seed)
    wide = [letter for letter in letters if letter in WIDE]
    if not wide:
        return laws
    rng = stream(seed, f"traits of {''.join(letters)}")
    return replace(laws, traits=draw_traits(rng, WIDE[wide[rng.integers(len(wide))]]))


def _between(family: str, letters: list[str], seed: int) -> Laws:
    """Laws drawn between families."""
    pool = [FAMILIES[letter] for letter in letters]
    rng = stream(seed, f"laws of {''.join(letters)}")

    def around(x: float, factor: float) -> float:
        return float(x * np.exp(rng.uniform(-1, 1) * np.log(factor)))

    def one() -> Laws:
        return pool[rng.integers(len(pool))]

    drawn = {name: getattr(one(), name) for name in LAWS}
    drawn |= {name: around(getattr(one(), name), factor) for name, factor in FACTORS.items()}
    sensor = one().sensor  # its orbit and beam belong together
    errors: dict[str, Any] = {name: around(getattr(sensor, name), f) for name, f in SENSOR_FACTORS.items()}
    sensor = replace(sensor, **errors)
    cover = float(np.clip(one().cloud_cover + rng.uniform(-0.08, 0.08), 0.3, 0.7))
    if any(letter in WIDE for letter in letters):
        below = one()
        drawn |= {
            "leak": below.leak,
            "restore": around(below.restore, 2.0),
            "root_depth": around(below.root_depth, 1.8),
        }
    return Laws(family, **drawn, cloud_cover=cover, moist=float(rng.uniform(-0.15, 0.15)), sensor=sensor)
