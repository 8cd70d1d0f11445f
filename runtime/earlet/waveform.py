"""The input contract: which arrays count as a recording, and what is said of those that do not."""

import math
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from earlet.errors import AudioError
from earlet.manifest import WindowPolicy

Waveform = NDArray[np.float32]
Channel = int | Literal["mean"] | None

# Decoders overshoot full scale a little; a wrong scale overshoots it by thousands.
PEAK_LIMIT = 1.5
_INTEGER_SCALE = {"int16": 2.0**15, "int32": 2.0**31}
# By type, since its name is dear to ask for: it costs more than a pass over the samples.
_NAMES = {np.dtype(name): name for name in ("float32", "float64", *_INTEGER_SCALE)}
_MOST_CHANNELS = 32


def as_waveform(samples: NDArray[np.generic], *, channel: Channel = None) -> Waveform:
    """Samples [T], [T, channels] or [channels, T] -> waveform float32 [T] in [-1, 1].

    float32 and float64 count as they are, int16 and int32 are divided by their full scale. More
    than one channel is refused unless `channel` picks one (counted from 0) or says "mean". Raises
    AudioError on anything empty, not finite, out of scale, or not sound at all.
    """
    samples = _understood(samples)
    if samples.size == 0:
        raise _empty()
    mono = pick_channel(_tracks(samples), channel)
    kind = _name(samples)
    seen = Seen().with_more(mono, kind=kind)
    seen.check()
    seen.check_not_integers()
    return _scaled(mono, kind=kind)


def as_piece(
    samples: NDArray[np.generic], *, channel: Channel, before: "Seen"
) -> tuple[Waveform, "Seen"]:
    """The next piece [T] or [T, channels] of a sound -> (waveform [T], what is seen by now).

    As `as_waveform` for a sound that arrives in pieces; `before` is what was seen of it already.
    One sample of two channels is as good a piece as any, so channels come last, always. An empty
    piece is none. Raises AudioError; whether all are integers only more than a moment can tell:
    `Seen.check_not_integers` is for the caller.
    """
    samples = _understood(samples)
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and samples.shape[1] > _MOST_CHANNELS):
        raise AudioError(
            f"a piece of sound should be samples [T] or [T, channels], found an array of shape "
            f"{samples.shape}. One that lies [channels, T] is to be turned first: samples.T."
        )
    if samples.size == 0:
        return np.zeros(0, np.float32), before
    mono: NDArray[Any]
    if samples.ndim == 1 and channel is None:
        mono = samples
    else:
        mono = pick_channel(samples if samples.ndim == 2 else samples[:, None], channel)
    kind = _name(samples)
    seen = before.with_more(mono, kind=kind)
    seen.check()
    return _scaled(mono, kind=kind), seen


class Seen(NamedTuple):
    """What the checks need to know of a sound that is seen piece by piece. Raises on demand.

    `bad`: samples that are not finite, `first_bad`: the first of them, counted from the sound's
    beginning. `whole`: all were whole numbers so far, `nonzero` of them not zero, as floats.
    A tuple, for one is made with every piece of a stream.
    """

    samples: int = 0
    bad: int = 0
    first_bad: int | None = None
    peak: float = 0.0
    whole: bool = True
    nonzero: int = 0

    def with_more(self, mono: NDArray[np.generic], *, kind: str) -> "Seen":
        """The same after another piece [T], in its own scale; `kind`: the type it came in."""
        if len(mono) == 0:
            return self
        if kind in _INTEGER_SCALE:
            # Their type says their scale.
            return Seen(
                samples=self.samples + len(mono),
                bad=self.bad,
                first_bad=self.first_bad,
                peak=self.peak,
                whole=False,
                nonzero=self.nonzero,
            )
        # Either end of the range is NaN where any sample is. Where they lie is found in a third of
        # the time that `min` and `max` take.
        low, high = float(mono[mono.argmin()]), float(mono[mono.argmax()])
        bad, first_bad = 0, self.first_bad
        if not (math.isfinite(low) and math.isfinite(high)):
            places = np.flatnonzero(~np.isfinite(mono))
            bad = len(places)
            first_bad = self.samples + int(places[0]) if first_bad is None else first_bad
        whole = self.whole and bool(np.all(mono == np.rint(mono)))
        return Seen(
            samples=self.samples + len(mono),
            bad=self.bad + bad,
            first_bad=first_bad,
            # Where one is not finite, the peak does not matter any more.
            peak=self.peak if bad else max(self.peak, high, -low),
            whole=whole,
            nonzero=self.nonzero + int(np.count_nonzero(mono)) if whole else 0,
        )

    @property
    def good(self) -> bool:
        """Whether `check` passes."""
        return not self.bad and self.peak <= PEAK_LIMIT

    def check(self) -> None:
        """Raises AudioError where there are no samples, or some not finite, or out of scale."""
        if not self.samples:
            raise _empty()
        if self.bad:
            raise AudioError(
                f"{self.bad} of {self.samples} samples are not finite (NaN or infinite); the first "
                f"is sample {self.first_bad}. Repair the recording: a detector would answer NaN."
            )
        if not self.good:
            what = (
                "they are whole numbers, like 16-bit integers stored as floats: divide them by "
                "32768, or pass them as int16"
                if self.whole
                else "scale them first (16-bit values divided by 32768)"
            )
            raise AudioError(
                f"the samples reach {self.peak:.6g}, expected floats in [-1, 1]; {what}."
            )

    def check_not_integers(self) -> None:
        """Raises AudioError on floats that hold very quiet integers.

        A recording in the scale of integers is loud where it is scaled well, so its peak gives it
        away. A very quiet one holds only -1, 0 and 1: whole numbers almost nowhere zero.
        """
        if self.whole and self.nonzero > 0.01 * self.samples:
            raise AudioError(
                "every sample is -1, 0 or 1: whole numbers, like quiet 16-bit integers stored as "
                "floats, expected floats in [-1, 1]. Divide them by 32768, or pass them as int16."
            )


def check_length(
    waveform: Waveform, policy: WindowPolicy, *, sample_rate_hz: int, to_hz: int
) -> None:
    """Raises AudioError on a waveform at sample_rate_hz too short for a policy at to_hz.

    Both lengths are given in seconds.
    """
    check_samples(len(waveform), policy, sample_rate_hz=sample_rate_hz, to_hz=to_hz)


def check_samples(samples: int, policy: WindowPolicy, *, sample_rate_hz: int, to_hz: int) -> None:
    """The same of a waveform of that many samples."""
    needed = policy.window_samples if policy.short == "reject" else policy.min_samples
    # Resampling rounds the length up, as here, so what passes is long enough afterwards too.
    if -(-samples * to_hz // sample_rate_hz) < needed:
        raise AudioError(
            f"the recording is {samples / sample_rate_hz:.3g} s long, and this detector "
            f"needs at least {needed / to_hz:.3g} s. Give a longer one."
        )


def level_dbfs(waveform: Waveform) -> float:
    """RMS of a waveform [T] in dB, 0 for a square wave at full scale; -inf for digital silence."""
    power = float(np.mean(np.square(waveform, dtype=np.float64)))
    return 10 * math.log10(power) if power > 0 else -math.inf


def pick_channel(tracks: NDArray[np.generic], channel: Channel) -> NDArray[np.float64]:
    """Tracks [T, channels] -> [T], still in the scale and type they came in. AudioError."""
    count = tracks.shape[1]
    if channel == "mean":
        mean: NDArray[np.float64] = tracks.astype(np.float64).mean(axis=1)
        return mean
    if channel is None:
        if count > 1:
            raise AudioError(
                f"the recording has {count} channels, and one is judged at a time. Pick one with "
                "channel=0 (--channel 0), or their average with channel='mean' (--channel mean)."
            )
        channel = 0
    if isinstance(channel, bool) or not isinstance(channel, int):
        raise AudioError(f"channel should be a number or 'mean', found {channel!r}.")
    if not 0 <= channel < count:
        raise AudioError(
            f"there is no channel {channel}: the recording has {count}, counted from 0."
        )
    return tracks[:, channel]  # type: ignore[return-value]


def _empty() -> AudioError:
    return AudioError("the recording is empty: it has no samples. Give one with sound in it.")


def _understood(samples: NDArray[np.generic]) -> NDArray[np.generic]:
    """The array, if it is of one of the four types that are."""
    samples = np.asarray(samples)
    if samples.dtype not in _NAMES and _name(samples) not in _NAMES.values():
        raise AudioError(
            f"samples of type {_name(samples)} are not understood: expected float32 or float64 "
            "in [-1, 1], int16 or int32. Convert them first."
        )
    return samples


def _name(samples: NDArray[np.generic]) -> str:
    """The name of their type, in whatever order its bytes lie."""
    return _NAMES.get(samples.dtype) or samples.dtype.name


def _tracks(samples: NDArray[np.generic]) -> NDArray[np.generic]:
    """[T], [T, channels] or [channels, T] -> [T, channels]: the shorter side is the channels."""
    if samples.ndim == 1:
        return samples[:, None]
    if samples.ndim != 2:
        raise AudioError(
            f"expected samples [T] or [T, channels], found an array of shape {samples.shape}. "
            "Give one recording at a time."
        )
    rows, columns = samples.shape
    if min(rows, columns) > _MOST_CHANNELS or (rows == columns and rows > 1):
        raise AudioError(
            f"an array of shape {samples.shape} does not tell its channels from its samples. "
            "Give [T], or [T, channels] with few channels and many samples."
        )
    return samples.T if rows < columns else samples


def _scaled(mono: NDArray[Any], *, kind: str) -> Waveform:
    if mono.dtype.kind == "i":
        # A power of two: rounded to float32 before or after it, the result is the same.
        scaled: Waveform = np.multiply(mono, np.float32(1 / _INTEGER_SCALE[kind]), dtype=np.float32)
        return scaled
    if kind in _INTEGER_SCALE:
        # A mean of channels is no integer any more.
        mono = mono / _INTEGER_SCALE[kind]
    return np.ascontiguousarray(mono, dtype=np.float32)
