"""A record that is added to every morning, through outages, late granules and a reprocessing on request.

What is published stays: a final map never changes, byte for byte, unless it is asked for; a provisional one is made
once more when the days after it are there, and no other map with it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import road
from worlds import loud_run

from ssm_net.config import InferConfig, ModelConfig, ProduceConfig, load
from ssm_net.core.days import ONE_DAY
from ssm_net.cube.store import open_cube
from ssm_net.formats.mosaic_days import day_path, days_done, provisional_days, revision_of
from ssm_net.infer.run import infer
from ssm_net.ingest.naming import day_in_name
from ssm_net.prepare import prepare
from ssm_net.produce.run import produce
from ssm_net.produce.sample import sampled_days
from ssm_net.simulate import simulate

AHEAD, KEEP, WAIT = 2, 18, 3
MODEL = ModelConfig(members=1, width=8, depth=1, coarse_width=8, cells=True, lags=3, lookahead=AHEAD)
DAILY = ("NNsm", "MYD11A1.061", "MCD43A4.061", "precip")


@dataclass(frozen=True)
class Weather:
    """What goes wrong, in days since the first: ``silent`` days on whose morning nothing comes, the files waiting;
    ``without`` days of which a product is lost for ever; ``late`` granules, by day, with the days they are late; the
    days of which the map is asked to be made ``again``, with the morning on which it is."""

    silent: range
    without: dict[str, range]
    late: dict[tuple[str, int], int]
    again: dict[int, int]


@dataclass
class Operator:
    """One who comes every morning: the folders, and what was seen of the maps so far."""

    cfg: ProduceConfig
    world: Path
    first: dt.date
    weather: Weather
    final: dict[dt.date, str] = field(default_factory=dict)
    maps: dict[dt.date, str] = field(default_factory=dict)
    remade: list[dt.date] = field(default_factory=list)

    def granules_until(self, morning: int) -> None:
        """Put into raw/ what has come by a morning: the files of the day before, but those that are lost or late."""
        if morning in self.weather.silent:
            return
        for folder in DAILY:
            for path in (self.world / folder).iterdir():
                of = day_in_name(path.name)
                if of is None:
                    continue
                number = (of - self.first).days
                if number in self.weather.without.get(folder, ()):
                    continue
                if number + 1 + self.weather.late.get((folder, number), 0) <= morning:
                    _link(path, Path(self.cfg.raw) / folder / path.name)

    def comes(self, morning: int) -> None:
        """A morning: what has come is produced, and nothing is touched that is final."""
        self.granules_until(morning)
        before, provisional = dict(self.maps), provisional_days(Path(self.cfg.mosaics), "tiny")
        status = produce(self.cfg, self.first + morning * ONE_DAY)
        assert status.state in ("waiting", "up to date")
        self.look()
        changed = {day for day, digest in before.items() if self.maps.get(day) != digest}
        assert changed <= provisional, f"morning {morning}: maps that were final have changed"
        still = provisional_days(Path(self.cfg.mosaics), "tiny")
        assert changed == provisional - still, "those whose days ahead have come, and they alone, are made again"
        self.remade += sorted(changed)

    def look(self) -> None:
        folder = Path(self.cfg.mosaics)
        days = days_done(folder, "tiny")
        assert days == [self.first + n * ONE_DAY for n in range(len(days))], "no day is skipped"
        self.maps = {day: _digest(day_path(folder, "tiny", day)) for day in days}
        for day in set(days) - provisional_days(folder, "tiny"):
            assert self.final.setdefault(day, self.maps[day]) == self.maps[day], f"{day} was final, and has changed"

    def asks_again(self, number: int) -> set[dt.date]:
        """The late granules of a day are used on request: it and the days after it are made again."""
        day, last = self.first + number * ONE_DAY, open_cube(self.cfg.cube).done_days()[-1]
        before = dict(self.maps)
        prepare(road.preparation(Path(self.cfg.raw), Path(self.cfg.cube), str(day), str(last), revise=True))
        infer(InferConfig(cube=self.cfg.cube, run=self.cfg.run, mosaics=self.cfg.mosaics, start=str(day),
                          end=str(last), revise=True))  # fmt: skip
        for of in list(self.final):
            if of >= day:
                del self.final[of]
        self.look()
        return {of for of, digest in before.items() if self.maps[of] != digest}


def _link(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if not to.exists():
        os.link(path, to)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def operator(world: Path, folder: Path, first: dt.date, weather: Weather) -> Operator:
    """With networks that look ahead; what they have learned does not matter here."""
    raw = folder / "raw"
    shutil.copytree(world / "static", raw / "static")
    cube = prepare(road.preparation(world, folder / "two_days.zarr", str(first), str(first + ONE_DAY)))
    assert cube is not None
    keys = {"raw": str(raw), "cube": str(folder / "c.zarr"), "mosaics": str(folder / "maps"), "start": str(first),
            "run": str(loud_run(folder / "run", cube, MODEL, AHEAD)), "domain": road.DOMAIN, "keep": KEEP,
            "step": 5, "wait": WAIT}  # fmt: skip
    return Operator(load(ProduceConfig, keys), world, first, weather)


def check(one: Operator, days: int) -> None:
    """All days have a map, each was made again once, and the cube is a window with a sample."""
    made = sorted(one.maps)
    assert len(made) >= days - WAIT - 1
    once = [day for day in made if day not in provisional_days(Path(one.cfg.mosaics), "tiny")]
    assert len(one.remade) == len(set(one.remade)), "no day is made a third time"
    assert set(one.remade) <= set(once)
    with_pixels = {f.parents[1].name for f in open_cube(one.cfg.cube).path.glob("fine/lst_day/c/*/0/0")}
    assert len(with_pixels) <= KEEP + one.cfg.step


def test_weeks_of_daily_additions(tiny_raw: Path, tmp_path: Path) -> None:
    """Eight days: LST of one is lost, nothing comes on two mornings, one granule is late and is used on request."""
    weather = Weather(range(4, 6), {"MYD11A1.061": range(2, 3)}, {("NNsm", 3): 4}, {3: 8})
    one = operator(tiny_raw, tmp_path, dt.date(2016, 5, 1), weather)
    for morning in range(1, 9):
        one.comes(morning)
        if morning in weather.again.values():
            changed = one.asks_again(3)
            assert one.first + 3 * ONE_DAY in changed
            assert revision_of(Path(one.cfg.mosaics), "tiny", one.first + 3 * ONE_DAY) == 2
            assert min(changed) == one.first + 3 * ONE_DAY, "no day before it is touched"
    one.comes(12)
    check(one, 8)


@pytest.mark.slow
def test_a_winter_of_additions(tmp_path: Path) -> None:
    """Over New Year and 29 February, every day and then every third: outages of an instrument, of all, and of the
    archive; late granules now and then; two reprocessings. Longer records differ in nothing: pixels of ``KEEP`` days
    stay."""
    days, first = 120, dt.date(2015, 11, 15)
    world = simulate(road.simulation(tmp_path / "world", start=str(first), end=str(first + (days - 1) * ONE_DAY)))
    late = {("NNsm", n): 5 for n in (20, 57, 94)} | {("MYD11A1.061", n): 6 for n in (45, 98)}
    weather = Weather(
        range(80, 92), {"MYD11A1.061": range(30, 42), "NNsm": range(50, 54), "precip": range(62, 64)}, late,
        {20: 27, 94: 102},
    )  # fmt: skip
    one = operator(world, tmp_path, first, weather)
    for morning in [*range(1, 60), *range(60, days + 1, 3)]:
        one.comes(morning)
        for number, at in weather.again.items():
            if at == morning:
                changed = one.asks_again(number)
                assert min(changed) == first + number * ONE_DAY
    one.comes(days + WAIT + 2)
    check(one, days)


def test_the_sample_of_a_record_is_spread_over_it_and_bounded() -> None:
    """No day comes back whose pixels have gone."""
    days = [dt.date(2003, 1, 1) + n * ONE_DAY for n in range(3000)]
    had: set[dt.date] = set()
    for n in range(1, len(days)):
        now = sampled_days(days[:n], 20, AHEAD)
        assert len(now) <= 20 and set(now) - had <= set(days[max(0, n - 1 - AHEAD) : n])
        had = set(now)
    spread = sorted((day - days[0]).days for day in had)
    assert spread[0] == 0 and spread[-1] > 2000 and len(spread) > 20 / 2 - AHEAD
    assert sampled_days(days, 2, AHEAD) == []
