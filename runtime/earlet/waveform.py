"""The input contract: which arrays count as a recording, and what is said of those that do not."""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from earlet.errors import AudioError
from earlet.manifest import WindowPolicy

Waveform = NDArray[np.float32]
Channel = int | Literal["mean"] | None

# Decoders overshoot full scale a little; a wrong scale overshoots it by thousands.
PEAK_LIMIT = 1.5
_INTEGER_SCALE = {"int16": 2.0**15, "int32": 2.0**31}
_MOST_CHANNELS = 32


def as_waveform(samples: NDArray[np.generic], *, channel: Channel = None) -> Waveform:
    """Samples [T], [T, channels] or [channels, T] -> waveform float32 [T] in [-1, 1].

    float32 and float64 count as they are, int16 and int32 are divided by their full scale. More
    than one channel is refused unless `channel` picks one (counted from 0) or says "mean". Raises
    AudioError on anything empty, not finite, out of scale, or not sound at all.
    """
    samples = np.asarray(samples)
    kind = samples.dtype.name
    if kind not in ("float32", "float64", *_INTEGER_SCALE):
        raise AudioError(
            f"samples of type {kind} are not understood: expected float32 or float64 in [-1, 1], "
            "int16 or int32. Convert them first."
        )
    if samples.size == 0:
        raise AudioError("the recording is empty: it has no samples. Give one with sound in it.")
    mono = _one_channel(samples, channel)
    if kind in _INTEGER_SCALE:
        return (mono / _INTEGER_SCALE[kind]).astype(np.float32)
    _check_finite(mono)
    _check_scale(mono)
    return np.ascontiguousarray(mono, dtype=np.float32)


def check_length(
    waveform: Waveform, policy: WindowPolicy, *, sample_rate_hz: int, to_hz: int
) -> None:
    """Raises AudioError on a waveform at sample_rate_hz too short for a policy at to_hz.

    Both lengths are given in seconds.
    """
    needed = policy.window_samples if policy.short == "reject" else policy.min_samples
    # Resampling rounds the length up, as here, so what passes is long enough afterwards too.
    if -(-len(waveform) * to_hz // sample_rate_hz) < needed:
        raise AudioError(
            f"the recording is {len(waveform) / sample_rate_hz:.3g} s long, and this detector "
            f"needs at least {needed / to_hz:.3g} s. Give a longer one."
        )


def level_dbfs(waveform: Waveform) -> float:
    """RMS of a waveform [T] in dB, 0 for a square wave at full scale; -inf for digital silence."""
    power = float(np.mean(np.square(waveform, dtype=np.float64)))
    return 10 * math.log10(power) if power > 0 else -math.inf


def _one_channel(samples: NDArray[np.generic], channel: Channel) -> NDArray[np.float64]:
    """[T], [T, channels] or [channels, T] -> [T], still in the scale and type it came in."""
    if samples.ndim == 1:
        tracks = samples[:, None]
    elif samples.ndim == 2:
        tracks = _channels_last(samples)
    else:
        raise AudioError(
            f"expected samples [T] or [T, channels], found an array of shape {samples.shape}. "
            "Give one recording at a time."
        )
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


def _channels_last(samples: NDArray[np.generic]) -> NDArray[np.generic]:
    """[channels, T] or [T, channels] -> [T, channels]: the shorter side is the channels."""
    rows, columns = samples.shape
    if min(rows, columns) > _MOST_CHANNELS or (rows == columns and rows > 1):
        raise AudioError(
            f"an array of shape {samples.shape} does not tell its channels from its samples. "
            "Give [T], or [T, channels] with few channels and many samples."
        )
    return samples.T if rows < columns else samples


def _check_finite(mono: NDArray[np.float64]) -> None:
    bad = np.flatnonzero(~np.isfinite(mono))
    if len(bad):
        raise AudioError(
            f"{len(bad)} of {len(mono)} samples are not finite (NaN or infinite); the first is "
            f"sample {bad[0]}. Repair the recording: a detector would answer NaN."
        )


def _check_scale(mono: NDArray[np.float64]) -> None:
    """Refuses floats that hold integers, or any other scale than [-1, 1].

    A recording in the scale of integers is loud where it is scaled well, so its peak gives it
    away. A very quiet one holds only -1, 0 and 1: whole numbers almost nowhere zero.
    """
    peak = float(np.abs(mono).max())
    whole = bool(np.all(mono == np.rint(mono)))
    if peak > PEAK_LIMIT:
        what = (
            "they are whole numbers, like 16-bit integers stored as floats: divide them by 32768, "
            "or pass them as int16"
            if whole
            else "scale them first (16-bit values divided by 32768)"
        )
        raise AudioError(f"the samples reach {peak:.6g}, expected floats in [-1, 1]; {what}.")
    if whole and np.count_nonzero(mono) > 0.01 * len(mono):
        raise AudioError(
            "every sample is -1, 0 or 1: whole numbers, like quiet 16-bit integers stored as "
            "floats, expected floats in [-1, 1]. Divide them by 32768, or pass them as int16."
        )
