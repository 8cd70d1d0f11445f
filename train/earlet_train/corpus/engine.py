"""The one interface between the corpus builder and the machines that speak."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Codec = Literal["pcm", "g722", "vorbis"]
Method = Literal["tts", "copy", "vc"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Speech:
    """A human recording: float32 [T] in [-1, 1], mono, 16 kHz, high-passed and trimmed.

    `codec`, `source_rate_hz`: how the recording was stored, which its imitations inherit.
    """

    name: str
    waveform: Samples
    speaker: str
    language: str
    split: str
    text: str | None
    codec: Codec
    source_rate_hz: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Request:
    """What a synthesizer is asked for. `source` is None for text to speech, `text` for the rest.

    Every random choice (voice, pitch, pace) comes from `rng`, so a request always gives the same
    audio.
    """

    split: str
    language: str
    text: str | None
    source: Speech | None
    rng: np.random.Generator


@dataclass(frozen=True, kw_only=True, eq=False)
class Spoken:
    """What came back: float32 [T] in [-1, 1] at the synthesizer's own rate, and who it sounds like.

    `voice` names the synthetic voice for the protocol's speaker column (text to speech); copies
    and conversions keep the source's speaker.
    """

    waveform: Samples
    sample_rate_hz: int
    voice: str


class Engine(Protocol):
    """One synthesizer. Instances are cheap; whatever is slow to load loads at the first request.

    `packages`: names in `earlet_train.corpus.packages.PACKAGES` that must be unpacked.
    `languages`: what text to speech can read in each split; empty for copies and conversions,
    which take any speech. `share`: how many files relative to other systems (1.0 is usual).
    """

    id: str
    name: str
    family: str
    method: Method
    splits: tuple[str, ...]
    packages: tuple[str, ...]
    share: float

    def languages(self, split: str) -> tuple[str, ...]:
        """Languages of text to speech in this split."""

    def synthesize(self, request: Request, store: Path) -> Spoken | None:
        """The request as audio; None where this text or source gives nothing usable.

        `store` holds the unpacked packages: `store / package name / ...`.
        """
