"""The report's maps, a picture each, so that a page lays them out as its width allows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ssm_net.evaluate.answers.questions import GainPlaces
from ssm_net.evaluate.daily_pass import Snapshot
from ssm_net.evaluate.metrics.algebra import UNIT
from ssm_net.evaluate.referees.truth import PRODUCT, TRUTH
from ssm_net.evaluate.report.figures import INK, MUTED
from ssm_net.formats.product import Flag

WIDTH, LEFT, RIGHT, ABOVE, BELOW = 2.4, 0.5, 0.1, 0.28, 0.72  # inches: of a picture, and beside and below its map
NOTHING = "#eceff0"
BETTER = "BrBG_r"  # below 0, where the maps are better, is green


def draw_map_panels(snapshot: Snapshot, low: float, high: float) -> Iterator[tuple[str, Figure]]:
    """Name and picture of the truth and the methods on one colour scale, errors, the uncertainty, the quality flags."""
    soil, truth = snapshot.fields, snapshot.fields.get(TRUTH)
    for name, field in soil.items():
        yield name, _field(snapshot, field, name, f"soil moisture, {UNIT}", "YlGnBu", low, high)
    errors = {f"{m} - truth": soil[m] - truth for m in (PRODUCT, "bilinear") if truth is not None and m in soil}
    if errors:
        top = max(float(np.nanquantile(np.abs(e), 0.98)) for e in errors.values() if np.isfinite(e).any())
        for name, field in errors.items():
            yield name, _field(snapshot, field, name, f"error, {UNIT}", "BrBG", -top, top)
    known = snapshot.sigma[np.isfinite(snapshot.sigma)]
    least, most = np.quantile(known, [0.01, 0.99]) if known.size else (0.0, 0.1)
    yield "uncertainty", _field(snapshot, snapshot.sigma, f"uncertainty of {PRODUCT}", f"standard error, {UNIT}",
                                "magma_r", least, max(most, least + 1e-3))  # fmt: skip
    yield "quality flags", _quality_flags(snapshot)


def _figure(lon: np.ndarray, lat: np.ndarray) -> tuple[Figure, Axes]:
    """An empty map of the extent of ``lon`` and ``lat``, degrees. GainWithout a layout engine, which takes longer."""
    width = WIDTH - LEFT - RIGHT
    map_height = float(np.clip(width * np.ptp(lat) * _aspect(lat) / max(np.ptp(lon), 1e-6), 0.7, 3.2))
    height = map_height + ABOVE + BELOW
    fig = Figure(figsize=(WIDTH, height))
    ax = fig.add_axes((LEFT / WIDTH, BELOW / height, width / WIDTH, map_height / height))
    ax.set_facecolor(NOTHING)
    ax.grid(False)
    ax.set_aspect(_aspect(lat))
    ax.xaxis.set_major_formatter(lambda v, _: _longitude((v + 180) % 360 - 180))
    ax.yaxis.set_major_formatter(lambda v, _: f"{abs(v):g}°{'N' if v >= 0 else 'S'}")
    ax.locator_params(nbins=3)
    ax.tick_params(labelsize=8)
    return fig, ax


def _longitude(east: float) -> str:
    return f"{abs(east):g}°{'E' if east >= 0 else 'W'}"


def _aspect(lat: np.ndarray) -> float:
    """One degree of latitude over one of longitude, as lengths."""
    return float(1 / np.cos(np.deg2rad(lat.mean())))


def _field(s: Snapshot, field: np.ndarray, title: str, label: str, cmap: str, low: float, high: float) -> Figure:
    fig, ax = _figure(s.lon, s.lat)
    ax.set_title(title)
    _draw(ax, s, np.where(s.water, np.nan, field), cmap=cmap, vmin=low, vmax=high)
    _bar(fig, ax, label)
    return fig


def _draw(ax: Axes, s: Snapshot, field: np.ndarray, **kwargs: object) -> None:
    ax.pcolormesh(s.lon, s.lat, np.ma.masked_invalid(field), shading="nearest", rasterized=True, **kwargs)  # type: ignore[arg-type]
    if s.water.any() and not s.water.all():
        ax.contour(s.lon, s.lat, s.water.astype(float), levels=[0.5], colors=INK, linewidths=0.5)


def _bar(fig: Figure, ax: Axes, label: str) -> None:
    height = fig.get_size_inches()[1]
    place = fig.add_axes(((LEFT + 0.1) / WIDTH, 0.4 / height, (WIDTH - LEFT - RIGHT - 0.2) / WIDTH, 0.08 / height))
    bar = fig.colorbar(ax.collections[0], cax=place, orientation="horizontal", extend="both")
    bar.set_label(label, fontsize=8)
    bar.ax.locator_params(nbins=4)
    bar.ax.tick_params(labelsize=8)


FLAG_STATES = [
    ("masked", NOTHING), ("water", "#3f5b73"), ("frozen or snow", "#d8e6f3"), ("clear, observed", "#f2c14e"),
    ("clear, orbit gap", "#d98b3a"), ("cloudy, observed", "#9fc0d8"), ("cloudy, orbit gap", "#5c86ad"),
]  # fmt: skip


def _quality_flags(s: Snapshot) -> Figure:
    def has(flag: Flag) -> np.ndarray:
        return (s.flags & int(flag)) > 0

    fig, ax = _figure(s.lon, s.lat)
    ax.set_title("quality flags")
    gap, cloudy = has(Flag.ORBIT_GAP_FILLED), has(Flag.LST_FILLED)
    code = np.where(np.isfinite(s.fields[PRODUCT]), 3 + gap + 2 * cloudy, 0)
    code = np.where(has(Flag.WATER), 1, np.where(has(Flag.FROZEN_OR_SNOW), 2, code))
    cmap = ListedColormap([c for _, c in FLAG_STATES])
    _draw(ax, s, code.astype(float), cmap=cmap, vmin=-0.5, vmax=len(FLAG_STATES) - 0.5)
    present = [FLAG_STATES[i] for i in np.unique(code)]
    handles = [Patch(facecolor=c, edgecolor=MUTED, label=n) for n, c in present]
    fig.legend(handles=handles, fontsize=7, ncols=2, loc="lower center", columnspacing=0.8, handlelength=1.2,
               borderaxespad=0, borderpad=0)  # fmt: skip
    return fig


def draw_places(places: GainPlaces) -> Figure:
    """Where the maps are better than the coarse product: by cell against the truth, and at stations."""
    fig, ax = _figure(places.lon, places.lat)
    lon, lat, change = (np.array([s[k] for s in places.stations.values()]) for k in range(3))
    values = np.concatenate([change, np.ravel(places.cells) if places.cells is not None else []])
    values = 100 * values[np.isfinite(values)]
    top = float(np.clip(np.abs(values).max(), 5, 100)) if values.size else 100.0
    scale: dict[str, Any] = {"cmap": BETTER, "vmin": -top, "vmax": top}
    if places.cells is not None:
        ax.pcolormesh(places.lon, places.lat, np.ma.masked_invalid(100 * places.cells), rasterized=True, **scale)
        for row, col in np.argwhere(places.cells > 0):  # few, if any: a mark that print in grey keeps
            ax.plot(places.lon[col : col + 2].mean(), places.lat[row : row + 2].mean(), "x", color=INK, ms=4)
    if places.stations:
        ax.scatter(lon, lat, c=100 * change, s=28, edgecolors=INK, linewidths=0.8, zorder=3, **scale)
    ax.set(xlim=(places.lon.min(), places.lon.max()), ylim=(places.lat.min(), places.lat.max()))
    _bar(fig, ax, "error against the coarse product, %")
    return fig
