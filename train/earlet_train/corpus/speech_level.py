"""Step 1 of the equal channel: any decoded sound as trimmed speech at one rate and one loudness."""

from math import gcd

import numpy as np
from numpy.typing import NDArray

from earlet_train.corpus.engine import Samples

SAMPLE_RATE_HZ = 16_000
SPEECH_LEVEL_DB = -23.0
HIGH_PASS_HZ = 60.0
FRAME_SAMPLES = 320
HOP_SAMPLES = 160
HOP_S = HOP_SAMPLES / SAMPLE_RATE_HZ
RANGE_DB = 32.0  # speech is what lies this far below the loud frames, or nearer
ABOVE_FLOOR_DB = 8.0  # ... and this far above the quiet ones
KEPT_AROUND_SAMPLES = 800  # 50 ms before the first and after the last speech frame
SHORTEST_SAMPLES = 4_800


def prepare_speech(waveform: Samples, *, sample_rate_hz: int) -> Samples | None:
    """Waveform [T] -> waveform [T'] at 16 kHz: high-passed, trimmed, speech at -23 dBFS.

    None where less than 0.3 s of speech is found. Peaks may pass 1: the last step deals with them.
    """
    at_rate = high_pass(resample(waveform, sample_rate_hz, SAMPLE_RATE_HZ))
    if len(at_rate) < SHORTEST_SAMPLES or not np.isfinite(at_rate).all():
        return None
    is_speech = speech_frames(at_rate)
    if is_speech.sum() * HOP_SAMPLES < SHORTEST_SAMPLES:
        return None
    first, last = speech_span(is_speech)
    start = max(0, first - KEPT_AROUND_SAMPLES)
    return at_speech_level(at_rate[start : last + KEPT_AROUND_SAMPLES], level_db=SPEECH_LEVEL_DB)


def resample(waveform: Samples, from_hz: int, to_hz: int) -> Samples:
    """Waveform [T] at one rate -> waveform [ceil(T * to / from)] at another (polyphase filter)."""
    from scipy.signal import resample_poly

    if from_hz == to_hz:
        return waveform.astype(np.float32, copy=False)
    common = gcd(from_hz, to_hz)
    # "line": a recording with an offset would else step to 0 at its ends, like a loud click.
    made = resample_poly(waveform, to_hz // common, from_hz // common, padtype="line")
    return np.asarray(made, np.float32)


def high_pass(waveform: Samples) -> Samples:
    """Waveform [T], 16 kHz -> the same without DC and hum: Butterworth of order 4, zero phase."""
    from scipy.signal import butter, sosfiltfilt

    if len(waveform) < 64:
        return waveform
    sections = butter(4, HIGH_PASS_HZ, "highpass", fs=SAMPLE_RATE_HZ, output="sos")
    return np.asarray(sosfiltfilt(sections, waveform.astype(np.float64)), np.float32)


def speech_frames(waveform: Samples) -> NDArray[np.bool_]:
    """Waveform [T], 16 kHz -> [N], True where a 20 ms frame (every 10 ms) holds speech.

    By energy: within 32 dB of the loud frames and 8 dB above the quiet ones; single frames are
    voted down by their neighbours.
    """
    from scipy.ndimage import median_filter

    level_db = frame_level_db(waveform)
    if level_db.size == 0 or level_db.max() < -80:
        return np.zeros(level_db.shape, np.bool_)
    loud_db, floor_db = np.percentile(level_db, 95), np.percentile(level_db, 5)
    # A sentence without a pause has no quiet frames: the floor may cost at most 15 dB of range.
    threshold_db = min(max(loud_db - RANGE_DB, floor_db + ABOVE_FLOOR_DB), loud_db - 17.0)
    return np.asarray(median_filter(level_db > threshold_db, size=5, mode="nearest"), np.bool_)


def speech_span(is_speech: NDArray[np.bool_]) -> tuple[int, int]:
    """Speech frames [N] -> first sample of the first and last sample of the last of them."""
    found = np.flatnonzero(is_speech)
    return int(found[0]) * HOP_SAMPLES, int(found[-1]) * HOP_SAMPLES + FRAME_SAMPLES


def speech_level_db(waveform: Samples) -> float:
    """Waveform [T], 16 kHz -> RMS of its speech in dBFS (a full-scale square wave is 0)."""
    level_db = frame_level_db(waveform)
    spoken = level_db[speech_frames(waveform)]
    return float(10 * np.log10(np.mean(10 ** ((spoken if spoken.size else level_db) / 10))))


def at_speech_level(waveform: Samples, *, level_db: float) -> Samples:
    """Waveform [T], 16 kHz -> the same with its speech at this level in dBFS."""
    return (waveform * 10 ** ((level_db - speech_level_db(waveform)) / 20)).astype(np.float32)


def frame_level_db(waveform: Samples) -> NDArray[np.float64]:
    """Waveform [T] -> [N], RMS of 20 ms frames every 10 ms in dBFS, at least -120."""
    count = max(0, (len(waveform) - FRAME_SAMPLES) // HOP_SAMPLES + 1)
    sums = np.concatenate([[0.0], np.cumsum(waveform.astype(np.float64) ** 2)])
    starts = np.arange(count) * HOP_SAMPLES
    power = (sums[starts + FRAME_SAMPLES] - sums[starts]) / FRAME_SAMPLES
    return np.asarray(10 * np.log10(np.maximum(power, 1e-12)))
