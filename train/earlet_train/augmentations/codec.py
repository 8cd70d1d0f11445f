"""Sends each window through a codec of a call or a download, and back."""

from dataclasses import dataclass

import numpy as np

from earlet.errors import MissingExtra
from earlet_train.augmentations.augmentation import Augmentation, Floats
from earlet_train.augmentations.level import within_full_scale
from earlet_train.corpus.codecs import Transport, transcode
from earlet_train.corpus.speech_level import SAMPLE_RATE_HZ, resample
from earlet_train.ranges import Rate

# The rates that each codec is met at; GSM and G.722 know only one.
RATES_HZ: dict[Transport, tuple[int, ...]] = {
    "vorbis": (16_000,),
    "opus": (8_000, 16_000),
    "mp3": (16_000,),
    "mu-law": (8_000, 16_000),
    "gsm": (8_000,),
    "g722": (16_000,),
}


@dataclass(frozen=True, kw_only=True)
class CodecSettings:
    """With `probability`, through one of `transports`, each as likely.

    `low_effort` to `high_effort`: how much vorbis, opus and mp3 throw away, from 0 (little) to 1.
    `g722` needs the extra earlet[corpus].
    """

    probability: Rate = 0.5
    transports: tuple[Transport, ...] = ("vorbis", "opus", "mp3", "mu-law", "gsm")
    low_effort: Rate = 0.2
    high_effort: Rate = 0.9

    def __post_init__(self) -> None:
        if not self.transports:
            raise ValueError("transports is empty. Name at least one, or leave the key out")
        if self.low_effort > self.high_effort:
            raise ValueError(f"low_effort {self.low_effort} lies above {self.high_effort}")


class Codec(Augmentation):
    """The real encoders and decoders that the corpus builder uses (libsndfile's; FFmpeg's G.722).

    In memory; the result is moved back to where it was in time. Codecs work at 8 or 16 kHz here,
    so nothing above 8 kHz survives, whatever the rate of the recordings. No packets are lost.
    """

    Settings = CodecSettings

    def __init__(self, settings: CodecSettings, *, sample_rate_hz: int) -> None:
        super().__init__(settings, sample_rate_hz=sample_rate_hz)
        if "g722" in settings.transports:
            try:
                import av  # noqa: F401
            except ModuleNotFoundError:
                raise MissingExtra(module="av", extra="corpus") from None

    def waveform(self, waveform: Floats, rng: np.random.Generator) -> Floats:
        """Waveform [T] -> waveform [T]."""
        s = self.settings
        if rng.random() >= s.probability:
            return waveform
        transport = s.transports[int(rng.integers(len(s.transports)))]
        rates_hz = RATES_HZ[transport]
        rate_hz = rates_hz[int(rng.integers(len(rates_hz)))]
        effort = float(rng.uniform(s.low_effort, s.high_effort))
        heard = transcode(
            resample(waveform, self.sample_rate_hz, SAMPLE_RATE_HZ),
            transport,
            rate_hz=rate_hz,
            effort=effort,
        )
        # Resampling there and back may leave some samples more, never fewer.
        back = resample(heard, SAMPLE_RATE_HZ, self.sample_rate_hz)[: len(waveform)]
        return within_full_scale(back)
