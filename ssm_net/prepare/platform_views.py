"""LST of a day by platform, and which platform the day prefers.

A cube begins with one platform, and its LST is what all others are fitted to. The others fill its gaps, and one of them
goes first where the first one has no files any more, or has drifted away from the hour of the product: as it was fitted
until then, so that the record goes on without a step.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from ssm_net.core.clock import HOURS
from ssm_net.core.platforms import PLATFORMS, Platform
from ssm_net.cube.store import Cube
from ssm_net.ingest.products import product
from ssm_net.prepare.products import by_platform, other_places
from ssm_net.prepare.read_day import ObservedDay, Views

DRIFTED = 0.75  # h farther from the hour of the product than another platform: that one then goes first


@dataclass(frozen=True)
class PlatformViews:
    """LST of one overpass by one platform: ``observed`` is None where it has no files; ``platform`` None where the
    product does not tell which it is."""

    platform: Platform | None
    observed: Views | None

    def hour(self, overpass: str, day: dt.date) -> float:
        """The local solar hour at which it passes, that of the product where it is not known."""
        return HOURS[overpass] if self.platform is None else self.platform.hour(overpass, day)

    def off(self, overpass: str, day: dt.date) -> float:
        """By how many hours that is another one than that of the product."""
        return 0.0 if self.platform is None else self.platform.off(overpass, day)


def views_of(cube: Cube, observed: ObservedDay, k: str) -> list[PlatformViews]:
    """LST of the overpass ``k`` by each platform of ``cube``, the one that it began with first."""
    lst, others = cube.attrs.get("lst", "").split(), by_platform(cube.attrs.get("other_lst", "").split())
    entry = product(lst[0]) if lst else None
    first = PlatformViews(PLATFORMS.get(entry.platform) if entry is not None else None, observed.lst.get(k))
    of_others = observed.other_lst.get(k, {})
    return [first, *(PlatformViews(PLATFORMS[name], of_others.get(name)) for name in others)]


def in_order(views: Sequence[PlatformViews], k: str, day: dt.date, *, fixed: bool = False) -> list[int]:
    """The places of the platforms as ``day`` prefers them: those with files before those without, the one that the cube
    began with before the others, unless it has ``DRIFTED`` and they have not; ``fixed``: as they are."""
    places = list(range(len(views)))
    if fixed:
        return places
    off = [v.off(k, day) for v in views]
    least = min((off[n] for n in places if views[n].observed is not None), default=0.0)
    return sorted(places, key=lambda n: (views[n].observed is None, off[n] if off[n] > least + DRIFTED else 0.0, n))


def offset_names(cube: Cube, k: str) -> list[str]:
    """The variables with the offset of each platform, in the order of ``views_of``."""
    places = other_places(cube.attrs.get("other_lst", "").split())
    return [f"lst_{k}_target_offset", *(f"lst_{k}_platform_offset{place}" for place in places)]


def is_observed(cube: Cube, observed: ObservedDay, kind: str) -> bool:
    """Whether there is an observation of a kind; of LST also that of a platform that stands in."""
    if not kind.startswith("lst_"):
        return getattr(observed, kind) is not None
    k = kind.removeprefix("lst_")
    standing_in = observed.other_lst.get(k, {}).values() if f"{kind}_target_offset" in cube.coarse else ()
    return observed.lst.get(k) is not None or any(views is not None for views in standing_in)
