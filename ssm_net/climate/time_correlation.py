"""How much of the error of a day is left in a mean over days: the mean correlation between their errors.

The errors of a pixel on two days are alike, or a mean over a month would be far better than it is: soil maps and slopes
are wrong in the same way every day. Of each part of the error (see ``ssm_net.extract.error_correlation``) a fraction
lasts, and the remainder is forgotten within days:

    correlation of two days = lasting + (1 - lasting) exp(-days between them / 3)

    r = mean of it over all pairs of the days of the mean,    1 for one day, ``lasting`` for endless days

What the region shares lasts. Source of the formula: variance of the mean of a stationary series, e.g. von Storch and
Zwiers (1999), Statistical Analysis in Climate Research, section 6.6 (cited from memory). The fractions
were chosen in simulated worlds: docs/climate.md.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np

LASTING_INSIDE = 0.7
LASTING_CELL = 0.3
MEMORY_DAYS = 3.0


def mean_decay(days: Sequence[dt.date]) -> float:
    """The mean of exp(-days between / 3) over all pairs of ``days``, each day with itself included."""
    numbers = np.array([day.toordinal() for day in days])
    counts = np.bincount(numbers - numbers.min())
    # Sums of pairs that are so many days apart; beyond 20 memories nothing is left.
    far = min(len(counts), int(20 * MEMORY_DAYS))
    pairs = [float(counts[lag:] @ counts[: len(counts) - lag]) for lag in range(far)]
    weights = np.exp(-np.arange(far) / MEMORY_DAYS) * np.where(np.arange(far) > 0, 2, 1)
    return float(np.dot(pairs, weights) / len(numbers) ** 2)


def left_of_error(lasting: float, decay: float, fraction: np.ndarray) -> np.ndarray:
    """r of each pixel: ``decay`` is that of all days of the mean, of which the pixel has the ``fraction``. Fewer days
    average out less: the decaying part is then at most so much larger."""
    with np.errstate(divide="ignore"):
        return lasting + (1 - lasting) * np.minimum(decay / fraction, 1)
