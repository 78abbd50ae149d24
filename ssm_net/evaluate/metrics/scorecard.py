"""What is scored against the 1 km truth, as data: each table with its strata and its metrics.

To add a score, write its class in the file of its family and name it in the tuple there (or here, in a table); to add
a stratum, give ``SkyStrata`` another label or write a ``Binning`` and a table that uses it. Tables, report and
``scores.json`` follow.
"""

from __future__ import annotations

from ssm_net.evaluate.metrics.algebra import EVERYWHERE, Scorecard, ScoreTable
from ssm_net.evaluate.metrics.binnings import SKY, CalendarMonth, ObservationAge
from ssm_net.evaluate.metrics.blocks import RESAMPLED
from ssm_net.evaluate.metrics.error import ERROR, IN_TIME, JOINT_HISTOGRAM, Bias, Count, Rmse, UnbiasedRmse
from ssm_net.evaluate.metrics.texture import INSIDE, TEXTURE, SubgridCorrelation
from ssm_net.evaluate.metrics.uncertainty import ALL_LEVELS, COVERAGE, UNCERTAINTY, StatedUncertainty

TRUTH_TABLE = ScoreTable(
    "truth",
    "Scores against the 1 km truth",
    "Clear, cloudy and orbit gap are the product's own quality flags, so all methods are scored on the same pixels.",
    SKY,
    (Count(), *ERROR, *INSIDE, *UNCERTAINTY),
)
TEXTURE_TABLE = ScoreTable(
    "texture",
    "Texture",
    "How much a map varies inside the 36 km cells, over which distances, and whether the coarse grid shows through.",
    EVERYWHERE,
    (*TEXTURE, *IN_TIME),
)
CALIBRATION_TABLE = ScoreTable(
    "calibration",
    "Uncertainty",
    "The fraction of the truth inside each stated interval.",
    SKY,
    ALL_LEVELS,
)
AGE_TABLE = ScoreTable(
    "gaps",
    "Days since the last observation",
    "Errors of the product by the number of days since the radiometer last observed the cell.",
    ObservationAge(),
    (Count(), Rmse(), Bias(), StatedUncertainty(), *COVERAGE),
    product_only=True,
)
MONTH_TABLE = ScoreTable(
    "months",
    "Months of the year",
    "Scores by calendar month, all years together.",
    CalendarMonth(),
    (Count(), Rmse(), UnbiasedRmse(), Bias(), SubgridCorrelation(), *COVERAGE),
)
SCORECARD = Scorecard(
    (TRUTH_TABLE, TEXTURE_TABLE, CALIBRATION_TABLE, AGE_TABLE, MONTH_TABLE), (JOINT_HISTOGRAM,), RESAMPLED
)
