"""Products of raw/ that a cube is made of: chosen for a new cube, stored with it, and kept for days added later."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ssm_net.config import PrepareConfig, days_between
from ssm_net.core.clock import OVERPASSES
from ssm_net.core.platforms import VIIRS, platform
from ssm_net.cube.store import open_cube
from ssm_net.cube.variables import API_DAYS, FINE, REFLECTANCE_BANDS
from ssm_net.errors import ConfigError
from ssm_net.ingest.catalog import Catalog, RawFiles, find_files
from ssm_net.ingest.other_kinds import other_kind
from ssm_net.ingest.products import Product, Role, of_role, product

log = logging.getLogger(__name__)

STAND_INS = ("other_lst", "other_reflectance")
ROLES: tuple[Role, ...] = ("ssm", "lst", "reflectance", "rain", "reanalysis")
NEAR = 0.5  # h: platforms whose hours differ by less pass at the same hour


@dataclass(frozen=True)
class CubeProducts:
    """The products of each role that the archive holds for this cube; an empty tuple where there is none."""

    ssm: tuple[str, ...]
    lst: tuple[str, ...]
    reflectance: tuple[str, ...]
    rain: tuple[str, ...]
    reanalysis: tuple[str, ...] = ()
    other_lst: tuple[str, ...] = ()  # of the other platforms, the better one first: their views fill gaps of ``lst``
    other_reflectance: tuple[str, ...] = ()  # which stands in on days without ``reflectance``

    def names(self) -> set[str]:
        """All of them."""
        used = {*self.ssm, *self.lst, *self.reflectance, *self.rain, *self.reanalysis}
        return {*used, *self.other_lst, *self.other_reflectance}

    def reflectance_in_order(self) -> Sequence[tuple[str, ...]]:
        """Products of reflectance, those that belong together in one tuple: the first with a file on a day counts."""
        groups: dict[str, tuple[str, ...]] = {}
        for name in self.other_reflectance:
            group = known_product(name).group or name
            groups[group] = (*groups.get(group, ()), name)
        return [self.reflectance, *groups.values()]

    def fine(self) -> list[str]:
        """The fine variables that they give."""
        out: list[str] = []
        for k in OVERPASSES:
            if any(p.layer(f"lst_{k}") for p in map(known_product, self.lst)):
                out += [v for v in FINE if v.startswith(f"lst_{k}")]
        bands = {v for name in self.reflectance for v in known_product(name).variables}
        out += [v for v in REFLECTANCE_BANDS if v in bands]
        return (
            out
            + (["reflectance_age", "reflectance_quality"] if self.reflectance else [])
            + (["rain", *API_DAYS] if self.rain else [])
        )

    def coarse(self) -> list[str]:
        """The coarse variables that they give; cell means of fine variables are among them."""
        fine = self.fine()
        thermal = ["background", "background_sigma", "seen", "anomaly", "counted", "cloud", "cloud_sigma"]
        thermal += [f"{what}{place}" for place in other_places(self.other_lst) for what in ("platform_offset", "other")]
        viirs = any(known_product(name).platform in VIIRS for name in (*self.lst, *self.other_lst))
        thermal += ["target_offset"] * (viirs and bool(self.other_lst)) + ["minus_air", "air"] * bool(self.reanalysis)
        return (
            (["ssm", "ssm_sigma", "source"] if self.ssm else [])
            + [f"lst_{k}_{name}" for k in OVERPASSES if f"lst_{k}" in fine for name in thermal]
            + [name for name in fine if not name.endswith(("_lineage", "_sigma", "_quality"))]
        )


def choose_products(
    cfg: PrepareConfig,
    catalogued: Catalog,
    stored: CubeProducts | None = None,
    present: Collection[str] | None = None,
) -> CubeProducts:
    """The products to use: those named; else those ``stored`` with the cube, where there is one, so that days added
    are made like the days before; else the best that have files. Sensors of one record stand side by side in raw/, so
    every product of coarse soil moisture counts that has a file of whatever day, in the order of the table: those
    ``present``, of ``raw`` where None. So do other platforms of LST, and reflectance that one day stands in. The best
    LST is that of the platform that passes nearest to 13:30 in the days asked for.

    Raises ``ConfigError`` for a product that is not there, and where no product has a file.
    """

    held = set(present) if present is not None else None if stored else present_products(find_files(cfg.raw))

    def pick(role: Role, wanted: str) -> tuple[str, ...]:
        before: tuple[str, ...] = getattr(stored, role) if stored else ()
        if wanted == "auto":
            if stored:
                return before
            if role == "ssm":
                return tuple(p.name for p in of_role("ssm") if p.name in (held or ()))
            best = next(iter(_by_preference(cfg, [p for p in of_role(role) if p.name in catalogued])), None)
        else:
            best = product(wanted)
            if best is not None and best.role == role and best.name in before:
                return before
            if best is None or best.role != role or not ({best.name} | _group(best)) & set(catalogued):
                have = sorted(n for n in catalogued if known_product(n).role == role)
                raise ConfigError(
                    f"{role}={wanted}: {cfg.raw} holds no such product with files in or near {cfg.start} .. {cfg.end}; "
                    f"it holds {', '.join(have) or 'none of this kind'}"
                )
        return () if best is None else tuple(sorted(({best.name} | _group(best)) & set(catalogued)))

    chosen = CubeProducts(*(pick(role, getattr(cfg, role, "auto")) for role in ROLES))
    if stored is None:
        there = {*catalogued, *(held or ())}
        chosen = replace(chosen, other_lst=_other_lst(cfg, chosen.lst, there),
                         other_reflectance=_other_reflectance(chosen.reflectance, there))  # fmt: skip
    else:
        chosen = replace(chosen, other_lst=stored.other_lst, other_reflectance=stored.other_reflectance)
    _require_files(cfg, chosen, catalogued, extends=stored is not None)
    return chosen


def _by_preference(cfg: PrepareConfig, products: Sequence[Product]) -> Sequence[Product]:
    """Products of a role, the best first: LST by how near to 13:30 its platform passes in the days of ``cfg``, where
    that differs by more than ``NEAR``; else in the order of the table."""
    if not products or products[0].role != "lst":
        return products
    days = days_between(cfg.start, cfg.end)

    def off(p: Product) -> float:
        return float(np.mean([platform(p.platform).off("day", day) for day in days])) if p.platform else math.inf

    def nearest_first(left: list[Product]) -> Iterator[Product]:
        while left:
            least = min(map(off, left))
            best = next(p for p in left if off(p) <= least + NEAR)
            left.remove(best)
            yield best

    return list(nearest_first(list(products)))


def _other_lst(cfg: PrepareConfig, lst: Sequence[str], there: Collection[str]) -> tuple[str, ...]:
    """The products of all other platforms, the better one first: of each the one of the same algorithm (the digits in
    its name), else the first in the table."""
    if not lst or not known_product(lst[0]).platform:
        return ()
    out: dict[str, tuple[str, ...]] = {}
    found = [p for p in of_role("lst") if p.platform and p.name in there]
    alike = sorted(found, key=lambda p: p.name[3:5] != lst[0][3:5])
    for p in _by_preference(cfg, alike):
        if p.platform != known_product(lst[0]).platform and p.platform not in out:
            best = next(q for q in alike if q.platform == p.platform)
            out[p.platform] = tuple(sorted({best.name, *(_group(best) & set(there))}))
    return tuple(name for names in out.values() for name in names)


def _other_reflectance(reflectance: Sequence[str], there: Collection[str]) -> tuple[str, ...]:
    """The other products of the line, in the order of the table."""
    line = known_product(reflectance[0]).line if reflectance else ""
    return tuple(p.name for p in of_role("reflectance") if line and p.line == line and p.name in there
                 and p.name not in reflectance)  # fmt: skip


def by_platform(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Products of LST by their platform, in order."""
    out: dict[str, tuple[str, ...]] = {}
    for name in names:
        of = known_product(name).platform
        out[of] = (*out.get(of, ()), name)
    return out


def other_places(other_lst: Sequence[str]) -> list[str]:
    """What the names of variables about the other platforms end on, in their order: nothing, ``_2``, ``_3``."""
    return ["" if n == 1 else f"_{n}" for n in range(1, len(by_platform(other_lst)) + 1)]


def _require_files(cfg: PrepareConfig, chosen: CubeProducts, catalogued: Catalog, extends: bool) -> None:
    fine = (*chosen.lst, *chosen.reflectance, *chosen.rain)
    if not {*fine, *chosen.other_lst, *chosen.other_reflectance} & set(catalogued):
        wanted = ", ".join(fine) or "LST, reflectance or rain"
        lacking = f"raw={cfg.raw}: no file of {wanted} in or near {cfg.start} .. {cfg.end}"
        if not extends or not set(chosen.ssm) & set(catalogued):
            raise ConfigError(f"{lacking}; see docs/formats.md for which product goes into which folder")
        log.warning("%s: these days are made without", lacking)  # as in an outage of an imager
    if not set(chosen.ssm) & set(catalogued):
        log.warning("raw=%s: no coarse soil moisture in %s .. %s; nothing to train on", cfg.raw, cfg.start, cfg.end)


def stored_products(path: Path) -> CubeProducts | None:
    """The products that the cube at ``path`` is made of; ``None`` where there is no cube yet."""
    if not (path / "cube.json").exists():
        return None
    attrs = open_cube(path).attrs
    return CubeProducts(*(tuple(attrs.get(role, "").split()) for role in (*ROLES, *STAND_INS)))


def present_products(files: RawFiles) -> set[str]:
    """The products that have a file, of whatever day, which its name does not show to be of another kind."""
    return {
        name
        for name, of_product in files.files.items()
        if any(other_kind(known_product(name), file.path.name) is None for file in of_product)
    }


def known_product(name: str) -> Product:
    """The product of the table with this name, which is known to be there."""
    entry = product(name)
    assert entry is not None
    return entry


def _group(p: Product) -> set[str]:
    return {q.name for q in of_role(p.role) if p.group and q.group == p.group}
