"""Settings of ``evaluate``."""

from __future__ import annotations

from dataclasses import dataclass, field

from ssm_net.config.checks import METHODS, check_period, require, require_paths


@dataclass(frozen=True)
class EvaluateConfig:
    """Scores of daily maps against the truth of a synthetic world, stations and baselines, and a report.

    ssm-net evaluate mosaics=OUT cube=CUBE report=REPORT stations=RAW/ismn
    ssm-net evaluate mosaics=OUT cube=CUBE report=REPORT truth=RAW/truth.zarr
    ssm-net evaluate mosaics=OUT cube=CUBE report=REPORT stations=RAW/ismn peers=[SPL4SMGP:data/SPL4SMGP]
    """

    mosaics: str
    """folder of infer: ssm_<domain>_<yyyymmdd>.nc"""
    cube: str
    """the cube they were made from: coarse observations, and what the baselines need"""
    report: str
    """folder to write: index.html, its numbers in report.json, scores.json, the baselines' mosaics"""
    truth: str | None = None
    """truth.zarr of simulate; without it there are no scores at 1 km"""
    stations: str | None = None
    """ISMN folder or archive zip; without it there are no scores at stations"""
    basin: str | None = None
    """vector file of polygons (GeoJSON, shapefile ..): only pixels and stations inside are scored"""
    baselines: list[str] = field(default_factory=lambda: ["bilinear", "dispatch"])
    """methods to compare the product with: bilinear, dispatch, gwr, forest, ridge; [] for none"""
    peers: list[str] = field(default_factory=list)
    """maps of others to compare with at the stations and with the truth, each name:folder (docs/referees.md)"""
    start: str | None = None
    """first day, yyyy-mm-dd; without it the first that there is"""
    end: str | None = None
    """last day, yyyy-mm-dd; without it the last that there is"""
    plan: bool = False
    """true prints what would be scored and does nothing"""

    def __post_init__(self) -> None:
        require_paths(self, "mosaics", "cube", "report", "truth", "stations", "basin")
        check_period(self.start, self.end)
        known = [m for m in METHODS if m != "network"]
        for name in self.baselines:
            require(name in known, f"baselines: {name} is none; choose from {', '.join(known)}")
        for peer in self.peers:
            name, colon, folder = peer.partition(":")
            require(bool(name.strip() and colon and folder.strip()),
                    f"peers: {peer!r} is no name:folder; give, say, peers=[SPL4SMGP:data/SPL4SMGP]")  # fmt: skip
        require(not self.peers or self.stations is not None or self.truth is not None,
                "peers are compared at stations, or with the truth of a simulated world: give stations=, an ISMN "
                "folder or archive zip, or truth=")  # fmt: skip
