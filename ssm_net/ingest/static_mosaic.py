"""A static map made of the tiles of a product, brought to a grid and checked for its unit and range."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox

from ssm_net.dateline import sides
from ssm_net.ingest.mosaic import Tile, mosaic
from ssm_net.ingest.notes import make_note
from ssm_net.ingest.quantities import Quantity, of_static_map
from ssm_net.ingest.ranges import FILLS, HUGE, MOSTLY, likely_unit, require_size
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.static_files import StaticMap
from ssm_net.ingest.static_tiles import OpenTile, Span, open_tile

EXAMPLES = 1000  # wrong values of a window that are kept, to tell the unit that they are in


def read_tiles(name: str, files: StaticMap, geobox: GeoBox) -> np.ndarray:
    """The map ``name`` on ``geobox``, made of its tiles: (y, x) float32 in the unit of the map, NaN where it has no
    value. Tiles outside ``geobox`` are not read.

    Raises ``GranuleError`` where a tile is damaged, in another unit than it should be, or none covers any of
    ``geobox``.
    """
    quantity = of_static_map(name)
    check = RangeOfTiles(name, quantity, files.source)
    opened = [open_tile(tile) for tile in files.tiles]
    tiles, out = [Tile(one.geobox, _reader(one, check)) for one in opened], np.empty(tuple(geobox.shape), np.float32)
    for columns, side in sides(geobox):
        out[:, columns] = mosaic(tiles, side)
    path = files.tiles[0].path
    check.conclude()
    if np.isnan(out).all():
        raise GranuleError(path, f"none of its {len(opened)} tiles has a value inside the domain", layer=name,
                           remedy="give tiles that cover the domain, or remove these: the maps are then made without"
                           " them")  # fmt: skip
    require_size(out, quantity, path, name, remedies=_remedies(name))
    return np.clip(out, quantity.low, quantity.high, out=out)  # the rounding of a mean of ones


def _reader(opened: OpenTile, check: RangeOfTiles) -> Callable[[Span], np.ndarray]:
    return lambda window: check.checked(opened, window)


@dataclass
class RangeOfTiles:
    """Counts, over all windows of all tiles of a map, the values outside the range of their ``quantity``: they are
    missing, and where they are most of it the tiles are in another unit."""

    name: str
    quantity: Quantity
    source: str
    known: int = 0  # values that are not 0: 0 is the same in most units
    filled: int = 0  # numbers used as fill values that are not declared
    wrong: int = 0
    examples: list[np.ndarray] = field(default_factory=list)
    tiles: dict[Path, int] = field(default_factory=dict)  # those with wrong values, and how many

    def checked(self, opened: OpenTile, window: Span) -> np.ndarray:
        """The values of a window of a tile, (y, x) float32, NaN where they are missing or none of the quantity."""
        values = opened.values(window, self.quantity)
        self.known += int(np.count_nonzero(values)) - int(np.count_nonzero(np.isnan(values)))
        (low, high), path = self.quantity.limits, opened.tile.path
        with np.errstate(invalid="ignore"):
            bad = (values < low) | (values > high)
        if not bad.any():
            return values
        wrong = values[bad]
        factor, offset = opened.linear(self.quantity)
        fills = FILLS.astype(np.float32) * np.float32(factor) + np.float32(offset)
        filled = np.isin(wrong, fills) | (np.abs(wrong) >= HUGE)
        wrong = wrong[~filled]
        self.filled += int(filled.sum())
        if wrong.size:
            self.wrong += wrong.size
            self.examples.append(wrong[:: -(-wrong.size // EXAMPLES)])
            self.tiles[path] = self.tiles.get(path, 0) + wrong.size
        values[bad] = np.nan
        return values

    def conclude(self) -> None:
        """Note what was left out. Raises ``GranuleError`` where it was most of the map."""
        if not self.wrong:
            return
        path = max(self.tiles, key=lambda p: self.tiles[p])
        wrong = np.concatenate(self.examples)
        span = f"{wrong.min():.6g} .. {wrong.max():.6g}"
        if self.wrong <= MOSTLY * max(self.known - self.filled, 1):
            make_note(path, self.name, f"values outside {self.quantity.range} are missing",
                      f"{self.wrong} values of {len(self.tiles)} tiles ({span})")  # fmt: skip
            return
        unit = likely_unit(wrong, self.quantity)
        quantity, known = self.quantity, self.known - self.filled
        what = (
            f"{self.wrong} of {known} values of its tiles ({span}) are outside {quantity.range}, the range of "
            f"{quantity.name}: " + (f"likely {unit}" if unit else "in another unit, or damaged")
        )
        wanted = f"in {quantity.unit}" if quantity.unit else f"as {quantity.range}"
        raise GranuleError(path, what, layer=self.name,
                           remedy=_remedies(self.name).get(unit, f"check their unit: give them {wanted}"))  # fmt: skip


def _remedies(name: str) -> dict[str, str]:
    """How to say the unit of tiles, by the one that they are likely in."""

    def stated(unit: str) -> str:
        return f"state the unit in each tile: gdal_edit.py -units {unit!r} TILE"

    soilgrids = f"put tiles of SoilGrids into static/{name}_0-5cm_mean, of others "
    return {
        "g/kg": soilgrids + stated("g/kg"),
        "g/kg or per mille": soilgrids + stated("g/kg"),
        "percent": stated("percent"),
        "fractions (0 .. 1)": stated("fraction"),
        "feet, decimetres or centimetres": stated("cm") + ", or 'feet', 'dm'",
    }
