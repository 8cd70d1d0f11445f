"""Is one row of a study better than another? Differences seed by seed, and a rule to decide."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from earlet_export.studies.study import mean_and_deviation

RULE = (
    "A row is called better (worse) where the 95 % t-interval of its differences, seed by seed, "
    "lies wholly on the good (bad) side of 0; else the seeds cannot tell."
)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """An error rate minus another's, one value per seed, in -1..1; below 0 is better.

    `low`, `high`: 95 % interval of their mean; NaN where there is none, as over a single seed.
    """

    values: tuple[float, ...]
    mean: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """What `RULE` makes of an interval over seeds."""
        if self.high < 0:
            return "better"
        if self.low > 0:
            return "worse"
        seeds = len(self.values)
        return f"cannot be told from {seeds} seed" + "s" * (seeds > 1)

    @property
    def points(self) -> str:
        """In percentage points: `-1.2 [-5.0, +2.6]`; without an interval `-1.2`."""
        if math.isnan(self.low):
            return f"{100 * self.mean:+.1f}"
        return f"{100 * self.mean:+.1f} [{100 * self.low:+.1f}, {100 * self.high:+.1f}]"


def difference(values: Sequence[float], reference: Sequence[float]) -> Difference:
    """Error rates of the same seeds in the same order, at least one -> the values minus these.

    The interval is Student's over the seeds.
    """
    from scipy.stats import t

    found = tuple(a - b for a, b in zip(values, reference, strict=True))
    mean, deviation = mean_and_deviation(found)
    if len(found) == 1:
        return Difference(values=found, mean=mean, low=math.nan, high=math.nan)
    reach = float(t.ppf(0.975, len(found) - 1)) * deviation / math.sqrt(len(found))
    return Difference(values=found, mean=mean, low=mean - reach, high=mean + reach)
