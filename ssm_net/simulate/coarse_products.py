"""The coarse products of a world beside NNsm: what each retrieves on a day, and its files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssm_net.core.days import ONE_DAY
from ssm_net.grid import Domain
from ssm_net.simulate.world.fields import Array
from ssm_net.simulate.world.fleet import Instrument, products
from ssm_net.simulate.world.observe import Observer
from ssm_net.simulate.world.overpass import WorldDay
from ssm_net.simulate.writers import coarse

NAMES = {
    "LPRM": "LPRM-AMSR2_L3_D_SOILM3_V001_{:%Y%m%d}013507.nc4",
    "AU_Land": "AMSR_U2_L2_Land_B02_{:%Y%m%d%H%M}_D.he5",
    "SMAP": "SMAP_L3_SM_P_{:%Y%m%d}_R19240_001.h5",
    "SPL3SMP_E": "SMAP_L3_SM_P_E_{:%Y%m%d}_R19240_001.h5",
    "SMOS": "SM_RE06_MIR_CDF3SA_{0:%Y%m%d}T000000_{0:%Y%m%d}T235959_105_001_8.DBL.nc",
}


@dataclass(frozen=True)
class CoarseProducts:
    """The ``instruments`` behind the products of a world, by the name of the product, which is its folder in ``raw``.

    Files are of UTC days (but of local nights for the half orbits of AU_Land), so the columns of one may be of two
    local days.
    """

    raw: Path
    domain: Domain
    instruments: Mapping[str, Instrument]

    @classmethod
    def of(cls, raw: Path, observer: Observer, names: Iterable[str]) -> CoarseProducts:
        domain = observer.land.domain
        own = [name for name in names if name != "NNsm"]
        return cls(raw, domain, products(observer.laws.sensor, domain.coarse_shape, observer.seed, own))

    def observe(self, observer: Observer, day: WorldDay) -> dict[str, Array]:
        """What each retrieves on a local day that it flies on, (R, C) m3 m-3."""
        return {name: observer.coarse(day, one) for name, one in self.instruments.items() if one.flies(day.date)}

    def write(self, observed: Mapping[dt.date, Mapping[str, Array]], utc: dt.date) -> None:
        """The files of the UTC day ``utc`` that are not there yet, of what was ``observed`` on the last local days."""
        lon, _ = self.domain.lonlat(coarse=True)
        for name, one in self.instruments.items():
            # The half orbit over the domain that ends the local night; a map holds all that was seen on its UTC day.
            behind = np.floor((one.hour - lon / 15) / 24).astype(int)
            local = np.full(lon.size, 1) if name == "AU_Land" else -behind
            fields = {n: observed.get(utc + int(n) * ONE_DAY, {}).get(name) for n in np.unique(local)}
            if all(field is None for field in fields.values()):
                continue
            ssm = np.full(self.domain.coarse_shape, np.nan, np.float32)
            for n, field in fields.items():
                if field is not None:
                    ssm[:, local == n] = field[:, local == n]
            self._write(name, utc, coarse.Retrieval(self.domain, ssm, one.error, one.hour, local))

    def _write(self, name: str, date: dt.date, seen: coarse.Retrieval) -> None:
        moment = dt.datetime.combine(date, dt.time())
        if name == "AU_Land":
            lon, _ = self.domain.lonlat(coarse=True)
            moment += dt.timedelta(hours=float(24 + seen.hour - lon.mean() / 15), minutes=-25)
        path = self.raw / name / NAMES[name].format(moment)
        if path.exists():
            return
        if name == "LPRM":
            coarse.write_lprm(path, date, seen)
        elif name == "AU_Land":
            coarse.write_au_land(path, date, seen)
        elif name == "SMOS":
            coarse.write_smos(path, date, seen)
        else:
            coarse.write_smap(path, date, seen, finer=4 if name == "SPL3SMP_E" else 1)
