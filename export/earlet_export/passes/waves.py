"""Recognises a table of cosines by its numbers: which whole turns, of what period, made it.

A row of L values is a wave where

    row[j] = amplitude * cos(2 pi (turns * j + start) / period)

with whole `turns`, `start` and `period`: then the table is a handful of small integers. The kernels
of every Fourier and cosine transform are such tables, some of them times a taper that several rows
share. Nothing is taken on trust: what `recognise` returns, computed again, gives the stored numbers
to the rounding of float32.
"""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

# Roundings to float32 of values of at most 1: the stored number's own, and, where a taper is known
# by its stored digits only, the taper's and the product's.
TOLERANCE = 1.8e-7
# A row of the definition's matrix, cut into at most so many waves of equal length.
MOST_PIECES = 4
# Frequencies are told apart to this, as share of a turn per sample, from rows that oscillate.
_RESOLUTION = 2e-7
_LONGEST_PERIOD = 1 << 14


@dataclass(frozen=True, kw_only=True, eq=False)
class CosineSum:
    """A window, sample n: sum over i of weights[i] * cos(2 pi i n / period)."""

    weights: Floats
    period: int

    def samples(self, count: int) -> Floats:
        """The first `count` of them."""
        phase = 2 * math.pi / self.period * np.arange(count)
        values: Floats = np.cos(np.arange(len(self.weights)) * phase[:, None]) @ self.weights
        return values.clip(min=0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Waves:
    """A table of `shape`: groups [G] of rows [R], each row [C] in pieces of `length` samples.

    `turns` [R, pieces or 1], `start` [R, pieces]: see above. `taper` [G, C] multiplies every row
    of its group; a single number is an amplitude. In float64: the stored numbers are products
    that were rounded once. `window`: what the taper is, where that is known; sample n of it
    stands in group n mod G.
    """

    shape: tuple[int, ...]
    length: int
    period: int
    turns: Whole
    start: Whole
    taper: Floats
    window: CosineSum | None = None

    def table(self) -> Array:
        """The table itself, computed as the graph will (`compact_dft`)."""
        rows = np.sin(self.numbers.astype(np.float64) @ steps(self.period, self.length))
        tapered: Floats = rows.reshape(len(rows), -1) * self.taper[:, None]
        return tapered.astype(np.float32).reshape(self.shape)

    @property
    def numbers(self) -> Whole:
        """[R, pieces, 2], or [R, 2] of one piece: turns, and where in a sine the row starts.

        A sine is a quarter of a period behind the cosine.
        """
        ahead = (self.start + self.period // 4) % self.period
        pairs = np.stack([np.broadcast_to(self.turns, ahead.shape), ahead], axis=-1)
        return pairs[:, 0] if pairs.shape[1] == 1 else pairs


def steps(period: int, length: int) -> Floats:
    """-> [2, length]: the angles, in radians, that `Waves.numbers` multiply."""
    step = 2 * math.pi / period
    return np.stack([np.arange(length) * step, np.full(length, step)])


def recognise(stored: Array) -> Waves | None:
    """Table of two or more dimensions -> the waves that make it, None where it is none."""
    columns = stored.shape[-1]
    if stored.ndim < 2 or columns < 4 or not np.isfinite(stored).all() or not stored.any():
        return None
    for groups, taper in _tapers(stored.reshape(-1, columns)):
        rows = stored.reshape(groups, -1, columns).astype(np.float64)
        weight = np.broadcast_to(taper, (groups, columns)).astype(np.float64)
        # The rows that all groups share, by least squares: exact where only the taper differs.
        square = (weight**2).sum(axis=0)
        known = square > 1e-6 * square.max()
        shared = (rows * weight[:, None]).sum(axis=0) / np.where(known, square, 1.0)
        for pieces in range(1, MOST_PIECES + 1):
            if columns % pieces or columns // pieces < 4:
                continue
            found = _waves(stored, shared, known, taper.astype(np.float64), pieces)
            if found is not None:
                window = _cosine_sum(taper)
                if window is None:
                    return found
                digits = window.samples(taper.size).reshape(taper.T.shape).T
                return dataclasses.replace(found, taper=digits, window=window)
    return None


def _tapers(rows: Array) -> Iterator[tuple[int, Array]]:
    """Table [rows, C] -> possible groups and their tapers: none, then what the first rows may be.

    Bin 0 of a transform is the taper itself, and no other row of its group exceeds it. (The
    largest of a few sines may fall short of their amplitude, so 1 is tried as well.)
    """
    largest = np.abs(rows).max()
    for amplitude in (1.0, largest) if largest <= 1 else (largest,):
        yield 1, np.full((1, 1), amplitude, dtype=np.float32)
    count = len(rows)
    for size in range(count, 1, -1):
        if count % size:
            continue
        grouped = rows.reshape(count // size, size, -1)
        taper = grouped[:, 0]
        if (np.abs(grouped).max(axis=1) <= taper + TOLERANCE * taper.max()).all():
            yield count // size, np.ascontiguousarray(taper)


def _cosine_sum(taper: Array) -> CosineSum | None:
    """Taper [G, C] in float32 -> the window that it is, if it is one.

    Hann, Hamming and Blackman windows have at most three terms with few decimals, periodic or
    symmetric.
    """
    stored = taper.T.ravel()
    for period in (len(stored), len(stored) - 1):
        if period < 4:
            break
        phase = 2 * math.pi / period * np.arange(len(stored))
        terms = np.cos(np.arange(3) * phase[:, None])
        weights = np.linalg.lstsq(terms, stored.astype(np.float64), rcond=None)[0].round(6)
        found = CosineSum(weights=np.trim_zeros(weights, "b"), period=period)
        # Where the cosines cancel, either may keep a trace of 1e-17.
        if (np.abs(found.samples(len(stored)).astype(np.float32) - stored) <= 1e-12).all():
            return found
    return None


def _waves(
    stored: Array, shared: Floats, known: NDArray[np.bool_], taper: Floats, pieces: int
) -> Waves | None:
    """Rows [R, C] -> Waves of that many pieces a row, if they are."""
    length = shared.shape[1] // pieces
    rows = shared.reshape(-1, length)
    mask = np.tile(known.reshape(pieces, length), (len(shared), 1))
    frequency, sure = _frequencies(rows, mask)
    for period in _periods(frequency[sure], stored.shape, length):
        # A few rows refute a wrong period before all are asked.
        for some in (np.unique(np.linspace(0, len(rows) - 1, 5).astype(int)), slice(None)):
            fitted = _fit(rows[some], mask[some], frequency[some], period)
            if fitted is None:
                break
        if fitted is None:
            continue
        turns, start = (values.reshape(-1, pieces) for values in fitted)
        if (turns == turns[:, :1]).all():
            turns = turns[:, :1]
        found = Waves(
            shape=stored.shape,
            length=length,
            period=period,
            turns=turns,
            start=start,
            taper=taper,
        )
        if np.abs(found.table() - stored).max() <= TOLERANCE * np.abs(stored).max():
            return found
    return None


def _frequencies(rows: Floats, mask: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.bool_]]:
    """Rows [R, L] -> turns per sample [R] in 0..0.5, and which of them are sure to many digits.

    A wave obeys x[j-1] + x[j+1] = 2 cos(w) x[j]. Near w = 0 and pi the cosine hardly moves.
    """
    inside = mask[:, 2:] & mask[:, 1:-1] & mask[:, :-2]
    middle = rows[:, 1:-1] * inside
    energy = (middle**2).sum(axis=1)
    beside = ((rows[:, 2:] + rows[:, :-2]) * middle).sum(axis=1)
    cosine = np.clip(beside / (2 * np.where(energy > 1e-9, energy, 1.0)), -1, 1)
    sure = (energy > 0.05 * middle.shape[1]) & (np.abs(cosine) < 0.98)
    silent = energy <= 1e-9
    return np.where(silent, 0.0, np.arccos(cosine) / (2 * math.pi)), sure


def _periods(frequency: Floats, shape: tuple[int, ...], length: int) -> Iterator[int]:
    """Periods that the table's sizes suggest, then the smallest that suits the sure frequencies."""
    sizes = {length, shape[-1], *shape, shape[0] * shape[-1]}
    tried = set()
    for size in sorted(sizes):
        for factor in (1, 2, 4):
            period = math.lcm(size * factor, 4)
            if period not in tried and _suits(frequency, np.array([period]))[0]:
                tried.add(period)
                yield period
    if len(frequency) >= 3:
        all_periods = np.arange(4, _LONGEST_PERIOD, 4)
        for period in all_periods[_suits(frequency[:: 1 + len(frequency) // 24], all_periods)][:3]:
            if int(period) not in tried:
                yield int(period)


def _suits(frequency: Floats, periods: Whole) -> NDArray[np.bool_]:
    """Which periods [P] make whole turns of all the frequencies, [P]."""
    turns = frequency[None] * periods[:, None]
    off = np.abs(turns - np.round(turns)) <= np.maximum(_RESOLUTION * periods[:, None], 1e-4)
    answer: NDArray[np.bool_] = off.all(axis=1)
    return answer


def _fit(
    rows: Floats, mask: NDArray[np.bool_], frequency: Floats, period: int
) -> tuple[Whole, Whole] | None:
    """Rows [R, L] of amplitude 1 -> whole turns and starts [R] that give them, None if any fails.

    The frequency of slow waves is uncertain by a turn or two, so the neighbours are tried as well.
    """
    nearest = np.round(frequency * period).astype(np.int64)
    best = np.full(len(rows), np.inf)
    turns, start = np.zeros((2, len(rows)), dtype=np.int64)
    j = np.arange(rows.shape[1])
    seen: Floats = np.where(mask, rows, 0.0)
    for step in (0, 1, -1, 2, -2, 3, -3):
        todo = np.flatnonzero(best > 4 * TOLERANCE)
        if not len(todo):
            break
        tried = np.abs(nearest[todo] + step)
        angle: Floats = (2 * math.pi / period * (tried[:, None] * j % period)).astype(np.float64)
        for begin in _starts(seen[todo], angle, mask[todo], period):
            wave = np.cos(angle + 2 * math.pi / period * begin[:, None])
            error = (np.abs(wave - rows[todo]) * mask[todo]).max(axis=1)
            better = error < best[todo]
            chosen = todo[better]
            best[chosen], turns[chosen] = error[better], tried[better]
            start[chosen] = begin[better] % period
    # Where the taper is small, so are the digits of what it was divided out of: the caller's
    # comparison of the whole table is the strict one.
    return (turns, start) if best.max() < 1e-3 else None


def _starts(rows: Floats, angle: Floats, mask: NDArray[np.bool_], period: int) -> Iterator[Whole]:
    """Where the waves may begin, in whole steps: as least squares says, and at whole quarters.

    (Of a constant row least squares knows no phase.)
    """
    cosine, sine = np.cos(angle) * mask, np.sin(angle) * mask
    cc, ss, cs = (cosine**2).sum(1), (sine**2).sum(1), (cosine * sine).sum(1)
    rc, rs = (rows * cosine).sum(1), (rows * sine).sum(1)
    determinant = cc * ss - cs**2
    usable = determinant > 1e-12 * np.maximum(cc * ss, 1e-30)
    below = np.where(usable, determinant, 1.0)
    # row = a cos - b sin  =>  phase = atan2(b, a)
    a, b = (rc * ss - rs * cs) / below, -(rs * cc - rc * cs) / below
    phase = np.where(usable, np.arctan2(b, a), 0.0)
    yield np.round(phase * period / (2 * math.pi)).astype(np.int64)
    for quarter in range(4):
        yield np.full(len(rows), quarter * period // 4, dtype=np.int64)
