"""How far two sets of numbers are apart: largest and mean difference, and signal to error."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earlet.errors import ParityError


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Between two sets of values. `sqnr_db`: 20 log10 of signal to error, None where equal."""

    max_abs: float
    mean_abs: float
    sqnr_db: float | None


def difference(exact: NDArray[np.floating[Any]], moved: NDArray[np.floating[Any]]) -> Difference:
    """Two arrays of one shape -> how far apart."""
    gap = Gap()
    gap.add(exact, moved)
    return gap.difference()


class Gap:
    """The same of arrays too many to hold at once."""

    def __init__(self) -> None:
        self._max, self._sum, self._count = 0.0, 0.0, 0
        self._error, self._signal = 0.0, 0.0

    def add(self, exact: NDArray[np.floating[Any]], moved: NDArray[np.floating[Any]]) -> float:
        """Two arrays of one shape -> the largest difference of these."""
        a, b = exact.astype(np.float64), moved.astype(np.float64)
        if a.shape != b.shape:
            raise ParityError(f"expected an answer of shape {a.shape}, found {b.shape}.")
        away = np.abs(a - b)
        largest = float(away.max())
        # numpy's maximum, unlike Python's, does not lose a NaN.
        self._max = float(np.maximum(self._max, largest))
        self._sum += float(away.sum())
        self._count += away.size
        self._error += float(np.square(away).sum())
        self._signal += float(np.square(a).sum())
        return largest

    def difference(self) -> Difference:
        """Over everything that was added."""
        error, signal = self._error, self._signal
        return Difference(
            max_abs=self._max,
            mean_abs=self._sum / max(1, self._count),
            sqnr_db=10 * math.log10(signal / error) if error > 0 and signal > 0 else None,
        )
