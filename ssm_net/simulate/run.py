"""The verb simulate: a synthetic world with known truth in a raw folder, resumed if it was interrupted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from ssm_net.config import SimulateConfig, days_between
from ssm_net.core.boundary import domain_of
from ssm_net.core.files import write_whole
from ssm_net.errors import ConfigError
from ssm_net.simulate.native_files import Content, write_world
from ssm_net.simulate.validity import ground, report, report_points, summary_checks
from ssm_net.simulate.world.land import make_land
from ssm_net.simulate.world.laws import laws_of
from ssm_net.simulate.world.observe import Observer
from ssm_net.simulate.writers.sinusoidal import sinusoidal_tiles

VERSION = 3  # of the world: raised whenever the same settings give other numbers
BEFORE = {
    "record": False,
    "auxiliary": False,
    "sensors": "modis",
    "static_tiles": False,
}  # settings that older worlds do not state


def simulate(cfg: SimulateConfig) -> Path:
    """Write a synthetic world into its raw folder, which is returned.

    An interrupted run is resumed; where the world is complete already, nothing is done. Raises ``ConfigError`` where
    the folder holds another world, or files that no simulation wrote.
    """
    console = Console()
    domain = domain_of(cfg.domain)
    wanted = days_between(cfg.start, cfg.end)
    laws = laws_of(cfg.family, cfg.seed)
    raw = Path(cfg.raw)
    settings = {
        "version": VERSION,
        "family": cfg.family,
        "seed": cfg.seed,
        "window": list(domain.window),
        "start": cfg.start,
        "end": cfg.end,
        "record": cfg.record,
        "auxiliary": cfg.auxiliary,
        "sensors": cfg.sensors,
        "static_tiles": cfg.static_tiles,
    }
    if cfg.ssm != ["NNsm"]:
        settings["ssm"] = sorted(cfg.ssm)
    done = _check(raw, settings)
    if cfg.plan:
        rows, cols = domain.fine_shape
        tiles = ", ".join(t.name for t in sinusoidal_tiles(domain, 1200))
        state = "is complete; nothing would be written" if done else "would be written"
        console.print(
            f"world {domain.name}, family {cfg.family}, seed {cfg.seed}: {len(wanted)} days {cfg.start}..{cfg.end}, "
            f"{rows} x {cols} pixels, MODIS tiles {tiles}, in {escape(str(raw))}: {state}"
        )
        return raw
    if done:
        console.print(f"{escape(str(raw))}: this world is complete already ({len(wanted)} days); nothing to do")
        return raw
    raw.mkdir(parents=True, exist_ok=True)
    _mark(raw, settings, done=False)
    land = make_land(domain, laws, cfg.seed)
    content = Content(wanted[0], wanted[-1], cfg.record, cfg.auxiliary, cfg.sensors, tuple(cfg.ssm), cfg.static_tiles)
    statistics, points = write_world(raw, Observer(land, laws, cfg.seed), content, console)
    checks = summary_checks(statistics)
    report(checks + ground(land), raw / "validity.json", console)
    report_points(points, cfg.seed, raw / "points.json", console)
    _mark(raw, settings, done=True)
    return raw


def _check(raw: Path, settings: dict[str, Any]) -> bool:
    """Whether the folder holds this world completely. Raises ``ConfigError`` where it holds something else."""
    marker = raw / "world.json"
    if not marker.exists():
        if raw.is_dir() and any(raw.iterdir()):
            raise ConfigError(
                f"raw={raw} holds files but no world.json: a world is not mixed with other data; give another folder"
            )
        return False
    try:
        stored = json.loads(marker.read_text(encoding="utf-8"))
        present = BEFORE | stored["settings"]
    except (json.JSONDecodeError, KeyError, TypeError) as err:
        raise ConfigError(f"{marker}: not the marker of a world ({err}); delete {raw} or give another raw=") from err
    settings = {"ssm": ["NNsm"]} | settings
    present = {"ssm": ["NNsm"]} | present
    other = [f"{key}={present.get(key)} (now {value})" for key, value in settings.items() if present.get(key) != value]
    if other:
        raise ConfigError(f"raw={raw} holds another world: {', '.join(other)}; give another raw= or delete that folder")
    return bool(stored.get("done"))


def _mark(raw: Path, settings: dict[str, Any], *, done: bool) -> None:
    write_whole(raw / "world.json", (json.dumps({"settings": settings, "done": done}, indent=1) + "\n").encode())
