"""Products of raw/ that a cube is made of: chosen for a new cube, stored with it, and kept for days added later."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from ssm_net.config import PrepareConfig
from ssm_net.core.clock import OVERPASSES
from ssm_net.cube.store import open_cube
from ssm_net.cube.variables import API_DAYS, FINE, REFLECTANCE_BANDS
from ssm_net.errors import ConfigError
from ssm_net.ingest.catalog import Catalog, RawFiles, find_files
from ssm_net.ingest.other_kinds import other_kind
from ssm_net.ingest.products import Product, Role, of_role, product

log = logging.getLogger(__name__)

ROLES: tuple[Role, ...] = ("ssm", "lst", "reflectance", "rain", "reanalysis")
TWINS = {"MYD11A1": ("MOD11A1",), "MOD11A1": ("MYD11A1",),
         **{f"{a}21A1{v}": (f"{b}21A1{v}",) for a, b in (("MYD", "MOD"), ("MOD", "MYD")) for v in "DN"}}  # fmt: skip


@dataclass(frozen=True)
class CubeProducts:
    """The products of each role that the archive holds for this cube; an empty tuple where there is none."""

    ssm: tuple[str, ...]
    lst: tuple[str, ...]
    reflectance: tuple[str, ...]
    rain: tuple[str, ...]
    reanalysis: tuple[str, ...] = ()
    other_lst: tuple[str, ...] = ()  # of the other platform, whose views fill gaps of ``lst`` first

    def names(self) -> set[str]:
        """All of them."""
        return {*self.ssm, *self.lst, *self.reflectance, *self.rain, *self.reanalysis, *self.other_lst}

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
        thermal += ["platform_offset", "other"] * bool(self.other_lst) + ["minus_air", "air"] * bool(self.reanalysis)
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
    ``present``, of ``raw`` where None.

    Raises ``ConfigError`` for a product that is not there, and where no product has a file.
    """

    def pick(role: Role, wanted: str) -> tuple[str, ...]:
        before: tuple[str, ...] = getattr(stored, role) if stored else ()
        if wanted == "auto":
            if stored:
                return before
            if role == "ssm":
                held = present_products(find_files(cfg.raw)) if present is None else present
                return tuple(p.name for p in of_role("ssm") if p.name in held)
            best = next((p for p in of_role(role) if p.name in catalogued), None)
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
    others = catalogued if stored is None else dict.fromkeys(stored.other_lst)
    chosen = replace(chosen, other_lst=tuple(t for n in chosen.lst for t in TWINS.get(n, ()) if t in others))
    _require_files(cfg, chosen, catalogued)
    return chosen


def _require_files(cfg: PrepareConfig, chosen: CubeProducts, catalogued: Catalog) -> None:
    fine = (*chosen.lst, *chosen.reflectance, *chosen.rain)
    if not set(fine) & set(catalogued):
        wanted = ", ".join(fine) or "LST, reflectance or rain"
        raise ConfigError(
            f"raw={cfg.raw}: no file of {wanted} in or near {cfg.start} .. {cfg.end}; "
            "see docs/formats.md for which product goes into which folder"
        )
    if not set(chosen.ssm) & set(catalogued):
        log.warning("raw=%s: no coarse soil moisture in %s .. %s; nothing to train on", cfg.raw, cfg.start, cfg.end)


def stored_products(path: Path) -> CubeProducts | None:
    """The products that the cube at ``path`` is made of; ``None`` where there is no cube yet."""
    if not (path / "cube.json").exists():
        return None
    attrs = open_cube(path).attrs
    return CubeProducts(*(tuple(attrs.get(role, "").split()) for role in (*ROLES, "other_lst")))


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
