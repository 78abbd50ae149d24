"""How complete the product is: a count of pixels a month, from its own flags."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ssm_net.evaluation.statistics import Sums
from ssm_net.formats.product import Flag, Mosaic


@dataclass(frozen=True)
class Coverage(Sums):
    """Numbers of days and of land pixels in each state."""

    days: int
    land: int
    frozen: int  # frozen or under snow
    produced: int
    produced_thawed: int  # produced, of land not frozen
    observed: int  # the coarse cell was observed
    gap: int
    lst_seen: int
    lst_filled: int
    extrapolated: int

    @classmethod
    def of(cls, mosaic: Mosaic) -> Coverage:
        def has(flag: Flag) -> np.ndarray:
            return (mosaic.flags & int(flag)) > 0

        land, frozen, value = ~has(Flag.WATER), has(Flag.FROZEN_OR_SNOW), np.isfinite(mosaic.ssm)
        made = land & value
        count = [land, land & frozen, made, made & ~frozen]
        lineage = (Flag.COARSE_OBSERVED, Flag.ORBIT_GAP_FILLED, Flag.LST_SEEN, Flag.LST_FILLED, Flag.EXTRAPOLATED)
        count += [made & has(flag) for flag in lineage]
        return cls(1, *(int(np.count_nonzero(c)) for c in count))

    def row(self) -> dict[str, float | int]:
        """Per cent of land pixels, but ``produced of thawed land``: per cent of the land that is not frozen."""

        def percent(part: int, whole: int) -> float:
            return 100 * part / whole if whole else float("nan")

        return {
            "days": self.days,
            "land pixels": round(self.land / self.days),
            "produced": percent(self.produced, self.land),
            "produced of thawed land": percent(self.produced_thawed, self.land - self.frozen),
            "masked": percent(self.land - self.produced, self.land),
            "frozen or snow": percent(self.frozen, self.land),
            "coarse observed": percent(self.observed, self.land),
            "orbit gap filled": percent(self.gap, self.land),
            "LST seen": percent(self.lst_seen, self.land),
            "LST filled": percent(self.lst_filled, self.land),
            "extrapolated": percent(self.extrapolated, self.land),
        }
