"""Writer of the stations of a world, in the layout of the International Soil Moisture Network (header + values)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssm_net.core.clock import DAY_HOUR, NIGHT_HOUR
from ssm_net.core.files import write_whole
from ssm_net.dateline import wrapped
from ssm_net.simulate.world.fields import stream
from ssm_net.simulate.world.land import Land

NETWORK = "SYNTH"
SENSOR = "Probe"
PER_PIXEL = 2000 / 9.6e6  # the national density, stations by km2
SITE_BIAS, REPRESENTATIVENESS, SENSOR_NOISE = 0.04, 0.03, 0.01  # m3 m-3
MISSING = 0.15


@dataclass(frozen=True)
class StationSites:
    """The places of the stations: fine ``row`` and ``col``, degrees (beyond 180 across the dateline), metres,
    percent of ``sand`` and ``clay``."""

    row: NDArray[np.int64]
    col: NDArray[np.int64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    elevation: NDArray[np.float32]
    sand: NDArray[np.float32]
    clay: NDArray[np.float32]

    def name(self, n: int) -> str:
        return f"S{n + 1:03d}"  # `ismn` finds no series where a station's name holds an underscore


def make_sites(land: Land, seed: int) -> StationSites:
    """Stations at the national density, at least four: more of them on farmland and low ground, none on a lake."""
    shape = land.domain.fine_shape
    number = max(4, round(shape[0] * shape[1] * PER_PIXEL))
    rng = stream(seed, "sites")
    low = land.relief.elevation < np.median(land.relief.elevation)
    weight = ((1.0 + 2.0 * low + 4.0 * (land.fields > 0)) * (land.water < 0.05)).ravel()
    row, col = np.unravel_index(rng.choice(weight.size, number, replace=False, p=weight / weight.sum()), shape)
    lon, lat = land.domain.lonlat()
    at = row, col
    return StationSites(
        row, col, lon[col], lat[row], land.relief.elevation[at], land.texture.sand[at], land.texture.clay[at]
    )


def write_stations(
    root: Path,
    sites: StationSites,
    days: list[dt.date],
    night: NDArray[np.float32],
    noon: NDArray[np.float32],
    seed: int,
) -> None:
    """The network's tree under ``root``: hourly values in UTC between the first and the last true state.

    ``night``, ``noon`` are (days, sites), m3 m-3, at 01:30 and 13:30 local solar time of ``days``. A station measures
    the truth of its pixel, interpolated in time, with a constant bias and an error that lasts days (a point does not
    represent its pixel); some hours are missing, and some are spoilt and flagged.
    """
    epoch = dt.datetime.combine(days[0], dt.time())
    hours_in = np.ravel([[24.0 * n + NIGHT_HOUR, 24.0 * n + DAY_HOUR] for n in range(len(days))])
    for n in range(len(sites.row)):
        rng = stream(seed, "station", n)
        offset = sites.lon[n] / 15  # hours that local solar time is ahead of UTC
        first, last = np.ceil(hours_in[0] - offset), np.floor(hours_in[-1] - offset)
        utc = np.arange(first, last + 1)
        truth = np.interp(utc + offset, hours_in, np.stack([night[:, n], noon[:, n]], 1).ravel())
        drift = rng.normal(size=len(days) + 2)
        for k in range(1, drift.size):  # a first-order process of the days, rho 0.7
            drift[k] = 0.7 * drift[k - 1] + np.sqrt(1 - 0.49) * drift[k]
        slow = np.interp(utc, 24.0 * (np.arange(drift.size) - 1), drift)
        noise = rng.normal(0, SENSOR_NOISE, utc.size)
        value = truth + rng.normal(0, SITE_BIAS) + REPRESENTATIVENESS * slow + noise
        value, flag = _spoil(np.clip(value, 0.005, 0.58), rng)
        keep = np.ones(utc.size, bool)
        while keep.mean() > 1 - MISSING and utc.size > 24:
            begin = rng.integers(utc.size)
            keep[begin : begin + rng.integers(3, 30)] = False
        times = [epoch + dt.timedelta(hours=float(h)) for h in utc[keep]]
        _write_series(root, sites, n, (0.0, 0.05), times, value[keep], flag[keep])
        if n % 4 == 0:  # some stations have a second, deeper probe: damped, and not to be taken for the surface
            deep = np.clip(0.6 * value.mean() + 0.4 * value, 0.005, 0.58)
            _write_series(root, sites, n, (0.20, 0.20), times, deep[keep], flag[keep])
        _write_static(root, sites, n)


def _spoil(value: NDArray[np.float64], rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Spikes, a saturated plateau and hours under frost, each with the flag the network's quality control gives it."""
    value, flag = value.copy(), np.full(value.size, "G", dtype="U8")
    spike = rng.choice(value.size, max(1, value.size // 200), replace=False)
    value[spike] += rng.uniform(0.1, 0.25, spike.size)
    flag[spike] = "D06"
    for length, name in ((18, "D10"), (9, "D03"), (4, "D03,D10"), (2, "C02")):
        begin = int(rng.integers(max(value.size - length, 1)))
        part = slice(begin, begin + length)
        value[part] = {"D10": 0.55, "C02": 0.62}.get(name, value[begin])
        flag[part] = name
    return value, flag


def _base(sites: StationSites, n: int) -> str:
    return f"{NETWORK}_{NETWORK}_{sites.name(n)}"


def _write_series(
    root: Path,
    sites: StationSites,
    n: int,
    depth: tuple[float, float],
    times: list[dt.datetime],
    value: NDArray[np.float64],
    flag: NDArray[np.str_],
) -> None:
    name = f"{_base(sites, n)}_sm_{depth[0]:.6f}_{depth[1]:.6f}_{SENSOR}_{times[0]:%Y%m%d}_{times[-1]:%Y%m%d}.stm"
    head = (
        f"{NETWORK:<10} {NETWORK:<10} {sites.name(n):<12} {sites.lat[n]:10.5f} {wrapped(sites.lon)[n]:11.5f} "
        f"{sites.elevation[n]:8.2f} {depth[0]:7.2f} {depth[1]:7.2f} {SENSOR}"
    )
    rows = [f"{t:%Y/%m/%d %H:%M} {v:8.4f} {f} M" for t, v, f in zip(times, value, flag, strict=True)]
    write_whole(root / NETWORK / sites.name(n) / name, ("\n".join([head, *rows]) + "\n").encode())


def _write_static(root: Path, sites: StationSites, n: int) -> None:
    keys = (
        "quantity_name;unit;depth_from[m];depth_to[m];value;description;quantity_source_name;"
        "quantity_source_description;quantity_source_provider;quantity_source_version;quantity_source_resolution;"
        "quantity_source_timespan;quantity_source_url"
    )
    source = "synthetic;Synthetic world;ssm_net;1;1km;;"
    sand, clay = float(sites.sand[n]), float(sites.clay[n])
    table = [("clay fraction", clay), ("sand fraction", sand), ("silt fraction", 100 - sand - clay)]
    rows = [f"{key};% weight;{top};{value:.2f};;{source}" for top in ("0.00;0.30", "0.30;1.00") for key, value in table]
    rows += [f"saturation;m^3*m^-3;{top};{0.489 - 0.00126 * sand:.2f};;{source}" for top in ("0.00;0.30", "0.30;1.00")]
    rows += [f"organic carbon;% weight;{top};1.00;;{source}" for top in ("0.00;0.30", "0.30;1.00")]
    cover = "land cover classification;;;;130;Grassland;CCI_landcover_{};Land Cover;ssm_net;1;1km;;"
    rows += [cover.format(year) for year in (2000, 2005, 2010)]
    rows += ["climate classification;;;;BSk;Arid - Steppe - Cold;koeppen_geiger_2007;Climate;ssm_net;1;1km;;"]
    text = "\n".join([keys, *rows]) + "\n"
    write_whole(root / NETWORK / sites.name(n) / f"{_base(sites, n)}_static_variables.csv", text.encode())
