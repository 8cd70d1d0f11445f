"""Any recording of the packages as one waveform: Vorbis, Opus, WAV and raw G.722."""

from pathlib import Path

import numpy as np

from earlet.errors import CorpusError, MissingExtra
from earlet_train.corpus.engine import Samples

G722_RATE_HZ = 16_000


def decode(path: Path) -> tuple[Samples, int]:
    """File -> (waveform float32 [T] in [-1, 1], mono, its own rate in Hz). Raises CorpusError.

    Channels are averaged. Raw G.722 (64 kbit/s, no header) decodes in-process through PyAV.
    """
    if path.suffix == ".g722":
        return _decode_g722(path), G722_RATE_HZ
    import soundfile

    try:
        channels, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise CorpusError(
            f"{path} cannot be decoded ({error}); delete its package from the cache and build again"
        ) from error
    return np.asarray(channels.mean(axis=1), np.float32), int(rate_hz)


def stored_rate_hz(path: Path) -> int:
    """The rate in the file's header, without decoding it."""
    if path.suffix == ".g722":
        return G722_RATE_HZ
    import soundfile

    return int(soundfile.info(path).samplerate)


def _decode_g722(path: Path) -> Samples:
    try:
        import av
    except ImportError as error:
        raise MissingExtra(module="av", extra="corpus") from error
    try:
        with av.open(str(path), format="g722") as container:
            frames = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    except (OSError, ValueError) as error:
        raise CorpusError(
            f"{path} cannot be decoded as G.722 ({error}); delete its package from the cache and "
            "build again"
        ) from error
    if not frames:
        return np.zeros(0, np.float32)
    return np.asarray(np.concatenate(frames) / 32_768, np.float32)
