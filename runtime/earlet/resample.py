"""Changes the sample rate of a recording by any rational ratio, in numpy alone.

A polyphase windowed sinc. Between L samples out and M samples in (the ratio in lowest terms) an
output falls at one of L fractions of an input step; each fraction has its own short row of filter
taps, and an output is the inner product of its row with the input around it.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from earlet.errors import AudioError

Waveform = NDArray[np.float32]

# Everything below PASSBAND of the lower Nyquist frequency passes within 0.002 dB; everything above
# that Nyquist frequency, which would come back as an alias or an image, is 90 dB down: 16-bit
# noise. Between the two the filter falls.
PASSBAND = 0.9
ATTENUATION_DB = 90.0

RATES_HZ = (1_000, 768_000)

# From that many taps per input step on, short filters on strided input beat rows times rows, which
# copies each input sample taps / M times.
_LONG_ROWS = 16
_PIECE_SAMPLES = 65_536
_LEAST_ROWS = 16
# Below that many outputs of one fraction in a piece, calls cost more than copies of the input.
_FEW_ROWS = 24
_AT_ONCE = 256


def resample(waveform: Waveform, from_hz: int, to_hz: int) -> Waveform:
    """Waveform [T] at from_hz -> [ceil(T * to_hz / from_hz)] at to_hz, time-aligned (zero phase).

    Constant level is kept exactly; beyond the ends the recording counts as silence. Raises
    AudioError on rates that no recording has.
    """
    for rate in (from_hz, to_hz):
        check_rate(rate)
    if from_hz == to_hz:
        return waveform
    L, M = ratio(from_hz, to_hz)
    rows = filter_rows(L, M)
    taps = rows.shape[1]
    half = taps // 2
    samples_out = -(-len(waveform) * L // M)
    # Output k sits at input time k M / L; its row of taps begins `half - 1` samples before.
    padded = np.concatenate(
        [np.zeros(half - 1, np.float32), waveform, np.zeros(half + M + 1, np.float32)]
    ).astype(np.float32)
    resampled = np.empty(samples_out, dtype=np.float32)
    fill(resampled, padded, rows, M)
    return resampled


def ratio(from_hz: int, to_hz: int) -> tuple[int, int]:
    """(L, M): as many samples out as in, in lowest terms."""
    common = math.gcd(from_hz, to_hz)
    return int(to_hz // common), int(from_hz // common)


def fill(
    out: Waveform,
    padded: Waveform,
    rows: NDArray[np.float32],
    M: int,
    *,
    output: int = 0,
    origin: int = 0,
) -> None:
    """Outputs `output`, `output` + 1, ... of a sound into `out` [n], from its input `padded`.

    `origin`: which sample of the padded sound `padded` begins with. Each output is the inner
    product of its own taps with its own input, added up in an order that depends on nothing else:
    whatever the pieces in which a sound is resampled, the bits are the same.
    """
    if len(out) == 0:
        return
    L, taps = rows.shape
    # From where on in `padded` the taps of the first output of each fraction lie.
    places = [divmod((output + k) * M, L) for k in range(min(L, len(out)))]
    places = [(first - origin, phase) for first, phase in places]
    if taps >= _LONG_ROWS * M:
        _by_strides(padded, rows, M, out, places)
    else:
        _by_pieces(padded, rows, M, out, places, output=output)


def _by_strides(
    padded: Waveform,
    rows: NDArray[np.float32],
    M: int,
    out: Waveform,
    places: list[tuple[int, int]],
) -> None:
    """Fills `out` where M is small: taps M apart meet input samples M apart, M short filters."""
    L = len(rows)
    for k, (first, phase) in enumerate(places):
        # Outputs k, k + L, k + 2L, ... share the fraction, and lie M inputs apart.
        count = len(range(k, len(out), L))
        total = np.zeros(count, dtype=np.float32)
        for s in range(M):
            row = rows[phase, s::M]
            inputs = padded[first + s :: M][: count + len(row) - 1]
            total += np.correlate(inputs, row, mode="valid")
        out[k::L] = total


def _by_pieces(
    padded: Waveform,
    rows: NDArray[np.float32],
    M: int,
    out: Waveform,
    places: list[tuple[int, int]],
    *,
    output: int,
) -> None:
    """Fills `out` where M is large: rows of input times rows of taps, a piece at a time.

    A piece stays in the processor's cache while all L fractions are computed on it: fraction by
    fraction, ten minutes at 44.1 kHz took 40 times as long.
    """
    L, taps = rows.shape
    # As sliding_window_view would, whose own checks take longer than a packet of 10 ms.
    views = np.lib.stride_tricks.as_strided(
        padded, (len(padded) - taps + 1, taps), 2 * padded.strides, writeable=False
    )
    piece = max(_LEAST_ROWS, _PIECE_SAMPLES // M)
    if min(piece, len(out) // L) < _FEW_ROWS:
        _one_by_one(views, M, out, L=L, output=output, first=places[0][0])
        return
    for done in range(0, -(-len(out) // L), piece):
        for k, (first, phase) in enumerate(places):
            upto = min(done + piece, len(range(k, len(out), L)))
            if upto > done:
                inputs = views[first + done * M : first + (upto - 1) * M + 1 : M]
                out[k + done * L : k + (upto - 1) * L + 1 : L] = _inner(inputs, rows[phase][None])


def _one_by_one(
    views: NDArray[np.float32], M: int, out: Waveform, *, L: int, output: int, first: int
) -> None:
    """Fills `out` in its own order where a fraction comes up too seldom to be worth a call."""
    rows = _rows_in_time(L, M)
    phase, done = output * M % L, 0
    while done < len(out):
        row = (output + done) % L
        upto = min(done + _AT_ONCE, done + L - row, len(out))
        places = first + (phase + np.arange(done, upto) * M) // L
        out[done:upto] = _inner(views[places], rows[row : row + upto - done])
        done = upto


def _inner(inputs: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Inputs [n, taps], taps [n or 1, taps] -> inner products [n].

    As n products of two vectors: a matrix times a vector would add up a row in an order that
    depends on how many rows there are.
    """
    products: NDArray[np.float32] = np.matmul(inputs[:, None, :], rows[:, :, None])
    return products[:, 0, 0]


@lru_cache(maxsize=8)
def filter_rows(L: int, M: int) -> NDArray[np.float32]:
    """Taps [L, taps]: row p serves outputs p / L of an input step after an input sample.

    A sinc cut off in the middle of the falling band, under a Kaiser window: its shape and length
    come from the attenuation and the width of the fall by Kaiser's formulas (Oppenheim & Schafer,
    Discrete-Time Signal Processing, section 7.5.3). Each row sums to one.
    """
    lower = min(1.0, L / M)  # the lower Nyquist frequency, in units of the input's
    cutoff = lower * (1 + PASSBAND) / 2
    fall = math.pi * lower * (1 - PASSBAND)
    half = math.ceil((ATTENUATION_DB - 7.95) / (2.285 * fall) / 2) + 1
    beta = 0.1102 * (ATTENUATION_DB - 8.7)
    fraction = np.arange(L)[:, None] / L
    away = np.arange(-half + 1, half + 1)[None, :] - fraction  # in input samples
    window = np.i0(beta * np.sqrt(np.clip(1 - (away / half) ** 2, 0, None))) / np.i0(beta)
    rows = cutoff * np.sinc(cutoff * away) * window
    rows /= rows.sum(axis=1, keepdims=True)
    return rows.astype(np.float32)


@lru_cache(maxsize=2)
def _rows_in_time(L: int, M: int) -> NDArray[np.float32]:
    """Taps [L, taps] of outputs 0, 1, 2, ...: the rows in the order in which they are used."""
    return np.ascontiguousarray(filter_rows(L, M)[np.arange(L) * M % L])


def check_rate(rate_hz: int) -> None:
    """Raises AudioError unless it is a whole number of Hz within `RATES_HZ`."""
    low, high = RATES_HZ
    if isinstance(rate_hz, bool) or not isinstance(rate_hz, int | np.integer):
        raise AudioError(
            f"the sample rate should be a whole number of Hz, found {rate_hz!r}. "
            "For 16 kHz give 16_000."
        )
    if not low <= rate_hz <= high:
        raise AudioError(
            f"the sample rate should lie in {low} to {high} Hz, found {rate_hz}. "
            "For 16 kHz give 16_000."
        )
