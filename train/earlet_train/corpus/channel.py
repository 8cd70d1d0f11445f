"""Steps 3 and 4 of the equal channel: what every file goes through, human or machine.

How the builder uses the channel, in order (steps 1 and 2 live in speech_level.py and imitation.py):

    speech = prepare_speech(waveform, sample_rate_hz=rate)      # both: a recording, and Spoken
    made   = imitate_source(made, method=engine.method, source=source_or_donor, rng=rng)  # spoof
    pcm    = common_channel(speech_or_made, lengths_s=lengths_s, rng=rng)                 # both

`prepare_speech` and `common_channel` answer None where too little speech is left. `rng` must not
know the class: seed it from the file's number or its hash, never from label or system.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from earlet_train.corpus.codecs import Transport, transcode
from earlet_train.corpus.engine import Samples
from earlet_train.corpus.speech_level import (
    HOP_S,
    HOP_SAMPLES,
    SAMPLE_RATE_HZ,
    at_speech_level,
    speech_frames,
    speech_span,
)

SHORTEST_S = 1.5
LONGEST_PAUSE_S = 0.2
PAUSE_S = (0.08, 0.18)
CUT_INSIDE_S = (0.06, 0.14)
EQUALIZER_DB = 4.0
REVERB_CHANCE = 0.15
SNR_DB = (25.0, 45.0)
CODEC_CHANCE = 0.35
TRANSPORTS: tuple[tuple[Transport, int], ...] = (
    ("vorbis", 16_000),
    ("opus", 16_000),
    ("mp3", 16_000),
    ("mu-law", 8_000),
    ("mu-law", 16_000),
    ("gsm", 8_000),
)
LEVEL_DB = (-33.0, -22.0)
FADE_S = (0.004, 0.012)
CROSSFADE_SAMPLES = 80


def common_channel(
    waveform: Samples,
    *,
    lengths_s: Sequence[float],
    rng: np.random.Generator,
    shortest_s: float = SHORTEST_S,
) -> NDArray[np.int16] | None:
    """Prepared speech [T], 16 kHz -> the file's samples [T'], int16, 16 kHz.

    `lengths_s`: lengths of the bona fide recordings, from which the longest wanted length is drawn.
    None where less than `shortest_s` is left between the cuts.
    """
    cut = cut_to_speech(shorten_pauses(waveform, rng=rng), lengths_s=lengths_s, rng=rng)
    if cut is None or len(cut) < shortest_s * SAMPLE_RATE_HZ:
        return None
    heard = equalize(either_polarity(cut, rng=rng), rng=rng)
    heard = reverberate(heard, rng=rng)
    heard = add_noise(heard, rng=rng)
    heard = send(heard, rng=rng)
    return to_pcm(heard, rng=rng)


def shorten_pauses(waveform: Samples, *, rng: np.random.Generator) -> Samples:
    """Waveform [T] -> [T']: every pause above 0.2 s loses its middle and lasts 80 to 180 ms."""
    kept: list[Samples] = []
    done = 0
    for start, stop in _pauses(speech_frames(waveform)):
        wanted = round(rng.uniform(*PAUSE_S) * SAMPLE_RATE_HZ)
        first = start + wanted // 2 + CROSSFADE_SAMPLES
        kept.append(waveform[done:first])
        done = stop - (wanted - wanted // 2)
    kept.append(waveform[done:])
    return _joined(kept)


def cut_to_speech(
    waveform: Samples, *, lengths_s: Sequence[float], rng: np.random.Generator
) -> Samples | None:
    """Waveform [T] -> [T']: at most a length drawn from `lengths_s`, both ends inside speech.

    Each end is cut 60 to 140 ms inside the first and last speech frame of what is kept: silence
    before and after speech is the best known leak of this field. None where nothing is left.
    """
    wanted = round(float(rng.choice(np.asarray(lengths_s))) * SAMPLE_RATE_HZ)
    place = rng.uniform()
    inside = [round(s * SAMPLE_RATE_HZ) for s in rng.uniform(*CUT_INSIDE_S, size=2)]
    if len(waveform) > wanted:
        start = round(place * (len(waveform) - wanted))
        waveform = waveform[start : start + wanted]
    is_speech = speech_frames(waveform)
    if not is_speech.any():
        return None
    first, last = speech_span(is_speech)
    return waveform[first + inside[0] : last - inside[1]]


def either_polarity(waveform: Samples, *, rng: np.random.Generator) -> Samples:
    """Waveform [T] -> [T] or its negative: which way a microphone is wired is nobody's voice.

    Vocoders put their pulses on one side of zero whatever the source did. Without this, crest
    factor and sign of the highest peak alone reached 36 % EER in a trial (50 is chance).
    """
    return -waveform if rng.uniform() < 0.5 else waveform


def equalize(waveform: Samples, *, rng: np.random.Generator) -> Samples:
    """Waveform [T] -> [T] through a random smooth curve within +-4 dB, without delay."""
    nodes_hz = np.geomspace(80.0, 8_000.0, 7)
    return filter_to(waveform, nodes_hz, rng.uniform(-EQUALIZER_DB, EQUALIZER_DB, nodes_hz.size))


def filter_to(
    waveform: Samples, nodes_hz: NDArray[np.float64], gains_db: NDArray[np.float64]
) -> Samples:
    """Waveform [T], curve [K] -> [T]: linear-phase filter with this gain, delay taken back."""
    from scipy.signal import fftconvolve, firwin2

    grid_hz = np.linspace(0, SAMPLE_RATE_HZ / 2, 257)
    curve_db = np.interp(np.log(np.maximum(grid_hz, 20.0)), np.log(nodes_hz), gains_db)
    taps = firwin2(513, grid_hz, 10 ** (curve_db / 20), fs=SAMPLE_RATE_HZ)
    return np.asarray(fftconvolve(waveform, taps, "same"), np.float32)


def reverberate(waveform: Samples, *, rng: np.random.Generator) -> Samples:
    """Waveform [T] -> [T]: in 15 % of cases in a small room, its tail 10 to 20 dB down."""
    from scipy.signal import fftconvolve

    is_reverberant = rng.uniform() < REVERB_CHANCE
    decay_s, below_db = rng.uniform(0.08, 0.35), rng.uniform(10.0, 20.0)
    time_s = np.arange(round(decay_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    tail = rng.standard_normal(time_s.size) * 10 ** (-3 * time_s / decay_s)
    if not is_reverberant:
        return waveform
    tail[: round(0.003 * SAMPLE_RATE_HZ)] = 0
    tail *= 10 ** (-below_db / 20) / np.linalg.norm(tail)
    tail[0] = 1.0
    return np.asarray(fftconvolve(waveform, tail)[: len(waveform)], np.float32)


def add_noise(waveform: Samples, *, rng: np.random.Generator) -> Samples:
    """Waveform [T] -> [T] with steady noise between white and brown, 25 to 45 dB below it."""
    snr_db, slope = rng.uniform(*SNR_DB), rng.uniform(0.0, 2.0)
    spectrum = np.fft.rfft(rng.standard_normal(len(waveform)))
    frequency = np.maximum(np.fft.rfftfreq(len(waveform), 1 / SAMPLE_RATE_HZ), 60.0)
    noise = np.fft.irfft(spectrum * frequency ** (-slope / 2), len(waveform))
    power = np.mean(waveform.astype(np.float64) ** 2) * 10 ** (-snr_db / 10)
    return np.asarray(waveform + noise * np.sqrt(power / np.mean(noise**2)), np.float32)


def send(waveform: Samples, *, rng: np.random.Generator) -> Samples:
    """Waveform [T] -> [T]: in 35 % of cases through one codec of a call or a download."""
    is_coded, effort = rng.uniform() < CODEC_CHANCE, rng.uniform(0.2, 0.9)
    transport, rate_hz = TRANSPORTS[int(rng.integers(len(TRANSPORTS)))]
    if not is_coded:
        return waveform
    return transcode(waveform, transport, rate_hz=rate_hz, effort=effort)


def to_pcm(waveform: Samples, *, rng: np.random.Generator) -> NDArray[np.int16]:
    """Waveform [T] -> int16 [T]: level -33 to -22 dBFS, short fades, triangular dither.

    Where a peak would clip, the whole file is quieter.
    """
    at_level = at_speech_level(waveform, level_db=rng.uniform(*LEVEL_DB)).astype(np.float64)
    at_level *= min(1.0, 0.98 / max(float(np.abs(at_level).max()), 1e-9))
    for end, seconds in zip(
        (slice(None), slice(None, None, -1)), rng.uniform(*FADE_S, 2), strict=True
    ):
        ramp = np.sin(np.linspace(0, np.pi / 2, round(seconds * SAMPLE_RATE_HZ))) ** 2
        at_level[end][: len(ramp)] *= ramp
    dither = rng.uniform(-0.5, 0.5, len(waveform)) + rng.uniform(-0.5, 0.5, len(waveform))
    return np.clip(np.round(at_level * 32_767 + dither), -32_768, 32_767).astype(np.int16)


def _pauses(is_speech: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Speech frames [N] -> start and stop samples of pauses above 0.2 s, those at the ends not."""
    edges = np.diff(is_speech.astype(np.int8), prepend=0, append=0)
    stops, starts = np.flatnonzero(edges == 1)[1:], np.flatnonzero(edges == -1)[:-1]
    return [
        (int(start) * HOP_SAMPLES, int(stop) * HOP_SAMPLES)
        for start, stop in zip(starts, stops, strict=True)
        if (stop - start) * HOP_S > LONGEST_PAUSE_S
    ]


def _joined(pieces: Sequence[Samples]) -> Samples:
    """Pieces -> one waveform, neighbours crossfaded over 5 ms so that no cut clicks."""
    whole = pieces[0]
    ramp = np.linspace(0, 1, CROSSFADE_SAMPLES, dtype=np.float32)
    for piece in pieces[1:]:
        seam = whole[-CROSSFADE_SAMPLES:] * (1 - ramp) + piece[:CROSSFADE_SAMPLES] * ramp
        whole = np.concatenate([whole[:-CROSSFADE_SAMPLES], seam, piece[CROSSFADE_SAMPLES:]])
    return whole
