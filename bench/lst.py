"""Skill of LST gap filling: real observations withheld under real cloud masks, and worlds with known LST under cloud.

    python bench/lst.py [--world FOLDER ..] [--out bench/results/lst.json] [--check]

A world is a folder with ``raw/truth.zarr`` and ``cube.zarr``; without ``--world`` it is what ``make demo`` leaves. Real
files are those of ../shared/real or SSM_NET_REAL; where they are absent that part is left out, and the table says so.
Clouds are those of its MOD11A1 granules and of ``cloud_masks.npz``: MOD11A1 of h11v05, 2021-08-15, and of h10v05,
2016-08-06 (the mask of Heaton et al. 2019, J. Agric. Biol. Environ. Stat. 24, 398).

``fill`` (``lst.gap_filling``) looks back only. The baselines that it must beat are given more: interpolation in time
and the annual cycle also use the days after. All are scored on the same pixels, those for which each has a value.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import rasterio
import torch
import xarray as xr
from lst_baselines import Scene, harmonic, spatial, temporal
from lst_clouds import clouds, holes_of, monthly_field, windows
from lst_solvers import Solver, solver_table, solvers
from provenance import ROOT, commit_of, machine
from rich.console import Console
from rich.table import Table
from scipy.ndimage import distance_transform_edt

from ssm_net.config import MemoryConfig
from ssm_net.core.clock import OVERPASSES
from ssm_net.cube.json_files import write_json
from ssm_net.cube.store import open_cube
from ssm_net.inputs.reading import all_weather
from ssm_net.lst.gap_filling import SEEN, ClearLST, Terrain, fill_gaps

RATIO = 36
PATCH = 64  # pixels a side of the real patches
CLOUDY = (0.2, 0.95)  # cloud cover of the masks that patches are hidden under
MONTH = 30  # days
ONE_IN = 3  # days of a world of which one is withheld under the clouds of another
LARGE = 5.0  # pixels: mean distance to clear pixels from which holes count as large
RATIO_GOAL, INSIDE_GOAL, INSIDE_WITHIN = 0.80, 0.68, 0.05
IMAGE_GOAL = {"h10v05 day": 1.85}  # K, of an image under clouds of that tile
OTHER_IMAGE_GOAL = 2.5  # K


@dataclass(frozen=True)
class Score:
    """Errors of one part of the bench, K; ``inside`` is the fraction of withheld values within one sigma of ``fill``.

    ``rmse`` and ``bias`` are against the withheld observations. In a world, ``noise`` is the RMSE of the observations
    against the truth, and ``truth`` that of ``fill``. ``judged`` is false where no goal is set.
    """

    part: str
    pixels: int
    rmse: dict[str, float]
    bias: float
    inside: float
    noise: float | None = None
    truth: float | None = None
    judged: bool = True

    @property
    def ratio(self) -> float:
        return self.rmse["fill"] / min(v for k, v in self.rmse.items() if k != "fill")

    def missed(self) -> list[str]:
        out: list[str] = []
        if not self.judged:
            return out
        if self.ratio > RATIO_GOAL:
            out.append(f"{self.part}: RMSE {self.ratio:.2f} of the best baseline, goal {RATIO_GOAL:.2f}")
        if abs(self.inside - INSIDE_GOAL) > INSIDE_WITHIN:
            goal = f"goal {INSIDE_GOAL:.0%} +- {INSIDE_WITHIN:.0%}"
            out.append(f"{self.part}: {self.inside:.0%} within one sigma, {goal}")
        if self.part.startswith("one image"):
            goal = next((k for name, k in IMAGE_GOAL.items() if self.part.endswith(name)), OTHER_IMAGE_GOAL)
            if self.rmse["fill"] > goal:
                out.append(f"{self.part}: RMSE {self.rmse['fill']:.2f} K, goal {goal} K")
        return out


METHODS = {"temporal": temporal, "harmonic": harmonic, "spatial": spatial}


def filled(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """``fill`` and its sigma, day after day with the settings of ``prepare``."""
    memory, pad = MemoryConfig(), [(-n) % RATIO for n in scene.elevation.shape]

    def padded(field: np.ndarray, value: float) -> torch.Tensor:
        return torch.from_numpy(np.pad(field, [(0, pad[0]), (0, pad[1])], constant_values=value).astype("float32"))

    elevation, state, air, out = padded(scene.elevation, 0.0), None, None, []
    rows, cols = scene.elevation.shape
    latitude = torch.full((elevation.shape[0] // RATIO, elevation.shape[1] // RATIO), scene.latitude)
    terrain = Terrain(elevation, latitude, RATIO)
    for day, lst in zip(scene.days, scene.visible, strict=True):
        seen = padded(lst, np.nan)
        if scene.air is not None:
            air = torch.from_numpy(scene.air[len(out)])
        observation = ClearLST(seen, torch.where(torch.isfinite(seen), 1.0, torch.nan))
        done = fill_gaps(day, observation, terrain, state, memory, air=air)
        state = done.state
        out.append((done.lst[:rows, :cols].numpy(), done.sigma[:rows, :cols].numpy()))
    return np.stack([lst for lst, _ in out]), np.stack([sigma for _, sigma in out])


def scores(
    part: str, scenes: list[Scene], methods: Iterable[str] = METHODS, ours: tuple[np.ndarray, np.ndarray] | None = None
) -> list[Score]:
    """One score for each target that the scenes have, over all of them; ``ours`` is LST and sigma where they are
    filled already."""
    errors: dict[str, list[np.ndarray]] = defaultdict(list)
    for scene in scenes:
        lst, sigma = ours or filled(scene)
        guesses = {"fill": lst, **{m: METHODS[m](scene) for m in methods}}
        for name, target in scene.target.items():
            everyone = np.isfinite(target) & np.all([np.isfinite(g) for g in guesses.values()], axis=0)
            noise = np.zeros_like(target) if scene.truth is None else target - scene.truth
            columns = [*(g - target for g in guesses.values()), noise, sigma]
            errors[name].append(np.stack([c[everyone] for c in columns]))
    out = []
    for name, parts in errors.items():
        *missed, noise, sigma = np.concatenate(parts, 1).astype("float64")
        if not sigma.size:
            raise SystemExit(f"{part}: nothing was hidden that every method can fill; take more days")
        rmse = {m: round(float(np.sqrt((e**2).mean())), 3) for m, e in zip(("fill", *methods), missed, strict=True)}
        bias, inside = missed[0].mean(), (np.abs(missed[0]) <= sigma).mean()
        label = f"{part}, {name}" if name else part
        score = Score(label, sigma.size, rmse, round(float(bias), 3), round(float(inside), 3))
        if noise.any():
            noise_rms, truth = (round(float(np.sqrt((e**2).mean())), 3) for e in (noise, missed[0] + noise))
            score = replace(score, noise=noise_rms, truth=truth)
        out.append(score)
    return out


# --- what is withheld ------------------------------------------------------------------------------------------------


def patches(real: Path, rng: np.random.Generator) -> Iterator[Score]:
    """A year of clear days at 15 places of tile h18v04, each day under a window of the clouds of another tile; small
    and large holes, by the mean distance of the hidden pixels to clear ones, apart."""
    folder = real / "modis_h18v04_2020"
    places: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in csv.DictReader((folder / "index.csv").read_text().splitlines()):
        if row["product"] == "MOD11A1":
            places[row["col"], row["row"]].append(row)
    sorted_places = [sorted(rows, key=lambda r: r["date"]) for rows in places.values()]
    for name, mask in clouds(real).items():
        covers = [w for w in windows(mask, (PATCH, PATCH), 16) if CLOUDY[0] <= w.mean() <= CLOUDY[1]]
        large = np.array([distance_transform_edt(w)[w].mean() >= LARGE for w in covers])
        for band, overpass in enumerate(OVERPASSES, 1):
            scenes = []
            for rows in sorted_places:
                lst = np.stack([_patch(folder, r["file"], band) for r in rows])
                chosen = rng.integers(len(covers), size=len(rows))
                hidden = np.stack([covers[n] for n in chosen]) & np.isfinite(lst)
                target = {
                    size: np.where(hidden & (large[chosen] == is_large)[:, None, None], lst, np.nan)
                    for size, is_large in (("small holes", False), ("large holes", True))
                }
                days = tuple(dt.date.fromisoformat(r["date"]) for r in rows)
                flat = np.zeros((PATCH, PATCH), "float32")
                scenes.append(Scene(days, np.where(hidden, np.nan, lst), target, flat, float(rows[0]["lat"])))
            yield from scores(f"MODIS patches, {overpass}, {name}", scenes)


def _patch(folder: Path, file: str, band: int) -> np.ndarray:
    # The archive holds them below a folder a product, with or without a leading "./".
    with rasterio.open(f"/vsitar/{folder}/patches.tar.gz/MOD11A1/{file}") as source:
        lst = source.read(band).astype("float32")
    return np.where(lst > 200.0, lst, np.nan)  # no nodata tag: what is missing reads as 0 or below


def image(real: Path) -> Iterator[Score]:
    """One monthly field with 30 % of it, or as near to that as a tile allows, gone in large holes, up to ten times: no
    other day, no relief."""
    lst, day = monthly_field(real), (dt.date(2015, 8, 15),)
    none = np.zeros(lst.shape, "float32")
    for name, mask in clouds(real).items():
        scenes = [
            Scene(day, np.where(h, np.nan, lst)[None], {"": np.where(h, lst, np.nan)[None]}, none, 42.5)
            for h in holes_of(mask, lst.shape)
            if h.mean() < CLOUDY[1]
        ]
        if scenes:
            yield from scores(f"one image, {name}", scenes, ("spatial",))


def world(folder: Path, rng: np.random.Generator) -> Iterator[Score]:
    """A synthetic world: observations withheld under another day's clouds, all those of a month withheld, and the truth
    under the world's clouds.

    The latter is scored with the cube's LST, which includes the effect of cloud: only our method estimates it. The
    month is in the middle of the record; interpolation in space has no observations then, and no goal is set.
    """
    cube = open_cube(folder / "cube.zarr")
    truth = xr.open_zarr(folder / "raw" / "truth.zarr", chunks=None, consolidated=False)
    known = {d: i for i, d in enumerate(truth["time"].values.astype("datetime64[D]").astype(object))}
    days = tuple(d for d in cube.done_days() if d in known)
    land = truth["water"].values < 0.5
    elevation = np.nan_to_num(cube.read_static("elevation")).astype("float32")
    latitude = float(cube.domain.lonlat(coarse=True)[1].mean())
    for k in OVERPASSES:
        lst = np.stack([cube.read(f"lst_{k}", d) for d in days])
        seen = np.stack([cube.read_packed(f"lst_{k}_lineage", d) for d in days]) == SEEN
        true = np.stack([truth[f"lst_{k}"].isel(time=known[d]).values for d in days]).astype("float32")
        air = None
        if f"lst_{k}_air" in cube.coarse:
            air = np.stack([cube.read_coarse(f"lst_{k}_air", d) for d in days])

        def without(hidden: np.ndarray, name: str) -> Scene:
            shown = np.where(seen & ~hidden, lst, np.nan)  # noqa: B023
            return Scene(days, shown, {name: np.where(hidden & land, lst, np.nan)}, elevation, latitude, true, air)  # noqa: B023

        some = np.zeros_like(seen)
        for i in range(ONE_IN - 1, len(days), ONE_IN):
            some[i] = seen[i] & ~seen[rng.integers(len(days))]
        month = np.zeros_like(seen)
        middle = slice(len(days) // 2 - MONTH // 2, len(days) // 2 + MONTH // 2)
        month[middle] = seen[middle]
        part = f"{folder.name}, {k}"
        yield from scores(part, [without(some, "clear")])
        for score in scores(part, [without(month, "a month hidden")], ("temporal", "harmonic")):
            yield replace(score, judged=False)
        whole = (0, lst.shape[1], 0, lst.shape[2])
        ours = [np.stack(v) for v in zip(*(all_weather(cube, d, k, whole)[:2] for d in days), strict=True)]
        cloudy = {"cloudy": np.where(~seen & land, true, np.nan)}
        yield from scores(
            part, [Scene(days, np.where(seen, lst, np.nan), cloudy, elevation, latitude)], ours=(ours[0], ours[1])
        )


def table(found: list[Score]) -> Table:
    out = Table(title="Filling of LST: RMSE, K")
    for name in ("hidden", "pixels", *METHODS, "fill", "of the best", "noise", "truth", "bias", "within 1 sigma"):
        out.add_column(name, justify="left" if name == "hidden" else "right")
    for s in found:
        rmse = [f"{s.rmse[m]:.2f}" if m in s.rmse else "" for m in (*METHODS, "fill")]
        out.add_row(
            s.part,
            f"{s.pixels:,}",
            *rmse,
            f"{s.ratio:.2f}",
            *("" if v is None else f"{v:.2f}" for v in (s.noise, s.truth)),
            f"{s.bias:+.2f}",
            f"{s.inside:.0%}",
        )
    return out


def main() -> int:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--world", action="append", type=Path, help="folder with raw/truth.zarr and cube.zarr")
    arguments.add_argument("--out", type=Path, default=ROOT / "bench" / "results" / "lst.json")
    arguments.add_argument("--check", action="store_true", help="exit 1 where a goal is missed")
    asked = arguments.parse_args()
    console = Console(width=120)
    real = Path(os.environ.get("SSM_NET_REAL", ROOT.parent / "shared" / "real"))
    found: list[Score] = []
    solved: list[Solver] = []
    if real.is_dir():
        solved += solvers(real)
        found += [*image(real), *patches(real, np.random.default_rng(1))]
        console.print(solver_table(solved))
    else:
        console.print(f"no real files at {real}: only synthetic worlds. SSM_NET_REAL names the folder that holds them")
    worlds = asked.world or ([ROOT / "demo"] if (ROOT / "demo" / "cube.zarr").exists() else [])
    if not worlds:
        console.print("no world: make demo leaves one, or give --world FOLDER")
    for folder in worlds:
        found += world(folder, np.random.default_rng(2))
    if not found:
        return 1
    console.print(table(found))
    missed = [m for s in (*solved, *found) for m in s.missed()]
    for m in missed:
        console.print(f"[yellow]missed[/] {m}")
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    command = " ".join(["python bench/lst.py", *(f"--world WORLDS/{folder.name}" for folder in worlds)])
    report = {
        "command": command, "commit": commit_of(ROOT), "machine": machine(), "missed": missed,
        "solvers": [asdict(s) for s in solved],
        "scores": [{**asdict(s), "ratio": round(s.ratio, 3)} for s in found],
    }  # fmt: skip
    write_json(asked.out, report)
    console.print(f"{asked.out} written")
    return 1 if asked.check and missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
