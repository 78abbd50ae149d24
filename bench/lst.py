"""Skill of LST gap filling: real observations withheld under real cloud masks, and worlds with known LST under cloud.

    python bench/lst.py [--world FOLDER ..] [--out bench/results/lst.json] [--check]

A world is a folder with ``raw/truth.zarr`` and ``cube.zarr``; without ``--world`` it is what ``make demo`` leaves. Real
files are those of ../shared/real or SSM_NET_REAL; where they are absent that part is left out, and the table says so.

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
from provenance import ROOT, commit_of, machine
from rich.console import Console
from rich.table import Table

from ssm_net.config import MemoryConfig
from ssm_net.core.clock import OVERPASSES
from ssm_net.cube.store import open_cube, write_json
from ssm_net.inputs.reading import all_weather
from ssm_net.lst.gap_filling import SEEN, ClearLST, Terrain, fill_gaps

RATIO = 36
PATCH = 64  # pixels a side of the real patches
CLOUDY = (0.2, 0.95)  # cloud cover of the masks that patches are hidden under
MONTH = 30  # days
ONE_IN = 3  # days of a world of which one is withheld under the clouds of another
RATIO_GOAL, INSIDE_GOAL, INSIDE_WITHIN, IMAGE_GOAL = 0.80, 0.68, 0.05, 2.5


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
        if self.part.startswith("one image") and self.rmse["fill"] > IMAGE_GOAL:
            out.append(f"{self.part}: RMSE {self.rmse['fill']:.2f} K, goal {IMAGE_GOAL} K")
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


def clouds(real: Path) -> list[np.ndarray]:
    """Cloud masks (y, x) of the day and the night overpass of a whole real MODIS tile: true under cloud."""
    from pyhdf.SD import SD

    file = next((real / "modis").glob("MOD11A1*.hdf"))
    tile = SD(str(file))
    return [tile.select(name).get() == 0 for name in ("LST_Day_1km", "LST_Night_1km")]


def windows(masks: list[np.ndarray], shape: tuple[int, int], step: int) -> list[np.ndarray]:
    """All windows of that shape, ``step`` pixels apart."""
    return [
        mask[y : y + shape[0], x : x + shape[1]]
        for mask in masks
        for y in range(0, mask.shape[0] - shape[0] + 1, step)
        for x in range(0, mask.shape[1] - shape[1] + 1, step)
    ]


def patches(real: Path, rng: np.random.Generator) -> Iterator[Score]:
    """A year of clear days at 15 places of tile h18v04, each day under the clouds of its own window of another tile."""
    folder = real / "modis_h18v04_2020"
    covers = [w for w in windows(clouds(real), (PATCH, PATCH), 16) if CLOUDY[0] <= w.mean() <= CLOUDY[1]]
    places: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in csv.DictReader((folder / "index.csv").read_text().splitlines()):
        if row["product"] == "MOD11A1":
            places[row["col"], row["row"]].append(row)
    for band, overpass in enumerate(OVERPASSES, 1):
        scenes = []
        for rows in places.values():
            rows = sorted(rows, key=lambda r: r["date"])
            lst = np.stack([_patch(folder, r["file"], band) for r in rows])
            hidden = np.stack([covers[rng.integers(len(covers))] for _ in rows]) & np.isfinite(lst)
            days = tuple(dt.date.fromisoformat(r["date"]) for r in rows)
            scenes.append(Scene(days, np.where(hidden, np.nan, lst), {"": np.where(hidden, lst, np.nan)},
                                np.zeros((PATCH, PATCH), "float32"), float(rows[0]["lat"])))  # fmt: skip
        yield from scores(f"MODIS patches, {overpass}", scenes)


def _patch(folder: Path, file: str, band: int) -> np.ndarray:
    # The archive holds them below a folder a product, with or without a leading "./".
    with rasterio.open(f"/vsitar/{folder}/patches.tar.gz/MOD11A1/{file}") as source:
        lst = source.read(band).astype("float32")
    return np.where(lst > 200.0, lst, np.nan)  # no nodata tag: what is missing reads as 0 or below


def image(real: Path) -> Iterator[Score]:
    """One monthly field of 500 x 300 pixels with 30 % of it gone in large holes, ten times: no other day, no relief."""
    with xr.open_dataset(next((real / "lst_china").glob("*.nc"))) as dataset:
        lst = dataset["lst"].values[0, :, :300]
    holes = sorted(windows(clouds(real), lst.shape, 50), key=lambda w: abs(w.mean() - 0.3))[:10]
    none = np.zeros(lst.shape, "float32")
    scenes = [
        Scene((dt.date(2015, 8, 15),), np.where(h, np.nan, lst)[None], {"": np.where(h, lst, np.nan)[None]}, none, 42.5)
        for h in holes
    ]
    yield from scores("one image", scenes, ("spatial",))


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
    if real.is_dir():
        found += [*patches(real, np.random.default_rng(1)), *image(real)]
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
    missed = [m for s in found for m in s.missed()]
    for m in missed:
        console.print(f"[yellow]missed[/] {m}")
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    command = " ".join(["python bench/lst.py", *(f"--world WORLDS/{folder.name}" for folder in worlds)])
    report = {
        "command": command, "commit": commit_of(ROOT), "machine": machine(), "missed": missed,
        "scores": [{**asdict(s), "ratio": round(s.ratio, 3)} for s in found],
    }  # fmt: skip
    write_json(asked.out, report)
    console.print(f"{asked.out} written")
    return 1 if asked.check and missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
