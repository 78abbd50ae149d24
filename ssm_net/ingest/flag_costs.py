"""What quality flags cost: how many values of a file each flag took away, lowered, or was seen on and kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssm_net.core.collector import Collector
from ssm_net.ingest.products import LOWER, MISSING, Flag

WORDS = {MISSING: "missing", LOWER: "lower quality"}  # of the effects of a flag; any other is kept as it is


@dataclass(frozen=True)
class Cost:
    """``count`` of ``values`` have a flag; a value with two flags counts for both."""

    count: int
    values: int


@dataclass(frozen=True)
class LayerCosts:
    """What the flags of one layer of a file cost, by flag; ``values`` there are in and near the domain."""

    path: Path
    layer: str
    values: int
    counts: Mapping[str, int]


_COSTS = Collector[LayerCosts]("costs of flags in the files being read")
collected = _COSTS.collecting


def note_costs(path: Path, layer: str, values: int, counts: Mapping[str, int]) -> None:
    """Hand the costs of a layer to the caller who collects them, if any."""
    _COSTS.add(LayerCosts(path, layer, values, dict(counts)))


def counts_by_words(flags: Sequence[Flag], counts: Sequence[int] | np.ndarray) -> dict[str, int]:
    """The counts of ``flags`` by words for the account; those that no value has are left out."""
    words = [f"{flag.meaning} ({WORDS.get(flag.effect, 'kept')})" for flag in flags]
    return {word: int(count) for word, count in zip(words, counts, strict=True) if count}


def of_day(costs: Collection[LayerCosts], products: Mapping[Path, str]) -> dict[str, Cost]:
    """The costs of a day by flag, as ``MOD09GA: internal cloud (missing)``, in the files that were used, whose
    ``products`` are given.

    All layers of a product count together, each once, however often it was read.
    """
    layers = {(c.path, c.layer): c for c in costs if c.path in products}
    values: Counter[str] = Counter()
    counts: Counter[tuple[str, str]] = Counter()
    for cost in layers.values():
        product = products[cost.path]
        values[product] += cost.values
        counts.update({(product, flag): count for flag, count in cost.counts.items()})
    return {f"{product}: {flag}": Cost(count, values[product]) for (product, flag), count in sorted(counts.items())}
