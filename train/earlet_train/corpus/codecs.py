"""Sound through real codecs and back, on its old place in time."""

import io
from typing import Literal

import numpy as np

from earlet_train.corpus.engine import Samples
from earlet_train.corpus.speech_level import SAMPLE_RATE_HZ, resample

Transport = Literal["vorbis", "opus", "mp3", "mu-law", "gsm", "g722"]
TRANSPORTS: tuple[Transport, ...] = ("vorbis", "opus", "mp3", "mu-law", "gsm", "g722")
LONGEST_DELAY_SAMPLES = 2_400

# libsndfile's own writers: container, encoding, and the rates they are heard at in the wild.
_WRITERS = {
    "vorbis": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "mu-law": ("WAV", "ULAW"),
    "gsm": ("WAV", "GSM610"),
}


def transcode(
    waveform: Samples,
    transport: Transport,
    *,
    rate_hz: int = SAMPLE_RATE_HZ,
    effort: float = 0.5,
) -> Samples:
    """Waveform [T], 16 kHz -> waveform [T], 16 kHz, as it comes out of the codec, without delay.

    `rate_hz`: the rate the codec works at. `effort` in [0, 1]: how much a lossy codec throws away
    (libsndfile's compression level: 0 keeps most). G.722 has neither: 16 kHz, 64 kbit/s.
    """
    peak = float(np.abs(waveform).max(initial=0.0))
    if peak == 0:
        return waveform
    gain = min(1.0, 0.97 / peak)  # codecs clip at full scale
    if transport == "g722":
        heard = _g722(waveform * np.float32(gain))
    else:
        there = resample(waveform * np.float32(gain), SAMPLE_RATE_HZ, rate_hz)
        heard = resample(_libsndfile(there, transport, rate_hz, effort), rate_hz, SAMPLE_RATE_HZ)
    return aligned(heard, waveform) / np.float32(gain)


def aligned(heard: Samples, original: Samples) -> Samples:
    """Waveforms [T'], [T] -> the first [T], shifted to where it matches the second best."""
    from scipy.signal import correlate, correlation_lags

    lags = correlation_lags(len(heard), len(original), "full")
    match = correlate(heard.astype(np.float64), original.astype(np.float64), "full", "fft")
    near = np.abs(lags) <= LONGEST_DELAY_SAMPLES
    delay = int(lags[near][np.argmax(match[near])])
    shifted = heard[delay:] if delay >= 0 else np.concatenate([np.zeros(-delay, np.float32), heard])
    out = np.zeros(len(original), np.float32)
    out[: len(shifted)] = shifted[: len(original)]
    return out


def _libsndfile(waveform: Samples, transport: Transport, rate_hz: int, effort: float) -> Samples:
    import soundfile

    container, encoding = _WRITERS[transport]
    options = {} if encoding in {"ULAW", "GSM610"} else {"compression_level": effort}
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", rate_hz, 1, format=container, subtype=encoding, **options
    ) as file:
        # In pieces: libsndfile's Vorbis and Opus writers keep what they get on the stack.
        for start in range(0, len(waveform), 4_096):
            file.write(waveform[start : start + 4_096])
    buffer.seek(0)
    heard, _ = soundfile.read(buffer, dtype="float32")
    return np.asarray(heard, np.float32)


def _g722(waveform: Samples) -> Samples:
    """Both directions through FFmpeg's G.722, a sub-band codec without side information."""
    import av

    pcm = np.clip(np.round(waveform * 32_767), -32_768, 32_767).astype(np.int16)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="g722") as container:
        stream = container.add_stream("g722", rate=SAMPLE_RATE_HZ, layout="mono")
        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer, "r", format="g722") as container:
        heard = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.asarray(np.concatenate(heard) / 32_768, np.float32)
