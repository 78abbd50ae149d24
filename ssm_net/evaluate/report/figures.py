"""The report's figures, drawn with matplotlib from the sums and series of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ssm_net.core.radiometers import name_of
from ssm_net.evaluate.daily_pass import Snapshot
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


def colour(method: str) -> str:
    return COLOUR.get(method, MUTED)


def draw_maps(snapshot: Snapshot, low: float, high: float) -> Figure:
    """The truth and the methods on one colour scale; below, errors, the uncertainty and the quality flags."""
    soil = snapshot.fields
    truth = soil.get(TRUTH)
    errors = {f"{m} - truth": soil[m] - truth for m in (PRODUCT, "bilinear") if truth is not None and m in soil}
    cols = max(len(soil), len(errors) + 2)
    height = 2.5 * np.ptp(snapshot.lat) * _aspect(snapshot) / max(np.ptp(snapshot.lon), 1e-6)
    fig = Figure(figsize=(2.9 * cols + 0.8, 2 * (float(np.clip(height, 1.2, 5)) + 0.9)), layout="compressed")
    above, below = fig.subplots(2, cols, squeeze=False)
    for ax, (name, field) in zip(above, soil.items(), strict=False):
        _map(ax, snapshot, np.where(snapshot.water, np.nan, field), name, cmap="YlGnBu", vmin=low, vmax=high)
    _bar(fig, above[: len(soil)], f"soil moisture, {UNIT}", extend="both")
    if errors:
        top = max(float(np.nanquantile(np.abs(e), 0.98)) for e in errors.values() if np.isfinite(e).any())
        for ax, (name, field) in zip(below, errors.items(), strict=False):
            _map(ax, snapshot, np.where(snapshot.water, np.nan, field), name, cmap="BrBG", vmin=-top, vmax=top)
        _bar(fig, below[: len(errors)], f"error, {UNIT}", extend="both", location="bottom")
    sigma, ax = snapshot.sigma, below[len(errors)]
    known = sigma[np.isfinite(sigma)]
    bounds = np.quantile(known, [0.01, 0.99]) if known.size else np.array([0.0, 0.1])
    _map(ax, snapshot, sigma, f"uncertainty of {PRODUCT}", cmap="magma_r", vmin=bounds[0],
         vmax=max(bounds[1], bounds[0] + 1e-3))  # fmt: skip
    _bar(fig, [ax], f"standard error, {UNIT}", extend="both", location="bottom")
    _quality_flags(below[len(errors) + 1], snapshot)
    for ax in [*above[len(soil) :], *below[len(errors) + 2 :]]:
        ax.set_visible(False)
    return fig


def _bar(fig: Figure, axes: Sequence[Axes], label: str, **kwargs: Any) -> None:
    """A colour bar of maps that share one scale."""
    fig.colorbar(axes[0].collections[0], ax=list(axes), label=label, shrink=0.8, aspect=25, pad=0.02, **kwargs)


def _aspect(s: Snapshot) -> float:
    """One degree of latitude over one of longitude, as lengths."""
    return float(1 / np.cos(np.deg2rad(s.lat.mean())))


def _map(ax: Axes, s: Snapshot, field: np.ndarray, title: str, **kwargs: Any) -> None:
    ax.set_title(title)
    ax.set_facecolor("#eceff0")
    ax.grid(False)
    ax.pcolormesh(s.lon, s.lat, np.ma.masked_invalid(field), shading="nearest", rasterized=True, **kwargs)
    if s.water.any() and not s.water.all():
        ax.contour(s.lon, s.lat, s.water.astype(float), levels=[0.5], colors=INK, linewidths=0.5)
    ax.set_aspect(_aspect(s))
    ax.xaxis.set_major_formatter(lambda v, _: f"{abs(v):g}°{'E' if v >= 0 else 'W'}")
    ax.yaxis.set_major_formatter(lambda v, _: f"{abs(v):g}°{'N' if v >= 0 else 'S'}")
    ax.locator_params(nbins=4)
    ax.tick_params(labelsize=7)


FLAG_STATES = [
    ("masked", "#eceff0"), ("water", "#3f5b73"), ("frozen or snow", "#d8e6f3"), ("clear, observed", "#f2c14e"),
    ("clear, orbit gap", "#d98b3a"), ("cloudy, observed", "#9fc0d8"), ("cloudy, orbit gap", "#5c86ad"),
]  # fmt: skip


def _quality_flags(ax: Axes, s: Snapshot) -> None:
    def has(flag: Flag) -> np.ndarray:
        return (s.flags & int(flag)) > 0

    gap, cloudy = has(Flag.ORBIT_GAP_FILLED), has(Flag.LST_FILLED)
    code = np.where(np.isfinite(s.fields[PRODUCT]), 3 + gap + 2 * cloudy, 0)
    code = np.where(has(Flag.WATER), 1, np.where(has(Flag.FROZEN_OR_SNOW), 2, code))
    cmap = ListedColormap([c for _, c in FLAG_STATES])
    _map(ax, s, code.astype(float), "quality flags", cmap=cmap, vmin=-0.5, vmax=len(FLAG_STATES) - 0.5)
    present = [FLAG_STATES[i] for i in np.unique(code)]
    ax.legend(handles=[Patch(facecolor=c, edgecolor=MUTED, label=n) for n, c in present], fontsize=7, ncols=2,
              loc="upper center", bbox_to_anchor=(0.5, -0.1))  # fmt: skip


def draw_time_series(series: Series, picks: Sequence[int]) -> Figure:
    """One panel a point: the truth, the station, the product with its 90 % interval, the baselines."""
    fig = Figure(figsize=(9.5, 2.5 * len(picks)), layout="constrained")
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
        locator = AutoDateLocator()
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes[0].legend(ncols=4, loc="lower right", bbox_to_anchor=(1, 1.0), fontsize=8)
    return fig


def draw_levels(days: Sequence[DayLevel]) -> Figure:
    """The map's mean of each day, its error and that of the coarse observations where there is a truth."""
    fig = Figure(figsize=(9.5, 4.2), layout="constrained")
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
    return fig


STATE = {"LST seen": "#f2c14e", "LST filled": "#9fc0d8", "other": "#c9d5d8", "frozen or snow": "#5f7fa3",
         "urban": "#a0527a", "no input or outside": "#1d2a30"}  # fmt: skip


def draw_coverage(rows: Sequence[dict[str, Any]]) -> Figure:
    """A bar a month: the inputs behind the land's pixels, or why they are masked; dots: coarse cells observed."""
    months = [row["month"] for row in rows]
    fig = Figure(figsize=(max(6.0, min(14.0, 1.5 + 0.45 * len(months))), 3.4), layout="constrained")
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
    step = -(-len(months) // 30)
    ax.set_xticks(range(0, len(months), step), months[::step], rotation=45 if len(months) > 8 else 0)
    ax.legend(ncols=3, fontsize=8, loc="lower left", bbox_to_anchor=(0, 1.0))
    return fig


def draw_scatter(scores: TruthScores, methods: Sequence[str]) -> Figure:
    """Counts of truth and estimate, a panel a method."""
    fig = Figure(figsize=(3.3 * len(methods) + 0.7, 4.0), layout="compressed")
    axes = fig.subplots(1, len(methods), sharey=True, squeeze=False).ravel()
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
    axes[0].set_ylabel(f"estimate, {UNIT}")
    assert image is not None
    fig.colorbar(image, ax=list(axes), label="pixels and days", shrink=0.8, pad=0.01)
    return fig


def draw_texture(scores: TruthScores, methods: Sequence[str]) -> Figure:
    """Variation inside the coarse cell by wetness, and the power spectrum."""
    fig = Figure(figsize=(9.5, 3.6), layout="constrained")
    left, right = fig.subplots(1, 2)
    centre = (STD_BINS[1:] + STD_BINS[:-1]) / 2
    for name in (TRUTH, *methods):
        kind = {"color": colour(name), "lw": 1.2 if name != PRODUCT else 2, "ls": "--" if name == TRUTH else "-"}
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


def draw_calibration(scores: TruthScores, methods: Sequence[str]) -> Figure:
    """Fraction of the truth inside the stated intervals: on the diagonal the uncertainty is right."""
    fig = Figure(figsize=(9.5, 4.0), layout="constrained")
    left, right = fig.subplots(1, 2, sharey=True)
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
