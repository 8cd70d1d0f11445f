"""Step 2 of the equal channel: a synthesizer's voice as it would sound in its source's recording.

Without it a detector learns the studio and not the voice: synthesizers are clean, flat and coded
by nobody, recordings have a spectrum, a noise floor and a codec.
"""

import numpy as np
from numpy.typing import NDArray

from earlet_train.corpus.channel import filter_to
from earlet_train.corpus.codecs import transcode
from earlet_train.corpus.engine import Method, Samples, Speech
from earlet_train.corpus.speech_level import (
    FRAME_SAMPLES,
    HOP_SAMPLES,
    SAMPLE_RATE_HZ,
    SPEECH_LEVEL_DB,
    at_speech_level,
    frame_level_db,
    speech_frames,
)

NODES_HZ = np.geomspace(80.0, 7_800.0, 24)  # half an octave apart at the bottom, less at the top
TTS_LIMIT_DB = 18.0
COPY_LIMIT_DB = 12.0
GRAIN_SAMPLES = 960
SHORTEST_PAUSE_FRAMES = 6
VORBIS_EFFORT = (0.4, 0.8)


def imitate_source(
    made: Samples, *, method: Method, source: Speech, rng: np.random.Generator
) -> Samples:
    """Prepared synthetic speech [T] -> [T], 16 kHz, speech at -23 dBFS, in the source's channel.

    `source`: for text to speech a bona fide donor of the same split and language, whose long-term
    spectrum (+-18 dB), recorded pauses and codec are taken; for copies and conversions the
    recording they were made from, towards whose long-term spectrum they are corrected (+-12 dB, the
    inverse of their own bias) and whose codec they go through.
    """
    limit_db = TTS_LIMIT_DB if method == "tts" else COPY_LIMIT_DB
    gains_db = long_term_db(source.waveform) - long_term_db(made)
    matched = filter_to(made, NODES_HZ, np.clip(gains_db - gains_db.mean(), -limit_db, limit_db))
    matched = at_speech_level(matched, level_db=SPEECH_LEVEL_DB)
    if method == "tts":
        matched = matched + recorded_silence(source.waveform, samples=len(made), rng=rng)
    return through_codec(matched, source=source, rng=rng)


def long_term_db(waveform: Samples) -> NDArray[np.float64]:
    """Waveform [T], 16 kHz -> [24] mean power of its speech in smooth bands, in dB."""
    from numpy.lib.stride_tricks import sliding_window_view

    frames = sliding_window_view(waveform, 2 * FRAME_SAMPLES)[::FRAME_SAMPLES]
    is_speech = speech_frames(waveform)[: len(frames) * 2 : 2][: len(frames)]
    chosen = frames[: len(is_speech)][is_speech]
    power = np.abs(np.fft.rfft((chosen if len(chosen) else frames) * np.hanning(frames.shape[1])))
    mean = np.mean(power**2, axis=0)
    frequency = np.fft.rfftfreq(frames.shape[1], 1 / SAMPLE_RATE_HZ)
    # Gaussian bands on a log axis, half an octave wide: smoother than formants, finer than tilt.
    distance = np.log2(np.maximum(frequency, 20.0) / NODES_HZ[:, None])
    weight = np.exp(-0.5 * (distance / 0.25) ** 2)
    bands = (weight @ mean) / weight.sum(axis=1)
    return np.asarray(10 * np.log10(np.maximum(bands, 1e-12)))


def recorded_silence(waveform: Samples, *, samples: int, rng: np.random.Generator) -> Samples:
    """Recording [T] -> [samples] of its own noise floor, spliced from what lies between its words.

    Grains of 60 ms at random places of its pauses, crossfaded at equal power; where the recording
    never pauses for 60 ms, its quietest frames.
    """
    places = _quiet_places(waveform)
    hop = GRAIN_SAMPLES // 2
    window = np.sin(np.pi * (np.arange(GRAIN_SAMPLES) + 0.5) / GRAIN_SAMPLES)
    out = np.zeros(samples + 2 * GRAIN_SAMPLES)
    for start in range(0, samples + GRAIN_SAMPLES, hop):
        place = int(rng.choice(places))
        out[start : start + GRAIN_SAMPLES] += window * waveform[place : place + GRAIN_SAMPLES]
    return out[hop : hop + samples].astype(np.float32)


def through_codec(waveform: Samples, *, source: Speech, rng: np.random.Generator) -> Samples:
    """Waveform [T] -> [T] through the codec that its source was stored with."""
    effort = rng.uniform(*VORBIS_EFFORT)
    if source.codec == "pcm":
        return waveform
    if source.codec == "g722":
        return transcode(waveform, "g722")
    return transcode(waveform, "vorbis", rate_hz=source.source_rate_hz, effort=effort)


def _quiet_places(waveform: Samples) -> NDArray[np.int64]:
    """Recording [T] -> samples at which a grain holds nothing but its noise floor."""
    level_db = frame_level_db(waveform)
    frames_per_grain = (GRAIN_SAMPLES - FRAME_SAMPLES) // HOP_SAMPLES + 1
    views = np.lib.stride_tricks.sliding_window_view(level_db, frames_per_grain)
    loudest_db = views.max(axis=1)
    is_speech = speech_frames(waveform)
    has_speech = np.lib.stride_tricks.sliding_window_view(is_speech, frames_per_grain).any(axis=1)
    quiet = np.flatnonzero(~has_speech)
    if quiet.size < SHORTEST_PAUSE_FRAMES:
        quiet = np.argsort(loudest_db)[:SHORTEST_PAUSE_FRAMES]
    # The quieter half: next to a word there is breath and decay, which belong to the word.
    quiet = quiet[loudest_db[quiet] <= np.median(loudest_db[quiet])]
    return np.asarray(quiet * HOP_SAMPLES, np.int64)
