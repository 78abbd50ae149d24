"""Quality flags of coarse soil moisture as the table of products states them, in any encoding."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import numpy as np

from ssm_net.ingest.flag_costs import WORDS, counts_by_words, note_costs
from ssm_net.ingest.products import LOWER, MISSING, Flag, by_layer, product

NO_NUMBER = 65534  # SMAP's fill value of flags, stated or not
OTHER_RETRIEVAL = re.compile(r"option|scv|dca|_sca", re.I)  # of other algorithms than the baseline
UNFLAGGED = "no quality flag in the file (kept)"
Layers = Mapping[tuple[str, ...], np.ndarray]  # flags as stored, by the names of their layer in the table
EMPTY = f"flag without a number ({WORDS[MISSING]})"


def layers(
    product_name: str, names: Collection[str], read: Callable[[str], np.ndarray], beside: str = ""
) -> dict[tuple[str, ...], np.ndarray]:
    """The layers of a file's variables ``names`` that hold flags of the product, by their names in the table; ``read``
    gives a variable, NaN where it holds no number.

    A name may say more than that of the table, such as a group or an overpass; of several that do, it is the one that
    differs from ``beside``, the variable of soil moisture, by the words "soil_moisture" alone.
    """
    entry = product(product_name)
    out = {}
    for table_names in by_layer(entry.flags if entry is not None else ()):
        for wanted in table_names:
            found = [n for n in names if n.lower() == wanted]
            if not found and beside:
                head, _, tail = beside.lower().rpartition("soil_moisture")
                found = [n for n in names if n.lower() == f"{head}{wanted}{tail}"]
                holding = [n for n in names if wanted in n.lower() and not OTHER_RETRIEVAL.search(n)]
                found = found or (holding if len(holding) == 1 else [])
            if found:
                out[table_names] = read(found[0])
                break
    return out


def usable(path: Path, product_name: str, stored: Layers, there: np.ndarray) -> np.ndarray:
    """Where the flags of a product leave a value, bool of the shape of ``there``: the values in the domain, whose flags
    are counted. ``stored`` are the ``layers`` of the file."""
    entry = product(product_name)
    good, costs = np.ones(there.shape, bool), dict[str, int]()
    groups = by_layer(entry.flags if entry is not None else ())
    for n, (names, flags) in enumerate(groups.items()):
        if names not in stored:
            costs |= {UNFLAGGED: int(there.sum())} if n == 0 else {}
            continue
        numbers = np.where(stored[names] == NO_NUMBER, np.nan, stored[names].astype(np.float64)).reshape(there.shape)
        known = np.isfinite(numbers)
        codes = Flag.codes(flags, np.where(known, numbers, 0)) * known
        good &= codes & Flag.bit_of(flags, MISSING) == 0
        costs |= counts_by_words(flags, [int(np.count_nonzero(codes[there] & (1 << n))) for n in range(len(flags))])
        if n == 0:
            good &= known
            costs |= {EMPTY: int((there & ~known).sum())}
    note_costs(path, "soil moisture", int(there.sum()), {words: count for words, count in costs.items() if count})
    return good


def least_error(product_name: str, stored: Layers, shape: tuple[int, ...]) -> np.ndarray:
    """The least standard error (m3 m-3) that flags of lower quality leave a value, of ``shape``; 0 where there is no
    such flag."""
    entry = product(product_name)
    out = np.zeros(shape)
    for names, flags in by_layer(entry.flags if entry is not None else ()).items():
        for flag in flags:
            if flag.effect == LOWER and names in stored:
                out = np.fmax(out, flag.error * np.isin(flag.bits.of(stored[names]), flag.values))
    return out
