"""The report's figures but its maps, drawn with matplotlib from the sums and series of an evaluation.

Each is drawn twice: ``narrow`` for a phone, with its panels one below the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from ssm_net.core.radiometers import name_of
from ssm_net.evaluate.metrics.algebra import UNIT
from ssm_net.evaluate.metrics.binnings import SKY
from ssm_net.evaluate.metrics.error import JOINT_HISTOGRAM
from ssm_net.evaluate.metrics.spatial import STD_BINS
from ssm_net.evaluate.metrics.statistics import HISTOGRAM_EDGES, LEVELS
from ssm_net.evaluate.metrics.texture import POWER_SPECTRUM, SPREAD_BY_WETNESS
from ssm_net.evaluate.metrics.uncertainty import STATED
from ssm_net.evaluate.referees.breaks import DayLevel, segments
from ssm_net.evaluate.referees.point_series import Series
from ssm_net.evaluate.referees.truth import PRODUCT, TRUTH, TruthScores
from ssm_net.formats.product import Flag

INK, MUTED = "#1d2a30", "#6b7a80"
# The product in one strong colour, the truth in ink, the baselines in colours that differ without red and green.
COLOUR = {PRODUCT: "#0f7c8a", TRUTH: INK, "bilinear": "#c98a1b", "dispatch": "#9a5ba5"}
SKY_COLOUR = {"all": "#0f7c8a", "clear": "#e0a21b", "cloudy": "#6f8fb8", "orbit gap": "#a0527a"}
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans", "font.size": 9, "axes.edgecolor": MUTED, "axes.labelcolor": INK, "text.color": INK,
    "xtick.color": MUTED, "ytick.color": MUTED, "axes.spines.top": False, "axes.spines.right": False,
    "axes.titlesize": 10, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.grid": True,
    "grid.color": "#e4e9ea", "legend.frameon": False, "figure.facecolor": "white", "axes.axisbelow": True,
}  # fmt: skip


WIDE, NARROW = 9.5, 4.2  # inches


def colour(method: str) -> str:
    return COLOUR.get(method, MUTED)


def draw_time_series(series: Series, picks: Sequence[int], narrow: bool = False) -> Figure:
    """One panel a point: the truth, the station, the product with its 90 % interval, the baselines."""
    fig = Figure(figsize=(NARROW if narrow else WIDE, 2.5 * len(picks)), layout="constrained")
    axes = fig.subplots(len(picks), 1, sharex=True, squeeze=False).ravel()
    days = np.array(series.days, "datetime64[D]")
    for ax, j in zip(axes, picks, strict=True):
        for method, values in series.ssm.items():
            y = values[:, j]
            if method == PRODUCT:
                half = 1.645 * series.sigma[method][:, j]
                ax.fill_between(
                    days,
                    np.maximum(y - half, 0),
                    y + half,
                    color=colour(method),
                    alpha=0.18,
                    lw=0,
                    label="90 % interval",
                )
            ax.plot(days, y, color=colour(method), lw=1.8 if method == PRODUCT else 0.9, label=method,
                    zorder=3 if method == PRODUCT else 2)  # fmt: skip
        if np.isfinite(series.truth[:, j]).any():
            ax.plot(days, series.truth[:, j], color=INK, lw=1.1, ls=(0, (4, 1.5)), label="truth", zorder=4)
        if np.isfinite(series.station[:, j]).any():
            ax.plot(days, series.station[:, j], "o", ms=3, mfc="white", mec=INK, mew=0.8, label="station", zorder=5)
        cloudy = (series.flags[:, j] & int(Flag.LST_FILLED)) > 0
        low = ax.get_ylim()[0]
        ax.plot(days[cloudy], np.full(cloudy.sum(), low), "|", color=SKY_COLOUR["cloudy"], ms=7, label="cloudy")
        ax.set_title(series.points[j].label)
        ax.set_ylabel(f"soil moisture, {UNIT}")
        _dates(ax, narrow)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, ncols=3 if narrow else 7, loc="outside upper left", fontsize=8)
    return fig


def _dates(ax: Axes, narrow: bool) -> None:
    locator = AutoDateLocator(maxticks=5 if narrow else 9)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _panels(narrow: bool, height: float, share_y: bool = False) -> tuple[Figure, Axes, Axes]:
    """Two panels, side by side or one below the other."""
    fig = Figure(figsize=(NARROW, 2 * height) if narrow else (WIDE, height), layout="constrained")
    first, second = fig.subplots(*((2, 1) if narrow else (1, 2)), sharey=share_y)
    return fig, first, second


def draw_levels(days: Sequence[DayLevel], narrow: bool = False) -> Figure:
    """The map's mean of each day, its error and that of the coarse observations where there is a truth."""
    fig = Figure(figsize=(NARROW if narrow else WIDE, 4.2), layout="constrained")
    above, below = fig.subplots(2, 1, sharex=True)
    when = np.array([d.day for d in days], "datetime64[D]")
    above.plot(when, [d.level for d in days], color=COLOUR[PRODUCT], lw=1)
    above.set_ylabel(f"map's mean, {UNIT}")
    series = {"map": [d.error for d in days], "coarse observations": [d.coarse_error for d in days]}
    for (name, values), color in zip(series.items(), (COLOUR[PRODUCT], MUTED), strict=True):
        below.plot(when, values, color=color, lw=0.8, label=f"{name} - truth")
    if not np.isfinite(series["map"]).any():
        below.set_visible(False)
    below.set_ylabel(f"error, {UNIT}")
    below.legend(fontsize=8, ncols=2)
    for code, part in segments(days):
        start = np.datetime64(part[0].day)
        above.annotate(name_of(code) if code else "no sensor", (start, 1.0), xycoords=("data", "axes fraction"),
                       fontsize=8, va="bottom")  # fmt: skip
        for ax in (above, below):
            ax.axvline(start, color=INK, lw=0.8, ls=":")
    _dates(below, narrow)
    return fig


STATE = {"LST seen": "#f2c14e", "LST filled": "#9fc0d8", "other": "#c9d5d8", "frozen or snow": "#5f7fa3",
         "urban": "#a0527a", "no input or outside": "#1d2a30"}  # fmt: skip


def draw_coverage(rows: Sequence[dict[str, Any]], narrow: bool = False) -> Figure:
    """A bar a month: the inputs behind the land's pixels, or why they are masked; dots: coarse cells observed."""
    months = [row["month"] for row in rows]
    wide = float(np.clip(1.5 + 0.45 * len(months), 6.0, 14.0))
    fig = Figure(figsize=(NARROW, 4.0) if narrow else (wide, 3.4), layout="constrained")
    ax = fig.subplots()
    below = np.zeros(len(rows))
    for state, color in STATE.items():
        if state == "other":  # produced without LST, as where no LST is used at all
            part = np.array([row["produced"] - row["LST seen"] - row["LST filled"] for row in rows])
            label = "produced without LST"
        else:
            part = np.array([row[state] for row in rows])
            label = f"produced, {state}" if state.startswith("LST") else f"masked, {state}"
        part = np.where(np.abs(part) < 1e-9, 0.0, part)
        if part.any():
            ax.bar(months, part, bottom=below, color=color, width=0.8, label=label)
        below += part
    ax.plot(months, [row["coarse observed"] for row in rows], "o", color=INK, ms=4, label="coarse cell observed")
    ax.set(ylabel="land pixels and days, %", ylim=(0, 100))
    step = -(-len(months) // (10 if narrow else 30))
    ax.set_xticks(range(0, len(months), step), months[::step], rotation=45 if len(months) > (4 if narrow else 8) else 0)
    fig.legend(ncols=1 if narrow else 3, fontsize=8, loc="outside upper left")
    return fig


def draw_scatter(scores: TruthScores, methods: Sequence[str], narrow: bool = False) -> Figure:
    """Counts of truth and estimate, a panel a method."""
    across = min(len(methods), 2) if narrow else len(methods)
    down = -(-len(methods) // across)
    each = (NARROW - 0.7) / across if narrow else 3.3
    fig = Figure(figsize=(each * across + 0.7, (each + 0.6) * down), layout="constrained")
    axes = fig.subplots(down, across, sharey=True, squeeze=False).ravel()
    for ax in axes[len(methods) :]:
        ax.set_visible(False)
    axes = axes[: len(methods)]
    counts = {m: scores.get(JOINT_HISTOGRAM, m).count for m in methods}
    top = max(int(c.max()) for c in counts.values())
    filled = np.nonzero(sum(c.sum(0) + c.sum(1) for c in counts.values()))[0]
    limit = HISTOGRAM_EDGES[0], HISTOGRAM_EDGES[filled[-1] + 1]
    image = None
    for ax, m in zip(axes, methods, strict=True):
        image = ax.pcolormesh(HISTOGRAM_EDGES, HISTOGRAM_EDGES, np.ma.masked_equal(counts[m].T, 0),
                              norm=LogNorm(1, max(top, 2)), cmap="GnBu", rasterized=True)  # fmt: skip
        ax.plot(limit, limit, color=INK, lw=0.8, ls="--")
        ax.set(xlim=limit, ylim=limit, aspect="equal", xlabel=f"truth, {UNIT}", title=m)
    for ax in axes[::across]:
        ax.set_ylabel(f"estimate, {UNIT}")
    assert image is not None
    fig.colorbar(image, ax=list(axes), label="pixels and days", shrink=0.8, pad=0.01)
    return fig


def scatter_numbers(scores: TruthScores, methods: Sequence[str]) -> dict[str, Any]:
    """The counts that are not 0: lower edges of truth and of estimate, m3 m-3, and the number of pixels and days."""
    out: dict[str, Any] = {"width": float(HISTOGRAM_EDGES[1] - HISTOGRAM_EDGES[0])}
    for method in methods:
        count = scores.get(JOINT_HISTOGRAM, method).count
        x, y = np.nonzero(count)
        edges = np.round(HISTOGRAM_EDGES, 4)
        out[method] = {"truth": edges[x].tolist(), "estimate": edges[y].tolist(), "count": count[x, y].tolist()}
    return out


def texture_numbers(scores: TruthScores, methods: Sequence[str]) -> dict[str, Any]:
    """Standard deviation inside cells by the true cell mean, and power by wavelength (pixels), of truth and methods."""
    out: dict[str, Any] = {}
    for name in (TRUTH, *methods):
        curves: dict[str, Any] = {}
        if (inside := scores.get(SPREAD_BY_WETNESS, name)) is not None:
            known = inside.n > 0
            centre = (STD_BINS[1:] + STD_BINS[:-1]) / 2
            curves |= {"cell mean": centre[known].tolist(), "std inside": inside.std[known].tolist(),
                       "cells": inside.n[known].tolist()}  # fmt: skip
        if (spectrum := scores.get(POWER_SPECTRUM, name)) is not None:
            curves |= {"wavelength": spectrum.wavelength[1:].tolist(), "power": spectrum.mean[1:].tolist()}
        out[name] = curves
    return out


def draw_texture(scores: TruthScores, methods: Sequence[str], narrow: bool = False) -> Figure:
    """Variation inside the coarse cell by wetness, and the power spectrum."""
    fig, left, right = _panels(narrow, 3.6)
    centre = (STD_BINS[1:] + STD_BINS[:-1]) / 2
    for name in (TRUTH, *methods):
        kind: dict[str, Any] = {
            "color": colour(name),
            "lw": 1.2 if name != PRODUCT else 2,
            "ls": "--" if name == TRUTH else "-",
        }
        if (inside := scores.get(SPREAD_BY_WETNESS, name)) is not None:
            known = inside.n >= 5
            left.plot(centre[known], inside.std[known], marker="o", ms=3, label=name, **kind)
        if (spectrum := scores.get(POWER_SPECTRUM, name)) is not None:
            right.loglog(spectrum.wavelength[1:], spectrum.mean[1:], label=f"{name} (slope {spectrum.slope():.1f})",
                         **kind)  # fmt: skip
    left.set(xlabel=f"true mean of the coarse cell, {UNIT}", ylabel=f"std inside the cell, {UNIT}", ylim=(0, None),
             title="variation inside the coarse cell")  # fmt: skip
    left.legend(fontsize=8)
    right.invert_xaxis()
    right.set(xlabel="wavelength, pixels (km)", ylabel="power", title="power spectrum")
    if right.lines:
        right.legend(fontsize=8)
    return fig


def draw_calibration(scores: TruthScores, methods: Sequence[str], narrow: bool = False) -> Figure:
    """Fraction of the truth inside the stated intervals: on the diagonal the uncertainty is right."""
    fig, left, right = _panels(narrow, 4.0, share_y=True)
    for ax, curves in (
        (left, {s: (scores.get(STATED, PRODUCT, s, SKY), SKY_COLOUR.get(s, MUTED)) for s in SKY.labels}),
        (right, {m: (scores.get(STATED, m, "all", SKY), colour(m)) for m in methods}),
    ):
        for name, (intervals, color) in curves.items():
            if intervals is not None and intervals.n:
                ax.plot(100 * LEVELS, 100 * intervals.coverage, marker="o", ms=3, color=color, label=name)
    for ax, title in ((left, f"{PRODUCT}, by sky"), (right, "all sky, by method")):
        ax.plot([0, 100], [0, 100], color=INK, lw=0.8, ls="--", zorder=0)
        ax.set(xlim=(0, 100), ylim=(0, 100), aspect="equal", xlabel="stated interval, %", title=title)
        ax.legend(fontsize=8)
    left.set_ylabel("truth inside, %")
    return fig
