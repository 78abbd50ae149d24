"""The instruments of a world: thermal and optical imagers, the radiometer, a rain product."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from ssm_net.core.clock import DAY_HOUR, NIGHT_HOUR
from ssm_net.footprint import Footprint
from ssm_net.grid import Domain, block_mean
from ssm_net.simulate.world.fields import Array, RandomField, stream
from ssm_net.simulate.world.fleet import Instrument
from ssm_net.simulate.world.land import Land
from ssm_net.simulate.world.optics import Colours, reflectance
from ssm_net.simulate.world.overpass import WorldDay
from ssm_net.simulate.world.physics import Laws, Orbit
from ssm_net.simulate.world.traits import SensorBias, hour_on

WHITE, CORRELATED = 0.7, 0.6  # K, error of a clear-sky LST: of each pixel, and over 20 km
UNDETECTED = 0.02  # fraction of clear pixels with a thin cloud that the mask misses
EDGE = 0.12  # margin to a cloud's edge below which an observation has the second-best quality
EARTH = 6371.0  # km
SNOW_MASK, FROZEN_LST = 5.0, 272.0  # mm of snow, K by night, beyond which soil moisture is not retrieved
TERRA_HOURS = {"day": 10.5, "night": 22.5}  # local solar time of the overpasses
VIIRS_HOURS = {"day": DAY_HOUR, "night": NIGHT_HOUR}
VIIRS_WARMER = {"day": 0.8, "night": 0.4}  # K, by which another algorithm for LST is warmer
LATE = 5.0  # h by which a platform that sees no heating of the day at all would pass before 13:30
VIEW_ORBIT = Orbit()  # of Aqua and Terra


@dataclass(frozen=True)
class Observer:
    """The instruments over one world; each observation is determined by the seed and the day."""

    land: Land
    laws: Laws
    seed: int

    @property
    def _shape(self) -> tuple[int, int]:
        return self.land.domain.fine_shape

    @cached_property
    def _lst_error(self) -> RandomField:
        return RandomField(self._shape, 20)

    @cached_property
    def _colours(self) -> Colours:
        return Colours.of(self.land, self.laws, self.seed)

    @cached_property
    def footprint(self) -> Footprint:
        """The beam of the radiometer: elliptical where its widths along rows and columns differ."""
        sensor, domain = self.laws.sensor, self.land.domain
        down, along = (Footprint.gaussian(domain.coarse_shape, domain.ratio, f) for f in sensor.fwhm)
        return Footprint(down.rows, along.cols)

    @cached_property
    def coarse_bias(self) -> Array:
        """The radiometer's constant error, m3 m-3, (R, C): errors of the retrieval from vegetation and texture."""
        shape = self.land.domain.coarse_shape
        rows, cols = (max(n, 24) for n in shape)  # one draw of a wide field, so that its mean over a domain is small
        field = RandomField((rows, cols), 2.0).sample(stream(self.seed, "coarse bias"))
        field = field[: shape[0], : shape[1]]
        if self.laws.traits is not None:
            field = self._bias_of_surface(field, self.laws.traits.sensor)
        return self.laws.sensor.bias * field

    def _bias_of_surface(self, field: Array, weights: SensorBias) -> Array:
        """A field of the same variance that follows vegetation, water and relief of the cells, (R, C)."""
        land = self.land
        total, norm = field, 1.0
        for of_pixel, weight in (
            (land.phenology.high, weights.vegetation),
            (land.water, weights.water),
            (land.relief.slope, weights.relief),
        ):
            mean = block_mean(torch.from_numpy(of_pixel), land.domain.ratio).numpy()
            total = total + weight * (mean - mean.mean()) / max(float(mean.std()), 1e-6)
            norm += weight**2
        return np.asarray(total / np.sqrt(norm), np.float32)

    def footprint_mean(self, field: Array) -> Array:
        """H over the land of each footprint: (rows, cols) to (R, C)."""
        land = torch.from_numpy(1 - self.land.water)
        return self.footprint.forward(torch.from_numpy(field), land).numpy()

    def coarse(self, day: WorldDay, other: Instrument | None = None) -> Array:
        """Soil moisture as the radiometer, or an ``other`` one, retrieves it, m3 m-3, (R, C), NaN in orbit gaps."""
        sensor = self.laws.sensor if other is None else other.sensor
        true = self.footprint_mean(day.night.ssm)
        green = self.footprint_mean(day.ndvi)
        gain = 1 + sensor.gain * (1 - 2 * np.clip(green / 0.7, 0, 1))
        wet = self.footprint.forward(torch.from_numpy(self.land.water)).numpy()
        name = "coarse noise" if other is None else f"coarse noise {other.name}"
        noise = stream(self.seed, name, day.date.toordinal()).normal(0, sensor.noise, true.shape)
        value = gain * true + sensor.water * wet + (0 if other is not None and other.own_bias else self.coarse_bias)
        value = np.clip((value if other is None else other.distorted(value, day.date)) + noise, 0.02, 0.6)
        if day.snow is not None:
            value = np.where(self._frozen(day), np.nan, value)
        lon, lat = self.land.domain.lonlat(coarse=True)
        return np.where(swath(sensor.orbit, lon, lat, day.date), value, np.nan).astype(np.float32)

    def _frozen(self, day: WorldDay) -> NDArray[np.bool_]:
        """Where most of a footprint is frozen or under snow, so that nothing is retrieved, (R, C)."""
        assert day.snow is not None
        hard = (day.snow > SNOW_MASK) | (day.night.lst < FROZEN_LST)
        return self.footprint_mean(hard.astype(np.float32)) > 0.5

    def lst(self, day: WorldDay, part: str) -> tuple[Array, Array, NDArray[np.uint8]]:
        """The true LST of ``day`` or ``night``, the error of its observation (K), and QC, on the fine grid."""
        margin, true = day.at(part).margin, day.at(part).lst
        traits = self.laws.traits
        if traits is not None and part == "day":
            share = np.float32(hour_on(traits.thermal, day.date.toordinal()))
            true = day.night.lst + share * (day.noon.lst - day.night.lst)
        rng = stream(self.seed, f"lst {part}", day.date.toordinal())
        error = self._thermal_error(rng, day.date)
        tilt = rng.uniform(-1, 1)  # the viewing angle changes across the scene
        error += (tilt * np.linspace(-1, 1, self._shape[1]) * min(1.0, self._shape[1] / 1000)).astype(np.float32)
        missed = rng.uniform(size=self._shape) < (UNDETECTED if traits is None else traits.thermal.thin_cloud)
        error = np.where(missed, error - rng.uniform(5, 15, self._shape), error).astype(np.float32)
        qc = np.where(margin <= 0, QC_CLOUD, np.where(margin < EDGE, QC_OTHER, QC_GOOD)).astype(np.uint8)
        return true, error, qc

    def view_hours(self, date: dt.date) -> dict[str, float]:
        """Local solar hours at which the platform passes, as its files state them; in a wide world it drifts by day."""
        traits = self.laws.traits
        share = 1.0 if traits is None else hour_on(traits.thermal, date.toordinal())
        return {"day": DAY_HOUR - LATE * (1 - share), "night": NIGHT_HOUR}

    def terra(self, day: WorldDay, part: str) -> tuple[Array, Array, NDArray[np.uint8]]:
        """As ``lst``, of Terra at 10:30 and 22:30: closer to each other, and under other clouds of the same weather."""
        rng = stream(self.seed, f"terra {part}", day.date.toordinal())
        share = {"day": 0.8, "night": 0.12}[part]
        true = (day.night.lst + share * (day.noon.lst - day.night.lst)).astype(np.float32)
        margin = day.at(part).margin + 0.5 * RandomField(self._shape, 15).sample(rng)
        error = self._thermal_error(rng, day.date)
        qc = np.where(margin <= 0, QC_CLOUD, np.where(margin < EDGE, QC_OTHER, QC_GOOD)).astype(np.uint8)
        return true, error, qc

    def viirs(self, day: WorldDay, part: str, platform: str) -> tuple[Array, Array, NDArray[np.uint8]]:
        """As ``lst``, of VIIRS at 13:30 and 1:30, by the algorithm of its own product: warmer by a little, somewhere
        more and somewhere less, and half an hour before or after the clouds that Aqua sees."""
        lasting = RandomField(self._shape, 40).sample(stream(self.seed, f"viirs {part}"))
        rng = stream(self.seed, f"viirs {platform} {part}", day.date.toordinal())
        margin = day.at(part).margin + 0.2 * RandomField(self._shape, 15).sample(rng)
        error = self._thermal_error(rng, day.date) + np.float32(VIIRS_WARMER[part]) + 0.3 * lasting
        qc = np.where(margin <= 0, QC_CLOUD, np.where(margin < EDGE, QC_OTHER, QC_GOOD)).astype(np.uint8)
        return day.at(part).lst, error.astype(np.float32), qc

    def _thermal_error(self, rng: np.random.Generator, date: dt.date) -> Array:
        """Error of a clear-sky LST, K, (y, x). In a wide world pixels have patterns of the view angle, which repeats
        with Aqua's and Terra's orbit, of 233 revolutions in 16 days."""
        traits, hidden = self.laws.traits, self.land.hidden
        white = WHITE if traits is None else traits.thermal.noise
        error = white * rng.standard_normal(self._shape, dtype=np.float32) + CORRELATED * self._lst_error.sample(rng)
        error = error * np.float32(self.laws.lst_error)
        if traits is not None and hidden is not None:
            angle = 2 * np.pi * (date.toordinal() * VIEW_ORBIT.orbits / VIEW_ORBIT.repeat % 1.0)
            error = error + traits.thermal.view * (np.cos(angle) * hidden.view[0] + np.sin(angle) * hidden.view[1])
        return error.astype(np.float32)

    def reflectance(self, day: WorldDay) -> tuple[dict[int, Array], NDArray[np.uint8]]:
        """Nadir reflectance by band on the fine grid, and the quality of a 16-day composite (255: no value)."""
        quality = np.where(day.clear_recent < 0.12, 255, np.where(day.clear_recent < 0.3, 1, 0)).astype(np.uint8)
        rng = stream(self.seed, "reflectance", day.date.toordinal())
        return reflectance(self.land, self.laws, self._colours, day, quality, rng), quality

    def rain(self, day: WorldDay, grid: RainGrid) -> Array:
        """Rain on the 0.1 degree grid, mm in the 24 hours before 01:30: unbiased, with local errors."""
        true = grid.down @ day.rain @ grid.along.T
        rng = stream(self.seed, "rain product", day.date.toordinal())
        wrong = self.laws.rain_error
        factor = np.exp(wrong * RandomField(true.shape, 3.0).sample(rng) - 0.5 * wrong**2)
        if self.laws.traits is not None:
            factor = factor * self._lasting_rain_error(true.shape)
        observed = np.where(rng.uniform(size=true.shape) < 0.05, 0, true * factor)  # some events are missed
        return np.where(observed < 0.1, 0, observed).astype(np.float32)

    def _lasting_rain_error(self, shape: tuple[int, ...]) -> Array:
        """The factor by which the rain product is wrong all the time, (lat, lon), of mean 1."""
        assert self.laws.traits is not None
        wrong = self.laws.traits.rain.lasting
        field = RandomField((shape[0], shape[1]), 2.0).sample(stream(self.seed, "lasting rain error"))
        return np.exp(wrong * field - 0.5 * wrong**2)


@dataclass(frozen=True)
class RainGrid:
    """A latitude-longitude grid over the domain; ``down`` and ``along`` average the fine rows and columns of a box."""

    lat: NDArray[np.float64]  # centres, descending
    lon: NDArray[np.float64]
    down: Array
    along: Array

    @classmethod
    def over(cls, domain: Domain, spacing: float = 0.1) -> RainGrid:
        lon, lat = domain.lonlat()
        south, row = _boxes(lat, spacing)
        west, col = _boxes(lon, spacing)
        return cls(south[::-1], west, row[::-1], col)


def _boxes(at: NDArray[np.float64], spacing: float) -> tuple[NDArray[np.float64], Array]:
    """Centres (ascending) of the boxes that hold ``at`` and a ring around them, and their averaging matrix.

    A box outside the domain takes the nearest row or column.
    """
    first, last = np.floor(at.min() / spacing) - 1, np.floor(at.max() / spacing) + 1
    centre = (np.arange(first, last + 1) + 0.5) * spacing
    member = np.abs(at[None] - centre[:, None]) <= spacing / 2
    nearest = np.abs(at[None] - centre[:, None]).argmin(1)
    empty = ~member.any(1)
    member[empty, nearest[empty]] = True
    return centre, (member / member.sum(1, keepdims=True)).astype(np.float32)


def swath(orbit: Orbit, lon: NDArray[np.float64], lat: NDArray[np.float64], day: dt.date) -> NDArray[np.bool_]:
    """The swath of the descending passes of a night, (len(lat), len(lon)) bool.

    The ground track of a circular orbit over a turning earth; passes repeat after ``orbit.repeat`` days.
    """
    tilt = np.radians(orbit.inclination)
    arc = np.pi - np.arcsin(np.clip(np.sin(np.radians(lat)) / np.sin(tilt), -1, 1))  # from the ascending node
    ahead = np.degrees(np.unwrap(np.arctan2(np.cos(tilt) * np.sin(arc), np.cos(arc))))
    spacing = 360.0 * orbit.repeat / orbit.orbits
    track = ahead - spacing * arc / (2 * np.pi)
    per_day = orbit.orbits / orbit.repeat
    node = spacing * ((day.toordinal() * per_day) % 1.0)
    offset = (lon[None] - track[:, None] - node + spacing / 2) % spacing - spacing / 2
    km = np.radians(offset) * EARTH * np.cos(np.radians(lat))[:, None]
    # The track crosses the parallels obliquely: the distance to it is shorter than along the parallel.
    east = np.gradient(track, np.arange(lat.size)) * np.cos(np.radians(lat))
    north = np.gradient(lat, np.arange(lat.size))
    return np.abs(km) * np.cos(np.arctan2(np.abs(east), np.abs(north)))[:, None] <= orbit.swath / 2


QC_GOOD, QC_OTHER, QC_CLOUD, QC_NONE = 0, 65, 2, 3  # 65: produced, other quality, LST error up to 2 K
